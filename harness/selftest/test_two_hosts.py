"""A test with two hosts: what is on each, what passes between them, and what the trace has."""

from __future__ import annotations

import errno
import os
import re
import socket
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.utils import PcapNgReader

from labkit.feedback import Mismatch
from labkit.kernel_sockets import LISTEN, TIME_WAIT
from labkit.network import HOSTS, OTHER
from labkit.scenario import Scenario
from labkit.verdict import orderly
from workbench import Workbench

MARK = b"ne"
"""How the source MAC of what arrives begins (harness/labcap/decode/passage.h)."""
PROTOCOLS = {6, 17, 44}
"""TCP, UDP, and what a fragment has in IPv6; no host says anything of its own accord."""
LARGEST = 1500
"""Bytes of an IP packet on a wire."""
ADDRESSES = [(host, address) for host in HOSTS for address in HOSTS[host]]
World = Callable[..., Scenario]


@pytest.fixture
def world(workspace: Path) -> Iterator[World]:
    """Makes a scenario of two hosts whose programs are shell scripts: name='text'."""
    folder = workspace / "submission"
    folder.mkdir()
    scenarios: list[Scenario] = []

    def make(**programs: str) -> Scenario:
        for name, text in programs.items():
            (folder / name).write_text("#!/bin/sh\n" + text)
            (folder / name).chmod(0o755)
        scenarios.append(Scenario(workspace, lambda name: folder / name,
                                  workspace / "trace.pcapng", hosts=2))
        return scenarios[-1]

    yield make
    for scenario in scenarios:
        scenario.close()


class Recorded(NamedTuple):
    """What scapy reads in a trace, in its order."""

    sent: list[Any]
    arrived: list[Any]


def recorded(trace: Path) -> Recorded:
    """The packets of TRACE; every one is of the test."""
    with PcapNgReader(str(trace)) as reader:
        frames = [frame for frame in reader if not frame.src.startswith(MARK + bytes(4))]
    assert all(protocol_of(frame.payload) in PROTOCOLS for frame in frames)
    assert any(frame.time * 10**6 % 1 for frame in frames), "no nanoseconds"
    arrived = [frame.src.startswith(MARK) for frame in frames]
    return Recorded([frame.payload for frame, late in zip(frames, arrived) if not late],
                    [frame.payload for frame, late in zip(frames, arrived) if late])


def protocol_of(packet: Any) -> int:
    return int(packet.nh if IPv6 in packet else packet.proto)


def has_right_checksums(packet: Any) -> bool:
    """As scapy computes them."""
    again = packet.copy()
    for layer in (IP, TCP, UDP):
        if layer in again:
            del again[layer].chksum
    return bytes(type(packet)(bytes(again))) == bytes(packet)


# -- What is on a host ---------------------------------------------------------


def test_a_program_sees_its_own_hosts_network_and_no_other(world: World) -> None:
    lab = world(interfaces="exec cut -s -d: -f1 /proc/net/dev", ports="exec cat /proc/net/tcp")
    lab.listen(0x1234, "127.0.0.1", host_at="a")
    lab.listen(0x4321, HOSTS["b"].ipv4)
    for host, own, other in (("a", b":1234 ", b":4321 "), ("b", b":4321 ", b":1234 ")):
        interfaces, ports = lab.start("interfaces", host=host), lab.start("ports", host=host)
        lab.expect_exit(interfaces, 0)
        assert sorted(interfaces.stdout.split()) == [b"eth0", b"lo"]
        lab.expect_exit(ports, 0)
        assert own in ports.stdout and other not in ports.stdout


def test_a_server_on_one_hosts_loopback_cannot_be_reached_from_the_other(world: World) -> None:
    lab = world()
    lab.listen(4321, "127.0.0.1", host_at="b")
    lab.connect(4321, "127.0.0.1", host_from="b")
    for address, here in (("127.0.0.1", "a"), (HOSTS["b"].ipv4, "a")):
        with pytest.raises(Mismatch, match="Connection refused"):
            lab.connect(4321, address, host_from=here)


def test_a_test_says_on_which_host_where_nothing_else_tells(world: World) -> None:
    lab = world(prog="exit 0")
    attempts: list[Callable[[], object]] = [
        lambda: lab.start("prog"), lambda: lab.start("prog", host="c"),
        lambda: lab.start_tool("true"), lambda: lab.listen(4321), lambda: lab.connect(4321)]
    for attempt in attempts:
        with pytest.raises(ValueError, match="not one of the hosts"):
            attempt()


def test_one_host_has_no_name(benches: Callable[[str], Workbench], tmp_path: Path) -> None:
    bench = benches("01-tcp-echo")
    lab = Scenario(bench.work, lambda name: bench.reference / name, tmp_path / "trace.pcapng")
    try:
        with pytest.raises(ValueError, match="not one of the hosts"):
            lab.start("server", host="a")
    finally:
        lab.close()


# -- What passes between them --------------------------------------------------


@pytest.mark.parametrize("host, address", ADDRESSES)
def test_a_tcp_connection_is_in_the_trace_as_sent_and_as_arrived(
    world: World, host: str, address: str
) -> None:
    lab = world()
    listener = lab.listen(4321, address)
    client = lab.connect(4321, address)
    server = lab.accept(listener)
    assert client.sock.getpeername()[0] == address
    assert client.sock.getsockname()[0] in HOSTS[OTHER[host]]
    client.start_sending(bytes(300_000))
    server.expect(bytes(300_000))
    server.send(b"thanks")
    client.expect(b"thanks")
    client.half_close()
    server.expect_eof()
    server.close()
    client.expect_eof()
    client.close()
    lab.expect_packets("connections=1", *orderly("client"), "to_server.bytes=300000",
                       "to_client.bytes=6", "to_server.lost=0", "to_client.lost=0")
    sent, arrived = recorded(lab.trace)
    assert sorted(map(bytes, sent)) == sorted(map(bytes, arrived))
    assert all(map(has_right_checksums, sent))
    assert max(len(packet) for packet in sent) == LARGEST


@pytest.mark.parametrize("host, address", ADDRESSES)
def test_datagrams_are_in_the_trace_as_sent_and_as_arrived(
    world: World, host: str, address: str
) -> None:
    lab = world()
    server = lab.bind_datagrams(6000, address)
    client = lab.bind_datagrams(0, HOSTS[OTHER[host]][":" in address])
    for data in (b"", b"hello", bytes(1432), bytes(65_487)):
        client.send(data, (address, 6000))
        assert server.expect(data) == client.address
        server.send(data, client.address)
        assert client.expect(data) == (address, 6000)
    lab.expect_packets("connections=0")
    sent, arrived = recorded(lab.trace)
    assert list(map(bytes, sent)) == list(map(bytes, arrived))
    pieces = 1 + 1 + 1 + -(-(65_487 + 8) // 1480 if ":" not in address else -(65_487 + 8) // 1448)
    assert len(sent) == 2 * pieces
    assert max(len(packet) for packet in sent) <= LARGEST


@pytest.mark.parametrize("host, address", ADDRESSES)
def test_every_datagram_to_a_closed_port_is_refused(
    world: World, host: str, address: str
) -> None:
    """Also the twentieth in a row: a kernel would answer a few and then one a second."""
    lab = world()
    lab.ready()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with lab.network.socket(family, socket.SOCK_DGRAM, host=OTHER[host]) as client:
        client.connect((address, 6001))
        for _ in range(20):
            client.send(b"hello")
            client.settimeout(5)
            with pytest.raises(OSError, match=re.escape(os.strerror(errno.ECONNREFUSED))):
                client.recv(100)


def test_a_pair_of_programs_on_two_hosts(
    benches: Callable[[str], Workbench], tmp_path: Path
) -> None:
    bench = benches("01-tcp-echo")
    address = HOSTS["b"].ipv6
    lab = Scenario(bench.work, lambda name: bench.reference / name, tmp_path / "trace.pcapng",
                   hosts=2)
    try:
        server = lab.start_server("server", "-a", address, port=4321, address=address, host="b")
        client = lab.start("client", "-m", "hello", address, host="a")
        lab.expect_exit(client, 0)
        assert (server.host, client.host) == ("b", "a")
        assert client.stdout == b"hello\n"
        lab.expect_orderly(6, 6)
    finally:
        lab.close()


@pytest.mark.parametrize("first, last_ack", [("a", "to 4321 2"), ("b", "from 4321 1")])
def test_settled_is_a_connection_when_both_hosts_say_so(
    world: World, first: str, last_ack: str
) -> None:
    """The host that closed first knows before the other that all is over."""
    lab = world()
    lab.disturb(f"delay 150 ack {last_ack}")
    listener = lab.listen(4321, HOSTS["b"].ipv4)
    client = lab.connect(4321, HOSTS["b"].ipv4)
    server = lab.accept(listener)
    closer, other = (client, server) if first == "a" else (server, client)
    closer.close()
    other.expect_eof()
    other.close()
    lab.wait_for(lambda: bool(lab.network.sockets_of(first).tcp([TIME_WAIT])), "a FIN", str,
                 poll=0.0005)
    lab.settle()
    states = {e.state for host in HOSTS for e in lab.network.sockets_of(host).tcp()}
    assert states == {LISTEN, TIME_WAIT}
