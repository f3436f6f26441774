"""Lab 01: the echo servers that serve many clients at once, a process, thread or event for each."""

from __future__ import annotations

import signal

import pytest

from labkit.echo import (
    BIG, CONCURRENT_SERVERS, PORT, TEXT, break_off, echo_after, expect_arrivals, finish,
    for_concurrent_servers, is_answered, leave, talk,
)
from labkit.feedback import Mismatch
from labkit.grading import counts_waking, graded, makes_many_calls, many_packets, takes
from labkit.peer import describe
from labkit.reasons import NAMES_IT, PAIR, PROGRAMS, because
from labkit.scenario import Scenario

LAB = "01-tcp-echo"
STEPS = {"server_fork": 20, "server_thread": 23, "server_poll": 26}
OTHER = b"the words of another client; " * 4096
"""118 KB, and not 20 bytes of it are in BIG."""
MIB = 1 << 20


# -- A client that is silent, or never reads ---------------------------------


@many_packets
@because(NAMES_IT)
@for_concurrent_servers(points=3)
def test_server_serves_others_while_a_client_is_silent(lab: Scenario, program: str) -> None:
    """Clients that say nothing, at once or in the middle, keep nobody waiting."""
    server = lab.start_server(program, port=PORT)
    silent = lab.connect(PORT, label="a silent client")
    paused = lab.connect(PORT, label="a client that pauses", cause="idle-client-blocks")
    talk(paused, cause="idle-client-blocks")
    for _ in range(3):
        peer = lab.connect(PORT, label="another client")
        talk(peer, cause="idle-client-blocks")
        leave(peer)
        lab.wait_blocked(server)  # a process that served has ended, as SIGCHLD tells
    for peer in (silent, paused):
        talk(peer)
        leave(peer)
    lab.expect_packets("connections=5", "teardown.kind=fin", "teardown.first_closer=client",
                       f"1:to_client.bytes={len(TEXT)}", f"2:to_client.bytes={2 * len(TEXT)}",
                       f"5:to_client.bytes={len(TEXT)}")


@many_packets
@counts_waking
@because(PROGRAMS)
@for_concurrent_servers(points=3, poll=28)
def test_server_serves_others_while_a_client_never_reads(lab: Scenario, program: str) -> None:
    """A client that sends and never reads delays nobody; when it reads at last, it has all."""
    server = lab.start_server(program, port=PORT)
    greedy = lab.connect(PORT, label="the client that does not read", receive_buffer=4096)
    greedy.start_sending(BIG)
    lab.wait_blocked(server)
    peer = lab.connect(PORT, label="another client", cause="idle-client-blocks")
    talk(peer, cause="idle-client-blocks")
    lab.expect_idle(server)
    leave(peer)
    greedy.expect(BIG, cause="partial-write")
    leave(greedy)
    lab.expect_packets("connections=2", "teardown.kind=fin", "teardown.first_closer=client",
                       f"1:to_client.bytes={len(BIG)}", f"2:to_client.bytes={len(TEXT)}")


@many_packets
@because(PROGRAMS)
@for_concurrent_servers(points=2, poll=27)
def test_server_keeps_apart_what_clients_send(lab: Scenario, program: str) -> None:
    """What waits to be sent to one client is not overwritten by what another sends."""
    server = lab.start_server(program, port=PORT)
    slow = lab.connect(PORT, label="the slow reader", receive_buffer=4096)
    slow.start_sending(BIG)
    lab.wait_blocked(server)
    peer = lab.connect(PORT, label="another slow reader", receive_buffer=4096)
    peer.start_sending(OTHER)
    lab.wait_blocked(server)
    peer.expect(OTHER, cause="lines-mixed")
    leave(peer)
    slow.expect(BIG, cause="lines-mixed")
    leave(slow)
    lab.expect_packets("connections=2", "teardown.kind=fin", "teardown.first_closer=client")


@because(PROGRAMS)
@for_concurrent_servers(points=2, poll=28)
def test_server_spends_bounded_memory_on_a_client_that_never_reads(
    lab: Scenario, program: str
) -> None:
    """32 MiB that are sent and never read are not all kept in the server's memory."""
    server = lab.start_server(program, port=PORT)
    talk(lab.connect(PORT, label="a silent client"))
    lab.wait_blocked(server)
    before = server.memory().private
    greedy = lab.connect(PORT, label="the client that does not read", receive_buffer=4096)
    greedy.start_sending(bytes(32 * MIB))
    lab.wait_sated(server, greedy)
    grown = server.memory().private - before
    if grown > 8 * MIB:
        raise Mismatch(expected="the server reads no more than it can send back soon",
                       seen=f"its memory has grown by {grown / MIB:.0f} MiB",
                       cause="memory-grows")
    greedy.reset()
    echo_after(lab, "reset-ends-server")


# -- Many at once -------------------------------------------------------------


@because(NAMES_IT)
@for_concurrent_servers(points=3)
def test_server_holds_fifty_conversations(lab: Scenario, program: str) -> None:
    """Fifty clients speak in turns, each turn in another order, and each has its own echo."""
    server = lab.start_server(program, port=PORT)
    lab.expect_line(server, f"listening on 127.0.0.1 port {PORT}")
    peers = lab.connect_many(50, PORT)
    for turn in range(4):
        lines = {peer: b"%02d says %d\n" % (number, turn) for number, peer in enumerate(peers)}
        for peer in peers if turn % 2 else reversed(peers):
            peer.send(lines[peer])
        for peer in peers[turn * 10:] + peers[:turn * 10]:
            peer.expect(lines[peer], cause="lines-mixed")
    for peer in peers:
        leave(peer)
    expect_arrivals(lab, server, peers)
    total = 4 * len("00 says 0\n")
    lab.expect_orderly(total, total, connections=50)


@because(NAMES_IT)
@for_concurrent_servers(points=2)
def test_server_outlives_a_reset_among_others(lab: Scenario, program: str) -> None:
    """Of ten clients that talk one resets, and one while it is sent to: the others go on."""
    server = lab.start_server(program, port=PORT)
    before = lab.footprint(server)
    peers = lab.connect_many(10, PORT)
    for peer in peers:
        talk(peer)
    rude = lab.connect(PORT, label="the client that resets", receive_buffer=4096)
    rude.start_sending(BIG)
    lab.wait_blocked(server)
    break_off(lab, rude)
    break_off(lab, peers.pop(4))
    lab.expect_running(server, cause="reset-ends-server")
    for peer in peers:
        talk(peer, cause="reset-ends-server")
        leave(peer, cause="reset-ends-server")
    lab.expect_back_to(server, before)
    lab.expect_packets(
        "connections=11", "5:teardown.reset_by=client", "11:teardown.reset_by=client",
        *(f"{number}:teardown.kind=fin" for number in (1, 2, 3, 4, 6, 7, 8, 9, 10)),
        *(f"{number}:to_client.bytes={2 * len(TEXT)}" for number in (1, 2, 3, 4, 6, 7, 8, 9, 10)))


@many_packets
@takes(3)
@makes_many_calls
@because(PROGRAMS)
@for_concurrent_servers(points=4)
def test_server_serves_a_thousand_clients_at_once(lab: Scenario, program: str) -> None:
    """A thousand clients, all connected, each with its echo; then all leave, and nothing stays."""
    lab.take_longer(40)  # on a busy machine; who hangs is given up as ever
    server = lab.start_server(program, port=PORT)
    before = lab.footprint(server)
    lab.expect_line(server, f"listening on 127.0.0.1 port {PORT}")
    lines = [b"client %03d\n" % number for number in range(1000)]
    peers = []
    for number, line in enumerate(lines):
        cause = "too-few-clients" if number >= 50 else None
        peers.append(lab.connect(PORT, label=line.decode().strip(), cause=cause))
        peers[-1].send(line)
    for number, line in enumerate(lines):
        peers[number].expect(line, cause="too-few-clients" if number >= 50 else None)
    for peer, line in zip(reversed(peers), reversed(lines)):
        peer.send(line)
    for peer, line in zip(peers, lines):
        peer.expect(line, cause="lines-mixed")
    for peer in peers:
        peer.half_close()
    for peer in peers:
        peer.expect_eof()
    expect_arrivals(lab, server, peers)
    lab.expect_back_to(server, before)
    total = 2 * len(lines[0])
    lab.expect_orderly(total, total, connections=1000)


@many_packets
@makes_many_calls
@because(PROGRAMS)
@for_concurrent_servers(points=2, fork=21, thread=24)
def test_server_keeps_nothing_of_many_short_connections(lab: Scenario, program: str) -> None:
    """Three hundred clients in a row: the server is no bigger than after the first fifty."""
    lab.take_longer(20)
    server = lab.start_server(program, port=PORT)
    before = lab.footprint(server)
    memory = 0
    for number in range(350):
        if number == 50:
            lab.expect_back_to(server, before)
            memory = server.memory().private
        peer = lab.connect(PORT, cause="one-client-only")
        talk(peer)
        leave(peer)
        peer.close()
    lab.expect_back_to(server, before)
    grown = (server.memory().private - memory) / 300
    if grown > 2048:
        raise Mismatch(expected="a client that has gone leaves none of its memory behind",
                       seen=f"each has left {grown / 1024:.1f} KiB",
                       cause="left-over-thread" if program == "server_thread" else "memory-grows")
    lab.expect_orderly(len(TEXT), len(TEXT), connections=350)


@counts_waking
@because(PROGRAMS)
@for_concurrent_servers(points=3, poll=25)
def test_server_does_with_few_descriptors(lab: Scenario, program: str) -> None:
    """32 clients for 32 descriptors: most are served, the others wait or are refused."""
    server = lab.start_server(program, port=PORT, descriptors=32)
    before = lab.footprint(server)
    lab.be_patient(2.5)  # a server may look again a second later
    peers = lab.connect_some(32, PORT)
    for peer in peers:
        peer.send(TEXT)
    lab.expect_running(server, cause="out-of-descriptors")
    lab.expect_idle(server, wakes=30)  # nothing tells that a descriptor is free again
    lab.expect_line(server, f"listening on 127.0.0.1 port {PORT}")
    served = [peer for peer in peers if f" port {peer.port}\n".encode() in server.stdout]
    waiting = [peer for peer in peers if peer not in served]
    if len(served) < 16:
        others = server.stdout.count(b"connection from ") >= 16  # with ports of nobody here
        raise Mismatch(expected="most of 32 descriptors are there for clients",
                       seen=f"{len(served)} clients were accepted, as stdout tells it: "
                            + describe(bytes(server.stdout)),
                       cause="messages" if others else "out-of-descriptors")
    for peer in served:
        peer.expect(TEXT, cause="out-of-descriptors")
    for peer in served:
        leave(peer, cause="out-of-descriptors")
    for peer in waiting:
        if is_answered(peer, TEXT, cause="out-of-descriptors"):
            leave(peer, cause="out-of-descriptors")
    echo_after(lab, "out-of-descriptors")
    lab.expect_back_to(server, before)


# -- The end --------------------------------------------------------------------


@many_packets
@because(NAMES_IT)
@for_concurrent_servers(points=2, fork=22, poll=25)
def test_server_ends_with_twenty_clients(lab: Scenario, program: str) -> None:
    """SIGTERM ends the server, whatever its clients do, and nothing of it stays."""
    server = lab.start_server(program, port=PORT)
    peers = lab.connect_many(20, PORT)
    for peer in peers[:10]:
        talk(peer)
    for peer in peers[15:]:
        peer.start_sending(BIG)
    lab.wait_blocked(server)
    lab.end_by_signal(server, signal.SIGTERM)
    for peer in peers[:10]:
        peer.expect_eof(cause="left-over-process")


# -- Our own clients ------------------------------------------------------------


@many_packets
@pytest.mark.parametrize("program", CONCURRENT_SERVERS)
@because(PAIR)
@graded(step=STEPS, points=1, programs=("client",))
def test_server_serves_two_of_our_clients(lab: Scenario, program: str) -> None:
    """Two of our own clients in conversation, then the big stream of a third."""
    server = lab.start_server(program, port=PORT)
    talkers = [lab.start("client"), lab.start("client")]
    for client in talkers:
        client.write(TEXT)
        lab.expect_output(client, TEXT, cause="idle-client-blocks")
    big = lab.start("client", stdin=BIG)
    lab.expect_output(big, BIG)
    finish(lab, big)
    for client in talkers:
        client.close_stdin()
        finish(lab, client)
    lab.expect_running(server, "one-client-only")
    lab.expect_packets("connections=3", "teardown.kind=fin", "teardown.first_closer=client",
                       f"3:to_client.bytes={len(BIG)}")
