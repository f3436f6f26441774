"""What the graded tests of lab 04's TFTP programs have in common."""

from __future__ import annotations

import random
import re
import socket
import struct
import time
from typing import Any, Mapping, Optional, Sequence

from labkit.datagrams import Address
from labkit.feedback import Mismatch, counted
from labkit.folders import Folder
from labkit.program import Program
from labkit.scenario import Footprint, Scenario
from labkit.tftp import (
    ACK, BLOCK, ERROR, PORT, RRQ, WRQ, Side, Tftp, Transfer, ack, request, tell,
)
from labkit.tftp_wire import Sent, Timers, datagrams
from labkit.udp_echo import grows

TEXT = b"hello, file\n"
_SHORTEST = 1.6
"""Seconds: of several timers of one second not all can have been as late as that."""


def content(size: int) -> bytes:
    """SIZE bytes of any value, no part of which is like another."""
    return random.Random(size).randbytes(size)


LINES = b"".join(b"line %03d\r\n" % number for number in range(160))
"""1,600 bytes: three full blocks and one that is not."""


# -- A server -------------------------------------------------------------------


def serve(
    lab: Scenario, files: Mapping[str, bytes], *options: str, size: int = 0,
    read_only: bool = False,
) -> tuple[Program, Folder, Tftp]:
    """Starts udp_server with OPTIONS in a folder that has FILES.

    size, read_only: see Scenario.folder().
    """
    folder = lab.folder(files, size=size, read_only=read_only)
    where = () if "-d" in options else ("-d", ".")
    server = lab.start_datagram_server("udp_server", *where, *options, port=PORT, folder=folder)
    return server, folder, Tftp(lab)


def expect_served(
    tftp: Tftp, name: str, whole: bytes, cause: Optional[str] = None, label: str = ""
) -> None:
    """NAME can be read, and is WHOLE; if not, CAUSE is why where nothing nearer shows."""
    tftp.read(name, label).receive_file(whole, cause)


def write_file(tftp: Tftp, name: str, whole: bytes, cause: Optional[str] = None) -> Transfer:
    """NAME can be written, to its last ACK."""
    writer = tftp.write(name)
    writer.expect(ack(0), cause)
    writer.send_file(whole, cause)
    return writer


def expect_options(transfer: Transfer, wanted: Mapping[str, str]) -> None:
    """The next packet is an OACK with these options, in whatever order."""
    found = transfer.expect_oack()
    if found != wanted:
        raise Mismatch(f"OACK with {_listed(wanted)}", f"OACK with {_listed(found)}", "bad-options")


def agree_on(
    transfer: Transfer, as_asked: Optional[Mapping[str, str]] = None, **at_most: int
) -> tuple[int, int]:
    """The next packet is an OACK with all these options, in whatever order.

    at_most: of blksize and windowsize a server may answer less than it was asked for
    (RFC 2348, 7440), but not what there is without the option. Returns the size of blocks
    and of windows that hold then.
    """
    found = transfer.expect_oack()
    wanted = {**(as_asked or {}), **{name: str(most) for name, most in at_most.items()}}
    least = {"blksize": BLOCK + 1 if at_most.get("blksize", 0) > BLOCK else 8,
             "windowsize": min(2, at_most.get("windowsize", 1))}
    if found.keys() != wanted.keys() or any(
            not value.isdecimal() or not least[name] <= int(value) <= at_most[name]
            if name in at_most else value != wanted[name] for name, value in found.items()):
        raise Mismatch(f"OACK with {_listed(wanted)}, or smaller blocks or windows",
                       f"OACK with {_listed(found)}", "bad-options")
    return int(found.get("blksize", BLOCK)), int(found.get("windowsize", 1))


def _listed(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(options.items())) or "nothing"


def expect_refused_if_answered(client: Transfer, cause: str) -> None:
    """What has come so far is one ERROR, of whatever code, or nothing."""
    client.sock.take_in()
    if client.sock.came:
        found = client.next("an ERROR or nothing", cause)
        if found.opcode != ERROR:
            raise client.mismatch("an ERROR or nothing", f"opcode {found.opcode}", cause)
    client.sock.expect_nothing(cause)


def expect_saved(lab: Scenario, folder: Folder, name: str, whole: bytes) -> None:
    """NAME is in FOLDER, and has WHOLE, at once or soon."""
    def saved() -> bool:
        return name in folder.names() and folder.read(name) == whole

    try:
        lab.wait_for(saved, f"the file {name} is there", lambda: "it is not", poll=0.002)
    except Mismatch:
        folder.expect_file(name, whole)


def expect_nothing_of(lab: Scenario, folder: Folder, name: str, *others: str) -> None:
    """Of the file NAME nothing is in FOLDER, at once or soon, only OTHERS."""
    lab.wait_for(lambda: folder.names() == sorted(others),
                 f"nothing stays of {name}", lambda: f"in the folder: {', '.join(folder.names())}",
                 lambda: "cut-file-kept" if name in folder.names() else "left-over-file",
                 poll=0.002)


def expect_ended(lab: Scenario, server: Program, before: Footprint) -> None:
    """The transfers have ended, and left nothing: the server has no more than BEFORE them."""
    try:
        lab.expect_back_to(server, before)
    except Mismatch as error:
        raise Mismatch(error.expected, error.seen, "vanished-client") from None


def expect_acknowledged_or_exists(writer: Transfer, number: int) -> bool:
    """The next packet is ACK NUMBER, or ERROR 6; returns whether it is the latter."""
    found = writer.next(f"ACK {number} or ERROR 6", "file-overwritten")
    if (found.opcode, found.number) not in ((ACK, number), (ERROR, 6)):
        raise writer.mismatch(f"ACK {number} or ERROR 6", f"opcode {found.opcode}, "
                              f"number {found.number}", "file-overwritten")
    return found.opcode == ERROR


def expect_given_up(lab: Scenario, server: Program, before: Footprint) -> bool:
    """The server has, after some time, no more than BEFORE its clients came.

    A server that waits twice as long each time is right, too; a minute is not waited for:
    then it returns False.
    """
    try:
        lab.expect_back_to(server, before)
        return True
    except Mismatch as error:
        lab.end_recording()
        gaps = gaps_of_timers(datagrams(lab.trace))
        if not any(later > 1.5 * earlier for earlier, later in zip(gaps, gaps[1:])):
            raise Mismatch(error.expected, error.seen, "vanished-client") from None
        return False


def send_as(lab: Scenario, port: int, packet: bytes) -> None:
    """Sends PACKET to the server as if from PORT of 127.0.0.1, whoever has that, if anybody."""
    header = struct.pack(">4H", port, PORT, 8 + len(packet), 0)  # 0: no checksum (RFC 768)
    with lab.network.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.sendto(header + packet, ("127.0.0.1", 0))


def gaps_of_timers(sent: Sequence[Sent]) -> list[float]:
    """Seconds from a packet of SENT, all of a trace, to the same one, sent again by a timer."""
    timers = Timers()
    for each in sent:
        timers.forgives(each)
    return timers.gaps


def expect_spacing(sent: Sequence[Sent]) -> None:
    """Some packets of SENT, all of a trace, were sent again, the first after about a second."""
    shortest = min(gaps_of_timers(sent), default=None)
    if shortest is None or shortest >= _SHORTEST:
        raise Mismatch("what is not answered is sent again after 1 s",
                       "it is not" if shortest is None else f"the earliest after {shortest:.1f} s",
                       "wrong-timeout")


# -- A client -------------------------------------------------------------------


def start_get(
    tftp: Tftp, name: str, *options: str, **how: Any
) -> tuple[Program, Folder, Transfer]:
    """Starts `udp_client OPTIONS HOST get NAME` in a new folder; its request is taken.

    HOW: as for Scenario.folder(). Returns the server's side of the transfer, too.
    """
    folder = tftp.lab.folder(**how)
    client, sender = _start(tftp, folder, options, "get", name, request(RRQ, name))
    return client, folder, tftp.answer(sender)


def start_put(
    tftp: Tftp, files: Mapping[str, bytes], name: str, *options: str, asked: str = "",
    cause: Optional[str] = None,
) -> tuple[Program, Folder, Transfer]:
    """Starts `udp_client OPTIONS HOST put NAME` in a folder with FILES, and sends it ACK 0.

    asked: the name that its request has, where that is not NAME. cause: why it has another.
    """
    folder, packet = tftp.lab.folder(files), request(WRQ, asked or name)
    client, sender = _start(tftp, folder, options, "put", name, packet, cause)
    server = tftp.answer(sender)
    server.send(ack(0))
    return client, folder, server


def _start(
    tftp: Tftp, folder: Folder, options: Sequence[str], verb: str, name: str, packet: bytes,
    cause: Optional[str] = None,
) -> tuple[Program, Address]:
    port = tftp.port
    client = tftp.lab.start("udp_client", *options, tftp.server_address[0], verb, name,
                            folder=folder)
    return client, port.expect(packet, cause)


def start_asking(
    tftp: Tftp, verb: str, *options: str, asked: Mapping[str, str], whole: bytes = b""
) -> tuple[Program, Folder, Transfer]:
    """Starts a client that gets or puts a.txt, with OPTIONS by which it asks for ASKED.

    whole: what is in a.txt. The server has not answered yet.
    """
    port, folder = tftp.port, tftp.lab.folder({"a.txt": whole} if verb == "put" else {})
    client = tftp.lab.start("udp_client", *options, tftp.server_address[0], verb, "a.txt",
                            folder=folder)
    found, sender = port.next()
    if found.opcode != {"get": RRQ, "put": WRQ}[verb] or found.words[:1] != ("a.txt",):
        raise port.mismatch(f"the request to {verb} a.txt", " ".join(found.words), "messages")
    if {name: found.options.get(name) for name in asked} != asked:
        raise port.mismatch(f"a request with {_listed(asked)}", f"one with "
                            f"{_listed(found.options)}", "bad-options")
    server = tftp.answer(sender)
    server.options = found.options
    return client, folder, server


def expect_success(lab: Scenario, client: Program, cause: Optional[str] = None) -> None:
    """The client exits with 0, and has printed nothing to stdout; else CAUSE is why.

    One that has got a file may stay for a while, as its last ACK may be lost (RFC 1350, 6).
    """
    lab.be_patient(2.5)
    lab.expect_exit(client, 0, cause)
    lab.expect_silence(client)


def expect_fetched(
    lab: Scenario, client: Program, folder: Folder, name: str, whole: bytes,
    cause: Optional[str] = None,
) -> None:
    """The same, and FOLDER has the file NAME, which is WHOLE, and nothing else."""
    expect_success(lab, client, cause)
    folder.expect_file(name, whole)
    folder.expect_names(name, cause="left-over-file")


def expect_failed(
    lab: Scenario, client: Program, message: str = "", cause: Optional[str] = None
) -> None:
    """The client exits with 1, and says why on stderr: MESSAGE, if that is given.

    cause: why it does not end, or not so.
    """
    lab.expect_exit(client, 1, cause)
    lab.expect_complaint(client, f"udp_client: .*{re.escape(message)}" if message.isprintable()
                         and message.isascii() else "udp_client: .+",
                         "no-error-told" if message else "messages")
    lab.expect_silence(client)


def expect_ignored(lab: Scenario, client: Program, server: Transfer, cause: str) -> bool:
    """What was just sent is ignored; returns False where it has ended the transfer by ERROR.

    To send again what was sent last is no answer. cause: why there is another one.
    """
    lab.wait_blocked(client)
    server.take_copies()
    if server.sock.came:
        server.expect_error(0, 4, cause=cause)
    elif not client.has_ended:
        return True
    expect_failed(lab, client)
    return False


def answers_or_ends(lab: Scenario, client: Program, side: Side, cause: str) -> bool:
    """Waits until the client sends to SIDE or ends; whether it has sent."""
    lab.wait_for(lambda: bool(side.sock.came) or client.exit is not None,
                 f"`{client.command}` sends something, or ends", lambda: "it does not", cause)
    side.sock.take_in()
    return bool(side.sock.came)


def backs_off(times: Sequence[float], before: int) -> bool:
    """Whether who sends at TIMES waits much longer each time.

    The first BEFORE of them were earlier than that, nobody knows how much: the wait that follows
    them only looks short.
    """
    return grows(times[before:])


def expect_six_sendings(
    lab: Scenario, client: Program, side: Side, packet: bytes
) -> bool:
    """PACKET, which SIDE took once, comes to it 6 times in all; then the client exits with 1.

    A client that waits twice as long each time is right, too; a minute is not waited for:
    then it returns False.
    """
    sock, before = side.sock, 1 + side.passed_over.count(packet)
    times = [time.monotonic()] * before
    expected = f"`{client.command}` sends 5 times again {tell(packet)}, a second apart, and ends"

    def over() -> bool:
        for each in list(sock.came):
            if each.data == packet:
                sock.came.remove(each)
                times.append(each.when)
        return client.exit is not None or len(times) > 6 or backs_off(times, before)

    def why() -> str:
        return "no-retransmission" if len(times) == 1 else "no-timeout"

    lab.wait_for(over, expected,
                 lambda: f"sent {counted(len(times), 'time')} so far{client.last_words}", why)
    if backs_off(times, before):
        return False
    if len(times) != 6:
        raise Mismatch(expected, f"it was sent {counted(len(times), 'time')}{client.last_words}",
                       "wrong-retries" if len(times) > 1 else "no-retransmission")
    expect_failed(lab, client)
    return True
