"""labwire as a program: its command line, its end, and what it says when it cannot work."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import IO, Iterator, Sequence

import pytest

import labkit.labwire
from labkit import sandbox
from labkit.paths import LABWIRE
from labkit.scenario import Scenario

SANITIZED = LABWIRE.with_name("labwire-sanitized")
ALONE = ("unshare", "-Urn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
DEADLINE = 30
ORDINARY = 65534


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LABWIRE, *arguments], capture_output=True, text=True, check=False,
                          timeout=DEADLINE, stdin=subprocess.DEVNULL)


# -- The command line ---------------------------------------------------------

GOOD = ["drop packet 1", "duplicate tcp from 1 to 65535 1,2,4294967295", "delay 3600000 udp all",
        "reorder icmp every 4294967295", "corrupt syn-ack random 0.001 seed 0",
        "drop ack random 100 seed 4294967295", "  drop   fin  from 0  1 "]
BAD = {
    "": "it begins with drop, duplicate, delay, reorder or corrupt, not ''",
    "lose udp 1": "not 'lose'",
    "drop": "'' is none of packet, tcp, udp, icmp, syn, syn-ack, fin, rst, data, ack",
    "drop datagram 1": "'datagram' is none of",
    "drop udp": "it does not say which",
    "drop udp 0": "'0' is none of N",
    "drop udp 4294967296": "'4294967296' is none of N",
    "drop udp 99999999999999999999999": "is none of N",
    "drop udp -1": "'-1' is none of N",
    "drop udp 1,": "'1,' is none of N",
    "drop udp 1x": "'1x' is none of N",
    "drop udp 3,2": "the numbers of '3,2' must ascend",
    "drop udp 2,2": "the numbers of '2,2' must ascend",
    "drop udp every": "every is a number from 1 to 4294967295, not ''",
    "drop udp every 0": "every is a number from 1",
    "drop udp all 1": "nothing may follow, not '1'",
    "drop udp random 30": "random needs a seed: random 30 seed 1",
    "drop udp random 0 seed 1": "random is a percentage from 0.001 to 100, not '0'",
    "drop udp random 100.001 seed 1": "not '100.001'",
    "drop udp random .5 seed 1": "not '.5'",
    "drop udp random 0.0005 seed 1": "not '0.0005'",
    "drop udp random 5 seed": "seed is a number from 0 to 4294967295, not ''",
    "drop udp to 65536 1": "to is a number from 0 to 65535, not '65536'",
    "drop udp from http 1": "from is a number from 0 to 65535, not 'http'",
    "drop udp to 1 from 2 1": "'from' is none of N",
    "drop icmp to 1 1": "ICMP has no ports",
    "delay udp 1": "delay is a number from 1 to 3600000, not 'udp'",
    "delay 0 udp 1": "delay is a number from 1 to 3600000, not '0'",
    "drop 40 udp 1": "'40' is none of packet",
    "drop udp 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15": "it has too many words",
}


def test_good_rules_are_good() -> None:
    done = run("--check", *GOOD)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("rule", BAD)
def test_a_bad_rule_is_told_with_its_number_and_why(rule: str) -> None:
    done = run("--check", GOOD[0], rule)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"labwire: rule 2, '{rule}': ")
    assert BAD[rule] in done.stderr and done.stderr.count("\n") == 1


def test_more_rules_than_a_frame_holds_are_refused() -> None:
    done = run("--check", *["drop udp from 10000 to 10000 random 12.345 seed 1000000"] * 30)
    assert done.returncode == 2
    assert done.stderr == "labwire: the rules are longer than 1400 characters\n"


@pytest.mark.parametrize("arguments", [
    (), ("eth0",), ("link", "a"), ("--ready-fd",), ("--ready-fd", "x", "lo"), ("-h",), ("-h", "lo"), ("-B",),
    ("-B", "0", "lo"), ("-B", "1025", "lo"), ("-B", "8M", "lo")])
def test_a_wrong_command_line_is_2_and_the_usage(arguments: Sequence[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: labwire ")


# -- Its life -----------------------------------------------------------------


class Running:
    """labwire on a loopback of its own, ready."""

    def __init__(self, *argv: str, stdin: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            [*ALONE, *argv], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.err.readline() == b"ready\n"

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def err(self) -> IO[bytes]:
        assert self.process.stderr is not None
        return self.process.stderr

    def end(self) -> tuple[int, str]:
        """Its exit status and what it has said at the end."""
        _, said = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, said.decode()


WELL = (0, "0 packets, 0 lost by the relay itself\n")


def test_the_end_of_its_stdin_ends_it() -> None:
    assert Running(str(LABWIRE), "lo").end() == WELL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    running = Running(str(LABWIRE), "lo")
    running.process.send_signal(number)
    assert running.process.wait(DEADLINE) == 0
    assert running.end() == WELL


def test_it_ends_with_the_one_who_started_it() -> None:
    """Not by its stdin, which a shell makes /dev/null for what runs in the background."""
    running = Running("sh", "-c", f"{LABWIRE} lo & read line")
    running.process.kill()
    assert running.out.read() == b""  # whoever held it is gone
    assert running.err.read() == WELL[1].encode()
    running.end()


def test_rules_can_come_by_its_stdin() -> None:
    with subprocess.Popen([*ALONE, str(LABWIRE), "lo", "-"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(b"drop udp 1\ndelay 5 tcp all\n\n")
        process.stdin.flush()
        assert process.stderr.readline() == b"ready\n"
        out, said = process.communicate(b"settle\nsettle\n", timeout=DEADLINE)
        assert (process.returncode, out, said.decode()) == (
            0, b"settled 0\nsettled 0\n", WELL[1])


@pytest.mark.parametrize("text, status", [("", 0), ("drop udp 1\n", 0), ("lose\n", 2)])
def test_without_its_rules_it_never_begins(text: str, status: int) -> None:
    done = subprocess.run([*ALONE, LABWIRE, "lo", "-"], input=text, capture_output=True,
                          text=True, check=False, timeout=DEADLINE)
    assert (done.returncode, "ready" in done.stderr, done.stdout) == (status, False, "")


TALK = """
    import os, socket, subprocess, sys
    stdin = {"pipe": subprocess.PIPE, "null": subprocess.DEVNULL}[sys.argv[1]]
    wire = subprocess.Popen([sys.argv[2], "lo", *sys.argv[3:]], stdin=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert wire.stderr.readline() == b"ready\\n"
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 6000))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
"""


def talk(script: str, *argv: str, before: Sequence[str] = (), stdin: str = "pipe") -> str:
    """What SCRIPT prints, after TALK, in a network of its own."""
    done = subprocess.run(
        [*before, *ALONE, sys.executable, "-c", textwrap.dedent(TALK) + textwrap.dedent(script),
         stdin, *argv], capture_output=True, text=True, check=False, timeout=DEADLINE, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_reader_that_does_not_read_holds_up_nothing() -> None:
    """A pipe holds some thousand lines; there are five times as many to tell."""
    told = talk("""
        for number in range(5000):
            client.sendto(b"%d" % number, ("127.0.0.1", 6000))
            assert server.recv(10) == server.recv(10) == b"%d" % number
        wire.stdin.close()
        print(len(wire.stdout.readlines()), wire.stderr.read().decode(), wire.wait())
    """, str(LABWIRE), "duplicate udp all")
    assert told == "5000 5000 packets, 0 lost by the relay itself\n 0\n"


def test_a_stdin_that_nobody_would_close_does_not_end_it() -> None:
    told = talk("""
        client.sendto(b"hello", ("127.0.0.1", 6000))
        print(server.recv(10), end=" ")
        wire.terminate()
        print(wire.stderr.read().decode(), wire.wait())
    """, str(LABWIRE), "duplicate udp 1", stdin="null")
    assert told == "b'hello' 1 packets, 0 lost by the relay itself\n 0\n"


def test_an_ordinary_user_may_do_it_too() -> None:
    user = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups"]
    with sandbox.workspace() as work:
        shutil.copy2(LABWIRE, work / "labwire")
        told = talk("""
            for datagram in (b"lost", b"there"):
                client.sendto(datagram, ("127.0.0.1", 6000))
            print(os.geteuid(), server.recv(10), end=" ")
            wire.stdin.close()
            print(wire.stdout.read().decode(), wire.wait())
        """, str(work / "labwire"), "drop udp 1", before=user if os.geteuid() == 0 else [])
    assert told.startswith("0 b'there' 1 drop 1 udp 127.0.0.1:")
    assert told.endswith(" > 127.0.0.1:6000 4\n 0\n")


# -- What it lacks ------------------------------------------------------------


def lacking(*argv: str) -> str:
    """The one line in which ARGV fails."""
    done = subprocess.run([*argv], capture_output=True, text=True, check=False,
                          timeout=DEADLINE, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_without_nft_it_says_what_to_do() -> None:
    nft = shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert nft is not None
    hide = f'ip link set lo up && mount -t tmpfs none {os.path.dirname(nft)} && exec "$@"'
    said = lacking("unshare", "-Urnm", "sh", "-c", hide, "sh", str(LABWIRE), "lo")
    assert said == "labwire: nft is missing (the package nftables): run 'make setup'\n"


def test_an_nft_that_fails_speaks_for_itself(tmp_path: Path) -> None:
    nft = tmp_path / "nft"
    nft.write_text("#!/bin/sh\necho no such kernel >&2; echo more >&2; exit 1\n")
    nft.chmod(0o755)
    said = lacking(*ALONE, "env", f"PATH={tmp_path}:{os.environ['PATH']}", str(LABWIRE), "lo")
    assert said == "labwire: nft cannot close the loopback: no such kernel\n"


def test_without_rights_it_says_which() -> None:
    said = lacking("unshare", "-Urn", "setpriv", "--bounding-set=-all", "--inh-caps=-all",
                   str(LABWIRE), "link", "lo", "lo")
    assert "no CAP_NET_RAW in this network" in said


def test_an_interface_that_is_down_or_not_there_is_said() -> None:
    assert "lo: not up: Network is down" in lacking("unshare", "-Urn", str(LABWIRE), "lo")
    assert "No such device" in lacking(*ALONE, str(LABWIRE), "link", "a", "b")


# -- Its memory ---------------------------------------------------------------

ACTIONS = ["corrupt", "delay 20", "reorder", "duplicate", "drop"]


@pytest.fixture
def sanitized(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    subprocess.run(["make", "-s", "-C", LABWIRE.parent, "sanitized"], check=True)
    monkeypatch.setattr(labkit.labwire, "LABWIRE", SANITIZED)
    lab = Scenario(workspace, lambda name: workspace / name, workspace / "trace.pcapng")
    yield lab
    lab.close()


def test_no_rule_reads_or_writes_where_it_must_not(sanitized: Scenario) -> None:
    """Every action, on small, empty and fragmented datagrams and on segments."""
    lab = sanitized
    lab.stall = 10  # seconds: TCP takes its time here
    lab.disturb(*[f"{action} {kind} every {number}" for kind, most in (("udp", 7), ("data", 11))
                  for number, action in zip(range(most, 0, -1), ACTIONS)])
    server, client = lab.bind_datagrams(6000), lab.bind_datagrams(6001)
    for size in [0, 1, 1472, 1473, 65_507] * 8:
        client.send(bytes(size), server.address)
    refused = lab.bind_datagrams(6002)
    for _ in range(8):
        refused.sock.sendto(b"", ("127.0.0.1", 1))
    listener = lab.listen(4321)
    peer = lab.connect(4321)
    other = lab.accept(listener)
    peer.send(bytes(100_000))
    other.expect(bytes(100_000))
    lab.end_recording()
    assert {(change.action, change.protocol) for change in lab.changes} == {
        (action.split()[0], protocol) for action in ACTIONS for protocol in ("udp", "tcp")}
