"""The private network of a test: what it is, that nothing leaks, that nothing is left."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Iterator

import pytest

from labkit.events import EventLoop
from labkit.network import PrivateNetwork
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


def output_of(loop: EventLoop, network: PrivateNetwork, *argv: str) -> str:
    """What a command run inside prints; it must succeed."""
    read_end, write_end = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"  # where ip and ethtool may be
    process = network.run(argv, [null, write_end, write_end], env={"PATH": path})
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
