"""One scripted side of a TFTP transfer, without a program at the other."""

from __future__ import annotations

import pytest

from labkit.datagrams import DatagramSocket
from labkit.feedback import Mismatch
from labkit.tftp import RECENT, Transfer, ack, data
from workbench import World


@pytest.fixture
def sides(world: World) -> tuple[DatagramSocket, Transfer]:
    """What sends as a program would, and the transfer that it sends to."""
    lab = world()
    sender, taker = lab.bind_datagrams(), lab.bind_datagrams()
    return sender, Transfer(taker, other=sender.address)


def test_another_packet_is_told_beside_the_wanted_one(
    sides: tuple[DatagramSocket, Transfer]
) -> None:
    sender, transfer = sides
    sender.send(data(3, b"abc"), transfer.address)
    with pytest.raises(Mismatch) as caught:
        transfer.expect(ack(7), "wrong-block")
    assert caught.value.expected.endswith("receives ACK 7")
    assert (caught.value.seen, caught.value.cause) == ("DATA 3 with 3 bytes", "wrong-block")


def test_a_packet_from_elsewhere_is_told_beside_the_wanted_one(
    world: World, sides: tuple[DatagramSocket, Transfer]
) -> None:
    sender, transfer = sides
    transfer.other = "127.0.0.1", 1
    sender.send(ack(7), transfer.address)
    with pytest.raises(Mismatch) as caught:
        transfer.expect(ack(7))
    assert caught.value.expected.endswith("receives ACK 7 from 127.0.0.1 port 1")


@pytest.mark.parametrize("between, is_copy", [(RECENT - 1, True), (RECENT, False)])
def test_a_copy_is_known_for_a_while(
    sides: tuple[DatagramSocket, Transfer], between: int, is_copy: bool
) -> None:
    sender, transfer = sides
    for number in range(between + 1):
        sender.send(ack(number), transfer.address)
        transfer.expect(ack(number))
    for packet in (ack(0), data(1)):
        sender.send(packet, transfer.address)
    transfer.expect(data(1) if is_copy else ack(0))


def test_what_comes_again_is_known_from_then_on(sides: tuple[DatagramSocket, Transfer]) -> None:
    sender, transfer = sides
    for number in (*range(RECENT), 0, RECENT, 0, RECENT + 1):
        sender.send(ack(number), transfer.address)
    for number in range(RECENT + 2):
        transfer.expect(ack(number))


def test_copies_that_are_passed_over_are_counted(
    sides: tuple[DatagramSocket, Transfer]
) -> None:
    sender, transfer = sides
    for number in (1, 1, 2, 1, 3):
        sender.send(ack(number), transfer.address)
    for number in (1, 2, 3):
        transfer.expect(ack(number))
    assert transfer.passed_over == [ack(1), ack(1)]
