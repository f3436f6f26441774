"""The private network of a test: what it is, that nothing leaks, that nothing is left."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from labkit import labhost
from labkit.events import EventLoop
from labkit.feedback import HarnessError
from labkit.kernel_sockets import LISTEN, TIME_WAIT
from labkit.network import HOSTS, OTHER, PrivateNetwork
from labkit.paths import HARNESS


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop(20)
    yield loop
    loop.close()


@pytest.fixture
def network(loop: EventLoop) -> Iterator[PrivateNetwork]:
    network = PrivateNetwork(loop)
    yield network
    network.close()


@pytest.fixture
def two_hosts(loop: EventLoop) -> Iterator[PrivateNetwork]:
    network = PrivateNetwork(loop, hosts=2)
    yield network
    network.close()


def output_of(
    loop: EventLoop, network: PrivateNetwork, *argv: str, host: Optional[str] = None
) -> str:
    """What a command run on HOST prints; it must succeed."""
    read_end, write_end = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"  # where ip and ethtool may be
    process = network.run(argv, [null, write_end, write_end], env={"PATH": path}, host=host)
    os.close(write_end)
    os.close(null)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    loop.wait(lambda: process.status is not None)
    assert process.status == 0, text
    return text


def listener_at(sock: socket.socket, address: str = "127.0.0.1") -> int:
    sock.bind((address, 0))
    sock.listen()
    return int(sock.getsockname()[1])


def test_it_has_one_loopback_that_looks_like_a_wire(
    loop: EventLoop, network: PrivateNetwork
) -> None:
    links = output_of(loop, network, "ip", "-o", "link").splitlines()
    assert len([line for line in links if "LOOPBACK,UP" in line and "mtu 1500" in line]) == 1
    assert not [line for line in links if ",UP" in line and "LOOPBACK" not in line]


@pytest.mark.parametrize("offload", [
    "tcp-segmentation-offload", "generic-segmentation-offload", "generic-receive-offload"])
def test_its_offloads_are_off(loop: EventLoop, network: PrivateNetwork, offload: str) -> None:
    assert f"{offload}: off" in output_of(loop, network, "ethtool", "-k", "lo")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_its_loopback_carries_both_ip_versions(network: PrivateNetwork, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with network.socket(family, socket.SOCK_STREAM) as server:
        port = listener_at(server, address)
        with network.socket(family, socket.SOCK_STREAM) as client:
            client.connect((address, port))


def test_the_outside_cannot_be_reached_from_inside(network: PrivateNetwork) -> None:
    with socket.socket() as outside:
        port = listener_at(outside)
        with network.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
        outside.setblocking(False)
        with pytest.raises(BlockingIOError):
            outside.accept()


def test_the_inside_cannot_be_reached_from_outside(network: PrivateNetwork) -> None:
    with network.socket(socket.AF_INET, socket.SOCK_STREAM) as inside:
        port = listener_at(inside)
        with socket.socket() as holder:  # the same port is free outside, and stays quiet
            holder.bind(("127.0.0.1", port))
            with socket.socket() as client:
                assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
        inside.setblocking(False)
        with pytest.raises(BlockingIOError):
            inside.accept()


def test_two_networks_do_not_see_each_other(loop: EventLoop, network: PrivateNetwork) -> None:
    other = PrivateNetwork(loop)
    try:
        with network.socket(socket.AF_INET, socket.SOCK_STREAM) as here:
            port = listener_at(here)
            with other.socket(socket.AF_INET, socket.SOCK_STREAM) as there:
                there.bind(("127.0.0.1", port))
            with other.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
                assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    finally:
        other.close()


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "8.8.8.8"])
def test_there_is_no_way_out(network: PrivateNetwork, address: str) -> None:
    with network.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        assert client.connect_ex((address, 80)) == errno.ENETUNREACH


def test_no_packet_inside_is_seen_outside(loop: EventLoop, tmp_path: Path) -> None:
    """Two networks, a recording in each: a packet is in one of the traces only."""
    networks = [PrivateNetwork(loop), PrivateNetwork(loop)]
    try:
        traces = [record_udp(loop, network, other, tmp_path / f"{number}.pcapng")
                  for number, (network, other) in enumerate(zip(networks, networks[::-1]))]
    finally:
        for network in networks:
            network.close()
    assert traces == [0, 0]


def record_udp(
    loop: EventLoop, network: PrivateNetwork, other: PrivateNetwork, trace: Path
) -> int:
    """How many packets a recording in NETWORK has of one sent in OTHER."""
    from labkit.capture import Capture, flows

    capture = Capture(loop, network, trace)
    capture.wait_ready()
    with other.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with other.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"secret", receiver.getsockname())
        assert receiver.recv(16) == b"secret"
    capture.stop()
    return int(flows(trace)[-1]["packets"])


# -- Two hosts -----------------------------------------------------------------

LOOPBACK = {"127.0.0.1/8", "::1/128"}
ADDRESSES = {"a": {"lo": LOOPBACK, "eth0": {"10.9.0.1/24", "fd09::1/64"}},
             "b": {"lo": LOOPBACK, "eth0": {"10.9.0.2/24", "fd09::2/64"}}}
OFFLOADS = ["rx-checksumming", "tx-checksumming", "tcp-segmentation-offload",
            "generic-segmentation-offload", "generic-receive-offload"]
IGNORE_OUTGOING, EVERY_PROTOCOL = (263, 23, 1), 3
"""packet(7): SOL_PACKET, PACKET_IGNORE_OUTGOING; ETH_P_ALL."""


def interfaces(
    loop: EventLoop, network: PrivateNetwork, host: Optional[str]
) -> dict[str, dict[str, Any]]:
    """What `ip` says of those of HOST that are on, by name."""
    found = json.loads(output_of(loop, network, "ip", "-json", "address", host=host))
    return {link["ifname"]: link for link in found if "UP" in link["flags"]}


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_has_a_loopback_and_one_interface(
    loop: EventLoop, two_hosts: PrivateNetwork, host: str
) -> None:
    found = interfaces(loop, two_hosts, host)
    addresses = {name: {f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]}
                 for name, link in found.items()}
    assert addresses == ADDRESSES[host]
    assert [link["mtu"] for link in found.values()] == [1500, 1500]


def test_no_host_is_in_the_middle_of_the_link(loop: EventLoop, two_hosts: PrivateNetwork) -> None:
    found = interfaces(loop, two_hosts, None)
    assert {name: (link["mtu"], link["addr_info"]) for name, link in found.items()} == {
        "a": (1500, []), "b": (1500, [])}


@pytest.mark.parametrize("host, name", [("a", "eth0"), ("b", "eth0"), (None, "a"), (None, "b")])
def test_both_ends_of_the_link_have_their_offloads_off(
    loop: EventLoop, two_hosts: PrivateNetwork, host: Optional[str], name: str
) -> None:
    features = output_of(loop, two_hosts, "ethtool", "-k", name, host=host)
    assert [offload for offload in OFFLOADS if f"{offload}: off" not in features] == []


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("address", ["192.0.2.1", "10.9.1.1", "2001:db8::1", "fd09:0:0:1::1"])
def test_there_is_no_way_from_a_host_to_elsewhere(
    two_hosts: PrivateNetwork, host: str, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with two_hosts.socket(family, socket.SOCK_STREAM, host=host) as client:
        assert client.connect_ex((address, 80)) == errno.ENETUNREACH


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_hosts_loopback_is_its_own(
    two_hosts: PrivateNetwork, host: str, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with two_hosts.socket(family, socket.SOCK_STREAM, host=host) as server:
        port = listener_at(server, address)
        with two_hosts.socket(family, socket.SOCK_STREAM, host=host) as neighbour:
            neighbour.connect((address, port))
        with two_hosts.socket(family, socket.SOCK_STREAM, host=OTHER[host]) as stranger:
            assert stranger.connect_ex((address, port)) == errno.ECONNREFUSED


@pytest.mark.parametrize("address, told", [
    ("::ffff:127.0.0.1", "127.0.0.1"), ("::ffff:0.0.0.0", "0.0.0.0"), ("::", "::"), ("::1", "::1"),
])
def test_a_dual_stack_socket_is_told_by_the_address_it_was_given(
    network: PrivateNetwork, address: str, told: str
) -> None:
    with network.socket(socket.AF_INET6, socket.SOCK_STREAM) as tcp, \
            network.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        port = listener_at(tcp, address)
        udp.bind((address, 0))
        assert [e.local for e in network.sockets.tcp([LISTEN])] == [(told, port)]
        assert [e.local for e in network.sockets.udp()] == [(told, udp.getsockname()[1])]


def test_the_far_end_of_a_dual_stack_socket_is_told_likewise(network: PrivateNetwork) -> None:
    with network.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.connect(("::ffff:127.0.0.1", 6000))
        [endpoint] = network.sockets.udp()
        assert (endpoint.local[0], endpoint.remote) == ("127.0.0.1", ("127.0.0.1", 6000))


def test_who_closed_first_stays_in_time_wait_after_many_connections(
    network: PrivateNetwork
) -> None:
    listening = network.socket(socket.AF_INET, socket.SOCK_STREAM)
    address = ("127.0.0.1", listener_at(listening))
    for _ in range(1500):
        client = network.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.connect(address)
        server, _ = listening.accept()
        client.close()
        server.close()
    listening.close()
    assert len(network.sockets_of(None).tcp([TIME_WAIT])) == 1500


def test_the_kernel_tells_each_hosts_sockets(two_hosts: PrivateNetwork) -> None:
    with two_hosts.socket(socket.AF_INET, socket.SOCK_STREAM, host="b") as server:
        place = ("127.0.0.1", listener_at(server))
        assert two_hosts.sockets_of("a").tcp([LISTEN]) == []
        assert [e.local for e in two_hosts.sockets_of("b").tcp([LISTEN])] == [place]
        assert [e.local for e in two_hosts.sockets.tcp([LISTEN])] == [place]


def test_the_link_carries_what_is_put_on_it_and_nothing_else(two_hosts: PrivateNetwork) -> None:
    """At once, whole, by no way but the middle; and the hosts never speak by themselves."""
    ends = {name: frames_at(two_hosts, name) for name in HOSTS}
    for there, addresses in HOSTS.items():
        here = OTHER[there]
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            receiver = two_hosts.socket(family, socket.SOCK_DGRAM, host=there)
            with receiver, two_hosts.socket(family, socket.SOCK_DGRAM, host=here) as sender:
                receiver.bind((address, 6000))
                sender.sendto(b"hello", (address, 6000))
                frame = next_of(ends[here])
                assert frame.startswith(bytes.fromhex("020000000001" * 2))
                assert frame.endswith(b"hello")
                assert has_nothing(receiver)
                ends[there].send(frame)
                assert next_of(receiver) == b"hello"
    for end in ends.values():
        with end:
            assert has_nothing(end)


def frames_at(network: PrivateNetwork, name: str) -> socket.socket:
    """A socket for the frames that come in on interface NAME, in the middle."""
    sock = network.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.setsockopt(*IGNORE_OUTGOING)
    sock.bind((name, EVERY_PROTOCOL))
    return sock


def next_of(sock: socket.socket) -> bytes:
    assert select.select([sock], [], [], 5)[0], "nothing came"
    return sock.recv(2000)


def has_nothing(sock: socket.socket) -> bool:
    return not select.select([sock], [], [], 0)[0]


def test_a_host_that_is_not_there_is_refused(network: PrivateNetwork) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        network.socket(socket.AF_INET, socket.SOCK_STREAM, host="a")
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        network.run(["true"], [0, 1, 2], env={"PATH": os.environ["PATH"]}, host="b")


# -- Its end -------------------------------------------------------------------


def test_closing_it_ends_its_processes(loop: EventLoop) -> None:
    network = PrivateNetwork(loop)
    null = os.open(os.devnull, os.O_RDWR)
    read_end, write_end = os.pipe()
    network.run(["sh", "-c", "trap '' TERM HUP INT; sleep 1000 & sleep 1000"],
                [null, write_end, null], env={"PATH": os.environ["PATH"]})
    os.close(write_end)
    os.close(null)
    network.close()
    with os.fdopen(read_end) as pipe:
        assert pipe.read() == ""  # end of file: whoever held the pipe is gone


def test_the_death_of_the_harness_ends_it(tmp_path: Path) -> None:
    """A harness killed with SIGKILL leaves no process behind."""
    script = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(HARNESS)!r})
        from labkit.events import EventLoop
        from labkit.network import PrivateNetwork
        network = PrivateNetwork(EventLoop(20))
        null = os.open(os.devnull, os.O_RDWR)
        network.run(["sleep", "1000"], [null, 1, null], env={{"PATH": os.environ["PATH"]}})
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, timeout=20,
                          check=False)  # returns once nobody holds its stdout
    assert done.returncode == -signal.SIGKILL


def test_labhost_that_is_killed_takes_its_network_along_and_another_one_begins(
    loop: EventLoop
) -> None:
    network = PrivateNetwork(loop)
    labhost.of_this_process().process.kill()
    network.close()  # returns, as all in it has ended, and so has who would make the next one
    with pytest.raises(HarnessError, match="labhost ended by itself"):
        PrivateNetwork(loop)
    PrivateNetwork(loop).close()


def test_a_copy_of_the_process_has_a_labhost_of_its_own() -> None:
    script = textwrap.dedent(f"""
        import os, socket, sys
        sys.path.insert(0, {str(HARNESS)!r})
        from labkit import labhost
        from labkit.events import EventLoop
        from labkit.network import PrivateNetwork
        network = PrivateNetwork(EventLoop(20))
        first = labhost.of_this_process()
        if os.fork() == 0:
            other = PrivateNetwork(EventLoop(20))
            other.socket(socket.AF_INET, socket.SOCK_STREAM).close()
            other.close()
            os._exit(7 if labhost.of_this_process() is not first else 1)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
        network.socket(socket.AF_INET, socket.SOCK_STREAM).close()
        network.close()
        PrivateNetwork(EventLoop(20)).close()
        print("well")
    """)
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True,
                          text=True, timeout=20, check=False)
    assert (done.stdout, done.stderr) == ("7\nwell\n", "")


def refuse_namespaces() -> list[str]:
    return ["unshare", "-Ur", "sh", "-c",
            'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh"]


def test_it_explains_itself_where_namespaces_are_off() -> None:
    script = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(HARNESS)!r})
        from labkit.events import EventLoop
        from labkit.feedback import HarnessError
        from labkit.network import PrivateNetwork
        try:
            PrivateNetwork(EventLoop(20))
        except HarnessError as error:
            print(error)
    """)
    done = subprocess.run([*refuse_namespaces(), sys.executable, "-c", script],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert "no private network" in done.stdout
    assert "docs/troubleshooting.md" in done.stdout


def test_a_command_that_is_not_there_is_an_error(network: PrivateNetwork) -> None:
    with pytest.raises(FileNotFoundError):
        network.run(["./nothing-here"], [0, 1, 2], env={})


def test_a_signal_reaches_a_process_inside(loop: EventLoop, network: PrivateNetwork) -> None:
    process = network.run(["sleep", "1000"], [0, 1, 2], env={"PATH": os.environ["PATH"]})
    process.send_signal(signal.SIGUSR1)
    loop.wait(lambda: process.status is not None)
    assert process.status == signal.SIGUSR1
