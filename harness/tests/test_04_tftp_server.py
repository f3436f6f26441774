"""Lab 04: the TFTP server, alone with scripted clients, and with curl."""

from __future__ import annotations

import signal
from typing import Sequence

import pytest

from labkit.echo import WRONG_PORTS, expect_usage_error
from labkit.feedback import Mismatch
from labkit.folders import Folder
from labkit.grading import (
    counts_waking, first, graded, half_written, makes_many_calls, many_packets, takes,
)
from labkit.peer import difference
from labkit.reasons import NAMES_IT, TOOL, because
from labkit.scenario import Scenario
from labkit.tftp import (
    BLOCK, DATA, PORT, RRQ, SERVER, WRQ, Tftp, Transfer, ack, blocks, data, error, oack,
    request,
)
from labkit.tftp_faults import Losses
from labkit.tftp_lab import (
    LINES, TEXT, content, expect_ended, expect_given_up, expect_nothing_of, expect_options,
    expect_refused_if_answered, expect_saved, expect_served, expect_spacing, send_as, serve,
    write_file,
)
from labkit.tftp_wire import expect_answered, expect_no_more, expect_wire

LAB = "04-file-transfer"

by_server = dict(programs=("udp_server",))
AT_ONCE = 3.0
"""Seconds; a server that waits for a silent client waits for twice as long."""


# -- The command line ----------------------------------------------------------


@because(NAMES_IT)
@graded(step=0, points=1, **by_server)
def test_udp_server_explains_wrong_arguments(lab: Scenario) -> None:
    """Wrong arguments to the TFTP server: a usage line on stderr, exit status 2."""
    for arguments in (*WRONG_PORTS.values(), ["-x"], ["surplus"]):
        expect_usage_error(lab, "udp_server", arguments)


@because(NAMES_IT)
@graded(step=0, points=1, **by_server)
def test_udp_server_says_what_it_cannot_have(lab: Scenario) -> None:
    """A folder or an address that nobody knows: `udp_server: ...` on stderr, exit status 1."""
    server = lab.start("udp_server", "-d", "no-such-folder")
    lab.expect_exit(server, 1, cause="no-error-told")
    lab.expect_complaint(server, r"udp_server: .+")
    lab.expect_unknown_name(lab.start("udp_server", "-a", "no-such-host.invalid"), "udp_server")


@because(NAMES_IT)
@graded(step=0, points=1, **by_server)
def test_udp_server_says_that_its_port_is_taken(lab: Scenario) -> None:
    """A port in use: `udp_server: ...: Address already in use` on stderr, exit status 1."""
    lab.bind_datagrams(PORT)
    lab.expect_port_taken("udp_server")


@because(NAMES_IT)
@graded(step=0, points=1, **by_server)
def test_udp_server_understands_a_name(lab: Scenario) -> None:
    """`-a localhost` is looked up like any name; the start line shows a number."""
    server = lab.start("udp_server", "-a", "localhost")
    lab.bound_port(server, cause="dotted-only")
    lab.expect_line_matching(server, r"listening on (127\.0\.0\.1|::1) port 6666",
                             cause="dotted-only")


@first
@because(NAMES_IT)
@graded(step=0, points=2, **by_server)
def test_udp_server_is_at_its_port(lab: Scenario) -> None:
    """Without options: 127.0.0.1, port 6666, UDP alone, and the files of the current folder."""
    folder = lab.folder({"a.txt": TEXT})
    server = lab.start_datagram_server("udp_server", port=PORT, folder=folder)
    lab.expect_line(server, "listening on 127.0.0.1 port 6666")
    if lab.listening():
        raise Mismatch(expected="a UDP socket only", seen="a TCP socket too", cause="tcp-not-udp")
    tftp = Tftp(lab)
    expect_served(tftp, "a.txt", TEXT)
    lab.expect_port_taken("udp_server", folder=folder)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=0, points=1, **by_server)
def test_udp_server_tells_the_port_it_got(lab: Scenario) -> None:
    """`-p 0` takes any free port, and the start line tells the real one."""
    folder = lab.folder({"a.txt": TEXT})
    server = lab.start("udp_server", "-p", "0", "-d", ".", folder=folder)
    port = lab.bound_port(server)
    lab.expect_line(server, f"listening on 127.0.0.1 port {port}")
    tftp = Tftp(lab, ("127.0.0.1", port))
    expect_served(tftp, "a.txt", TEXT)
    expect_wire(lab, tftp.sides)


@pytest.mark.parametrize("address, asked", [
    ("0.0.0.0", "127.0.0.1"), ("::1", "::1"), ("::", "::1")],
    ids=["every-ipv4", "ipv6", "every-ipv6"])
@because(NAMES_IT)
@graded(step=0, points=1, **by_server)
def test_udp_server_is_where_it_is_told(lab: Scenario, address: str, asked: str) -> None:
    """`-a 0.0.0.0`, `-a ::1` or `-a ::`, and `-p 5000`: there it is, and serves."""
    cause = "no-ipv6" if ":" in address else None
    folder = lab.folder({"a.txt": TEXT})
    server = lab.start_datagram_server("udp_server", "-a", address, "-p", "5000", "-d", ".", "-w",
                                       port=5000, address=address, cause=cause, folder=folder)
    lab.expect_line(server, f"listening on {address} port 5000")
    tftp = Tftp(lab, (asked, 5000))
    expect_served(tftp, "a.txt", TEXT, cause)
    writer = tftp.write("new.txt")
    writer.expect(ack(0), cause)
    writer.send_file(TEXT, cause)
    expect_saved(lab, folder, "new.txt", TEXT)
    expect_wire(lab, tftp.sides)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(NAMES_IT)
@graded(step=0, points=1, **by_server)
def test_udp_server_ends_by_a_signal(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM in the middle of transfers: exit status 0, no child left, no cut file."""
    server, folder, tftp = serve(lab, {"a.txt": LINES}, "-w")
    reader, writer = tftp.read("a.txt"), tftp.write("new.txt")
    reader.expect(data(1, LINES[:BLOCK]))
    writer.expect(ack(0))
    writer.send_file(LINES, last=2)
    lab.end_by_signal(server, number)
    expect_nothing_of(lab, folder, "new.txt", "a.txt")
    expect_wire(lab, tftp.sides)


@counts_waking
@because(NAMES_IT)
@graded(step=0, points=1, **by_server)
def test_udp_server_waits_without_using_the_processor(lab: Scenario) -> None:
    """A server that nobody asks, or whose client is slow, only waits; also after Ctrl-Z, `fg`."""
    server, _, tftp = serve(lab, {"a.txt": LINES})
    lab.outwait()
    lab.pause(server)
    lab.resume(server)
    reader = tftp.read("a.txt")
    reader.expect(data(1, LINES[:BLOCK]), "eintr")
    lab.expect_idle(server, seconds=0.2)
    reader.send(ack(1))
    reader.receive_file(LINES, first=2)
    lab.expect_idle(server, seconds=0.2)
    expect_wire(lab, tftp.sides)


# -- Step 23: a request --------------------------------------------------------


NAMES = ["a b", " ", "-d", "ä", "%s%n%n", "x" * 200, "A.TXT", ".hidden", "a.txt "]
"""Each is a name of its own; nothing of it is to be cut, changed or worked on."""


@because(NAMES_IT)
@graded(step=23, points=1, **by_server)
def test_udp_server_takes_any_name(lab: Scenario) -> None:
    """Blanks, capitals, other letters, percent signs, 200 characters: a name is what it is."""
    files = {name: name.encode() for name in [*NAMES, "a.txt"]}
    _, _, tftp = serve(lab, files)
    for name in files:
        expect_served(tftp, name, name.encode(), "format-string" if "%" in name else "c-string")
    expect_wire(lab, tftp.sides)


@first
@half_written
@graded(step=23, points=2, **by_server)
def test_udp_server_refuses_another_mode(lab: Scenario) -> None:
    """A request in the mode `netascii` gets ERROR 4."""
    _, _, tftp = serve(lab, {"a.txt": TEXT})
    tftp.ask(request(RRQ, "a.txt", "netascii")).expect_error(4, cause="text-mode")


@because(NAMES_IT)
@graded(step=23, points=1, **by_server)
def test_udp_server_knows_one_mode(lab: Scenario) -> None:
    """`octet`, in whatever letters; any other mode gets ERROR 4."""
    _, _, tftp = serve(lab, {"a.txt": TEXT}, "-w")
    for mode in ("OCTET", "Octet", "oCtEt"):
        reader = tftp.ask(request(RRQ, "a.txt", mode))
        reader.receive_file(TEXT, "messages")
    for mode in ("netascii", "NETASCII", "mail", "octets", "octe", ""):
        for opcode in (RRQ, WRQ):
            client = tftp.ask(request(opcode, "new" if opcode == WRQ else "a.txt", mode))
            client.expect_error(4, cause="text-mode")
    expect_wire(lab, tftp.sides)


MALFORMED = {
    "nothing": b"",
    "a byte": b"\0",
    "an opcode": b"\0\1",
    "no name": b"\0\1\0octet\0",
    "a name without its NUL": b"\0\1a.txt",
    "no mode": b"\0\1a.txt\0",
    "a mode without its NUL": b"\0\1a.txt\0octet",
    "an opcode in the other byte order": b"\1\0a.txt\0octet\0",
    "opcode 0": b"\0\0a.txt\0octet\0",
    "opcode 7": b"\0\7a.txt\0octet\0",
    "DATA": data(1, TEXT),
    "ACK": ack(0),
    "OACK": oack(blksize=1024),
    "ERROR": error(0),
    "a short ERROR": b"\0\5",
    "0xff only": b"\xff" * 600,
}
"""None of these asks for a file."""


@because(NAMES_IT)
@graded(step=23, points=2, **by_server)
def test_udp_server_outlives_malformed_requests(lab: Scenario) -> None:
    """Requests that are cut or make no sense: no file, no more than an ERROR; then it serves."""
    server, folder, tftp = serve(lab, {"a.txt": TEXT}, "-w")
    before = lab.footprint(server)
    clients = {what: tftp.ask(packet, f"who sent {what}") for what, packet in MALFORMED.items()}
    expect_served(tftp, "a.txt", TEXT, "c-string")
    lab.wait_blocked(server)
    for client in clients.values():
        expect_refused_if_answered(client, "c-string")
    lab.expect_back_to(server, before)
    folder.expect_names("a.txt")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=23, points=1, **by_server)
def test_udp_server_outlives_long_requests(lab: Scenario) -> None:
    """Names and rows of options of any length are refused, or served where there is such a file."""
    server, _, tftp = serve(lab, {"a.txt": TEXT}, "-w")
    for opcode in (RRQ, WRQ):
        for size in (256, 500, 512, 1000, 4096, 20000):
            tftp.ask(request(opcode, "x" * size), f"who asked for a name of {size} bytes")
        tftp.ask(request(opcode, "/".join("x" * 900)))
        tftp.ask(request(opcode, "nowhere/a.txt", **{f"o{i}": "1" * 40 for i in range(400)}))
    expect_served(tftp, "a.txt", TEXT, "unbounded")
    lab.expect_running(server, "unbounded")
    for client in tftp.sides:
        assert isinstance(client, Transfer)
        if not client.took:
            expect_refused_if_answered(client, "unbounded")
    expect_wire(lab, tftp.sides)


# -- Step 26: send a file ------------------------------------------------------


@pytest.mark.parametrize("sizes", [(0, 1, 511), (512, 1024, 5120), (513, 1023, 1025, 100_000)],
                         ids=["less-than-a-block", "full-blocks", "more"])
@because(NAMES_IT)
@graded(step=26, points=2, **by_server)
def test_udp_server_sends_a_file_of_any_size(lab: Scenario, sizes: Sequence[int]) -> None:
    """Blocks of 512 bytes, each after the ACK of the one before; one with less is the last."""
    files = {str(size): content(size) for size in sizes}
    _, _, tftp = serve(lab, files)
    for name, whole in files.items():
        expect_served(tftp, name, whole)
    expect_wire(lab, tftp.sides)


@first
@because(NAMES_IT)
@graded(step=26, points=1, **by_server)
def test_udp_server_sends_every_byte(lab: Scenario) -> None:
    """NUL, CR, LF, 0xff: a file is bytes, and none of them changes or ends it."""
    files = {"nul": b"be\0fore\0", "crlf": b"a\r\nb\n\rc\n" * 200, "all": bytes(range(256)) * 5,
             "zeros": bytes(3000), "255": b"\xff" * 600}
    _, _, tftp = serve(lab, files)
    for name, whole in files.items():
        expect_served(tftp, name, whole)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=26, points=2, **by_server)
def test_udp_server_waits_for_each_acknowledgement(lab: Scenario) -> None:
    """Nothing more is sent until the ACK of the last block sent has come."""
    server, _, tftp = serve(lab, {"a.txt": LINES})
    reader = tftp.read("a.txt")
    rows = blocks(LINES)
    for number in range(1, len(rows) + 1):
        reader.expect_block(rows, number)
        lab.wait_blocked(server)
        reader.sock.expect_nothing("wrong-block")
        reader.send(ack(number))
    expect_wire(lab, tftp.sides, "wrong-block")


@takes(2)
@because(NAMES_IT)
@graded(step=26, points=2, **by_server)
def test_udp_server_sends_again_what_is_not_acknowledged(lab: Scenario) -> None:
    """DATA, a window, OACK: each is sent again after a second, as it was; then it goes on."""
    lab.be_patient(2.5)
    _, folder, tftp = serve(lab, {"a.txt": LINES, "full": content(1024)}, "-w")
    rows = blocks(LINES)
    stopped = {(whole, number): reader_that_stops(tftp, name, whole, number)
               for name, whole, number in (("a.txt", LINES, 1), ("a.txt", LINES, 3),
                                           ("full", content(1024), 3))}
    agreed, window = tftp.read("a.txt", "of OACK", tsize=0), tftp.read("a.txt", windowsize=2)
    writer = tftp.write("new")
    for (whole, number), reader in stopped.items():
        reader.expect_again(data(number, blocks(whole)[number - 1]))
        reader.send(ack(number), ack(number))  # one for each DATA
        reader.receive_file(whole, "sorcerers-apprentice", first=number + 1)
    expect_options(agreed, {"tsize": str(len(LINES))})
    agreed.expect_again(oack(tsize=len(LINES)))
    agreed.send(ack(0))
    agreed.receive_file(LINES)
    writer.expect(ack(0))
    writer.send_file(LINES)
    expect_saved(lab, folder, "new", LINES)
    expect_options(window, {"windowsize": "2"})
    window.send(ack(0))
    for number in (1, 2):
        window.expect_block(rows, number)
    for number in (1, 2):
        window.expect_again(data(number, rows[number - 1]))
    window.send(ack(2))
    window.receive_file(LINES, window=2, first=3)
    expect_spacing(expect_wire(lab, tftp.sides, "wrong-timeout"))


def reader_that_stops(tftp: Tftp, name: str, whole: bytes, last: int) -> Transfer:
    """A reader of NAME, which is WHOLE, that has got block LAST and not acknowledged it."""
    reader = tftp.read(name, f"who stops at DATA {last} of {name}")
    for number in range(1, last + 1):
        reader.expect_block(blocks(whole), number)
        if number < last:
            reader.send(ack(number))
    return reader


@because(NAMES_IT)
@graded(step=26, points=1, **by_server)
def test_udp_server_sends_what_it_has_told(lab: Scenario) -> None:
    """A file that shrinks or grows while it is sent: all that `tsize` told comes, or an ERROR."""
    server, folder, tftp = serve(lab, {"shrinks": LINES, "grows": LINES})
    for name, change in (("shrinks", lambda: folder.cut("shrinks", 100)),
                         ("grows", lambda: folder.append("grows", LINES))):
        reader = tftp.read(name, f"who reads what {name}", tsize=0)
        expect_options(reader, {"tsize": str(len(LINES))})
        reader.send(ack(0))
        reader.expect_block(blocks(LINES), 1)
        change()
        reader.send(ack(1))
        got = LINES[:BLOCK]
        while (packet := reader.next("DATA, or an ERROR", "partial-file")).opcode == DATA:
            got += packet.content
            reader.send(ack(packet.number))
            if len(packet.content) < BLOCK:
                if got != LINES:
                    raise Mismatch(f"the {len(LINES)} bytes that there were, or an ERROR",
                                   difference(LINES, got), "partial-file")
                break
    expect_served(tftp, "grows", LINES * 2, "partial-file")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=26, points=1, **by_server)
def test_udp_server_ends_a_transfer_by_an_error(lab: Scenario) -> None:
    """An ERROR of the client ends its transfer at once: nothing more is sent, nothing is kept."""
    server, folder, tftp = serve(lab, {"a.txt": LINES}, "-w")
    before = lab.footprint(server)
    for transfer in (tftp.read("a.txt"), tftp.write("new"), tftp.read("a.txt", windowsize=2)):
        transfer.next("its first packet")
        transfer.send(error(3, "no more of it"))
    for code in range(9):
        reader = tftp.read("a.txt")
        reader.expect(data(1, LINES[:BLOCK]))
        reader.send(ack(1))
        reader.expect(data(2, LINES[BLOCK:2 * BLOCK]), "wrong-block")
        reader.send(error(code, ""))
    expect_ended(lab, server, before)
    expect_nothing_of(lab, folder, "new", "a.txt")
    expect_no_more(expect_wire(lab, tftp.sides), tftp.sides, "vanished-client")


# -- Step 27: only new ACKs move on ----------------------------------------------


@because(NAMES_IT)
@graded(step=27, points=3, **by_server)
def test_udp_server_is_no_sorcerers_apprentice(lab: Scenario) -> None:
    """ACKs that come twice, or late, call forth nothing: every block is sent once."""
    server, _, tftp = serve(lab, {"a.txt": LINES})
    reader = tftp.read("a.txt")
    rows = blocks(LINES)
    for number in range(1, len(rows) + 1):
        reader.expect_block(rows, number, "sorcerers-apprentice" if number > 1 else None)
        lab.wait_blocked(server)
        reader.sock.expect_nothing("sorcerers-apprentice")
        reader.send(*[ack(old) for old in range(1, number)], *[ack(number)] * 2)
    expect_wire(lab, tftp.sides, "sorcerers-apprentice")


@because(NAMES_IT)
@graded(step=27, points=1, **by_server)
def test_udp_server_does_not_skip_a_block(lab: Scenario) -> None:
    """An ACK of what was not sent yet moves nothing on; it is ignored, or answered by ERROR."""
    server, _, tftp = serve(lab, {"a.txt": LINES})
    for wrong in (2, 4, 0, 65535, 256):
        reader = tftp.read("a.txt", f"who sends ACK {wrong} too early")
        reader.expect(data(1, LINES[:BLOCK]))
        reader.send(ack(wrong))
        lab.wait_blocked(server)
        reader.sock.take_in()
        if reader.sock.came:
            reader.expect_error(0, 4, cause="wrong-block")
            continue
        reader.send(ack(1))
        reader.receive_file(LINES, "wrong-block", first=2)
    expect_wire(lab, tftp.sides, "wrong-block")


@many_packets
@makes_many_calls
@because(NAMES_IT)
@graded(step=27, points=2, **by_server)
def test_udp_server_sends_more_than_65535_blocks(lab: Scenario) -> None:
    """After block 65,535 comes block 0: 65,538 of 8 bytes, in windows where they are agreed on."""
    lab.take_longer(60)  # where windows are small
    whole = content(65_537 * 8 + 3)
    _, _, tftp = serve(lab, {"big": whole})
    reader = tftp.read("big", blksize=8, windowsize=32)
    agreed = reader.expect_oack()
    reader.send(ack(0))
    reader.receive_file(whole, "block-wrap", size=8, window=int(agreed.get("windowsize", 1)))
    lab.end_recording()  # of which scapy would take seconds


# -- Step 30: the right port -----------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"],
                         ids=["another-port", "another-address"])
@because(NAMES_IT)
@graded(step=30, points=2, **by_server)
def test_udp_server_ignores_strangers(lab: Scenario, host: str) -> None:
    """Who is not the client changes nothing: no ACK, DATA, ERROR of his counts."""
    server, folder, tftp = serve(lab, {"a.txt": LINES}, "-w")
    reader, writer = tftp.read("a.txt"), tftp.write("new")
    reader.expect(data(1, LINES[:BLOCK]))
    writer.expect(ack(0))
    for transfer, packets in (
            (reader, [ack(1), error(0), data(1, b"x"), b"\0"]),
            (writer, [data(1, b"x" * BLOCK), error(0), data(1, b"x"), ack(0)])):
        port = transfer.address[1] if host != "127.0.0.1" else 0
        stranger = tftp.stranger(transfer.other, host, port)
        for packet in packets:
            stranger.send(packet)
            lab.wait_blocked(server)
            transfer.take_copies()  # more than a second may have passed: the trace tells
            transfer.sock.expect_nothing("strange-port")
            while stranger.sock.came:
                stranger.expect_error(5, cause="strange-port")
    reader.send(ack(1))
    reader.receive_file(LINES, "strange-port", first=2)
    writer.send_file(LINES, "strange-port")
    expect_saved(lab, folder, "new", LINES)
    expect_wire(lab, tftp.sides, "strange-port")


# -- Step 25: a new port for each transfer ---------------------------------------


@half_written
@graded(step=25, points=2, **by_server)
def test_udp_server_answers_one_request_after_the_other(lab: Scenario) -> None:
    """Two clients ask for a file that is not there: each gets ERROR 1."""
    _, _, tftp = serve(lab, {"a.txt": TEXT})
    for _ in range(2):
        tftp.read("nothing").expect_error(1, cause="no-error-told")


@because(NAMES_IT)
@graded(step=25, points=2, **by_server)
def test_udp_server_takes_a_new_port_for_each_transfer(lab: Scenario) -> None:
    """Two transfers at once: neither goes on from port 6666, nor both from the same port."""
    _, folder, tftp = serve(lab, {"a.txt": LINES}, "-w")
    one, two, writer = tftp.read("a.txt"), tftp.read("a.txt"), tftp.write("new")
    for reader in (one, two):
        reader.expect(data(1, LINES[:BLOCK]))
    writer.expect(ack(0))
    others = [transfer.other for transfer in (one, two, writer)]
    if len(set(others)) < 3:
        raise Mismatch("a new port for each transfer",
                       f"three at once at ports {', '.join(str(o and o[1]) for o in others)}",
                       "same-port")
    for reader in (one, two):
        reader.send(ack(1))
        reader.receive_file(LINES, first=2)
    writer.send_file(LINES)
    expect_saved(lab, folder, "new", LINES)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=25, points=2, **by_server)
def test_udp_server_serves_many_at_once(lab: Scenario) -> None:
    """A hundred clients, a few silent ones among them: all get the file, block by block."""
    _, _, tftp = serve(lab, {"a.txt": LINES})
    readers = [tftp.read("a.txt", f"client {number} of 100") for number in range(1, 101)]
    for reader in readers:
        reader.expect(data(1, LINES[:BLOCK]), "too-few-clients" if reader is not readers[0]
                      else None)
    active = readers[5:]
    for number, row in enumerate(blocks(LINES)[1:], 2):
        for reader in active:
            reader.send(ack(number - 1))
        for reader in active:
            reader.expect(data(number, row), "too-few-clients")
    for reader in active:
        reader.send(ack(len(blocks(LINES))))
    for reader in readers[:5]:
        reader.send(error(0))
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=25, points=2, **by_server)
def test_udp_server_lets_no_client_wait_for_another(lab: Scenario) -> None:
    """While a reader and a writer are silent, the next client is served at once."""
    _, folder, tftp = serve(lab, {"a.txt": LINES}, "-w")
    reader = tftp.read("a.txt")
    reader.expect(data(1, LINES[:BLOCK]))
    writer = tftp.write("slow", "who asks while a reader is silent")
    writer.expect(ack(0), "vanished-client")
    expect_served(tftp, "a.txt", LINES, "vanished-client", "who asks while a writer is silent")
    write_file(tftp, "new", LINES, "vanished-client")
    expect_saved(lab, folder, "new", LINES)
    for transfer in (reader, writer):
        transfer.send(error(0))
    found = expect_wire(lab, tftp.sides)
    for side in tftp.sides:
        expect_answered(found, side, AT_ONCE, "vanished-client")


@because(NAMES_IT)
@graded(step=25, points=1, **by_server)
def test_udp_server_takes_a_request_that_comes_twice(lab: Scenario) -> None:
    """The same request twice, as the network may do: one transfer, or two, of which one is ended.
    """
    server, folder, tftp = serve(lab, {"a.txt": LINES}, "-w")
    reader, writer = tftp.read("a.txt"), tftp.write("new")
    reader.expect(data(1, LINES[:BLOCK]))
    writer.expect(ack(0))
    for client, opcode, name in ((reader, RRQ, "a.txt"), (writer, WRQ, "new")):
        client.sock.send(request(opcode, name), SERVER)
        lab.wait_blocked(server)
        client.end_others()
    reader.send(ack(1))
    reader.receive_file(LINES, "one-client-only", first=2)
    writer.send_file(LINES)
    expect_saved(lab, folder, "new", LINES)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=25, points=1, **by_server)
def test_udp_server_keeps_nothing_of_its_clients(lab: Scenario) -> None:
    """After forty transfers it has what it had: descriptors, processes, no zombie."""
    server, _, tftp = serve(lab, {"a.txt": TEXT})
    before = lab.footprint(server)
    for number in range(40):
        reader = tftp.read("a.txt", f"client {number + 1}")
        reader.receive_file(TEXT, "one-client-only" if number else None)
    lab.expect_back_to(server, before)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=25, points=1, **by_server)
def test_udp_server_outlives_clients_it_cannot_reach(lab: Scenario) -> None:
    """A client that has gone (ICMP, port unreachable), or asked from port 0: it serves on."""
    server, _, tftp = serve(lab, {"a.txt": TEXT})
    gone = lab.bind_datagrams()
    port_of_nobody = gone.port
    gone.close()
    for port in (0, port_of_nobody):
        send_as(lab, port, request(RRQ, "a.txt"))
        expect_served(tftp, "a.txt", TEXT, "unreachable-ends-server")
    lab.expect_running(server, "unreachable-ends-server")


@takes(8)
@because(NAMES_IT)
@graded(step=25, points=3, **by_server)
def test_udp_server_gives_up_clients_that_vanish(lab: Scenario) -> None:
    """Who is silent from some step on is sent to again, and given up; who loses six blocks not."""
    lab.be_patient(4.5)
    long = content(Losses.COUNT * BLOCK + 1)
    server, folder, tftp = serve(lab, {"a.txt": LINES, "full": content(1024), "long": long}, "-w")
    before = lab.footprint(server)
    first, last = tftp.read("a.txt"), tftp.read("full")
    agreed, window = tftp.read("a.txt", tsize=0), tftp.read("a.txt", windowsize=3)
    begun, half, asked = tftp.write("new-1"), tftp.write("new-2"), tftp.write("new-3", tsize=9999)
    first.expect(data(1, LINES[:BLOCK]))
    for number in (1, 2):
        last.expect_block(blocks(content(1024)), number)
        last.send(ack(number))
    losses = Losses(lab, tftp.read("long"), blocks(long))
    agreed.expect_oack()
    window.expect_oack()
    window.send(ack(0))
    begun.expect(ack(0))
    half.expect(ack(0))
    half.send_file(LINES, last=2)
    asked.expect_oack()
    expect_served(tftp, "a.txt", LINES, "vanished-client")
    if expect_given_up(lab, server, before):
        expect_nothing_of(lab, folder, "new-2", "a.txt", "full", "long")
    losses.expect_whole()


# -- With a client that no one here wrote ------------------------------------------


@because(TOOL)
@graded(step=25, points=2, **by_server)
def test_udp_server_serves_curl(lab: Scenario) -> None:
    """curl reads and writes: with the options it sends by itself, and with blocks of 1,428."""
    whole = content(20_000)  # none of 0 bytes: curl takes a tsize of 0 for an error
    _, folder, _ = serve(lab, {"a.bin": whole}, "-w")
    place = f"tftp://127.0.0.1:{PORT}"
    for options in ([], ["--tftp-blksize", "1428"], ["--tftp-no-options"]):
        got, name = lab.folder(), f"new-{len(options)}"
        run_curl(lab, got, *options, "-o", "got", f"{place}/a.bin")
        got.expect_file("got", whole)
        run_curl(lab, folder, *options, "-T", "a.bin", f"{place}/{name}")
        expect_saved(lab, folder, name, whole)
    lab.expect_packets("connections=0")


def run_curl(lab: Scenario, folder: Folder, *arguments: str) -> None:
    """curl succeeds."""
    curl = lab.start_tool("curl", "-sS", *arguments, folder=folder)
    lab.expect_exit(curl, 0, cause="bad-options")
