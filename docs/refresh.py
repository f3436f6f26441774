"""The ladders in the documents: drawn by labcap from the traces in docs/traces.

    harness/python docs/refresh.py            draws every block anew
    harness/python docs/refresh.py --check    names the files that are not current, exit 1
    harness/python docs/refresh.py --record [NAME...]   records traces anew, then draws

A block stands between `<!-- trace: NAME -->` and `<!-- end trace -->`, in any Markdown
file of the repository; NAME.pcapng is its trace. With `<!-- trace: NAME, FILTER -->`, a
filter as pcap-filter(7) has it, only those packets are drawn. `<!-- calls: NAME -->` draws
the system calls beside them, which are in NAME.calls.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

REPO = Path(__file__).resolve().parent.parent
TRACES = REPO / "docs" / "traces"
sys.path.insert(0, str(REPO / "harness"))

from labkit import sandbox  # noqa: E402
from labkit.paths import LABCAP, LABS  # noqa: E402
from labkit.program import Program  # noqa: E402
from labkit.scenario import Scenario  # noqa: E402

_BLOCK = re.compile(r"(<!-- (trace|calls): ([\w-]+)(?:, (.*?))? -->\n).*?(<!-- end trace -->)",
                    re.DOTALL)


def draw(name: str, packets: str = "", calls: bool = False) -> str:
    """The ladder of one trace, or of PACKETS of it, 80 columns wide, without colour."""
    environment = {**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([LABCAP, "show", TRACES / f"{name}.pcapng", "--color", "never",
                           *(["--syscalls", TRACES / f"{name}.calls"] if calls else []),
                           *([packets] if packets else [])],
                          env=environment, capture_output=True, text=True, check=True)
    if done.stderr:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def drawn_anew(text: str) -> str:
    """TEXT with the current ladder in each of its blocks."""
    def block(found: re.Match[str]) -> str:
        start, kind, name, packets, end = found.groups()
        return f"{start}```text\n{draw(name, packets or '', kind == 'calls')}\n```\n{end}"

    return _BLOCK.sub(block, text)


def documents() -> list[Path]:
    """The Markdown files that hold a block."""
    found = [*REPO.glob("*.md"), *REPO.glob("docs/**/*.md"), *REPO.glob("labs/*/*.md")]
    return sorted(path for path in found if _BLOCK.search(path.read_text("utf-8")))


def names_with_calls() -> set[str]:
    """The traces that some document shows with calls."""
    blocks = (block for path in documents() for block in _BLOCK.finditer(path.read_text("utf-8")))
    return {block[3] for block in blocks if block[2] == "calls"}


def record_echo_hello(lab: Scenario) -> None:
    """The echo pair: one line typed, echoed and read, then the end of input."""
    lab.start_server("server", port=4321)
    client = lab.start("client")
    client.write(b"hello\n")
    lab.expect_output(client, b"hello\n")
    client.close_stdin()
    lab.expect_exit(client, 0)
    lab.expect_orderly(6, 6)


def record_a_late_accept(lab: Scenario) -> None:
    """A server that waits for Enter before it accepts; by then the client has sent."""
    server = lab.start_server("server", port=4321)
    client = lab.start("client", "-m", "hello")
    lab.wait_blocked(client)
    server.write(b"\n")
    lab.expect_exit(client, 0)
    lab.expect_orderly(6, 6)


def stop_the_server(lab: Scenario) -> tuple[Program, Program]:
    """The echo pair; the server is stopped, as by Ctrl-Z, where it waits for a line."""
    server = lab.start_server("server", port=4321)
    client = lab.start("client")
    lab.expect_line_matching(server, "listening on .*")
    lab.expect_line_matching(server, "connection from .*")
    lab.wait_blocked(server)
    lab.pause(server)
    return server, client


def record_never_read(lab: Scenario) -> None:
    """A line for a server that is stopped, and then killed."""
    server, client = stop_the_server(lab)
    client.write(b"hello\n")
    lab.wait_blocked(client)
    server.send_signal(signal.SIGKILL)
    lab.expect_exit(client, 1)
    lab.expect_packets("connections=1")


def record_three_sends(lab: Scenario) -> None:
    """Three lines, one by one, for a server that is stopped until they are there."""
    server, client = stop_the_server(lab)
    for line in (b"one\n", b"two\n", b"three\n"):
        client.write(line)
        lab.wait_blocked(client)
    lab.resume(server)
    lab.expect_output(client, b"one\ntwo\nthree\n")
    client.close_stdin()
    lab.expect_exit(client, 0)
    lab.expect_orderly(14, 14)


def record_three_receives(lab: Scenario) -> None:
    """One line of 13 bytes for prompt_server, which reads 6 at a time."""
    lab.start_server("prompt_server", "-n", "3", port=55555)
    client = lab.start("client", "-p", "55555", "-m", "hello, world")
    lab.expect_exit(client, 0)
    lab.expect_packets("connections=1")


def record_unread_at_close(lab: Scenario) -> None:
    """5000 bytes for a hello_server that reads 4095 and closes."""
    lab.start_server("hello_server", port=8000)
    client = lab.start("client", "-p", "8000", "-m", "x" * 4999)
    lab.wait_gone(client)
    lab.expect_packets("connections=1")


def record_a_closed_port(lab: Scenario) -> None:
    """A client for a port where no program is."""
    lab.expect_exit(lab.start("client", "-m", "hello"), 1)
    lab.expect_packets("connections=1")


def record_a_filtered_port(lab: Scenario) -> None:
    """A client whose SYNs are thrown away; it is ended after the third one."""
    lab.disturb("drop syn to 4321 all")
    client = lab.start("client", "-m", "hello")
    lab.be_patient(5)
    lab.wait_for(lambda: len(lab.changes) == 3, "three SYNs", lambda: f"{len(lab.changes)}")
    client.send_signal(signal.SIGINT)
    lab.wait_gone(client)
    lab.expect_packets("connections=1")


def record_hello_server(lab: Scenario) -> None:
    """A line for hello_server, which closes first; the client's stdin stays open."""
    lab.start_server("hello_server", port=8000)
    client = lab.start("client", "-p", "8000")
    client.write(b"hi\n")
    lab.expect_output(client, b"Hello, you are connected!\n")
    lab.expect_exit(client, 0)
    lab.expect_orderly(3, 26, first_closer="server")


def record_turns(lab: Scenario) -> None:
    """A line each, then the client's `exit`."""
    server = lab.start_server("turn_server", port=2018)
    lab.expect_line_matching(server, "listening on .*")
    client = lab.start("turn_client")
    client.write(b"hello\n")
    lab.expect_line(server, "hello")
    server.write(b"hi\n")
    lab.expect_line(client, "hi")
    client.write(b"exit\n")
    lab.expect_exit(client, 0)
    lab.expect_orderly(6, 3)


def say_good_night(lab: Scenario) -> tuple[Program, Program]:
    """The client says good night and its stdin ends; the server answers, and its stdin ends."""
    server = lab.start_server("server", port=5188)
    client = lab.start("client")
    client.write(b"good night\n")
    lab.expect_line_matching(server, "listening on .*")
    lab.expect_line_matching(server, "connection from .*")
    lab.expect_line(server, "good night")
    client.close_stdin()
    lab.wait_blocked(client)
    server.write(b"sleep well\n")
    lab.expect_line(client, "sleep well")
    server.close_stdin()
    return server, client


def record_chat(lab: Scenario) -> None:
    """Both half-close."""
    for program in say_good_night(lab):
        lab.expect_exit(program, 0)
    lab.expect_orderly(11, 11)


def record_chat_that_never_ends(lab: Scenario) -> None:
    """Both close where they should half-close: each waits for the other's end of file."""
    for program in say_good_night(lab):
        lab.expect_running(program, cause="exit-status")


def ask(lab: Scenario, line: bytes, *options: str) -> Program:
    """The UDP client with OPTIONS sends LINE and gets it back; its stdin stays open."""
    server = lab.start_datagram_server("server", port=6000)
    lab.expect_line_matching(server, "listening on .*")
    client = lab.start("client", *options)
    client.write(line + b"\n")
    lab.expect_output(client, line + b"\n")
    return client


def end(lab: Scenario, client: Program) -> None:
    """The client's stdin ends, and with it the recording."""
    client.close_stdin()
    lab.expect_exit(client, 0)
    lab.expect_packets("connections=0")


def record_datagrams(lab: Scenario) -> None:
    """One line, one datagram, and its reply."""
    end(lab, ask(lab, b"hello"))


def record_a_lost_reply(lab: Scenario) -> None:
    """The first reply is lost, so that the client sends again."""
    lab.disturb("drop udp from 6000 1")
    end(lab, ask(lab, b"hello", "-t", "50"))


def record_a_late_reply(lab: Scenario) -> None:
    """The first line's first reply comes while the second line waits for its own."""
    lab.disturb("delay 80 udp from 6000 1", "drop udp from 6000 3")
    client = ask(lab, b"hello", "-t", "50")
    client.write(b"hello\n")
    lab.expect_output(client, b"hello\n")
    end(lab, client)


def record_nobody(lab: Scenario) -> None:
    """A line for a port where no program is."""
    client = lab.start("client")
    client.write(b"hello\n")
    lab.expect_exit(client, 1)
    lab.expect_packets("connections=0")


def record_the_largest(lab: Scenario) -> None:
    """The largest datagram, in IP fragments."""
    end(lab, ask(lab, b"x" * 65507))


def send_a_file(lab: Scenario) -> None:
    """A small file, its name before it, and the FIN behind it."""
    served = lab.folder({"hello.txt": b"Hello, world!\n"})
    lab.start_server("send_server", "hello.txt", port=6666, folder=served)
    client = lab.start("send_client", folder=lab.folder())
    lab.expect_exit(client, 0)
    lab.expect_orderly(0, 24, first_closer="server")


def start_ftp_server(lab: Scenario) -> None:
    """The FTP server with a small file."""
    lab.start_server("server", port=2121, folder=lab.folder({"hello.txt": b"Hello, world!\n"}))


def record_passive(lab: Scenario) -> None:
    """The FTP pair: a session with one `get`."""
    start_ftp_server(lab)
    lab.expect_exit(lab.start("client", "127.0.0.1", "get", "hello.txt", folder=lab.folder()), 0)
    lab.expect_packets("connections=2")


def record_active(lab: Scenario) -> None:
    """curl in active mode."""
    start_ftp_server(lab)
    lab.expect_exit(lab.start_tool("curl", "-s", "--ftp-port", "-",
                                   "ftp://127.0.0.1:2121/hello.txt"), 0)
    lab.expect_packets("connections=2")


def fetch(lab: Scenario, size: int, *options: str) -> None:
    """A file of SIZE bytes by TFTP."""
    lab.start_datagram_server("udp_server", port=6666, folder=lab.folder({"file": bytes(size)}))
    client = lab.start("udp_client", *options, "127.0.0.1", "get", "file", folder=lab.folder())
    lab.be_patient(3)
    lab.expect_exit(client, 0)
    lab.expect_packets("connections=0")


def record_blocks(lab: Scenario) -> None:
    """Three blocks, each with its ACK."""
    fetch(lab, 1100)


def record_a_lost_ack(lab: Scenario) -> None:
    """The first ACK, which is the third datagram of all, is lost."""
    lab.disturb("drop udp 3")
    fetch(lab, 1100)


def record_a_doubled_ack(lab: Scenario) -> None:
    """The first ACK arrives twice."""
    lab.disturb("duplicate udp 3")
    fetch(lab, 1100)


def record_a_window(lab: Scenario) -> None:
    """Four blocks for one ACK."""
    fetch(lab, 10000, "-b", "1428", "-w", "4")


class Recording(NamedTuple):
    """A trace of the documents: the lab whose programs it shows, and what they do."""

    lab: str
    scenario: Callable[[Scenario], None]
    edit: tuple[str, str, str] = ("", "", "")
    """A file, a text in it and what stands in its place: the programs are built with that."""


RECORDED = {
    "echo-hello": Recording("01-tcp-echo", record_echo_hello),
    "late-accept": Recording("01-tcp-echo", record_a_late_accept,
                             ("net.c", "    do {\n        len = sizeof peer_addr;",
                              "    getchar();\n    do {\n        len = sizeof peer_addr;")),
    "never-read": Recording("01-tcp-echo", record_never_read),
    "three-sends": Recording("01-tcp-echo", record_three_sends),
    "three-receives": Recording("01-tcp-echo", record_three_receives),
    "close-unread": Recording("01-tcp-echo", record_unread_at_close,
                              ("hello_server.c", "close_first(conn_fd, PATIENCE)",
                               "close(conn_fd)")),
    "closed-port": Recording("01-tcp-echo", record_a_closed_port),
    "filtered-port": Recording("01-tcp-echo", record_a_filtered_port),
    "hello-server": Recording("01-tcp-echo", record_hello_server),
    "turns": Recording("02-p2p-chat", record_turns),
    "chat-shutdown": Recording("02-p2p-chat", record_chat),
    "chat-close": Recording("02-p2p-chat", record_chat_that_never_ends,
                            ("chat.c", "shutdown(conn_fd, SHUT_WR)", "close(conn_fd)")),
    "udp-hello": Recording("03-udp", record_datagrams),
    "udp-lost": Recording("03-udp", record_a_lost_reply),
    "udp-late": Recording("03-udp", record_a_late_reply),
    "udp-refused": Recording("03-udp", record_nobody),
    "udp-largest": Recording("03-udp", record_the_largest),
    "send-file": Recording("04-file-transfer", send_a_file),
    "ftp-get": Recording("04-file-transfer", record_passive),
    "ftp-active": Recording("04-file-transfer", record_active),
    "tftp-get": Recording("04-file-transfer", record_blocks),
    "tftp-lost": Recording("04-file-transfer", record_a_lost_ack),
    "tftp-doubled": Recording("04-file-transfer", record_a_doubled_ack),
    "tftp-window": Recording("04-file-transfer", record_a_window),
}


def record(names: Sequence[str]) -> None:
    """Runs those scenarios of RECORDED, all when NAMES is empty, with the programs of labs/."""
    wanted = names_with_calls()
    with sandbox.workspace() as work:
        for name in names or RECORDED:
            programs = built(RECORDED[name], work / name)
            lab = Scenario(work, lambda p, at=programs: at / p, TRACES / f"{name}.pcapng",
                           calls=TRACES / f"{name}.calls" if name in wanted else None)
            try:
                RECORDED[name].scenario(lab)
            finally:
                lab.close()
            if lab.calls.problem is not None:
                raise SystemExit(f"{name}: {lab.calls.problem}")


def built(recording: Recording, folder: Path) -> Path:
    """The lab's programs, made in the new FOLDER, with the recording's edit."""
    shutil.copytree(LABS / recording.lab, folder)
    file, old, new = recording.edit
    if file:
        text = (folder / file).read_text("utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{file}: {text.count(old)} times in it: {old}")
        (folder / file).write_text(text.replace(old, new), "utf-8")
    subprocess.run(["make", "-s", "-C", folder], check=True)
    return folder


def main() -> int:
    if sys.argv[1:2] == ["--record"] and RECORDED.keys() >= set(sys.argv[2:]):
        record(sys.argv[2:])
    elif sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = [path for path in documents()
             if path.read_text("utf-8") != drawn_anew(path.read_text("utf-8"))]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path.relative_to(REPO)}: a ladder is not current; run docs/refresh.py")
        else:
            path.write_text(drawn_anew(path.read_text("utf-8")), "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
