"""Scripted UDP peers, and the verdict on datagrams."""

from __future__ import annotations

import socket
import time
from typing import Any, Optional

import pytest

from labkit.datagrams import MOST, DatagramSocket
from labkit.feedback import Mismatch
from labkit.scenario import Scenario
from labkit.tftp_lab import backs_off
from labkit.udp_echo import (
    PORT, SERVER, TEXT, expect_spacing, grows, keep_port, payload, sending_times,
)
from workbench import World

SIZES = [0, 1, 1472, 1473, MOST]


def pair(lab: Scenario, host: str = "127.0.0.1") -> tuple[DatagramSocket, DatagramSocket]:
    """A client and a server, of which nothing has been sent yet."""
    lab.stall = 0.4
    return lab.bind_datagrams(host=host), lab.bind_datagrams(PORT, host)


# -- Floods --------------------------------------------------------------------


ENDLESS = f"while :; do echo flood > /dev/udp/127.0.0.1/{PORT}; done"


def test_what_nobody_asked_for_is_not_kept_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.datagrams.FLOOD", 100)
    lab = world(prog=f"exec bash -c '{ENDLESS}'")
    server = lab.bind_datagrams(PORT)
    with pytest.raises(Mismatch) as caught:
        lab.wait_gone(lab.start("prog"))
    assert caught.value.cause == "surplus-datagrams" and len(server.came) < 1000


def test_a_trace_does_not_grow_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.scenario.world.FLOOD", 1 << 16)
    lab = world(prog=f"exec bash -c '{ENDLESS}'")
    flood = lab.start("prog")
    with pytest.raises(Mismatch) as caught:
        lab.expect_output(flood, b"something")
    assert caught.value.cause == "flood"


# -- Scripted peers ------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_come_as_they_were_sent(world: World, host: str) -> None:
    lab = world()
    client, server = pair(lab, host)
    for size in SIZES:
        client.send(payload(size), (host, PORT))
        assert server.expect(payload(size)) == client.address
        server.send(b"a reply", client.address)
        assert client.take() == (b"a reply", (host, PORT))
    assert server.received == client.sent == SIZES
    lab.expect_datagrams(SIZES, [7] * len(SIZES), server=(host, PORT))


def test_datagrams_are_taken_in_any_order_where_it_is_said(world: World) -> None:
    client, server = pair(world())
    for data in (b"one", b"two", b"one"):
        client.send(data, SERVER)
    server.expect_all([b"two", b"one", b"one"])
    client.send(b"one", SERVER)
    with pytest.raises(Mismatch, match="one of them"):
        server.expect_all([b"two"])


def test_nothing_more_is_noticed(world: World) -> None:
    client, server = pair(world())
    server.expect_nothing()
    client.send(b"", SERVER)
    with pytest.raises(Mismatch, match="a datagram of 0 bytes") as caught:
        server.expect_nothing("late-duplicate")
    assert caught.value.cause == "late-duplicate"


@pytest.mark.parametrize("wanted, sent, cause", [
    (TEXT, [TEXT[:5]], "cut-datagram"),
    (TEXT, [TEXT[:5], TEXT[5:]], "not-one-datagram"),
    (TEXT, [b""], "cut-datagram"),
    (TEXT, [TEXT + b"\n"], "messages"),
    (TEXT, [TEXT + b"\nmore\n"], "not-one-datagram"),
    (TEXT, [TEXT + b"\0"], "c-string"),
    (TEXT, [TEXT + b"\0\0\0"], "fixed-length"),
    (b"be\0fore", [b"be"], "c-string"),
    (b"", [b"x"], "empty-datagram"),
    (b"", [], "empty-datagram"),
    (TEXT, [], "no-packets"),
    (TEXT, [TEXT.upper()], "other"),
], ids=lambda value: value if isinstance(value, str) and "-" in value else "")
def test_what_is_wrong_with_a_datagram_shows(
    world: World, wanted: bytes, sent: list[bytes], cause: str
) -> None:
    client, server = pair(world())
    for data in sent:
        client.send(data, SERVER)
    with pytest.raises(Mismatch) as caught:
        server.expect(wanted)
    assert caught.value.cause == cause


def test_a_newline_that_is_sent_is_named(world: World) -> None:
    client, server = pair(world())
    client.send(TEXT + b"\n", SERVER)
    with pytest.raises(Mismatch, match="the line's newline is sent, too"):
        server.expect(TEXT)


def test_bytes_of_an_earlier_datagram_are_known(world: World) -> None:
    client, server = pair(world())
    client.send(b"a long one", SERVER)
    server.send(b"short" + b"g one", client.address)
    with pytest.raises(Mismatch) as caught:
        client.expect(b"short")
    assert caught.value.cause == "c-string"


def test_the_cause_that_a_test_names_comes_first(world: World) -> None:
    client, server = pair(world())
    client.send(b"two", SERVER)
    with pytest.raises(Mismatch) as caught:
        server.expect(b"one", cause="wrong-receiver")
    assert caught.value.cause == "wrong-receiver"


@pytest.mark.parametrize("where, host, cause", [
    (("127.0.0.1", 5000), "127.0.0.1", "wrong-port"),
    (("127.0.0.1", 28695), "127.0.0.1", "byte-order"),
    (("::1", PORT), "127.0.0.1", "first-address-only"),
    (SERVER, "127.0.0.2", "no-answer"),
])
def test_where_else_datagrams_went_is_found_in_the_trace(
    world: World, where: tuple[str, int], host: str, cause: str
) -> None:
    lab = world()
    lab.stall = 0.4
    server = lab.bind_datagrams(PORT, host)
    lab.bind_datagrams(host=where[0]).send(TEXT, where)
    with pytest.raises(Mismatch, match="none came") as caught:
        server.expect(TEXT)
    assert caught.value.cause == cause


def test_tcp_in_place_of_udp_is_found_in_the_trace(world: World) -> None:
    lab = world()
    _, server = pair(lab)
    with pytest.raises(Mismatch, match="can connect"):
        lab.connect(PORT)
    with pytest.raises(Mismatch) as caught:
        server.expect(TEXT, cause="empty-datagram")
    assert caught.value.cause == "tcp-not-udp"


def test_a_closed_peer_refuses(world: World) -> None:
    lab = world()
    client, server = pair(lab)
    server.close()
    client.send(TEXT, SERVER)
    [flow] = lab.expect_datagrams([len(TEXT)], [])[:-1]
    assert flow["unreachable"] is not None


def test_a_port_that_is_kept_is_not_given_again(world: World) -> None:
    lab = world()
    client, server = pair(lab)
    keep_port(lab, SERVER)  # which is taken already
    server.close()
    keep_port(lab, SERVER)
    with pytest.raises(OSError):
        lab.bind_datagrams(PORT)


# -- Servers -------------------------------------------------------------------

BOUND = r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
    int fd = socket(AF_INET, *argv[1] == 't' ? SOCK_STREAM : SOCK_DGRAM, 0);

    if (argc < 4 || inet_pton(AF_INET, argv[3], &own.sin_addr) != 1
        || bind(fd, (struct sockaddr *)&own, sizeof own) < 0)
        return 1;
    if (*argv[1] == 't')
        listen(fd, 1);
    return pause();
}
"""


def test_a_bound_server_is_found_beside_the_tests_own_sockets(world: World) -> None:
    lab = world(prog=BOUND)
    lab.bind_datagrams(5000)
    program = lab.start_datagram_server("prog", "udp", str(PORT), "127.0.0.1", port=PORT)
    assert lab.bound_port(program) == PORT


LOOKS_UP = """
#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(9) };
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(6000) };
    int asks = socket(AF_INET, SOCK_DGRAM, 0);

    there.sin_addr.s_addr = own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(asks, (struct sockaddr *)&there, sizeof there);
    while (clock() < CLOCKS_PER_SEC / 5)
        continue;
    close(asks);
    bind(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&own, sizeof own);
    return pause();
}
"""


def test_a_socket_of_getaddrinfo_is_not_the_bound_one(world: World) -> None:
    """It is connected for a moment, while the program works; here the moment is long."""
    lab = world(prog=LOOKS_UP)
    assert lab.bound_port(lab.start("prog")) == PORT


@pytest.mark.parametrize("arguments, cause", [
    (("udp", "5000", "127.0.0.1"), "wrong-port"),
    (("udp", "28695", "127.0.0.1"), "byte-order"),
    (("udp", "6000", "0.0.0.0"), "wrong-address"),
    (("tcp", "6000", "127.0.0.1"), "tcp-not-udp"),
    (("udp", "6000", "10.0.0.1"), "ended-early"),
])
def test_why_a_server_is_not_bound_is_named(
    world: World, arguments: tuple[str, ...], cause: str
) -> None:
    lab = world(prog=BOUND)
    lab.stall = 0.4
    with pytest.raises(Mismatch, match="a UDP socket on 127.0.0.1 port 6000") as caught:
        lab.start_datagram_server("prog", *arguments, port=PORT)
    assert caught.value.cause == cause


@pytest.mark.parametrize("said, given, cause", [
    ("server: sendto: Invalid argument", None, "wrong-receiver"),
    ("server: sendto: Invalid argument", "no-ipv6", "no-ipv6"),
    ("server: no words known", None, "no-answer"),
])
def test_what_a_silent_server_says_is_shown(
    world: World, said: str, given: Optional[str], cause: str
) -> None:
    lab = world(prog=f"echo {said} >&2\nread line")
    lab.stall = 0.4
    lab.start("prog")
    with pytest.raises(Mismatch, match=f"none came; on stderr: {said}") as caught:
        lab.bind_datagrams().expect(TEXT, given)
    assert caught.value.cause == cause


def test_a_program_without_a_socket_is_not_bound(world: World) -> None:
    lab = world(prog="read line")
    lab.stall = 0.4
    program = lab.start("prog")
    with pytest.raises(Mismatch, match="no UDP socket at all") as caught:
        lab.bound_port(program)
    assert caught.value.cause == "not-bound"


# -- The verdict ---------------------------------------------------------------


def test_datagrams_of_several_clients_are_judged_together(world: World) -> None:
    lab = world()
    one, server = pair(lab)
    two = lab.bind_datagrams()
    for client, data in ((one, b"1"), (two, b"22"), (one, b"333")):
        client.send(data, SERVER)
        server.send(data, server.expect(data))
    two.send(b"to somebody else", one.address)
    lab.expect_datagrams([3, 1, 2], [1, 2, 3])


def test_datagrams_of_nobody_known_are_surplus(world: World) -> None:
    lab = world()
    client, server = pair(lab)
    lab.bind_datagrams().send(b"of a scripted peer", client.address)
    spy = lab.network.socket(socket.AF_INET, socket.SOCK_DGRAM)
    spy.sendto(b"a copy", ("127.0.0.1", 9999))
    own = spy.getsockname()[1]
    spy.close()
    client.send(b"one", SERVER)
    server.expect(b"one")
    with pytest.raises(Mismatch, match=f"others, from .*{own}.* port 9999") as caught:
        lab.expect_datagrams([3], [], cause="wrong-retries")
    assert caught.value.cause == "surplus-datagrams"
    lab.expect_datagrams([3], [], others=[("127.0.0.1", 9999)])
    assert lab.count_to(SERVER) == 1


def test_a_server_that_speaks_first_is_the_server_all_the_same(world: World) -> None:
    lab = world()
    client, server = pair(lab)
    server.send(b"four", client.address)
    client.send(b"six...", SERVER)
    lab.expect_datagrams([6], [4])


@pytest.mark.parametrize("judged, cause", [
    (dict(to_server=[5, 5], to_client=[]), None),
    (dict(to_server=[5], to_client=[]), "surplus-datagrams"),
    (dict(to_server=[10], to_client=[]), "not-one-datagram"),
    (dict(to_server=[5, 5, 5], to_client=[]), "other"),
    (dict(to_server=[5, 6], to_client=[]), "other"),
    (dict(to_server=[5, 5], to_client=[1]), "no-packets"),
    (dict(to_server=[5, 5], to_client=[1], cause="late-duplicate"), "late-duplicate"),
    (dict(to_server=[5, 5], to_client=[], server=("127.0.0.1", 5000)), "no-packets"),
], ids=str)
def test_sizes_are_judged(world: World, judged: dict[str, Any], cause: str) -> None:
    lab = world()
    client, server = pair(lab)
    for data in (b"hello", b"again"):
        client.send(data, SERVER)
        server.expect(data)
    if cause is None:
        lab.expect_datagrams(**judged)
        return
    with pytest.raises(Mismatch, match="on the wire") as caught:
        lab.expect_datagrams(**judged)
    assert caught.value.cause == cause


def test_tcp_is_no_part_of_it(world: World) -> None:
    lab = world()
    lab.listen(PORT)
    lab.connect(PORT)
    with pytest.raises(Mismatch) as caught:
        lab.expect_datagrams([], [])
    assert caught.value.cause == "tcp-not-udp"


def test_the_time_of_each_sending_is_known(world: World) -> None:
    lab = world()
    client, server = pair(lab)
    stamps = [time.time()]
    for data in (b"one", b"two", b"three"):
        client.send(data, SERVER)
        server.send(data, server.expect(data))
        client.expect(data)
        stamps.append(time.time())
    lab.expect_datagrams([3, 3, 5], [3, 3, 5])
    times = sending_times(lab.trace)
    assert all(before < sent < after for before, sent, after in zip(stamps, times, stamps[1:]))
    assert len(times) == 3
    gaps = [times[1] - times[0], times[2] - times[1]]
    expect_spacing(times, at_least=min(gaps) - 1e-6, shortest=min(gaps) + 1e-6)


@pytest.mark.parametrize("times, how, right", [
    ([0, 1, 2], dict(at_least=0.9, shortest=1.1), True),
    ([0, 1, 2], dict(at_least=1.1, shortest=9), False),
    ([0, 1, 2], dict(at_least=0, shortest=1), False),
    ([0, 1, 3], dict(at_least=0, shortest=2), True),
    ([0, 1, 3], dict(at_least=0, shortest=2, last=1), False),
    ([0, 5, 9, 10], dict(at_least=0, shortest=2, last=2), True),
])
def test_waits_are_judged(times: list[float], how: dict[str, Any], right: bool) -> None:
    if right:
        expect_spacing(times, **how)
        return
    with pytest.raises(Mismatch) as caught:
        expect_spacing(times, **how)
    assert caught.value.cause == "wrong-timeout"


@pytest.mark.parametrize("times, doubled", [
    ([0, 1, 3, 7], True), ([0, 1, 3, 4], False), ([0, 1, 2, 3], False), ([0, 1], False),
    ([], False)])
def test_waits_that_grow_are_known(times: list[float], doubled: bool) -> None:
    assert grows(times) == doubled


@pytest.mark.parametrize("times, before, doubled", [
    ([0.5, 1, 2], 1, False),  # it was sent before half past
    ([6, 2, 4, 8], 1, True), ([0, 1, 3, 7], 0, True), ([9, 9, 1, 2, 3], 2, False)])
def test_when_it_was_sent_before_is_not_known(
    times: list[float], before: int, doubled: bool
) -> None:
    assert backs_off(times, before) == doubled


def test_arrivals_are_no_sendings(world: World) -> None:
    lab = world()
    lab.disturb("duplicate udp to 6000 all")
    client, server = pair(lab)
    for data in (b"one", b"two"):
        client.send(data, SERVER)
        server.expect_all([data, data])
    lab.expect_datagrams([3, 3], [])
    assert len(sending_times(lab.trace)) == 2
