"""labcap show while the trace is still coming: what is printed when, in bounded memory."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
from pathlib import Path
from typing import Iterator, Sequence

import pytest
from calls import DEADLINE, Labcap
from ladders import columns_of, environment, numbers, outcome, row
from trace_files import RAW, Frame, pcap_header, pcap_record, write_pcap
from traces import CLIENT, SERVER, Conversation, fragments_of, port_unreachable

OWN_PACKETS = 256  # a connection with more is drawn before its end is known
QUIET_PACKETS = 1024  # so many others, and a closed connection is over
MEMORY_KIB = 18 * 1024  # of address space; half of it is there before the first packet
MANY = 100_000  # 140 bytes each, if they were kept


def records(frames: Sequence[Frame]) -> bytes:
    """The frames as they stand in a pcap file."""
    return b"".join(pcap_record(frame) for frame in frames)


def data_from(talk: Conversation, count: int) -> list[Frame]:
    """`count` segments of the client behind all that is there, a microsecond each, by bytes."""
    last = talk.client("A", b"x")
    data, sequence = talk.packets.pop(last - 1).data, talk.sides["client"].isn
    start = talk.sides["client"].next - 1
    talk.sides["client"].next = talk.sides["client"].highest = start + count
    frames = []
    for number in range(count):
        copy = bytearray(data)
        copy[4:6] = struct.pack("!H", 1 + number % 65535)
        copy[24:28] = struct.pack("!I", (sequence + start + number) % 2**32)
        frames.append(Frame(bytes(copy), talk.now_ns + number * 1000))
    talk.now_ns += count * 1000
    return frames


class Piped:
    """labcap show, fed through a pipe."""

    def __init__(self, binary: Path, *arguments: str) -> None:
        self._show = subprocess.Popen(
            [binary, "show", "-", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        self._text = b""
        self.feed(pcap_header(RAW.linktype))

    def feed(self, data: bytes) -> None:
        assert self._show.stdin is not None
        self._show.stdin.write(data)
        self._show.stdin.flush()

    def read_until(self, words: str) -> str:
        """All that was printed, as soon as it has these words."""
        assert self._show.stdout is not None
        while words.encode() not in self._text:
            ready = select.select([self._show.stdout], [], [], DEADLINE)[0]
            assert ready, f"not printed yet: {words}\n{self._text.decode()}"
            chunk = os.read(self._show.stdout.fileno(), 65536)
            assert chunk, f"never printed: {words}\n{self._text.decode()}"
            self._text += chunk
        return self._text.decode()

    def finish(self) -> str:
        """The rest, once the trace has ended."""
        output, errors = self._show.communicate(timeout=DEADLINE)
        assert (self._show.returncode, errors) == (0, b"")
        self._text += output
        return self._text.decode()

    def kill(self) -> None:
        self._show.kill()
        self._show.communicate(timeout=DEADLINE)


@pytest.fixture
def piped(labcap_binary: Path) -> Iterator[Piped]:
    """A show that is ended whatever happens."""
    show = Piped(labcap_binary)
    yield show
    show.kill()


def test_a_long_connection_is_printed_before_its_end(piped: Piped) -> None:
    talk = Conversation().handshake()
    piped.feed(records(talk.packets) + records(data_from(talk, 4 * OWN_PACKETS)))
    text = piped.read_until("13  ")
    assert text.startswith("- TCP connection 1 ---")
    assert "packets in" not in text
    assert row(text, 1).endswith("| SYN-RECEIVED")
    assert "| LISTEN" in text


def test_what_its_heading_cannot_tell_stands_at_its_end(piped: Piped) -> None:
    talk = Conversation().handshake()
    frames = talk.packets[:] + data_from(talk, 1000)
    talk.close()
    piped.feed(records(frames + talk.packets[3:]))
    assert outcome(piped.finish()).startswith("1007 packets in 8.00 ms. The client closed first")


@pytest.mark.parametrize("three", [False, True])
def test_a_teardown_is_numbered_by_what_it_turns_out_to_be(piped: Piped, three: bool) -> None:
    talk = Conversation().handshake()
    frames = talk.packets[:] + data_from(talk, 1000)
    talk.server("A")
    talk.client("FA")
    if three:
        talk.server("FA")
        talk.client("A")
    else:
        talk.server("A")
        talk.server("FA")
        talk.client("A")
    piped.feed(records(frames + talk.packets[3:]))
    text = piped.finish()
    assert ("1/3 FIN" if three else "1/4 FIN") in row(text, 1005)
    assert ("2/3 FIN+ACK" if three else "2/4 ACK") in row(text, 1006)
    assert "?" not in text


def test_a_syn_is_told_by_its_answer_however_late_that_is(piped: Piped) -> None:
    talk = Conversation()
    for _ in range(2 * OWN_PACKETS):
        talk.client("S", seq=0)
    talk.server("SA")
    talk.client("A")
    piped.feed(records(talk.packets + data_from(talk, 3 * QUIET_PACKETS)))
    text = piped.read_until("3/3 ACK")
    assert row(text, 1).endswith("| SYN-RECEIVED")
    assert "| LISTEN" in text


def test_fragments_are_counted_before_their_datagram_is_told(piped: Piped) -> None:
    """Told as it comes: behind what ends the run of datagrams before it."""
    talk = Conversation()
    for _ in range(2 * OWN_PACKETS):
        talk.datagram(CLIENT, b"x")
    last = talk.add(port_unreachable(talk.packets[0].data))
    for fragment in fragments_of(talk.udp_packet(SERVER, b"y" * 3000, ip={"id": 77}), 1024):
        talk.add(fragment)
    piped.feed(records(talk.packets))
    assert "- len 3000, 3 fragments -|" in row(piped.finish(), last + 1)


@pytest.mark.parametrize("merged", [[], ["--merge"]])
def test_a_datagram_told_before_its_last_fragment_came_is_incomplete_so_far(
    labcap: Labcap, trace: Path, merged: list[str]
) -> None:
    """Its row waits for 1,024 packets, and no longer. What is told at the end is certain."""
    talk = Conversation()
    for number, between in enumerate([1100, 1]):
        first, last = fragments_of(talk.udp_packet(CLIENT, b"y" * 1500, ip={"id": 100 + number}),
                                   1024)
        talk.add(first)
        for _ in range(between):
            talk.datagram(CLIENT, b"x")
        if number == 0:
            talk.add(last)
    text = labcap("show", "--ascii", "--all", *merged, talk.write(trace)).stdout
    assert re.findall("incomplete(?: so far)?", text) == ["incomplete so far", "incomplete"]


def test_a_first_fin_that_nobody_answers_does_not_hold_up_the_rest(piped: Piped) -> None:
    talk = Conversation().handshake()
    frames = talk.packets[:] + data_from(talk, 500)
    talk.client("FA")
    for _ in range(1100):
        talk.server("PA", b"more", ack=100)
    piped.feed(records(frames + talk.packets[3:]))
    assert "1/? FIN" in piped.read_until("504 ")


def test_the_second_waits_until_the_first_is_over(piped: Piped) -> None:
    """Over: closed, and nothing of it among the next thousand packets."""
    first = Conversation().handshake()
    first.close()
    second = Conversation(client_port=2, start_ns=first.now_ns).handshake()
    more = data_from(second, 3 * QUIET_PACKETS)
    piped.feed(records(first.packets + second.packets + more))
    text = piped.read_until("- TCP connection 2 ---")
    assert "7 packets in 6.00 ms" in text
    assert "The client closed first; each FIN was acknowledged, in 4 segments." in text


def test_what_comes_when_a_connection_is_over_is_shown_at_the_end(piped: Piped) -> None:
    first = Conversation().handshake()
    first.close(SERVER)
    late = len(first.packets)
    second = Conversation(client_port=2, start_ns=first.now_ns).handshake()
    frames = first.packets[:late] + second.packets + data_from(second, 3 * QUIET_PACKETS)
    first.client("A")
    piped.feed(records(frames + first.packets[late:]))
    text = piped.finish()
    assert text.index("TCP connection 2") < text.index("TCP connection 1, later")
    later = text[text.index("TCP connection 1, later") :]
    assert row(text, len(frames) + 1) in later
    assert numbers(text)[-1] == len(frames) + 1
    assert "teardown" not in later and " data " not in later


def test_a_connection_that_never_ends_does_not_hide_the_others(piped: Piped) -> None:
    first = Conversation().handshake()
    second = Conversation(client_port=2, start_ns=first.now_ns).handshake()
    piped.feed(records(first.packets + second.packets + data_from(second, 5000)))
    text = piped.finish()
    assert text.index("No side had closed") < text.index("TCP connection 2")
    assert "5003 packets in" in text


def test_a_short_connection_is_printed_when_others_go_on(piped: Piped) -> None:
    first = Conversation().handshake()
    second = Conversation(client_port=2, start_ns=first.now_ns).handshake()
    piped.feed(records(first.packets + second.packets + data_from(second, 3 * QUIET_PACKETS)))
    assert row(piped.read_until("3/3 ACK"), 1).endswith("| SYN-RECEIVED")


def test_a_short_trace_from_a_pipe_is_drawn_as_from_a_file(
    piped: Piped, labcap: Labcap, trace: Path
) -> None:
    talk = Conversation().handshake()
    talk.close()
    piped.feed(records(talk.packets))
    assert piped.finish() == labcap("show", talk.write(trace), env=environment()).stdout


def test_a_pipe_and_a_file_give_the_same_rows(piped: Piped, labcap: Labcap, trace: Path) -> None:
    talk = Conversation().handshake()
    frames = talk.packets[:] + data_from(talk, 5000)
    piped.feed(records(frames))
    write_pcap(trace, frames, RAW.linktype)
    file = labcap("show", trace, env=environment()).stdout
    assert numbers(file) == numbers(piped.finish())


@pytest.mark.parametrize(
    "arguments", [(), ("--merge",), ("--json",), ("--json", "--merge"), ("--all",)]
)
def test_a_long_trace_takes_little_memory(
    labcap_binary: Path, trace: Path, arguments: tuple[str, ...]
) -> None:
    talk = Conversation().handshake()
    write_pcap(trace, talk.packets[:] + data_from(talk, MANY), RAW.linktype)
    limited = f'ulimit -v {MEMORY_KIB} && exec "$@" > /dev/null'
    done = subprocess.run(
        ["sh", "-c", limited, "sh", labcap_binary, "show", *arguments, trace],
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_two_at_the_same_time_take_little_memory(labcap_binary: Path, trace: Path) -> None:
    """The one whose turn it is not yet is folded while it waits."""
    talks = [Conversation(client_port=port).handshake() for port in (1, 2)]
    opened = [frame for talk in talks for frame in talk.packets]
    both = zip(*(data_from(talk, MANY // 2) for talk in talks))
    write_pcap(trace, opened + [frame for pair in both for frame in pair], RAW.linktype)
    limited = f'ulimit -v {MEMORY_KIB} && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", limited, "sh", labcap_binary, "show", trace],
        capture_output=True, text=True, timeout=DEADLINE, check=False, env=environment(),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("49,984 segments") == 2


def test_packet_numbers_keep_their_columns(labcap: Labcap, trace: Path) -> None:
    """However large they become after the first row was printed."""
    talk = Conversation().handshake()
    write_pcap(trace, talk.packets[:] + data_from(talk, 12_000), RAW.linktype)
    text = labcap("show", trace, "--all", env=environment()).stdout
    rows = [line for line in text.splitlines() if "|-" in line or "|<" in line]
    assert len(rows) == 12_003
    assert len({line.index("|") for line in rows}) == 1
    assert len({line.rindex("|") for line in rows}) == 1


@pytest.mark.parametrize(("locale", "unit"), [("C", "us"), ("C.UTF-8", "\u00b5s")])
def test_the_sentences_fill_their_lines_and_no_more(
    labcap: Labcap, trace: Path, locale: str, unit: str
) -> None:
    talk = Conversation(step_ns=1000).handshake()
    talk.packets += data_from(talk, 2 * OWN_PACKETS)
    talk.close()
    talk.write(trace)
    for columns in range(40, 121):
        text = labcap("show", trace, env=environment(columns=columns, locale=locale)).stdout
        lines = text.rstrip("\n").split("\n\n")[-1].splitlines()
        assert unit in lines[0] and max(map(columns_of, lines)) <= columns
        for line, following in zip(lines, lines[1:]):
            assert columns_of(line) + 1 + len(following.split()[0]) > columns
