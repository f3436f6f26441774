"""check: every form of expectation, and the exit statuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import Labcap, ReadOne
from trace_files import ETHERNET, NgWriter
from traces import Conversation, echo_conversation

MET, NOT_MET, USAGE, UNTRUSTED = 0, 1, 2, 3

TRUE_OF_ECHO = [
    "connections=1",
    "type=tcp",
    "client.address=10.0.0.1",
    "client.port=39870",
    "server.address=10.0.0.2",
    "server.port=4321",
    "client_known=true",
    "first_packet=1",
    "last_packet=10",
    "duration=0.009",
    "handshake.complete=true",
    "handshake.syn=1",
    "handshake.syn_ack=2",
    "handshake.ack=3",
    "handshake.client_isn=1000000",
    "handshake.server_isn=2000000",
    "handshake.syn_retransmissions=0",
    "handshake.refused=false",
    "teardown.kind=fin",
    "teardown.first_closer=client",
    "teardown.client_fin=7",
    "teardown.client_fin_ack=8",
    "teardown.server_fin=9",
    "teardown.server_fin_ack=10",
    "teardown.segments=4",
    "teardown.reset_by=null",
    "teardown.reset=null",
    "to_server.packets=5",
    "to_server.segments=1",
    "to_server.bytes=7",
    "to_server.missing_bytes=0",
    "to_server.retransmitted_segments=0",
    "to_server.retransmitted_bytes=0",
    "to_server.out_of_order_segments=0",
    "to_server.duplicate_acks=0",
    "to_server.zero_windows=0",
    "to_server.keep_alives=0",
    "to_server.largest_segment=7",
    "to_client.bytes=18",
    "state=SF",
    "history=ShADadFf",
    "to_server.bytes>=7",
    "to_server.bytes>=0",
    "to_server.bytes<=7",
    "to_server.bytes<=18446744073709551615",
    "connections>=1",
    "connections<=1",
    "duration<=0.01",
    "duration>=0.008999",
]

FALSE_OF_ECHO = [
    "connections=2",
    "connections>=2",
    "connections<=0",
    "type=udp",
    "client.port=39871",
    "server.address=10.0.0.3",
    "handshake.complete=false",
    "handshake.syn=2",
    "handshake.syn=null",
    "handshake.refused=true",
    "teardown.kind=reset",
    "teardown.first_closer=server",
    "teardown.reset_by=server",
    "teardown.reset=1",
    "teardown.reset>=1",
    "teardown.segments<=3",
    "to_server.bytes=8",
    "to_server.bytes>=8",
    "to_server.bytes<=6",
    "to_server.bytes=70",
    "to_client.bytes=1",
    "state=S1",
    "state=OTH",
    "history=ShAD",
    "history=shadadff",
    "duration<=0.0089",
    "duration>=0.009001",
]


@pytest.fixture
def echo(trace: Path) -> Path:
    """The trace of one echo."""
    return echo_conversation().write(trace)


@pytest.fixture
def two(trace: Path) -> Path:
    """Two connections: 5 bytes to the server, then 9, and a reset."""
    talk = Conversation(client_port=50001).handshake()
    talk.client("PA", b"hello")
    talk.server("A")
    talk.close()
    second = talk.then(client_port=50002).handshake()
    second.client("PA", b"hello sir")
    second.server("RA")
    return talk.write(trace)


@pytest.mark.parametrize("expectation", TRUE_OF_ECHO)
def test_met(echo: Path, labcap: Labcap, expectation: str) -> None:
    done = labcap("check", echo, expectation)
    assert (done.returncode, done.stderr) == (MET, "")
    assert len(done.stdout.splitlines()) == 1
    assert expectation in done.stdout


@pytest.mark.parametrize("expectation", FALSE_OF_ECHO)
def test_not_met(echo: Path, labcap: Labcap, expectation: str) -> None:
    done = labcap("check", echo, expectation)
    assert done.returncode == NOT_MET
    assert expectation in done.stdout


def test_each_expectation_has_a_line(echo: Path, labcap: Labcap) -> None:
    done = labcap("check", echo, *TRUE_OF_ECHO)
    assert done.returncode == MET
    lines = done.stdout.splitlines()
    assert len(lines) == len(TRUE_OF_ECHO)
    for line, expectation in zip(lines, TRUE_OF_ECHO):
        assert expectation in line


def test_one_that_is_not_met_fails_all(echo: Path, labcap: Labcap) -> None:
    done = labcap("check", echo, "handshake.complete=true", "to_server.bytes=8", "state=SF")
    assert done.returncode == NOT_MET
    good, bad, good_too = done.stdout.splitlines()
    assert good.split()[0] == good_too.split()[0] != bad.split()[0]


def test_a_line_says_what_was_seen(echo: Path, labcap: Labcap) -> None:
    done = labcap("check", echo, "to_client.bytes=77", "teardown.first_closer=server")
    first, second = done.stdout.splitlines()
    assert "18" in first.replace("to_client.bytes=77", "")
    assert "client" in second.replace("teardown.first_closer=server", "")


def test_a_line_says_where_it_was_seen(trace: Path, labcap: Labcap) -> None:
    talk = Conversation().handshake()
    for _ in range(20):
        talk.client("PA", b"hello")
        talk.server("A")
    talk.server("RA")
    done = labcap("check", talk.write(trace), "teardown.kind=fin")
    assert done.returncode == NOT_MET
    assert "reset" in done.stdout
    assert "44" in done.stdout


def test_no_reset_seen_is_null(echo: Path, labcap: Labcap) -> None:
    assert labcap("check", echo, "teardown.reset=null").returncode == MET
    assert labcap("check", echo, "handshake.ack=null").returncode == NOT_MET


def test_expectations_apply_to_every_connection(two: Path, labcap: Labcap) -> None:
    assert labcap("check", two, "handshake.complete=true").returncode == MET
    assert labcap("check", two, "to_server.bytes>=5").returncode == MET
    assert labcap("check", two, "to_server.bytes=5").returncode == NOT_MET
    assert labcap("check", two, "to_server.bytes=9").returncode == NOT_MET


@pytest.mark.parametrize(
    ("expectation", "status"),
    [
        ("1:to_server.bytes=5", MET),
        ("1:to_server.bytes=9", NOT_MET),
        ("2:to_server.bytes=9", MET),
        ("2:to_server.bytes>=10", NOT_MET),
        ("2:teardown.kind=reset", MET),
        ("1:teardown.kind=reset", NOT_MET),
        ("3:teardown.kind=reset", NOT_MET),
    ],
)
def test_a_prefix_names_one_connection(
    two: Path, labcap: Labcap, expectation: str, status: int
) -> None:
    assert labcap("check", two, expectation).returncode == status


@pytest.mark.parametrize("filter_", ["tcp port 50001", "src port 50001 or dst port 50001"])
def test_expectations_apply_to_what_the_filter_leaves(
    two: Path, labcap: Labcap, filter_: str
) -> None:
    assert labcap("check", two, filter_, "connections=1").returncode == MET
    assert labcap("check", two, filter_, "to_server.bytes=5").returncode == MET
    assert labcap("check", two, filter_, "to_server.bytes=9").returncode == NOT_MET


def test_no_connection_meets_nothing_but_its_count(two: Path, labcap: Labcap) -> None:
    filter_ = "tcp port 7"
    assert labcap("check", two, filter_, "connections=0").returncode == MET
    assert labcap("check", two, filter_, "connections>=1").returncode == NOT_MET
    assert labcap("check", two, filter_, "handshake.complete=true").returncode == NOT_MET


def test_ipv6_addresses_and_prefixes_do_not_clash(trace: Path, labcap: Labcap) -> None:
    talk = echo_conversation(client_address="::1", server_address="::1").write(trace)
    assert labcap("check", talk, "1:server.address=::1").returncode == MET
    assert labcap("check", talk, "server.address=::1").returncode == MET
    assert labcap("check", talk, "1:server.address=::2").returncode == NOT_MET


def test_udp_flows_are_checked_too(trace: Path, labcap: Labcap) -> None:
    talk = Conversation()
    talk.datagram("client", b"hello")
    talk.datagram("server", b"hi")
    path = talk.write(trace)
    good = ["type=udp", "to_server.datagrams=1", "to_client.bytes=2", "unreachable=null"]
    assert labcap("check", path, *good).returncode == MET
    assert labcap("check", path, "to_server.datagrams=2").returncode == NOT_MET


def test_expectations_come_from_a_file(tmp_path: Path, echo: Path, labcap: Labcap) -> None:
    wanted = tmp_path / "wanted"
    wanted.write_text(
        "# what an echo looks like\n\nhandshake.complete=true\n"
        "  to_server.bytes=7   # the line\n\t\n1:state=SF"
    )
    done = labcap("check", echo, "-e", wanted)
    assert (done.returncode, done.stderr) == (MET, "")
    assert len(done.stdout.splitlines()) == 3


def test_a_file_and_arguments_add_up(tmp_path: Path, echo: Path, labcap: Labcap) -> None:
    wanted = tmp_path / "wanted"
    wanted.write_text("handshake.complete=true\n")
    done = labcap("check", echo, "tcp port 4321", "-e", wanted, "to_server.bytes=8")
    assert done.returncode == NOT_MET
    assert len(done.stdout.splitlines()) == 2


def test_a_file_s_error_names_its_line(tmp_path: Path, echo: Path, labcap: Labcap) -> None:
    wanted = tmp_path / "wanted"
    wanted.write_text("handshake.complete=true\n\nto_server.bites=7\n")
    done = labcap("check", echo, "-e", wanted)
    assert done.returncode == USAGE
    assert "to_server.bytes" in done.stderr
    assert "3" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("handshake.compete=true", "handshake.complete"),
        ("teardown.knd=fin", "teardown.kind"),
        ("to_server.byte=7", "to_server.bytes"),
        ("to_client.retransmited_segments=0", "to_client.retransmitted_segments"),
        ("conections=1", "connections"),
        ("State=SF", "state"),
        ("1:histroy=S", "history"),
    ],
)
def test_an_unknown_key_is_a_usage_error_that_names_the_nearest(
    echo: Path, labcap: Labcap, wrong: str, nearest: str
) -> None:
    done = labcap("check", echo, wrong)
    assert done.returncode == USAGE
    assert wrong.split(":")[-1].split("=")[0] in done.stderr
    assert nearest in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["state="],
        ["=SF"],
        ["to_server.bytes>7"],
        ["to_server.bytes<7"],
        ["to_server.bytes==7"],
        ["to_server.bytes=7x"],
        ["to_server.bytes=-7"],
        ["to_server.bytes<=99999999999999999999"],
        ["duration<=1s"],
        ["teardown.kind>=fin"],
        ["handshake.complete>=true"],
        ["0:state=SF"],
        ["-1:state=SF"],
        ["x:state=SF"],
        ["-x", "state=SF"],
        ["state=SF", "-e"],
        ["-e", "/nonexistent/wanted"],
        ["port port port", "state=SF"],
        ["to_server=7"],
    ],
    ids=" ".join,
)
def test_usage_errors(echo: Path, labcap: Labcap, arguments: list[str]) -> None:
    done = labcap("check", echo, *arguments)
    assert done.returncode == USAGE
    assert done.stdout == ""
    assert done.stderr.startswith(("labcap", "usage"))


@pytest.mark.parametrize("key, value, wrong", [
    ("to_server.bytes", "7x", "not a whole number"),
    ("to_server.bytes", "18446744073709551615", ""),
    ("to_server.bytes", "18446744073709551616", "too large"),
    ("handshake.syn", "18446744073709551616", "too large"),
    ("handshake.syn", "18446744073709551616x", "not a whole number, or null"),
    ("duration", "9000000000", ""),
    ("duration", "9000000001", "too large"),
    ("duration", "99999999999999999999.5", "too large"),
    ("duration", "1.", "not a number of seconds"),
    ("handshake.complete", "yes", "not true or false"),
    ("to_server.longest_transit", "x", "not a number of seconds, or null"),
    ("teardown.kind", "ended", "not one of: "),
])
def test_a_value_that_is_none_says_why(
    echo: Path, labcap: Labcap, key: str, value: str, wrong: str
) -> None:
    done = labcap("check", echo, f"{key}={value}")
    assert done.returncode == (USAGE if wrong else NOT_MET)
    said = f"labcap check: {key}={value}: '{value}' is {wrong}" if wrong else ""
    assert done.stderr.startswith(said) and bool(done.stderr) == bool(wrong)
    assert wrong.endswith(" ") or done.stderr.removesuffix("\n") == said


def test_a_list_is_no_key(labcap: Labcap, trace: Path) -> None:
    talk = Conversation()
    talk.datagram("client", b"hello")
    done = labcap("check", talk.write(trace), "to_server.sizes=5")
    assert done.returncode == USAGE
    assert "no key to_server.sizes; the nearest is " in done.stderr


def test_check_without_a_file_is_a_usage_error(labcap: Labcap) -> None:
    assert labcap("check").returncode == USAGE
    assert labcap("flows").returncode == USAGE
    assert labcap().returncode == USAGE
    assert labcap("fly").returncode == USAGE


@pytest.mark.parametrize("expectation", ["state=SF", "state=S0"])
def test_a_cut_trace_cannot_be_trusted(echo: Path, labcap: Labcap, expectation: str) -> None:
    echo.write_bytes(echo.read_bytes()[:-1])
    done = labcap("check", echo, expectation)
    assert done.returncode == UNTRUSTED
    assert done.stderr != ""


def test_a_trace_with_drops_cannot_be_trusted(
    tmp_path: Path, labcap: Labcap, capture: ReadOne
) -> None:
    writer = NgWriter()
    writer.interface(1)
    for frame in ETHERNET.frames(echo_conversation().packets):
        writer.packet(frame)
    writer.statistics(dropped=5)
    path = writer.write(tmp_path / "t.pcapng")
    assert labcap("check", path, "state=SF").returncode == UNTRUSTED
    told = capture(path, status=UNTRUSTED)
    assert told["drops"] == 5


def test_statistics_without_drops_are_trusted(tmp_path: Path, labcap: Labcap) -> None:
    writer = NgWriter()
    writer.interface(1)
    for frame in ETHERNET.frames(echo_conversation().packets):
        writer.packet(frame)
    writer.statistics(dropped=0)
    assert labcap("check", writer.write(tmp_path / "t.pcapng"), "state=SF").returncode == MET


@pytest.mark.parametrize("content", [b"", b"just text, no trace\n" * 9])
def test_what_is_no_trace_cannot_be_trusted(trace: Path, labcap: Labcap, content: bytes) -> None:
    trace.write_bytes(content)
    done = labcap("check", trace, "connections=0")
    assert done.returncode == UNTRUSTED
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_trace_cannot_be_trusted(tmp_path: Path, labcap: Labcap) -> None:
    done = labcap("check", tmp_path / "nowhere", "connections=0")
    assert done.returncode == UNTRUSTED
    assert "nowhere" in done.stderr


def test_the_connections_are_printed_before_the_verdicts(labcap: Labcap, two: Path) -> None:
    wanted = ["connections=2", "1:to_server.bytes=6"]
    both, verdicts = (labcap("check", *json, two, *wanted) for json in (["--json"], []))
    assert both.returncode == NOT_MET
    assert both.stdout == labcap("flows", "--json", two).stdout + verdicts.stdout
