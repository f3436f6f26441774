"""Lab 03: the server, alone with scripted clients."""

from __future__ import annotations

import signal
import socket
import struct

import pytest

from labkit.datagrams import MOST
from labkit.echo import WRONG_PORTS, expect_usage_error
from labkit.feedback import Mismatch
from labkit.grading import counts_waking, first, graded, half_written, many_packets
from labkit.reasons import NAMES_IT, PLAINEST, SIGNALS, because
from labkit.scenario import Scenario
from labkit.udp_echo import (
    FORMAT, FULL_PACKET, PORT, SERVER, TEXT, ask, expect_reply, expect_takes, payload,
)

LAB = "03-udp"

MANY = 1100
BINARY = bytes(range(256)) * 4
LINE_ENDS = (b"x\r\n", b"x\n", b"x\n\n", b" x ", b"\n")
"""Nothing of these is to be stripped: to a server they are no lines."""


# -- The server's command line -------------------------------------------------


@graded(step=0, points=1, programs=("server",))
def test_server_explains_wrong_arguments(lab: Scenario) -> None:
    """Wrong arguments to the server: a usage line on stderr, exit status 2."""
    for arguments in (*WRONG_PORTS.values(), ["-x"], ["surplus"]):
        expect_usage_error(lab, "server", arguments)


@graded(step=0, points=1, programs=("server",))
def test_server_understands_a_name(lab: Scenario) -> None:
    """`-a localhost` is looked up like any name; the start line shows a number."""
    server = lab.start("server", "-a", "localhost")
    lab.bound_port(server, cause="dotted-only")
    lab.expect_line_matching(server, r"listening on (127\.0\.0\.1|::1) port 6000",
                             cause="dotted-only")


@graded(step=0, points=1, programs=("server",))
def test_server_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A name that nobody knows: a line `server: ...` on stderr, exit status 1."""
    server = lab.start("server", "-a", "no-such-host.invalid")
    lab.expect_unknown_name(server, "server")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(SIGNALS)
@graded(step=0, points=1, programs=("server",))
def test_server_ends_by_a_signal(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM ends a server that has served, and waits: exit status 0."""
    server = lab.start_datagram_server("server", port=PORT)
    ask(lab.bind_datagrams(), TEXT)
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)])


# -- Step 1: a socket that others can send to ----------------------------------


@graded(step=1, points=2, programs=("server",))
def test_server_is_at_its_port(lab: Scenario) -> None:
    """Without options the server has a UDP socket of its own at 127.0.0.1, port 6000; no TCP."""
    server = lab.start_datagram_server("server", port=PORT)
    lab.wait_blocked(server)
    if lab.listening():
        raise Mismatch(expected="a UDP socket only", seen="a TCP socket too", cause="tcp-not-udp")
    ask(lab.bind_datagrams(), TEXT)
    lab.expect_port_taken("server")
    lab.expect_datagrams([len(TEXT)], [len(TEXT)])


@graded(step=1, points=1, programs=("server",))
def test_server_is_where_it_is_told(lab: Scenario) -> None:
    """`-a 0.0.0.0 -p 5000`: every address of the host, port 5000."""
    server = lab.start_datagram_server("server", "-a", "0.0.0.0", "-p", "5000", port=5000,
                                       address="0.0.0.0")
    lab.expect_line(server, "listening on 0.0.0.0 port 5000")
    ask(lab.bind_datagrams(), TEXT, ("127.0.0.1", 5000))
    lab.expect_datagrams([len(TEXT)], [len(TEXT)], server=("127.0.0.1", 5000))


@first
@because(NAMES_IT)
@graded(step=1, points=1, programs=("server",))
def test_server_serves_ipv6(lab: Scenario) -> None:
    """`-a ::1`: IPv6, there too with the largest datagram."""
    server = lab.start_datagram_server("server", "-a", "::1", port=PORT, address="::1",
                                       cause="no-ipv6")
    lab.expect_line(server, "listening on ::1 port 6000")
    peer = lab.bind_datagrams(host="::1")
    ask(peer, TEXT, ("::1", PORT), cause="no-ipv6")
    ask(peer, payload(MOST), ("::1", PORT), cause="cut-datagram")
    sizes = [len(TEXT), MOST]
    lab.expect_datagrams(sizes, sizes, server=("::1", PORT))


@graded(step=1, points=1, programs=("server",))
def test_server_serves_every_ipv6_address(lab: Scenario) -> None:
    """`-a ::` is open to IPv6 clients, as 0.0.0.0 is to those of IPv4."""
    server = lab.start_datagram_server("server", "-a", "::", port=PORT, address="::",
                                       cause="no-ipv6")
    lab.expect_line(server, "listening on :: port 6000")
    ask(lab.bind_datagrams(host="::1"), TEXT, ("::1", PORT), cause="no-ipv6")
    lab.expect_datagrams([len(TEXT)], [len(TEXT)], server=("::1", PORT))


@graded(step=1, points=1, programs=("server",))
def test_server_says_that_its_port_is_taken(lab: Scenario) -> None:
    """A port in use: `server: ...: Address already in use` on stderr, exit status 1."""
    lab.bind_datagrams(PORT)
    lab.expect_port_taken("server")


@because(PLAINEST)
@graded(step=1, points=1, programs=("server",))
def test_server_prints_its_start_line(lab: Scenario) -> None:
    """`listening on 127.0.0.1 port 6000` is on stdout, also in a pipe, once it can be asked."""
    server = lab.start("server")
    lab.expect_line(server, "listening on 127.0.0.1 port 6000")
    ask(lab.bind_datagrams(), TEXT)  # the line has promised it
    lab.expect_datagrams([len(TEXT)], [len(TEXT)])


@because(NAMES_IT)
@graded(step=1, points=1, programs=("server",))
def test_server_tells_the_port_it_got(lab: Scenario) -> None:
    """`-p 0` takes any free port, and the start line tells the real one."""
    server = lab.start("server", "-p", "0")
    port = lab.bound_port(server)
    lab.expect_line(server, f"listening on 127.0.0.1 port {port}")
    ask(lab.bind_datagrams(), TEXT, ("127.0.0.1", port))
    lab.expect_datagrams([len(TEXT)], [len(TEXT)], server=("127.0.0.1", port))


# -- Step 2: take a datagram, whole --------------------------------------------


@half_written
@graded(step=2, points=2, programs=("server",))
def test_server_takes_what_comes(lab: Scenario) -> None:
    """The server receives each datagram, and goes on: none stays behind in the kernel."""
    server = lab.start_datagram_server("server", port=PORT)
    expect_takes(lab, server, SERVER)


@first
@because(PLAINEST)
@graded(step=2, points=2, programs=("server",))
def test_server_echoes_a_datagram(lab: Scenario) -> None:
    """One datagram goes there, the same one comes back, from the port it went to."""
    lab.start_datagram_server("server", port=PORT)
    ask(lab.bind_datagrams(), TEXT)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)])


@pytest.mark.parametrize("size", [1, FULL_PACKET, FULL_PACKET + 1])
@because(NAMES_IT)
@graded(step=2, points=1, programs=("server",))
def test_server_echoes_a_datagram_of_any_size(lab: Scenario, size: int) -> None:
    """1 byte; as much as one packet holds, 1,472 bytes; and one more, in two fragments."""
    lab.start_datagram_server("server", port=PORT)
    ask(lab.bind_datagrams(), payload(size))
    lab.expect_datagrams([size], [size])


@because(NAMES_IT)
@graded(step=2, points=2, programs=("server",))
def test_server_echoes_the_largest_datagram(lab: Scenario) -> None:
    """65,507 bytes, more than any packet holds, come back whole."""
    lab.start_datagram_server("server", port=PORT)
    ask(lab.bind_datagrams(), payload(MOST), cause="cut-datagram")
    lab.expect_datagrams([MOST], [MOST])


@because(NAMES_IT)
@graded(step=2, points=2, programs=("server",))
def test_server_echoes_an_empty_datagram(lab: Scenario) -> None:
    """0 bytes are a datagram too, and answered by one; then come others."""
    lab.start_datagram_server("server", port=PORT)
    peer = lab.bind_datagrams()
    for data in (b"", TEXT, b""):
        ask(peer, data, cause="empty-datagram")
    sizes = [0, len(TEXT), 0]
    lab.expect_datagrams(sizes, sizes)


@because(NAMES_IT)
@graded(step=2, points=1, programs=("server",))
def test_server_echoes_every_byte_value(lab: Scenario) -> None:
    """All 256 byte values pass unchanged, NUL and line ends, too; no text is a format."""
    lab.start_datagram_server("server", port=PORT)
    peer = lab.bind_datagrams()
    for data in (b"before\0after", BINARY, *LINE_ENDS):
        ask(peer, data)
    ask(peer, FORMAT, cause="format-string")
    sizes = [12, len(BINARY), *map(len, LINE_ENDS), len(FORMAT)]
    lab.expect_datagrams(sizes, sizes)


@because(NAMES_IT)
@graded(step=2, points=1, programs=("server",))
def test_server_sends_back_no_more_than_came(lab: Scenario) -> None:
    """Datagrams that get shorter and shorter: nothing of an earlier one is left in the next."""
    lab.start_datagram_server("server", port=PORT)
    peer = lab.bind_datagrams()
    sizes = [1000, 100, 10, 1]
    for size in sizes:
        ask(peer, payload(size))
    lab.expect_datagrams(sizes, sizes)


@counts_waking
@graded(step=2, points=1, programs=("server",))
def test_server_waits_without_using_the_processor(lab: Scenario) -> None:
    """A server that nobody asks only waits, for as long as it takes, also after it has served."""
    server = lab.start_datagram_server("server", port=PORT)
    ask(lab.bind_datagrams(), TEXT)
    lab.expect_idle(server)
    lab.outwait()
    ask(lab.bind_datagrams(), TEXT, cause="own-timeout")


@because(NAMES_IT)
@graded(step=2, points=1, programs=("server",))
def test_server_goes_on_after_being_stopped(lab: Scenario) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) change nothing; what came meanwhile is answered."""
    server = lab.start_datagram_server("server", port=PORT)
    peer = lab.bind_datagrams()
    lab.wait_blocked(server)
    lab.pause(server)
    lab.resume(server)
    ask(peer, TEXT, cause="eintr")
    lab.wait_blocked(server)
    lab.pause(server)
    queue = [payload(size) for size in range(20)]
    for each in queue:
        peer.send(each, SERVER)
    lab.resume(server)
    peer.expect_all(queue)
    sizes = [len(TEXT), *range(20)]
    lab.expect_datagrams(sizes, sizes)


# -- Step 3: send it back to its sender ----------------------------------------


@because(NAMES_IT)
@graded(step=3, points=3, programs=("server",))
def test_server_answers_each_client(lab: Scenario) -> None:
    """Two clients in turns, and both at once: each gets what it sent, and nothing else."""
    server = lab.start_datagram_server("server", port=PORT)
    one, two = (lab.bind_datagrams(label=f"client {name}") for name in ("one", "two"))
    for peer, line in ((one, b"one"), (two, b"two, too"), (one, b"one again")):
        ask(peer, line, cause="wrong-receiver")
    lab.wait_blocked(server)
    lab.pause(server)
    for peer, line in ((two, b"two, late"), (one, b"one, late")):
        peer.send(line, SERVER)
    lab.resume(server)
    for peer, line in ((one, b"one, late"), (two, b"two, late")):
        expect_reply(peer, line, cause="wrong-receiver")
    sizes = [3, 8, 9, 9, 9]
    lab.expect_datagrams(sizes, sizes, cause="wrong-receiver")
    for peer in (one, two):
        peer.expect_nothing("wrong-receiver")


@because(NAMES_IT)
@graded(step=3, points=1, programs=("server",))
def test_server_answers_a_hundred_clients(lab: Scenario) -> None:
    """A hundred clients ask at the same time: each gets its own reply."""
    server = lab.start_datagram_server("server", port=PORT)
    clients = {lab.bind_datagrams(label=f"client {number}"): b"client %03d" % number
               for number in range(100)}
    lab.wait_blocked(server)
    lab.pause(server)
    for peer, line in clients.items():
        peer.send(line, SERVER)
    lab.resume(server)
    for peer, line in clients.items():
        expect_reply(peer, line, cause="wrong-receiver")
    lab.expect_datagrams([10] * 100, [10] * 100, cause="wrong-receiver")


@because(NAMES_IT)
@graded(step=3, points=1, programs=("server",))
def test_server_keeps_nothing_of_its_clients(lab: Scenario) -> None:
    """After fifty clients, one after the other, it has what it had: descriptors, processes."""
    server = lab.start_datagram_server("server", port=PORT)
    before = lab.footprint(server)
    for number in range(50):
        peer = lab.bind_datagrams(label=f"client {number + 1}")
        ask(peer, TEXT, cause="one-client-only" if number else None)
        peer.close()
    lab.expect_back_to(server, before)
    lab.expect_datagrams([len(TEXT)] * 50, [len(TEXT)] * 50)


@many_packets
@graded(step=3, points=1, programs=("server",))
def test_server_answers_a_thousand_clients(lab: Scenario) -> None:
    """More than a thousand clients, a datagram from each: no table of them is ever full."""
    lab.start_datagram_server("server", port=PORT)
    for number in range(MANY):
        peer = lab.bind_datagrams(label=f"client {number + 1} of {MANY}")
        ask(peer, b"%04d" % number, cause="too-few-clients" if number > 100 else None)
        peer.close()
    lab.expect_datagrams([4] * MANY, [4] * MANY, cause="too-few-clients")


@because(NAMES_IT)
@graded(step=3, points=1, programs=("server",))
def test_server_outlives_clients_that_do_not_wait(lab: Scenario) -> None:
    """Clients that have gone when their reply comes (ICMP, port unreachable) change nothing."""
    server = lab.start_datagram_server("server", port=PORT)
    before = lab.footprint(server)
    patient = lab.bind_datagrams(label="the next client")
    for _ in range(3):
        send_as(lab, port_of_nobody(lab), TEXT)
        ask(patient, b"still there?", cause="unreachable-ends-server")
    lab.expect_back_to(server, before)
    sizes = [len(TEXT), 12] * 3
    lab.expect_datagrams(sizes, sizes)


@graded(step=3, points=1, programs=("server",))
def test_server_outlives_a_sender_it_cannot_answer(lab: Scenario) -> None:
    """Port 0 can be written on a datagram, but not answered (RFC 768): the next client is."""
    server = lab.start_datagram_server("server", port=PORT)
    patient = lab.bind_datagrams(label="the next client")
    for _ in range(3):
        send_as(lab, 0, TEXT)
        ask(patient, b"still there?", cause="unreachable-ends-server")
    lab.expect_running(server, "unreachable-ends-server")
    lab.expect_datagrams([len(TEXT), 12] * 3, [12] * 3)


# -- What several tests do -----------------------------------------------------


def send_as(lab: Scenario, port: int, data: bytes) -> None:
    """Sends DATA to the server as if from PORT of 127.0.0.1, whoever has that port, if anybody."""
    header = struct.pack(">4H", port, PORT, 8 + len(data), 0)  # 0: no checksum (RFC 768)
    with lab.network.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.sendto(header + data, ("127.0.0.1", 0))


def port_of_nobody(lab: Scenario) -> int:
    """A port that was free just now: what is sent there is refused (ICMP, port unreachable)."""
    peer = lab.bind_datagrams()
    port = peer.port
    peer.close()
    return port
