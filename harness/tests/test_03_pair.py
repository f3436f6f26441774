"""Lab 03: server and client together, two peers, each with ncat, on two hosts, on a bad network."""

from __future__ import annotations

from typing import Optional

import pytest

from labkit.datagram_peer import (
    LINE, LOOPBACK, LOOPBACK_6, OTHER_PORT, PORT, label, start_peer,
)
from labkit.datagrams import MOST, Address
from labkit.echo import BINARY, finish
from labkit.feedback import Mismatch
from labkit.grading import graded
from labkit.network import HOSTS
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, PAIR, TOOL, TWO_HOSTS, because
from labkit.scenario import Scenario
from labkit.udp_echo import FULL_PACKET, LINE_BYTES, PATIENT, payload

LAB = "03-udp"
LINES = [b"", b"x", payload(FULL_PACKET), payload(FULL_PACKET + 1), payload(MOST), LINE_BYTES, b""]
SIZES = [len(line) for line in LINES]

pair_test = dict(programs=("server", "client"))
peer_test = dict(programs=("peer",))
both_families = pytest.mark.parametrize("host", [LOOPBACK, LOOPBACK_6], ids=["ipv4", "ipv6"])
both_links = pytest.mark.parametrize("family", ["ipv4", "ipv6"])


# -- Server and client -----------------------------------------------------------------


@both_families
@because(PAIR)
@graded(step=10, points=1, **pair_test)
def test_pair_echoes_lines_of_any_size(lab: Scenario, host: str) -> None:
    """Lines of 0 to 65,507 bytes and back: one datagram each way for each of them."""
    start_server(lab, host)
    echo_lines(lab, LINES, *PATIENT, host,
               cause="no-ipv6" if host == LOOPBACK_6 else "cut-datagram")
    lab.expect_datagrams(SIZES, SIZES, server=(host, PORT))


@because(BAD_NETWORK)
@graded(step=9, points=1, **pair_test)
def test_pair_makes_up_for_losses(lab: Scenario) -> None:
    """A request is lost, a reply is lost, another one comes twice: each line has its one reply."""
    lines = [b"One.", b"Two.", b"Two.", b"Three.", b"Two."]
    lab.disturb(f"drop udp to {PORT} 1", f"drop udp from {PORT} 2",
                f"duplicate udp from {PORT} 3,4")
    start_server(lab)
    echo_over_losses(lab, lines, 150, 20, "no-retransmission")
    expect_lost(lab, to_server=1, to_client=1)


@because(BAD_NETWORK)
@graded(step=9, points=1, **pair_test)
def test_pair_on_a_network_that_loses_a_third(lab: Scenario) -> None:
    """Three of ten datagrams are lost, either way, at random: 20 lines have their replies."""
    lines = [b"Line %d." % (number // 2) for number in range(20)]
    lab.disturb("drop udp random 30 seed 7")
    start_server(lab)
    echo_over_losses(lab, lines, 20, 50, "wrong-retries")
    lab.expect_packets("connections=0")


@because(TOOL)
@graded(step=3, points=1, programs=("server",))
def test_server_echoes_to_ncat(lab: Scenario) -> None:
    """A client that no one here wrote: `ncat -u` sends, and prints what comes back."""
    start_server(lab)
    ncat = lab.start_tool("ncat", "-u", LOOPBACK, str(PORT))
    for data in (LINE + b"\n", BINARY):
        ncat.write(data)
        lab.expect_output(ncat, data, cause="no-answer")
    sizes = [len(LINE) + 1, len(BINARY)]
    lab.expect_datagrams(sizes, sizes)


@because(TOOL)
@graded(step=8, points=1, programs=("client",))
def test_client_is_answered_by_ncat(lab: Scenario) -> None:
    """A server that no one here wrote: `ncat -u -l` prints the line, and what it says is taken."""
    ncat = lab.start_tool("ncat", "-u", "-l", LOOPBACK, str(PORT))
    lab.wait_bound(ncat, PORT)
    client = lab.start("client", *PATIENT, stdin=LINE)
    lab.expect_output(ncat, LINE, cause="no-packets")
    ncat.write(LINE)
    lab.expect_output(client, LINE + b"\n", cause="no-answer")
    finish(lab, client)
    lab.expect_datagrams([len(LINE)], [len(LINE)])


# -- Two peers ----------------------------------------------------------------------------


@both_families
@because(PAIR)
@graded(step=16, points=1, **peer_test)
def test_peers_talk_both_ways(lab: Scenario, host: str) -> None:
    """Two of them: what is typed at one is printed by the other, in both directions."""
    one, other = two_peers(lab, host)
    for speaker, hearer, port in ((one, other, PORT), (other, one, OTHER_PORT)) * 2:
        for line in (LINE, b"", payload(FULL_PACKET + 1)):
            pass_on(lab, speaker, hearer, line, (host, port))
    sizes = [len(LINE), 0, FULL_PACKET + 1] * 2
    lab.expect_datagrams(sizes, sizes, server=(host, PORT))


@because(PAIR)
@graded(step=13, points=1, **peer_test)
def test_peers_at_terminals(lab: Scenario) -> None:
    """The same at two terminals, where somebody types while a line comes; Ctrl-D ends nothing."""
    one, other = two_peers(lab, terminal=True)
    one.write(b"This is go")
    pass_on(lab, other, one, LINE, (LOOPBACK, OTHER_PORT), cause="waits-for-one")
    pass_on(lab, one, other, b"ing well.", (LOOPBACK, PORT), b"This is going well.")
    one.close_stdin()
    lab.wait_blocked(one)
    pass_on(lab, other, one, LINE, (LOOPBACK, OTHER_PORT), cause="waits-for-one")
    lab.expect_datagrams([len(LINE)] * 2, [len(b"This is going well.")])


@because(BAD_NETWORK)
@graded(step=14, points=1, **peer_test)
def test_peers_on_a_bad_network(lab: Scenario) -> None:
    """One of four lines is lost, one comes twice: what arrives is printed, nothing sent again."""
    lab.disturb(f"drop udp to {OTHER_PORT} 2", f"duplicate udp to {OTHER_PORT} 3")
    one, other = two_peers(lab)
    one.write(b"One.\nTwo.\nThree.\nFour.\n")
    for line in (b"One.", b"Three.", b"Three.", b"Four."):
        lab.expect_output(other, printed(line, (LOOPBACK, PORT)), cause="messages")
    lab.expect_datagrams([], [4, 4, 6, 5], cause="messages")


@because(TOOL)
@graded(step=15, points=1, **peer_test)
def test_peer_talks_with_ncat(lab: Scenario) -> None:
    """A peer that no one here wrote: `ncat -u` from port 6001 talks both ways."""
    peer = start_peer(lab)
    ncat = lab.start_tool("ncat", "-u", "-p", str(OTHER_PORT), LOOPBACK, str(PORT))
    lab.wait_bound(ncat, OTHER_PORT)
    for _ in range(2):
        pass_on(lab, ncat, peer, LINE, (LOOPBACK, OTHER_PORT))
        peer.write(LINE + b"\n")
        lab.expect_output(ncat, LINE, cause="no-answer")
    lab.expect_datagrams([len(LINE) + 1] * 2, [len(LINE)] * 2)


# -- On two hosts ---------------------------------------------------------------------------


@both_links
@because(TWO_HOSTS)
@graded(step=10, points=1, hosts=2, **pair_test)
def test_pair_on_two_hosts(lab: Scenario, family: str) -> None:
    """Client and server on two hosts: lines of 0 to 65,507 bytes, in IP fragments or not."""
    address = getattr(HOSTS["b"], family)
    cause = "no-ipv6" if family == "ipv6" else "wrong-address"
    start_server(lab, address, host="b")
    echo_lines(lab, LINES, *PATIENT, address, on="a", cause=cause)
    lab.expect_datagrams(SIZES, SIZES, server=(address, PORT))


@because(BAD_NETWORK)
@graded(step=9, points=1, hosts=2, **pair_test)
def test_pair_on_two_hosts_with_losses(lab: Scenario) -> None:
    """The link between the hosts loses a third: each line has its reply all the same."""
    lab.disturb("drop udp random 30 seed 11")
    address = HOSTS["b"].ipv4
    start_server(lab, address, host="b")
    echo_over_losses(lab, [b"Line %d." % number for number in range(10)], 20, 50,
                     "wrong-retries", address, on="a")
    lab.expect_packets("connections=0")


@because(TWO_HOSTS)
@graded(step=11, points=1, hosts=2, programs=("client",))
def test_client_is_refused_by_another_host(lab: Scenario) -> None:
    """Nothing listens on the other host, which says so by ICMP: `Connection refused` at once."""
    client = lab.start("client", *PATIENT, HOSTS["b"].ipv4, stdin=LINE + b"\n", host="a")
    lab.expect_exit(client, 1, cause="unconnected-socket")
    lab.expect_complaint(client, "client: .*Connection refused")
    lab.expect_datagrams([len(LINE)], [], server=(HOSTS["b"].ipv4, PORT))


@both_links
@because(TWO_HOSTS)
@graded(step=12, points=1, hosts=2, **peer_test)
def test_peers_on_two_hosts(lab: Scenario, family: str) -> None:
    """With `-a 0.0.0.0` or `-a ::` the other peer may be on another host."""
    places = {name: getattr(host, family) for name, host in HOSTS.items()}
    ports = {"a": PORT, "b": OTHER_PORT}
    anywhere = "::" if family == "ipv6" else "0.0.0.0"
    peers = {own: start_peer(lab, "-a", anywhere, to=places[to], address=anywhere, host=own,
                             port=ports[own], other_port=ports[to],
                             cause="no-ipv6" if family == "ipv6" else None)
             for own, to in (("a", "b"), ("b", "a"))}
    for own, to in (("a", "b"), ("b", "a")):
        for line in (LINE, payload(MOST)):
            pass_on(lab, peers[own], peers[to], line, (places[own], ports[own]))
    lab.expect_datagrams([len(LINE), MOST], [len(LINE), MOST], server=(places["a"], PORT))


# -- What several tests do ---------------------------------------------------------------------


def start_server(lab: Scenario, address: str = LOOPBACK, host: Optional[str] = None) -> Program:
    """Starts the server at ADDRESS; host: "a" or "b" of two."""
    server = lab.start_datagram_server("server", "-a", address, port=PORT, address=address,
                                       host=host)
    lab.expect_line(server, f"listening on {address} port {PORT}")
    return server


def echo_lines(
    lab: Scenario, lines: list[bytes], *options: str, cause: str, on: Optional[str] = None
) -> None:
    """The client, with OPTIONS, is given LINES: all replies are printed, and it exits with 0.

    cause: why some are not. on: "a" or "b" of two hosts.
    """
    text = b"".join(line + b"\n" for line in lines)
    client = lab.start("client", *options, stdin=text, host=on)
    lab.expect_output(client, text, cause)
    finish(lab, client)


def echo_over_losses(
    lab: Scenario, lines: list[bytes], timeout: int, retries: int, cause: str,
    address: str = LOOPBACK, on: Optional[str] = None,
) -> None:
    """As echo_lines(), with `-t` and `-r`, where a right client gets its reply in the end.

    cause: why not, if the server was asked less often than even one line may be sent.
    Otherwise it is what a program's error shows, or that nothing comes back.
    """
    try:
        echo_lines(lab, lines, "-t", str(timeout), "-r", str(retries), address, on=on, cause=cause)
    except Mismatch as error:
        if lab.count_to((address, PORT)) <= retries:
            raise
        server = lab.programs[0]
        told = (f" {server.exit}" if server.exit is not None else "") + server.last_words
        raise Mismatch(error.expected, error.seen + (told and f"; `{server.command}`{told}"),
                       lab.fault_shown() or "no-answer") from None


def expect_lost(lab: Scenario, to_server: int, to_client: int) -> None:
    """The verdict: so many datagrams were lost each way, and there was no TCP."""
    flows = [flow for flow in lab.expect_packets("connections=0") if flow["type"] == "udp"]
    there, back = (sum(flow[way]["lost"] for flow in flows) for way in ("to_server", "to_client"))
    if (there, back) != (to_server, to_client):
        raise Mismatch(expected=f"{to_server} datagrams to the server lost, {to_client} from it",
                       seen=f"{there} to the server, {back} from it")


def two_peers(
    lab: Scenario, host: str = LOOPBACK, terminal: bool = False
) -> tuple[Program, Program]:
    """Two peers, each told of the other."""
    how = dict(to=host, address=host, terminal=terminal,
               cause="no-ipv6" if host == LOOPBACK_6 else None)
    return start_peer(lab, **how), start_peer(lab, port=OTHER_PORT, other_port=PORT, **how)


def printed(text: bytes, sender: Address) -> bytes:
    """What a peer prints of TEXT."""
    return label(sender) + text + b"\n"


def pass_on(
    lab: Scenario, speaker: Program, hearer: Program, line: bytes, sender: Address,
    shown: bytes = b"", cause: str = "messages",
) -> None:
    """LINE is typed at SPEAKER, which is SENDER, and HEARER prints it, or SHOWN in its place."""
    speaker.write(line + b"\n")
    lab.expect_output(hearer, printed(shown or line, sender), cause)
