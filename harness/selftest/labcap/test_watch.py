"""labcap watch: the ladder while it happens, each packet at once, and a good end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from calls import Labcap
from journeys import TwoPoints
from traces import Conversation
from watch_scenarios import COLUMNS, FLOWS, Sight

SCENARIOS = Path(__file__).with_name("watch_scenarios.py")
DEADLINE = 90
OWN_NETWORK = ("unshare", "-Urn")
WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
READY = "watching lo; Ctrl-C ends it\n"

Watch = Callable[..., Sight]


@pytest.fixture
def watch(labcap_binary: Path, tmp_path: Path) -> Watch:
    """Play a scenario in a network of its own; what was to be seen of it."""

    def play(scenario: str, *wrap: str, binary: Path = labcap_binary) -> Sight:
        done = subprocess.run(
            [*OWN_NETWORK, *wrap, sys.executable, SCENARIOS, scenario, binary, tmp_path],
            capture_output=True, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return Sight(**json.loads(done.stdout))

    return play


def well(sight: Sight, packets: int) -> list[str]:
    """Check that it ended well with so many packets; the labels of its arrows, in order."""
    assert (sight.status, sight.said) == (0, f"{READY}{packets} packets, 0 drops\n")
    return labels(sight.screen)


def labels(screen: str) -> list[str]:
    """What the arrows say first: '1 1/3 SYN', '4 PSH+ACK', by packet number."""
    arrows = re.findall(r"^ *(\d+) .*\|[-<]-* ([^ ]+(?: [A-Z+]+)?) ", screen, re.MULTILINE)
    return [f"{number} {label}" for number, label in arrows]


def plain_lines(screen: str) -> list[str]:
    """The lines of a terminal, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", screen).replace("\r", "").split("\n")


HANDSHAKE = ["1 1/3 SYN", "2 2/3 SYN+ACK", "3 3/3 ACK"]


def close_from(first: int) -> list[str]:
    """The packets of a teardown; the first one cannot know how many they will be."""
    steps = ("1/? FIN", "2/4 ACK", "3/4 FIN", "4/4 ACK")
    return [f"{number} {step}" for number, step in enumerate(steps, first)]


# ---- What is on the screen


def test_each_packet_is_on_the_screen_before_the_next_one(watch: Watch) -> None:
    sight = watch("each_packet_at_once")
    data = [label for number in (4, 6, 8) for label in (f"{number} PSH+ACK", f"{number + 1} ACK")]
    assert well(sight, 13) == [*HANDSHAKE, *data, *close_from(10)]
    assert re.findall(r'"(\w+)"', sight.screen) == ["first", "second", "third"]
    told = " ".join(sight.screen.split())
    assert "The client closed first; each FIN was acknowledged, in 4 segments." in told
    assert "16 bytes to the server, 0 bytes to the client." in told
    assert "arrived" not in told
    assert max(map(len, sight.screen.splitlines())) <= COLUMNS


def test_states_follow_the_packets(watch: Watch) -> None:
    sight = watch("each_packet_at_once")
    states = re.findall(r"[A-Z]+(?:-[A-Z]+)*(?:-\d)?(?= \||$)", sight.screen, re.MULTILINE)
    assert [state for state in states if state in STATES] == [
        "CLOSED", "SYN-SENT", "ESTABLISHED", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
        "CLOSE-WAIT", "FIN-WAIT-2", "TIME-WAIT", "LAST-ACK", "CLOSED",
    ]  # fmt: skip


STATES = {"CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
          "CLOSE-WAIT", "LAST-ACK", "CLOSING", "TIME-WAIT"}  # fmt: skip


def test_connections_are_shown_in_turns_under_their_names(watch: Watch) -> None:
    sight = watch("two_at_a_time")
    well(sight, 16)
    rows = re.findall(r"^(?:- .*?(1|2)[: ].*-$| +\d+ .*\|[-<])", sight.screen, re.MULTILINE)
    assert "".join(row or "." for row in rows) == "1...2...1..2....1...."


def test_the_any_interface_shows_a_packet_of_loopback_once(watch: Watch) -> None:
    sight = watch("any_interface")
    assert sight.said == f"{READY.replace('lo;', 'any;')}7 packets, 0 drops\n"
    assert labels(sight.screen) == [*HANDSHAKE, *close_from(4)]
    assert "retransmission" not in sight.screen


def test_a_filter_of_several_words_is_one_filter(watch: Watch) -> None:
    sight = watch("filtered")
    assert sight.said == ("watching lo, udp dst port 6001; Ctrl-C ends it\n"
                          "3 packets, 0 drops\n")
    assert sight.screen.count("datagram, 20 bytes") == 3


def test_icmp_of_no_connection_is_shown_too(watch: Watch) -> None:
    sight = watch("echo_request")
    well(sight, 4)
    for text in ("ICMP echo request", "ICMP echo reply", "ICMP: port unreachable"):
        assert sight.screen.count(text) == 1


def test_a_wire_with_two_points_shows_a_packet_once(watch: Watch, tmp_path: Path) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    talk.client("PA", b"hello", seq=1)
    points = TwoPoints().go(talk, "s1 a1 s2 a2 s3 a3 s4 s5 a5")
    (tmp_path / "frames").write_text("\n".join(frame.data.hex() for frame in points.frames))
    sight = watch("two_points")
    assert sight.said.endswith("\n10 packets, 0 drops\n")
    assert labels(sight.screen) == ["2 1/3 SYN", "4 2/3 SYN+ACK", "6 3/3 ACK", "8 PSH+ACK",
                                    "9 PSH+ACK"]
    assert sight.screen.count("retransmission") == 1
    told = " ".join(sight.screen.split())
    assert "Of 4 packets to the server 1 was lost. The packet to the client arrived." in told


# ---- How it ends


def test_a_reader_that_goes_away_ends_it_well(watch: Watch) -> None:
    sight = watch("reader_leaves")
    assert (sight.status, sight.said) == (0, f"{READY}7 packets, 0 drops\n")


def test_a_reader_that_takes_nothing_does_not_keep_it_from_ending(watch: Watch) -> None:
    sight = watch("reader_takes_nothing")
    assert sight.status == 0
    assert re.fullmatch(READY + r"\d+ packets, 0 drops\n", sight.said)


def test_a_screen_that_takes_nothing_more_is_an_error(watch: Watch) -> None:
    sight = watch("full_disk")
    assert sight.status == 3
    assert sight.said == (f"{READY}labcap: standard output: No space left on device\n"
                          "1 packets, 0 drops\n")


def test_a_file_goes_on_where_it_stood(watch: Watch) -> None:
    sight = watch("into_a_file")
    assert sight.screen.startswith("before\n")
    assert well(sight, 7) == [*HANDSHAKE, *close_from(4)]


def test_an_interface_that_goes_away_ends_it(watch: Watch) -> None:
    sight = watch("interface_vanishes")
    assert sight.status == 3
    assert re.fullmatch(
        "watching near, udp port 9; Ctrl-C ends it\n"
        "labcap: near: (The interface disappeared|the interface went down or away)\n"
        "0 packets, 0 drops\n", sight.said,
    )  # fmt: skip


# ---- Floods


def test_lost_packets_are_told_where_they_are_missing(watch: Watch) -> None:
    sight = watch("overrun")
    packets, drops = map(int, re.findall(r"(\d+) packets, (\d+) drops\n$", sight.said)[0])
    assert sight.status == 3
    assert packets + drops == sight.more["sent"]
    assert drops > 0
    rows = re.findall(r"(datagram, 1000|\(\d+ packets were lost here|datagram, 7)[ :]",
                      sight.screen)
    assert rows[-2:] == [f"({drops} packets were lost here", "datagram, 7"]
    assert rows[:-2] == ["datagram, 1000"] * (packets - 1)


def test_a_flood_of_flows_does_not_take_all_memory(watch: Watch) -> None:
    sight = watch("flood_of_flows")
    well(sight, FLOWS)
    assert sight.more["anew"] == FLOWS // 16384
    assert sight.screen.endswith(f"\nAnd {FLOWS % 16384 - 8} more flows.\n")


# ---- A terminal


def test_a_terminal_that_is_made_smaller_and_ctrl_c(watch: Watch) -> None:
    sight = watch("on_a_terminal")
    assert (sight.status, sight.said) == (0, f"{READY}7 packets, 0 drops\n")
    wide, narrow = plain_lines(sight.more["wide"]), plain_lines(sight.more["narrow"])
    assert max(map(len, wide)) == 80
    assert max(map(len, narrow)) <= 50
    assert labels("\n".join(narrow)) == close_from(4)
    assert sight.more["same"]


def test_the_terminal_is_left_without_colour_and_on_a_new_line(watch: Watch) -> None:
    screen = watch("on_a_terminal").screen
    assert re.findall(r"\x1b\[[^m]*m", screen)[-1] == "\x1b[0m"
    assert "\x1b" not in re.sub(r"\x1b\[[\d;]+m", "", screen)  # colours and nothing else
    lines = plain_lines(screen)
    assert "^C" in lines
    assert lines[-1] == ""


def test_a_pane_of_tmux_shows_the_ladder(watch: Watch) -> None:
    sight = watch("in_tmux")
    assert sight.said == f"{READY}7 packets, 0 drops\n"
    assert labels(sight.screen) == [*HANDSHAKE, *close_from(4)]
    assert "status 0" in sight.screen.splitlines()


# ---- It cannot begin


def test_without_the_capability_it_says_what_to_do(watch: Watch) -> None:
    sight = watch("plain", *WITHOUT_CAPABILITIES)
    assert (sight.status, sight.screen) == (3, "")
    assert sight.said.count("\n") == 1
    for advice in ("CAP_NET_RAW", "unshare -Urn", "sudo setcap cap_net_raw+ep"):
        assert advice in sight.said


def test_a_wrong_filter_is_a_usage_error(watch: Watch) -> None:
    sight = watch("wrong_filter")
    assert (sight.status, sight.screen) == (2, "")
    assert sight.said.startswith("labcap watch: filter 'no such filter': ")


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("nolo", "labcap: watch: nolo: no such interface\n"),
        ("lo", "labcap: watch: lo: the interface is down: `ip link set lo up` turns it on\n"),
    ],
)
def test_an_interface_that_cannot_be_watched_is_named(
    labcap_binary: Path, interface: str, message: str
) -> None:
    done = subprocess.run(
        [*OWN_NETWORK, labcap_binary, "watch", "-i", interface],
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("", message, 3)


def test_a_closed_stdout_is_an_error(labcap_binary: Path) -> None:
    script = 'ip link set lo up && exec "$0" watch -i lo >&-'
    done = subprocess.run(
        [*OWN_NETWORK, "sh", "-c", script, labcap_binary],
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "labcap: standard output: Bad file descriptor\n")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-i", ""),
        ("tcp",),
        ("-i", "lo", "-s", "0"),
        ("-i", "lo", "-s", "262145"),
        ("-i", "lo", "-s", "9x"),
        ("-i", "lo", "--color", "pink"),
        ("-i", "lo", "--unknown"),
    ],
)
def test_wrong_arguments_are_usage_errors(labcap: Labcap, arguments: tuple[str, ...]) -> None:
    done = labcap("watch", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: labcap watch -i IFACE " in done.stderr


# ---- Under the sanitizers


@pytest.mark.parametrize(
    "scenario", ["each_packet_at_once", "echo_request", "on_a_terminal", "reader_takes_nothing"]
)
def test_no_sanitizer_complains(watch: Watch, labcap_sanitized: Path, scenario: str) -> None:
    sight = watch(scenario, binary=labcap_sanitized)
    assert sight.status == 0
    assert "Sanitizer" not in sight.said and "runtime error" not in sight.said
