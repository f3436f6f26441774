"""labcap annotate: what each packet does, as a comment that Wireshark shows, and nothing else."""

from __future__ import annotations

import os
import random
import stat
import struct
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest
from calls import SANITIZED_DEADLINE, Labcap
from comments import COMMENT, SECTION, SIMPLE_PACKET, Block, blocks_of, comments_of
from journeys import TwoPoints, all_well
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter, RawPcapNgReader
from trace_files import ETHERNET, Frame, NgWriter, write_pcap, write_pcapng
from traces import (
    CLIENT,
    SERVER,
    Conversation,
    echo_conversation,
    fragments_of,
    ipv6_conversation,
    port_unreachable,
)

Annotate = Callable[[Path], dict[int, str]]
Explained = Callable[[Conversation], dict[int, str]]

OWN_MOUNTS = ("unshare", "-Urm")
WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test may write its trace."""
    return tmp_path / "t.pcapng"


@pytest.fixture
def annotate(labcap: Labcap) -> Annotate:
    """Annotate a file, without a word; its comments by packet number."""

    def add(path: Path) -> dict[int, str]:
        done = labcap("annotate", path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return comments_of(path)

    return add


@pytest.fixture
def explained(annotate: Annotate, file: Path) -> Explained:
    """What is said of the packets of a conversation."""

    def explain(talk: Conversation) -> dict[int, str]:
        return annotate(write_pcapng(file, ETHERNET.frames(talk.packets)))

    return explain


def refused(labcap: Labcap, path: Path, why: str) -> None:
    """Annotating says one line, ending so, exits 3, and leaves file and folder as they are."""
    before = path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir())
    done = labcap("annotate", path)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(f"labcap: {path}: ") and done.stderr.endswith(f"{why}\n")
    assert done.stderr.count("\n") == 1
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir())) == before


# ---- Connections that go well


def test_an_echo_connection(explained: Explained) -> None:
    talk = echo_conversation(client_isn=2927179378, server_isn=1721825043)
    assert explained(talk) == {
        1: "1/3 SYN: the client asks to connect; its first byte will be number 2927179379",
        2: "2/3 SYN+ACK: the server agrees; it waits for byte number 2927179379, and its own "
           "first byte will be number 1721825044",
        3: "3/3 ACK: the client confirms; when this arrives, both sides are connected",
        7: "1/4 FIN: the client closes its direction after byte number 2927179385; the other "
           "direction stays open",
        8: "2/4 ACK: the server has everything up to the client's FIN; its own direction is "
           "still open",
        9: "3/4 FIN: the server closes its direction, too, after byte number 1721825061",
        10: "4/4 ACK: the client has everything up to the server's FIN; the connection is over, "
            "the client waits in TIME-WAIT for what may still come",
    }


def test_a_close_in_three_segments_begun_by_the_server(explained: Explained) -> None:
    talk = Conversation(client_isn=1000, server_isn=2000).handshake()
    talk.server("FA")
    talk.client("FA")
    talk.server("A")
    said = explained(talk)
    assert said[4] == ("1/3 FIN: the server closes its direction without having sent a byte; "
                       "the other direction stays open")
    assert said[5] == ("2/3 FIN+ACK: the client has everything up to the server's FIN; "
                       "the client closes its direction, too, without having sent a byte")
    assert said[6] == ("3/3 ACK: the server has everything up to the client's FIN; the "
                       "connection is over, the server waits in TIME-WAIT for what may still come")


def test_a_third_packet_with_data_and_fin(explained: Explained) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("FPA", b"hello!\n")
    assert explained(talk)[3] == (
        "3/3 FIN+PSH+ACK: the client confirms; when this arrives, both sides are connected; the "
        "first 7 bytes of data come with it; the client closes its direction at once")


def test_data_in_the_syn(explained: Explained) -> None:
    talk = Conversation(client_isn=100, server_isn=200)
    talk.client("S", b"early")
    talk.server("SA")
    talk.client("A")
    said = explained(talk)
    assert said[1] == ("1/3 SYN: the client asks to connect; its first byte will be number 101; "
                       "5 bytes of data come with it (TCP Fast Open)")
    assert said[2] == ("2/3 SYN+ACK: the server agrees; it waits for byte number 106, and its own "
                       "first byte will be number 201; it has the data of the SYN already")


def test_a_half_closed_connection_goes_on(explained: Explained) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("PA", b"still here")
    talk.client("A")
    talk.server("FA")
    talk.client("A")
    said = explained(talk)
    assert said[5] == ("2/4 PSH+ACK: the server has everything up to the client's FIN; its own "
                       "direction is still open; 10 bytes of data come with it")
    assert 6 not in said
    assert said[7].startswith("3/4 FIN: the server closes its direction, too, after byte number ")


def test_both_sides_close_at_the_same_time(explained: Explained) -> None:
    talk = Conversation(client_isn=10, server_isn=20).handshake()
    talk.client("FA", ack=1)
    talk.server("FA", ack=1)
    talk.client("A", ack=2)
    talk.server("A", ack=2)
    said = explained(talk)
    assert said[5] == ("2/4 FIN: the server closes its direction without having sent a byte; it "
                       "had not seen the other FIN when it sent this (simultaneous close)")
    assert said[6] == "3/4 ACK: the client has everything up to the server's FIN"
    assert said[7] == ("4/4 ACK: the server has everything up to the client's FIN; the connection "
                       "is over, both sides wait in TIME-WAIT for what may still come")


def test_both_sides_open_at_the_same_time(explained: Explained) -> None:
    talk = Conversation(client_isn=10, server_isn=20)
    talk.client("S")
    talk.server("S")
    talk.client("SA", seq=0, ack=1)
    talk.server("SA", seq=0, ack=1)
    said = explained(talk)
    assert said[1] == "1/3 SYN: the client asks to connect; its first byte will be number 11"
    assert said[2] == ("SYN: the server asks to connect, too, before it has an answer to any SYN "
                       "(simultaneous open); its first byte will be number 21")
    assert said[3] == "SYN+ACK: the client agrees to the server's SYN, and repeats its own"
    assert said[4] == ("2/3 SYN+ACK: the server agrees to the client's SYN, and repeats its own")


def test_a_syn_ack_that_acknowledges_what_was_never_sent(explained: Explained) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA", ack=455)
    assert explained(talk)[2] == ("2/3 SYN+ACK: the server answers, but what it acknowledges is "
                                  "not this client's SYN")


def test_numbers_wrap_as_they_do_on_the_wire(explained: Explained) -> None:
    talk = Conversation(client_isn=2**32 - 1, server_isn=2**32 - 3).handshake()
    talk.server("PA", b"four")
    talk.server("FA")
    said = explained(talk)
    assert said[1].endswith("its first byte will be number 0")
    assert said[2].endswith("its own first byte will be number 4294967294")
    assert said[5] == ("1/4 FIN: the server closes its direction after byte number 1; the other "
                       "direction stays open")


def test_a_connection_joined_in_its_middle_has_its_numbers_all_the_same(
    explained: Explained,
) -> None:
    talk = Conversation(client_isn=1000).unseen_handshake()
    talk.client("PA", b"abc")
    talk.server("A")
    talk.client("FA")
    assert explained(talk) == {
        3: "1/4 FIN: the client closes its direction after byte number 1003; the other direction "
           "stays open"}


def test_ordinary_segments_have_no_comment(explained: Explained) -> None:
    talk = Conversation().handshake()
    for _ in range(5):
        talk.client("PA", b"hello")
        talk.server("A")
    assert list(explained(talk)) == [1, 2, 3]


# ---- Resets


def test_a_refused_connection(explained: Explained) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("RA", seq=0, tcp={"seq": 0})
    assert explained(talk)[2] == (
        "RST+ACK: the server refuses the connection, as a host does where no program listens on "
        "the port")


def interrupts(talk: Conversation) -> None:
    """A reset in the middle."""
    talk.handshake()
    talk.client("PA", b"abc")
    talk.server("RA")


def after_own_fin(talk: Conversation) -> None:
    """Data reaches a side that had closed."""
    talk.handshake()
    talk.server("FA")
    talk.client("PA", b"abc")
    talk.server("R")


def again(talk: Conversation) -> None:
    """Two resets, for two segments."""
    talk.handshake()
    talk.server("R")
    talk.client("PA", b"abc")
    talk.server("R")


def too_late(talk: Conversation) -> None:
    """Both directions are closed."""
    echo = echo_conversation()
    talk.packets, talk.sides = echo.packets, echo.sides
    talk.client("R")


def before_established(talk: Conversation) -> None:
    """The client does not want the answer."""
    talk.client("S")
    talk.server("SA")
    talk.client("R")


@pytest.mark.parametrize(
    ("make", "packet", "said"),
    [
        (interrupts, 5, "RST+ACK: the server ends the connection at once; what was not delivered "
                        "yet is lost"),
        (after_own_fin, 6, "RST: the server, which had closed its direction, now ends the "
                           "connection at once: nobody takes what still comes"),
        (again, 6, "RST: the connection is gone already, the server says so once more"),
        (too_late, 11, "RST: both directions were closed before, nothing is left to reset"),
        (before_established, 3, "RST: the client breaks the connection off before it is "
                                "established"),
    ],
)  # fmt: skip
def test_a_reset(
    explained: Explained, make: Callable[[Conversation], None], packet: int, said: str
) -> None:
    talk = Conversation()
    make(talk)
    assert explained(talk)[packet] == said


# ---- Segments that are sent again, or out of turn


def test_a_syn_and_its_answer_sent_again(explained: Explained) -> None:
    talk = Conversation()
    for _ in range(2):
        talk.client("S", seq=0)
    for _ in range(2):
        talk.server("SA", seq=0, ack=1)
    said = explained(talk)
    assert said[2] == "SYN: the client asks once more: no answer has reached it"
    assert said[4] == ("SYN+ACK: the server agrees once more: for its side the handshake is not "
                       "complete")


def test_bytes_sent_again(explained: Explained) -> None:
    talk = Conversation(client_isn=999).handshake()
    talk.client("PA", b"hello")
    talk.client("PA", b"hello", seq=1)
    talk.client("PA", b"hello+more", seq=1)
    talk.client("PA", b"l", seq=3)
    said = explained(talk)
    assert said[5] == ("PSH+ACK: the client sends bytes 1000 to 1004 once more: no acknowledgement "
                       "of them has come")
    assert said[6] == "PSH+ACK: some of its bytes were sent before"
    assert said[7].startswith("PSH+ACK: the client sends byte 1002 once more: no acknowledgement")


def test_a_fin_sent_again(explained: Explained) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.client("FA", seq=1)
    assert explained(talk)[5] == (
        "FIN+ACK: the client sends its FIN once more: no acknowledgement of it has come")


def test_a_hole_and_what_fills_it(explained: Explained) -> None:
    talk = Conversation(client_isn=999).handshake()
    talk.client("PA", b"one")
    talk.server("A", ack=4)
    talk.client("PA", b"three", seq=7)
    talk.server("A", ack=4)
    talk.client("PA", b"two", seq=4)
    said = explained(talk)
    assert 6 not in said
    assert said[7] == ("ACK: the server still waits for byte number 1003, though later ones are on "
                       "their way")
    assert said[8] == "PSH+ACK: its bytes belong before others that are here already"


# ---- Windows, and questions


def test_a_window_that_closes_is_asked_for_and_opens(explained: Explained) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"much")
    talk.server("A", window=0)          # 5
    talk.client("A", seq=4)             # 6: Linux asks with an old number
    talk.server("A", window=0)          # 7
    talk.client("PA", b"x", seq=5)      # 8: others with a new byte
    talk.server("A", ack=5, window=0)   # 9
    talk.server("A", window=4096)       # 10
    talk.server("A", window=8192)       # 11
    said = explained(talk)
    assert said[5] == "ACK: the server has no room for more (window 0): the client has to wait"
    assert said[6] == ("ACK: nothing in it is new, the client only asks whether there is room "
                       "again (window probe)")
    assert said[7] == said[9] == "ACK: the server answers: there is still no room (window 0)"
    assert said[8] == ("PSH+ACK: one byte into a closed window: the client asks whether there is "
                       "room again (window probe)")
    assert said[10] == "ACK: the server has room again: the client may go on sending"
    assert 11 not in said


def test_a_keep_alive_and_its_answer(explained: Explained) -> None:
    talk = Conversation().handshake()
    talk.server("PA", b"abc")
    talk.client("A")
    talk.server("A", seq=3)
    talk.client("A")
    talk.client("A")
    said = explained(talk)
    assert said[6] == ("ACK: nothing in it is new, the server only asks whether the client is "
                       "still there (keep-alive)")
    assert said[7] == "ACK: the client answers: it is still there"
    assert 5 not in said and 8 not in said


# ---- UDP and ICMP


@pytest.mark.parametrize("make", [Conversation, ipv6_conversation])
def test_datagrams_and_an_unreachable_port(
    explained: Explained, make: Callable[..., Conversation]
) -> None:
    talk = make(server_port=6000)
    talk.datagram(CLIENT, b"hello")
    talk.datagram(SERVER, b"hello")
    asked = talk.datagram(CLIENT, b"more")
    talk.add(port_unreachable(talk.packets[asked - 1].data))
    assert explained(talk) == {
        1: "UDP: the first datagram between these two ports: UDP has no handshake, and nothing "
           "tells its sender whether it arrives",
        4: "ICMP: port unreachable: at the server's host no program has port 6000, so that the "
           "client's packet was thrown away",
    }


def test_a_host_that_cannot_be_reached(explained: Explained) -> None:
    talk = Conversation()
    talk.client("S")
    answer = port_unreachable(talk.packets[0].data)
    answer["ICMP"].code = 1
    talk.add(answer)
    assert explained(talk)[2] == (
        "ICMP: host unreachable: the client's packet could not be delivered")


def test_a_datagram_in_fragments(explained: Explained) -> None:
    talk = Conversation()
    talk.datagram(SERVER, b"first")
    for piece in fragments_of(talk.udp_packet(CLIENT, b"u" * 3000), 1480):
        talk.add(piece)
    said = explained(talk)
    assert said[2] == "UDP: too large for one packet, it travels in 3 fragments"
    assert list(said) == [1, 2]


def test_a_datagram_that_lacks_a_fragment(explained: Explained) -> None:
    talk = Conversation()
    talk.datagram(SERVER, b"first")
    for piece in fragments_of(talk.udp_packet(CLIENT, b"u" * 3000), 1480)[:-1]:
        talk.add(piece)
    assert explained(talk)[2] == (
        "UDP: too large for one packet, it travels in fragments, which were not all recorded")


# ---- Two points


def test_what_became_of_packets_is_told_at_both_points(annotate: Annotate, file: Path) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"one")
    talk.client("PA", b"two")
    talk.client("PA", b"three")
    points = TwoPoints().go(talk, f"{all_well(3)} s4 s5 a5 a5 s6 a6* a4")
    said = annotate(write_pcapng(file, points.frames))
    number = points.numbers
    assert said[number["s1"]].startswith("1/3 SYN: the client asks to connect; ")
    assert said[number["a1"]] == f"packet {number['s1']} arrives"
    assert said[number["s5"]] == "PSH+ACK: it arrives twice"
    assert said[number["a5"]] == f"packet {number['s5']} arrives, once more"
    assert said[number["s6"]] == "PSH+ACK: it arrives damaged"
    assert said[number["a6*"]] == f"packet {number['s6']} arrives, damaged"
    assert said[number["s4"]] == (f"PSH+ACK: it arrives after packet {number['s6']}, "
                                  "which was sent later")


def test_a_lost_packet_is_told(annotate: Annotate, file: Path) -> None:
    talk = Conversation(client_isn=0)
    talk.client("S")
    talk.client("S", seq=0)
    points = TwoPoints().go(talk, "s1 s2 a2")
    assert annotate(write_pcapng(file, points.frames)) == {
        2: "1/3 SYN: the client asks to connect; its first byte will be number 1; it is lost on "
           "its way",
        3: "SYN: the client asks once more: no answer has reached it",
        4: "packet 3 arrives",
    }


# ---- The file


@pytest.mark.parametrize("order", ["<", ">"])
def test_everything_else_in_the_file_stays(annotate: Annotate, file: Path, order: str) -> None:
    parts = rich_file(order)
    file.write_bytes(b"".join(parts))
    before = blocks_of(file)
    annotate_all = annotate_and_blocks(annotate, file)
    assert [b.without_comments for b in annotate_all] == [b.without_comments for b in before]
    old = [b.comments for b in before if b.is_packet]
    new = [b.comments for b in annotate_all if b.is_packet]
    assert [found[: len(kept)] for found, kept in zip(new, old)] == old
    assert [len(found) - len(kept) for found, kept in zip(new, old)] == [1, 1, 1, 0]


def annotate_and_blocks(annotate: Annotate, file: Path) -> list[Block]:
    """The blocks of the file, annotated."""
    try:
        annotate(file)
    except ValueError:  # a packet with several comments
        pass
    return blocks_of(file)


def option(order: str, code: int, value: bytes) -> bytes:
    """One option, padded."""
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def block(order: str, kind: int, body: bytes) -> bytes:
    """One block of any type."""
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def packet_body(order: str, frame: Frame, options: bytes) -> bytes:
    """An Enhanced Packet Block without its frame."""
    high, low = divmod(frame.time_ns, 2**32)
    head = struct.pack(order + "IIIII", 0, high, low, len(frame.data), frame.on_wire)
    return head + frame.data + bytes(-len(frame.data) % 4) + options


def rich_file(order: str) -> list[bytes]:
    """Blocks of many types, options and comments around the four packets of a conversation.

    The section tells its length.
    """
    talk = Conversation().handshake()
    talk.client("A")
    frames = ETHERNET.frames(talk.packets)
    options = [
        option(order, 2, b"\0\0\0\1") + option(order, COMMENT, "schön: 一".encode()) + bytes(4),
        option(order, COMMENT, b"x") + option(order, 2989, b"\0\0\0\1own") + bytes(4),
        b"",
        option(order, 2, b"\0\0\0\2") + bytes(4),
    ]
    blocks = [block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + option(order, 9, b"\t")
                    + option(order, COMMENT, b"interface") + bytes(4)),
              block(order, 4, bytes(4)), block(order, 0xBAD, b"\0\0\0\1text")]
    for number, (frame, more) in enumerate(zip(frames, options)):
        kind = 2 if number == 2 else 6  # the old Packet Block has its fields in the same places
        blocks.append(block(order, kind, packet_body(order, frame, more)))
    blocks.append(block(order, 5, bytes(12)))
    length = len(b"".join(blocks))
    return [block(order, SECTION, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, length)), *blocks]


def test_a_section_that_tells_its_length_tells_the_new_one(annotate: Annotate, file: Path) -> None:
    file.write_bytes(b"".join(rich_file(">") + rich_file(">")))
    for written in annotate_and_blocks(annotate, file), blocks_of(file):
        heads = [i for i, b in enumerate(written) if b.kind == SECTION]
        assert heads[0] == 0 and len(heads) == 2
        for start, end in zip(heads, [*heads[1:], len(written)]):
            told = struct.unpack_from(">q", written[start].body, 8)[0]
            assert told == sum(12 + len(b.body) for b in written[start + 1 : end])


def test_packets_without_room_for_a_comment_are_counted_all_the_same(
    annotate: Annotate, file: Path
) -> None:
    writer = NgWriter()
    writer.interface(1, snaplen=65535)
    for number, frame in enumerate(ETHERNET.frames(Conversation().handshake().packets)):
        if number == 0:
            body = struct.pack("<I", len(frame.data)) + frame.data + bytes(-len(frame.data) % 4)
            writer.blocks.append(block("<", SIMPLE_PACKET, body))
        else:
            writer.packet(frame)
    said = annotate(writer.write(file))
    assert [said[number].split(":")[0] for number in said] == ["2/3 SYN+ACK", "3/3 ACK"]


def test_the_second_time_nothing_changes(annotate: Annotate, file: Path) -> None:
    write_pcapng(file, ETHERNET.frames(echo_conversation().packets))
    first = annotate(file), file.read_bytes(), file.stat()
    assert (annotate(file), file.read_bytes(), file.stat()) == first


def test_flows_tells_the_same_before_and_after(
    labcap: Labcap, annotate: Annotate, file: Path
) -> None:
    write_pcapng(file, ETHERNET.frames(echo_conversation().packets))
    before = labcap("flows", "--json", file).stdout
    annotate(file)
    assert labcap("flows", "--json", file).stdout == before


def test_mode_and_links_to_the_file_stay(annotate: Annotate, file: Path, tmp_path: Path) -> None:
    write_pcapng(file, ETHERNET.frames(echo_conversation().packets))
    file.chmod(0o604)
    link = tmp_path / "link.pcapng"
    link.symlink_to(file)
    assert annotate(link)
    assert stat.S_IMODE(file.stat().st_mode) == 0o604
    assert link.is_symlink() and sorted(tmp_path.iterdir()) == [link, file]


def test_several_files_are_annotated_whatever_becomes_of_one(
    labcap: Labcap, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("a.pcapng", "b.pcapng", "c.pcapng")]
    for path in files:
        write_pcapng(path, ETHERNET.frames(echo_conversation().packets))
    files[1].write_bytes(b"nothing")
    done = labcap("annotate", *files)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1 and str(files[1]) in done.stderr
    assert comments_of(files[0]) == comments_of(files[2]) != {}


def test_a_trace_with_drops_is_annotated_as_far_as_it_goes(labcap: Labcap, file: Path) -> None:
    writer = NgWriter()
    writer.interface(1)
    for frame in ETHERNET.frames(echo_conversation().packets):
        writer.packet(frame)
    writer.statistics(dropped=3)
    done = labcap("annotate", writer.write(file))
    assert done.returncode == 3
    assert done.stderr == f"labcap: {file}: 3 packets were lost when it was recorded\n"
    assert len(comments_of(file)) == 7


# ---- Others read and write it


def by_tshark(path: Path) -> dict[int, str]:
    """The comments by packet number, as tshark has them."""
    done = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", "-e", "frame.number", "-e", "frame.comment"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    pairs = [line.split("\t") for line in done.stdout.splitlines()]
    return {int(number): comment for number, comment in pairs if comment}


def test_tshark_and_capinfos_find_nothing_wrong(annotate: Annotate, file: Path) -> None:
    write_pcapng(file, ETHERNET.frames(echo_conversation().packets))
    assert by_tshark(file) == {}
    said = annotate(file)
    assert by_tshark(file) == said
    assert len(said) == 7
    infos = subprocess.run(["capinfos", file], capture_output=True, text=True, check=True)
    assert (infos.stderr, "Number of packets:   10" in infos.stdout) == ("", True)


def test_scapy_reads_the_same_packets_and_stamps(annotate: Annotate, file: Path) -> None:
    def records() -> list[tuple[bytes, int, int]]:
        with closing(RawPcapNgReader(str(file))) as reader:
            return [(frame, fields.tshigh, fields.tslow) for frame, fields in reader]

    write_pcapng(file, ETHERNET.frames(echo_conversation().packets))
    before = records()
    annotate(file)
    assert records() == before


def test_the_numbers_are_those_that_wireshark_calls_raw(annotate: Annotate, file: Path) -> None:
    write_pcapng(file, ETHERNET.frames(echo_conversation(client_isn=2**32 - 5).packets))
    annotate(file)
    fields = ["tcp.seq_raw", "tcp.ack_raw", "frame.comment"]
    done = subprocess.run(
        ["tshark", "-r", file, "-T", "fields", *(f"-e{name}" for name in fields)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    number = [(int(seq), int(ack), said) for seq, ack, said in rows]
    assert f"first byte will be number {(number[0][0] + 1) % 2**32}" in number[0][2]
    assert f"waits for byte number {number[1][1]}," in number[1][2]
    assert f"first byte will be number {number[1][0] + 1}" in number[1][2]
    assert f"after byte number {(number[6][0] - 1) % 2**32};" in number[6][2]


def rewritten_by(*command: str) -> Callable[[Path, Path], None]:
    """A program of Wireshark's that writes a file from another."""

    def write(source: Path, target: Path) -> None:
        words = [{"SOURCE": str(source), "TARGET": str(target)}.get(w, w) for w in command]
        subprocess.run(words, capture_output=True, check=True)

    return write


def by_scapy(source: Path, target: Path) -> None:
    """scapy's own writer."""
    with PcapNgWriter(str(target)) as writer:
        for one in blocks_of(source):
            if one.is_packet:
                writer.write(Ether(one.data))


@pytest.mark.parametrize(
    "write",
    [
        rewritten_by("tshark", "-r", "SOURCE", "-w", "TARGET"),
        rewritten_by("editcap", "-a", "2:mine, kept", "SOURCE", "TARGET"),
        rewritten_by("mergecap", "-a", "-w", "TARGET", "SOURCE"),
        by_scapy,
    ],
    ids=["tshark", "editcap", "mergecap", "scapy"],
)
def test_traces_of_other_writers(
    labcap: Labcap, file: Path, tmp_path: Path, write: Callable[[Path, Path], None],
    request: pytest.FixtureRequest,
) -> None:
    source = write_pcapng(tmp_path / "source.pcapng", ETHERNET.frames(echo_conversation().packets))
    write(source, file)
    own = by_tshark(file)
    done = labcap("annotate", file)
    assert (done.returncode, done.stderr) == (0, "")
    found = by_tshark(file)
    assert sorted(found) == [1, 2, 3, 7, 8, 9, 10]
    assert found[1].startswith("1/3 SYN: ")
    for number, comment in own.items():
        assert comment == "mine, kept" and found[number].startswith(f"{comment},2/3 SYN+ACK: ")
    assert bool(own) == ("editcap" in request.node.name)


# ---- Bad input


def no_pcap(path: Path) -> None:
    """An older format."""
    write_pcap(path, ETHERNET.frames(echo_conversation().packets))


def no_room_for_length(path: Path) -> None:
    """A packet whose bytes go beyond its block, where libpcap does not look."""
    options = option("<", COMMENT, b"fine") + struct.pack("<HH", COMMENT, 400)
    writer = NgWriter()
    writer.interface(1)
    first = ETHERNET.frames(echo_conversation().packets)[0]
    writer.blocks.append(block("<", 6, packet_body("<", first, options)))
    writer.write(path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (no_pcap, "not a pcapng file; other traces have no place for comments (`editcap FILE "
                  "NEW.pcapng` makes one)"),
        (lambda path: path.write_bytes(b""), "NEW.pcapng` makes one)"),
        (lambda path: path.write_text("hello, world\n"), "NEW.pcapng` makes one)"),
        (no_room_for_length, "packet 1: its block contradicts itself"),
    ],
)  # fmt: skip
def test_what_cannot_have_comments_stays_as_it_is(
    labcap: Labcap, file: Path, make: Callable[[Path], Any], why: str
) -> None:
    file.touch()
    make(file)
    refused(labcap, file, why)


def test_a_file_that_is_cut_anywhere_stays_as_it_is(labcap: Labcap, file: Path) -> None:
    whole = write_pcapng(file, ETHERNET.frames(Conversation().handshake().packets)).read_bytes()
    block_ends = {0}
    for one in blocks_of(file):
        block_ends.add(max(block_ends) + 12 + len(one.body))
    for length in range(4, len(whole)):
        if length in block_ends:
            continue
        file.write_bytes(whole[:length])
        done = labcap("annotate", file)
        assert done.returncode == 3 and done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"labcap: {file}: ")
        assert file.read_bytes() == whole[:length]
    assert list(file.parent.iterdir()) == [file]


def test_missing_files_folders_and_pipes_are_named(labcap: Labcap, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    keep = os.open(pipe, os.O_RDWR)
    for path, why in ((tmp_path / "none", "No such file or directory"),
                      (tmp_path, "not a file on a disk"), (pipe, "not a file on a disk")):
        done = labcap("annotate", path)
        assert done.returncode == 3
        assert done.stderr.startswith(f"labcap: {path}: {why}") and done.stderr.count("\n") == 1
    os.close(keep)


def test_a_file_that_somebody_writes_to_is_left_alone(labcap: Labcap, file: Path) -> None:
    write_pcapng(file, ETHERNET.frames(echo_conversation().packets))
    with file.open("ab"):
        refused(labcap, file, "still being written to")
    assert labcap("annotate", file).returncode == 0
    assert comments_of(file)


def inside(labcap_binary: Path, script: str, *arguments: Path,
           wrap: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A script in mounts of its own; "$0" is labcap."""
    return subprocess.run(
        [*OWN_MOUNTS, *wrap, "sh", "-ec", script, labcap_binary, *arguments],
        capture_output=True, text=True, timeout=SANITIZED_DEADLINE, check=False,
    )  # fmt: skip


def test_a_full_disk_leaves_the_file_and_nothing_else(
    labcap_binary: Path, file: Path, tmp_path: Path
) -> None:
    write_pcapng(file, ETHERNET.frames(big_conversation().packets))
    disk = tmp_path / "disk"
    disk.mkdir()
    done = inside(
        labcap_binary,
        'mount -t tmpfs -o size=300k none "$2"; cp "$1" "$2/t.pcapng"; cd "$2"; '
        '"$0" annotate t.pcapng || echo "status $?"; cmp t.pcapng "$1"; ls -A',
        file, disk,
    )  # fmt: skip
    assert done.stderr == "labcap: t.pcapng: No space left on device\n"
    assert done.stdout == "status 3\nt.pcapng\n"


def big_conversation() -> Conversation:
    """200 KB of segments, each of which is sent twice."""
    talk = Conversation().handshake()
    for number in range(70):
        talk.client("PA", b"x" * 1400)
        talk.client("PA", b"x" * 1400, seq=1 + 1400 * number)
    return talk


def test_a_folder_that_cannot_be_written_to_is_named(
    labcap_binary: Path, file: Path, tmp_path: Path
) -> None:
    write_pcapng(file, ETHERNET.frames(echo_conversation().packets))
    whole = file.read_bytes()
    tmp_path.chmod(0o555)
    done = inside(labcap_binary, 'exec "$0" annotate "$1"', file, wrap=WITHOUT_CAPABILITIES)
    tmp_path.chmod(0o755)
    assert done.stderr == f"labcap: {file}: no second file beside it: Permission denied\n"
    assert done.returncode == 3
    assert file.read_bytes() == whole


def test_a_file_that_may_not_be_written_is_left_alone(labcap_binary: Path, file: Path) -> None:
    write_pcapng(file, ETHERNET.frames(echo_conversation().packets))
    file.chmod(0o444)
    done = inside(labcap_binary, 'exec "$0" annotate "$1"', file, wrap=WITHOUT_CAPABILITIES)
    assert done.stderr == f"labcap: {file}: Permission denied\n"
    assert done.returncode == 3
    assert not comments_of(file)


@pytest.mark.parametrize("arguments", [(), ("--unknown", "FILE"), ("-x",)])
def test_wrong_arguments_are_usage_errors(labcap: Labcap, arguments: tuple[str, ...]) -> None:
    done = labcap("annotate", *arguments)
    assert done.returncode == 2
    assert "usage: labcap annotate " in done.stderr


# ---- Files made to do harm


def corrupted(whole: bytes, seed: int) -> bytes:
    """The file with some of its bytes changed."""
    dice = random.Random(seed)
    data = bytearray(whole)
    for _ in range(dice.choice((1, 1, 2, 8))):
        place = dice.randrange(len(data))
        data[place] = dice.choice((0, 1, 0x7F, 0xFF, data[place] ^ 1 << dice.randrange(8)))
    return bytes(data)


def hostile_sources() -> Iterator[bytes]:
    """Files worth corrupting."""
    yield b"".join(rich_file("<"))
    yield b"".join(rich_file(">"))


def test_corrupt_files_are_annotated_whole_or_left_alone(
    labcap_sanitized: Path, tmp_path: Path
) -> None:
    originals: dict[Path, bytes] = {}
    for number, source in enumerate(hostile_sources()):
        for seed in range(150):
            path = tmp_path / f"{number}-{seed}.pcapng"
            originals[path] = corrupted(source, seed)
            path.write_bytes(originals[path])
    done = subprocess.run(
        [labcap_sanitized, "annotate", *originals],
        capture_output=True, timeout=SANITIZED_DEADLINE, check=False,
    )  # fmt: skip
    assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr
    assert done.returncode == 3
    assert sorted(tmp_path.iterdir()) == sorted(originals)
    changed = [path for path, data in originals.items() if path.read_bytes() != data]
    assert len(originals) / 4 < len(changed) < len(originals)
    for path in changed:
        assert data_of(path.read_bytes()) == data_of(originals[path])


def data_of(file: bytes) -> Optional[list[bytes]]:
    """The packets of a file, however its options look."""
    order = "<" if file[8] == 0x4D else ">"
    place, found = 0, []
    while place + 28 <= len(file):
        kind, length = struct.unpack_from(order + "II", file, place)
        if kind in (2, 6):
            found.append(Block(kind, file[place + 8 : place + length - 4], order).data)
        place += length
    return found


def test_a_comment_cannot_carry_what_a_packet_holds(explained: Explained) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"\x1b[31m%s%n\0", seq=1)
    talk.client("PA", b"\x1b[31m%s%n\0", seq=1)
    talk.add(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=2, flags=0x3FF))
    for said in explained(talk).values():
        assert said.isascii() and said.isprintable()
