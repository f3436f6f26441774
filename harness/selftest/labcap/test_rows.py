"""The rows that flows prints for people."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import Argument, Labcap
from traces import Conversation, echo_conversation

LONG = "2001:db8:1111:2222:3333:4444:5555:"


def rows(labcap: Labcap, path: Path, *arguments: Argument) -> list[str]:
    """The lines of a good trace."""
    done = labcap("flows", path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_row_tells_both_ends_and_the_bytes(trace: Path, labcap: Labcap) -> None:
    text = "\n".join(rows(labcap, echo_conversation().write(trace)))
    for expected in ("10.0.0.1", "39870", "10.0.0.2", "4321", "7", "18", "SF"):
        assert expected in text


def test_there_is_a_row_for_each_connection(trace: Path, labcap: Labcap) -> None:
    talk = Conversation(client_port=50001).handshake()
    one = rows(labcap, talk.write(trace))
    for port in range(50002, 50012):
        talk.then(client_port=port).handshake()
    eleven = rows(labcap, talk.write(trace))
    for port in range(50001, 50012):
        assert sum(str(port) in row for row in eleven) == 1
    assert len(eleven) > len(one)


@pytest.mark.parametrize("width", ["20", "200"])
def test_rows_fit_80_columns(trace: Path, labcap: Labcap, width: str) -> None:
    talk = echo_conversation(client_address=LONG + "6666", server_address=LONG + "7777")
    for _ in range(3):
        more = talk.then(client_port=65535, server_port=65534).handshake()
        more.lose("client", 2**31 - 2)
        more.server("A")
        more.close()
    datagrams = talk.then(client_address=LONG + "8888", server_address=LONG + "9999")
    for _ in range(50):
        datagrams.datagram("client", b"x" * 1234)
    done = labcap("flows", talk.write(trace), env={"COLUMNS": width})
    assert done.returncode == 0
    assert max(len(row) for row in done.stdout.splitlines()) <= 80


def test_rows_are_plain_text_in_a_pipe(trace: Path, labcap: Labcap) -> None:
    done = labcap("flows", echo_conversation().write(trace), text=False)
    assert all(byte == 10 or 32 <= byte < 127 for byte in done.stdout)


def test_a_filter_chooses_rows(trace: Path, labcap: Labcap) -> None:
    talk = Conversation(client_port=50001).handshake()
    talk.then(client_port=50002).handshake()
    text = "\n".join(rows(labcap, talk.write(trace), "tcp port 50002"))
    assert "50002" in text
    assert "50001" not in text


def opened(labcap: Labcap, path: Path) -> list[str]:
    """What the second column says of each connection."""
    return [row[37:45].strip() for row in rows(labcap, path)[1:-1]]


def test_a_reply_that_was_not_recorded_or_is_another_ones_is_not_told_as_none(
    trace: Path, labcap: Labcap
) -> None:
    alone = Conversation()
    alone.client("S")
    unrecorded = alone.then(client_port=50001)
    unrecorded.client("S")
    unrecorded.client("A", ack=1)
    old = alone.then(client_port=50002).handshake()
    old.then(client_port=50002, client_isn=5_000_000).client("S")
    old.server("A")
    both = alone.then(client_port=50003)
    both.client("S")
    both.server("S")
    both.client("SA", seq=0, ack=1)
    assert opened(labcap, alone.write(trace)) == [
        "no reply", "not seen", "3-way", "no ACK", "no ACK"]
