"""Lab 04: the TFTP client, alone with scripted servers."""

from __future__ import annotations

from typing import Sequence

import pytest

from labkit.echo import WRONG_PORTS, expect_usage_error
from labkit.feedback import Mismatch
from labkit.grading import counts_waking, first, graded, makes_many_calls, many_packets, takes
from labkit.program import Program
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario
from labkit.tftp import (
    BLOCK, DATA, ERROR, PORT, RRQ, SERVER, WRQ, Tftp, ack, blocks, data, error, oack, request, tell,
)
from labkit.tftp_faults import Losses
from labkit.tftp_lab import (
    LINES, TEXT, content, expect_failed, expect_fetched, expect_ignored, expect_six_sendings,
    expect_spacing, expect_success, start_asking, start_get, start_put,
)
from labkit.tftp_wire import expect_wire

LAB = "04-file-transfer"

by_client = dict(programs=("udp_client",))
HOST = "127.0.0.1"


# -- The command line ----------------------------------------------------------


WRONG = {
    "port": [[*option, HOST, "get", "a.txt"] for option in WRONG_PORTS.values()],
    "blksize": [["-b", value, HOST, "get", "a.txt"] for value in ("80x", "-1", "", "x")],
    "windowsize": [["-w", value, HOST, "get", "a.txt"] for value in ("80x", "-1", "", "x")],
    "words": [[], [HOST], [HOST, "get"], [HOST, "fetch", "a.txt"], [HOST, "GET", "a.txt"],
              [HOST, "get", "a.txt", "surplus"], ["-x", HOST, "get", "a.txt"]],
}


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
@because(NAMES_IT)
@graded(step=0, points=1, **by_client)
def test_udp_client_explains_wrong_arguments(lab: Scenario, wrong: list[list[str]]) -> None:
    """Wrong arguments to the TFTP client: a usage line on stderr, exit status 2."""
    for arguments in wrong:
        expect_usage_error(lab, "udp_client", arguments)


@because(NAMES_IT)
@graded(step=0, points=1, **by_client)
def test_udp_client_asks_for_no_senseless_option(lab: Scenario) -> None:
    """`-b` is from 8 to 65464, `-w` from 1 to 65535: for anything else nothing is sent."""
    port = Tftp(lab).port
    for option, value in (("-b", "7"), ("-b", "65465"), ("-w", "0"), ("-w", "65536")):
        client = lab.start("udp_client", option, value, HOST, "get", "a.txt", folder=lab.folder())
        lab.wait_for(lambda: client.exit is not None or port.sock.count > 0,
                     f"`{client.command}` ends", lambda: "it still runs", "usage")
        port.sock.expect_nothing("usage")
        if client.exit is None or client.exit.status not in (1, 2):
            raise Mismatch(f"`{client.command}` is an error", f"it {client.exit}", "usage")


@because(NAMES_IT)
@graded(step=0, points=1, **by_client)
def test_udp_client_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A host that nobody knows: a line `udp_client: ...` on stderr, exit status 1, no file."""
    folder = lab.folder()
    client = lab.start("udp_client", "no-such-host.invalid", "get", "a.txt", folder=folder)
    lab.expect_unknown_name(client, "udp_client")
    folder.expect_names()


@counts_waking
@because(NAMES_IT)
@graded(step=0, points=1, **by_client)
def test_udp_client_waits_without_using_the_processor(lab: Scenario) -> None:
    """While the server takes its time the client only waits; Ctrl-Z and `fg` change nothing."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.txt")
    lab.expect_idle(client, seconds=0.2)
    for number, row in enumerate(blocks(LINES), 1):
        lab.wait_blocked(client)
        lab.pause(client)
        lab.resume(client)
        server.send(data(number, row))
        server.expect(ack(number), "eintr")
    expect_success(lab, client)
    folder.expect_file("a.txt", LINES)
    expect_wire(lab, tftp.sides, "eintr")


# -- Step 24: the request --------------------------------------------------------


@first
@because(NAMES_IT)
@graded(step=24, points=2, **by_client)
def test_udp_client_asks_for_a_file(lab: Scenario) -> None:
    """`get`: one RRQ to port 6666, octet, no option; the file has FILE's name; stdout is empty."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.txt")
    server.send_file(LINES)
    expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides)


@first
@because(NAMES_IT)
@graded(step=24, points=2, **by_client)
def test_udp_client_asks_to_write_a_file(lab: Scenario) -> None:
    """`put`: one WRQ to port 6666, octet, no option; then the file."""
    tftp = Tftp(lab)
    client, folder, server = start_put(tftp, {"a.txt": LINES}, "a.txt")
    server.receive_file(LINES)
    expect_success(lab, client)
    folder.expect_names("a.txt", cause="left-over-file")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=24, points=1, **by_client)
def test_udp_client_names_the_file_as_it_is_told(lab: Scenario) -> None:
    """`put sub/a.txt` stores a.txt; `-o` names the local file, and FILE is then sent as it is."""
    tftp = Tftp(lab)
    files = {"sub/a.txt": LINES, "b.bin": TEXT}
    for options, name, asked, whole in (
            ([], "sub/a.txt", "a.txt", LINES), (["-o", "b.bin"], "c", "c", TEXT),
            (["-o", "sub/a.txt"], "d", "d", LINES),
            (["-o", "b.bin"], "sub/c", "sub/c", TEXT)):
        client, _, server = start_put(tftp, files, name, *options, asked=asked,
                                      cause="messages")
        server.receive_file(whole)
        expect_success(lab, client)
        server.close()
    for options, name, local in ((["-o", "local"], "a.txt", "local"),
                                 (["-o", "local"], "sub/a.txt", "local"),
                                 ([], "ä b%s", "ä b%s")):
        client, folder, server = start_get(tftp, name, *options)
        server.send_file(LINES)
        expect_fetched(lab, client, folder, local, LINES)
    expect_wire(lab, tftp.sides)


@pytest.mark.parametrize("options, place", [
    (("-p", "5000", HOST), (HOST, 5000)), (("::1",), ("::1", PORT)), (("localhost",), SERVER),
    (("localhost",), ("::1", PORT))], ids=["port", "ipv6", "name", "name-of-ipv6"])
@because(NAMES_IT)
@graded(step=24, points=1, **by_client)
def test_udp_client_finds_its_server(
    lab: Scenario, options: tuple[str, ...], place: tuple[str, int]
) -> None:
    """`-p`, an IPv6 address, a name of two addresses of which one has a server."""
    lab.be_patient(2.5)
    cause = "no-ipv6" if ":" in place[0] else "dotted-only" if "localhost" in options else None
    tftp = Tftp(lab, place)
    port, folder = tftp.port, lab.folder()
    client = lab.start("udp_client", *options, "get", "a.txt", folder=folder)
    server = tftp.answer(port.expect(request(RRQ, "a.txt"), cause))
    server.send_file(LINES, cause)
    expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides, others=[("::1" if place == SERVER else HOST, PORT)])


@because(NAMES_IT)
@graded(step=24, points=2, **by_client)
def test_udp_client_asks_again(lab: Scenario) -> None:
    """A request that is not answered is sent again after a second, the same, from the same port."""
    lab.be_patient(2.5)
    tftp = Tftp(lab)
    port = tftp.port
    getting, putting = lab.folder(), lab.folder({"new": LINES})
    get = lab.start("udp_client", HOST, "get", "a.txt", folder=getting)
    reader = port.expect(request(RRQ, "a.txt"))
    put = lab.start("udp_client", HOST, "put", "new", folder=putting)
    writer = port.expect(request(WRQ, "new"))
    first = {reader: request(RRQ, "a.txt"), writer: request(WRQ, "new")}
    for _ in first:
        raw, sender = port.take("each request once more", "no-retransmission", again=True)
        if first.get(sender) != raw:
            raise Mismatch("each request once more, from the same port",
                           f"{tell(raw)} from port {sender[1]}", "reply-from-elsewhere")
        port.took.pop()
    server, other = tftp.answer(reader), tftp.answer(writer)
    server.send_file(LINES)
    other.send(ack(0))
    other.receive_file(LINES)
    expect_fetched(lab, get, getting, "a.txt", LINES)
    expect_success(lab, put)
    expect_spacing(expect_wire(lab, tftp.sides, "wrong-timeout"))


@takes(8)
@because(NAMES_IT)
@graded(step=24, points=3, **by_client)
def test_udp_client_gives_up(lab: Scenario) -> None:
    """No answer, or no more of it: after 5 retransmissions exit status 1; six losses are no end."""
    lab.be_patient(2.5)
    tftp = Tftp(lab)
    port, folder = tftp.port, lab.folder({"new": LINES})
    packets = {("get", "silent"): request(RRQ, "silent"), ("put", "new"): request(WRQ, "new"),
               ("get", "cut"): request(RRQ, "cut"), ("put", "half"): request(WRQ, "half")}
    folder.write("half", LINES)
    clients = {}
    for words, packet in packets.items():
        clients[words] = lab.start("udp_client", HOST, *words, folder=folder)
        sender = port.expect(packet)
        if words == ("get", "cut"):
            cut = tftp.answer(sender)
            cut.send_file(LINES, last=2)
        elif words == ("put", "half"):
            half = tftp.answer(sender)
            half.send(ack(0))
            half.expect(data(1, LINES[:BLOCK]))
    losing, losses = start_losing(tftp)
    packets[("put", "half")] = data(1, LINES[:BLOCK])
    given_up = [expect_six_sendings(lab, clients[words], side, packets[words])
                for words, side in ((("get", "silent"), port), (("put", "new"), port),
                                    (("put", "half"), half))]
    if all(given_up):
        expect_failed(lab, clients[("get", "cut")], cause="no-timeout")
        folder.expect_names("half", "new")
    losses.expect_whole()
    expect_success(lab, losing, "wrong-retries")
    lab.expect_packets("connections=0")


def start_losing(tftp: Tftp) -> tuple[Program, Losses]:
    """A client that puts a file of which six blocks are lost, each once."""
    whole = content(Losses.COUNT * BLOCK + 1)
    client, _, server = start_put(tftp, {"losing": whole}, "losing")
    return client, Losses(tftp.lab, server, blocks(whole))


@because(NAMES_IT)
@graded(step=24, points=1, **by_client)
def test_udp_client_fails_where_nothing_listens(lab: Scenario) -> None:
    """No server at the port: a line `udp_client: ...` on stderr, exit status 1, no file."""
    lab.be_patient(2.5)
    folder = lab.folder({"new": TEXT})
    clients = [lab.start("udp_client", HOST, *words, folder=folder)
               for words in (("get", "a.txt"), ("put", "new"))]
    for client in clients:
        expect_failed(lab, client)
    folder.expect_names("new")
    lab.expect_packets("connections=0")


MESSAGES = [(1, "File not found"), (0, "100%s%n%n of nothing"), (2, "x" * 80), (8, ""),
            (3, "Platte voll: ä"), (4711, "a new code")]


@pytest.mark.parametrize("verb", ["get", "put"])
@because(NAMES_IT)
@graded(step=24, points=2, **by_client)
def test_udp_client_tells_the_server_s_error(lab: Scenario, verb: str) -> None:
    """ERROR in answer to the request: the message on stderr, exit status 1, no file."""
    tftp = Tftp(lab)
    port = tftp.port
    for code, message in MESSAGES:
        folder = lab.folder({"a.txt": TEXT} if verb == "put" else {})
        client = lab.start("udp_client", HOST, verb, "a.txt", folder=folder)
        sender = port.expect(request(WRQ if verb == "put" else RRQ, "a.txt"))
        tftp.answer(sender).send(error(code, message))
        expect_failed(lab, client, message, "format-string" if "%" in message else "no-error-told")
        folder.expect_names(*(["a.txt"] if verb == "put" else []), cause="left-over-file")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=24, points=1, **by_client)
def test_udp_client_outlives_a_malformed_error(lab: Scenario) -> None:
    """An ERROR whose message has no NUL at its end, or no message: exit status 1 all the same."""
    tftp = Tftp(lab)
    port = tftp.port
    for packet, message in ((b"\0\5\0\1no end", "no end"), (b"\0\5\0\1", "")):
        folder = lab.folder()
        client = lab.start("udp_client", HOST, "get", "a.txt", folder=folder)
        server = tftp.answer(port.expect(request(RRQ, "a.txt")))
        server.send(packet)
        lab.wait_blocked(client)
        server.take_copies()
        if client.exit is None:  # it may take it for noise, as long as it goes on
            server.sock.expect_nothing("c-string")
            server.send(error(1))
        expect_failed(lab, client, cause="c-string")
        folder.expect_names()
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=24, points=1, **by_client)
def test_udp_client_sends_no_file_that_is_not_there(lab: Scenario) -> None:
    """`put` of what is not there, or is a folder: an error, exit status 1, nothing is sent."""
    tftp = Tftp(lab)
    port = tftp.port
    folder = lab.folder({"sub/a.txt": TEXT})
    for words in (["put", "a.txt"], ["put", "sub"], ["-o", "a.txt", HOST, "put", "sub/a.txt"]):
        words = words if HOST in words else [HOST, *words]
        client = lab.start("udp_client", *words, folder=folder)
        lab.wait_for(lambda: client.exit is not None or port.sock.count > 0,
                     f"`{client.command}` fails", lambda: "it still runs", "no-error-told")
        port.sock.expect_nothing("not-a-file" if words[-1] == "sub" else "no-error-told")
        expect_failed(lab, client)
    expect_wire(lab, tftp.sides)


# -- Step 26: send a file ------------------------------------------------------


@pytest.mark.parametrize("sizes", [(0, 1, 511), (512, 1024, 5120), (513, 1023, 1025, 100_000)],
                         ids=["less-than-a-block", "full-blocks", "more"])
@because(NAMES_IT)
@graded(step=26, points=2, **by_client)
def test_udp_client_sends_a_file_of_any_size(lab: Scenario, sizes: Sequence[int]) -> None:
    """`put`: blocks of 512 bytes, each after the ACK of the one before; one with less is last."""
    tftp = Tftp(lab)
    for size in sizes:
        client, _, server = start_put(tftp, {"a.bin": content(size)}, "a.bin")
        server.receive_file(content(size))
        expect_success(lab, client)
    expect_wire(lab, tftp.sides)


@first
@because(NAMES_IT)
@graded(step=26, points=1, **by_client)
def test_udp_client_sends_every_byte(lab: Scenario) -> None:
    """NUL, CR, LF, 0xff: a file is bytes, and none of them changes or ends it."""
    tftp = Tftp(lab)
    for whole in (b"be\0fore\0", b"a\r\nb\n\rc\n" * 200, bytes(3000), bytes(range(256)) * 5):
        client, _, server = start_put(tftp, {"a.bin": whole}, "a.bin")
        server.receive_file(whole)
        expect_success(lab, client)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=26, points=2, **by_client)
def test_udp_client_waits_for_each_acknowledgement(lab: Scenario) -> None:
    """Nothing more is sent until the ACK of the last block sent has come; then it ends."""
    tftp = Tftp(lab)
    client, _, server = start_put(tftp, {"a.txt": LINES}, "a.txt")
    rows = blocks(LINES)
    for number in range(1, len(rows) + 1):
        server.expect_block(rows, number)
        lab.wait_blocked(client)
        server.sock.expect_nothing("wrong-block")
        lab.expect_running(client, "wrong-block")
        server.send(ack(number))
    expect_success(lab, client)
    expect_wire(lab, tftp.sides, "wrong-block")


@because(NAMES_IT)
@graded(step=26, points=2, **by_client)
def test_udp_client_sends_again_what_is_not_acknowledged(lab: Scenario) -> None:
    """DATA, a window of it, and ACK 0 to an OACK: again after a second; then it goes on."""
    lab.be_patient(2.5)
    tftp = Tftp(lab)
    rows = blocks(LINES)
    put, _, server = start_put(tftp, {"a.txt": LINES}, "a.txt")
    server.expect_block(rows, 1)
    server.send(ack(1))
    server.expect_block(rows, 2)
    window_put, _, other = start_asking(tftp, "put", "-w", "2", asked={"windowsize": "2"},
                                        whole=LINES)
    other.send(oack(windowsize=2))
    for number in (1, 2):
        other.expect_block(rows, number)
    server.expect_again(data(2, rows[1]))
    for number in (1, 2):
        other.expect_again(data(number, rows[number - 1]))
    server.send(ack(2), ack(2))  # one for each DATA 2
    server.receive_file(LINES, "sorcerers-apprentice", first=3)
    other.send(ack(2))
    other.receive_file(LINES, window=2, first=3)
    for client in (put, window_put):
        expect_success(lab, client)
    expect_spacing(expect_wire(lab, tftp.sides, "wrong-timeout"))


@because(NAMES_IT)
@graded(step=26, points=1, **by_client)
def test_udp_client_does_not_send_a_part_as_the_whole(lab: Scenario) -> None:
    """A file that shrinks while it is sent: an ERROR, exit status 1; or all that it was."""
    tftp = Tftp(lab)
    client, folder, server = start_put(tftp, {"a.txt": LINES}, "a.txt")
    rows = blocks(LINES)
    server.expect_block(rows, 1)
    folder.cut("a.txt", 100)
    for number in range(2, len(rows) + 1):  # it may have read them before
        server.send(ack(number - 1))
        packet = server.next("an ERROR", "partial-file")
        if (packet.opcode, packet.content) != (DATA, rows[number - 1]):
            break
    if packet.opcode == DATA and packet.content == rows[-1]:
        server.send(ack(len(rows)))
        expect_success(lab, client)
    elif packet.opcode == ERROR:
        expect_failed(lab, client)
    else:
        raise Mismatch("an ERROR, as the file is not what it was",
                       f"DATA {packet.number} with {len(packet.content)} bytes", "partial-file")
    expect_wire(lab, tftp.sides)


# -- Step 27: only new ACKs move on ----------------------------------------------


@because(NAMES_IT)
@graded(step=27, points=3, **by_client)
def test_udp_client_is_no_sorcerers_apprentice(lab: Scenario) -> None:
    """ACKs that come twice, or late, call forth nothing: every block is sent once."""
    tftp = Tftp(lab)
    client, _, server = start_put(tftp, {"a.txt": LINES}, "a.txt")
    rows = blocks(LINES)
    server.send(ack(0))
    for number in range(1, len(rows) + 1):
        server.expect_block(rows, number, "sorcerers-apprentice" if number > 1 else None)
        lab.wait_blocked(client)
        server.sock.expect_nothing("sorcerers-apprentice")
        server.send(*[ack(old) for old in range(number)], *[ack(number)] * 2)
    expect_success(lab, client)
    expect_wire(lab, tftp.sides, "sorcerers-apprentice")


@because(NAMES_IT)
@graded(step=27, points=1, **by_client)
def test_udp_client_does_not_skip_a_block(lab: Scenario) -> None:
    """An ACK of what was not sent yet moves nothing on; it is ignored, or answered by ERROR."""
    tftp = Tftp(lab)
    for wrong in (2, 4, 65535, 256):
        client, _, server = start_put(tftp, {"a.txt": LINES}, "a.txt")
        server.expect_block(blocks(LINES), 1)
        server.send(ack(wrong))
        if not expect_ignored(lab, client, server, "wrong-block"):
            expect_failed(lab, client)
            continue
        server.send(ack(1))
        server.receive_file(LINES, "wrong-block", first=2)
        expect_success(lab, client)
    expect_wire(lab, tftp.sides, "wrong-block")


@many_packets
@makes_many_calls
@pytest.mark.parametrize("verb", ["get", "put"])
@because(NAMES_IT)
@graded(step=27, points=2, **by_client)
def test_udp_client_counts_past_65535_blocks(lab: Scenario, verb: str) -> None:
    """After block 65,535 comes block 0: 65,538 of 8 bytes, in windows where they are asked for."""
    lab.take_longer(60)  # where windows are small
    whole = content(65_537 * 8 + 3)
    tftp = Tftp(lab)
    client, folder, server = start_asking(tftp, verb, "-b", "8", "-w", "32",
                                          asked={"blksize": "8"}, whole=whole)
    window = {"windowsize": 32} if server.options.get("windowsize") == "32" else {}
    server.send(oack(blksize=8, **window))
    how = dict(size=8, window=32 if window else 1)
    if verb == "get":
        server.expect(ack(0), "bad-options")
        server.send_file(whole, "block-wrap", **how)
    else:
        server.receive_file(whole, "block-wrap", **how)
    expect_success(lab, client)
    folder.expect_file("a.txt", whole)
    lab.end_recording()  # of which scapy would take seconds


# -- Step 30: the right port -----------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"],
                         ids=["another-port", "another-address"])
@because(NAMES_IT)
@graded(step=30, points=3, **by_client)
def test_udp_client_ignores_strangers(lab: Scenario, host: str) -> None:
    """Who is not the server of this transfer gets ERROR 5, and changes nothing."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.txt")
    server.send_file(LINES, last=1)
    other_client, _, other = start_put(tftp, {"new": LINES}, "new")
    other.expect_block(blocks(LINES), 1)
    for program, transfer, packets in (
            (client, server, [data(2, b"x"), data(2, b"y" * BLOCK), data(1, LINES[:BLOCK])]),
            (other_client, other, [ack(1), ack(0)])):
        port = transfer.address[1] if host != "127.0.0.1" else 0
        stranger = tftp.stranger(transfer.other, host, port)
        for packet in packets:
            stranger.send(packet)
            stranger.expect_error(5, cause="strange-port")
            lab.wait_blocked(program)
            transfer.take_copies()  # more than a second may have passed: the trace tells
            transfer.sock.expect_nothing("strange-port")
        stranger.send(error(0))  # which may be answered or not
        lab.wait_blocked(program)
        while stranger.sock.came:
            stranger.expect_error(5, cause="strange-port")
    server.send_file(LINES, "strange-port", first=2)
    other.send(ack(1))
    other.receive_file(LINES, "strange-port", first=2)
    expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_success(lab, other_client)
    expect_wire(lab, tftp.sides, "strange-port")


@because(NAMES_IT)
@graded(step=30, points=1, **by_client)
def test_udp_client_keeps_to_the_first_answer(lab: Scenario) -> None:
    """A request that came twice is answered from two ports: the second one gets ERROR 5."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.txt")
    assert server.other is not None
    second = tftp.answer(server.other, "the port of the second answer")
    server.send_file(LINES, last=1)
    second.send(data(1, LINES[::-1][:BLOCK]))
    second.expect_error(5, cause="strange-port")
    server.send_file(LINES, "strange-port", first=2)
    expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides, "strange-port")
