"""Ten thousand inputs that no client sends, to servers that AddressSanitizer and UBSan watch.

Nothing may end a server, or stay with it, and afterwards it serves as before. The inputs are
made by fuzz.py from a seed: each run has the same.
"""

from __future__ import annotations

import contextlib
import random
import re
import select
import selectors
import socket
import struct
from collections import Counter
from pathlib import Path
from typing import Iterator

import pytest

import ftp_tools
import fuzz
import tftp_tools
from inside import ACK, DATA, ERROR, RRQ, SECONDS, Ftp, dial, tftp
from labkit.build import PROGRAMS
from labkit.folders import Folder
from labkit.paths import LABS
from labkit.program import Program
from meeting import LAB, Meeting, meeting, sample
from workbench import Benches, Workbench, run

INPUTS, SEED = 10_000, 20_240_229
SESSION = 25
"""Inputs of one control connection."""
BATCH = 100
"""Packets that are sent before any answer is looked at; the server has room for so many."""
GROWTH = 1024 * 1024
"""Bytes that a server may have grown by."""
TREE = {"file": sample(3000), "in/file": sample(700)}
SERVERS = ("server", "udp_server")
OPTIONS = """
const char *__asan_default_options(void) { return "detect_leaks=0:quarantine_size_mb=1"; }
const char *__ubsan_default_options(void) { return "print_stacktrace=1"; }
"""


def sanitized(bench: Workbench) -> Path:
    """The folder of the servers, built to end with a report where they do what C forbids."""
    folder = bench.work / "sanitized"
    if folder.is_dir():
        return folder
    (bench.folder("sanitized") / "options.c").write_text(OPTIONS)
    modules = [file for file in (LABS / LAB).glob("*.c") if file.stem not in PROGRAMS[LAB]]
    compiler = ["cc", "-std=gnu11", "-g", "-O1", "-fsanitize=address,undefined",
                "-fno-sanitize-recover=all"]
    for file in (*modules, folder / "options.c", *(LABS / LAB / f"{name}.c" for name in SERVERS)):
        run(*compiler, f"-iquote{LABS / LAB}", "-c", "-o", folder / f"{file.stem}.o", file)
    objects = [folder / f"{file.stem}.o" for file in modules]
    run("ar", "rcs", folder / "modules.a", *objects)
    for name in SERVERS:
        run(*compiler, "-o", folder / name, folder / f"{name}.o", folder / "options.o",
            folder / "modules.a")
    return folder


@pytest.fixture
def lab(benches: Benches, tmp_path: Path) -> Iterator[Meeting]:
    bench = benches(LAB)
    with meeting(bench.work, tmp_path, sanitized(bench), recorded=False) as made:
        yield made


@pytest.fixture
def folder(lab: Meeting) -> Folder:
    made = lab.folder(TREE)
    made.link("link", "../..")
    made.make_fifo("fifo")
    return made


def expect_no_report(lab: Meeting, server: Program) -> None:
    lab.take_output()
    if re.search(rb"Sanitizer|runtime error", server.stderr):
        pytest.fail(server.stderr[-5000:].decode(errors="replace"))


def expect_nothing_unfinished(folder: Folder) -> None:
    assert [name for name in folder.names() if re.search(r"(^|/)\.[^/]*\.\w{6}$", name)] == []


# -- FTP ---------------------------------------------------------------------

USUAL = (b"150", b"200", b"213", b"226", b"227", b"229", b"230", b"250", b"257", b"331", b"425",
         b"500", b"501", b"502", b"504", b"522", b"530", b"550")
"""Codes that show how far the inputs get."""
ANNOUNCED = re.compile(rb"^(?:227 .*,(\d+),(\d+)\)|229 .*\|(\d+)\|\))", re.M)


class Conversation:
    """A control connection on which all is SAID, and each data connection that it announces.

    What the server sends is read and thrown away; on a data connection CHANCE sends some bytes.
    """

    def __init__(
        self, lab: Meeting, said: bytes, chance: random.Random, codes: Counter[bytes]
    ) -> None:
        """CODES counts the replies by their codes."""
        self._lab, self._left, self._chance, self._codes = lab, said, chance, codes
        self._line = b""
        """What has come of a reply that is not whole yet."""

    def hold(self) -> bool:
        """Returns at its end whether the server has taken all of it."""
        with selectors.DefaultSelector() as watched, contextlib.ExitStack() as rooms:
            control = rooms.enter_context(dial(self._lab, ftp_tools.PORT))
            control.setblocking(False)
            watched.register(control, selectors.EVENT_READ | selectors.EVENT_WRITE)
            with contextlib.suppress(ConnectionError):
                while True:
                    ready = watched.select(SECONDS)
                    assert ready, "the server has not answered in time"
                    for key, events in ready:
                        assert isinstance(key.fileobj, socket.socket)
                        if key.fileobj is not control:
                            self._drain(watched, key.fileobj)
                        elif events & selectors.EVENT_WRITE:
                            self._say(watched, control)
                        elif not self._hear(watched, rooms, control):
                            return not self._left
        return False

    def _say(self, watched: selectors.BaseSelector, control: socket.socket) -> None:
        n = control.send(self._left[:self._chance.choice((1, 7, 100, 4000))])
        self._left = self._left[n:]
        if not self._left:
            control.shutdown(socket.SHUT_WR)
            watched.modify(control, selectors.EVENT_READ)

    def _hear(
        self, watched: selectors.BaseSelector, rooms: contextlib.ExitStack, control: socket.socket
    ) -> bool:
        """Reads replies, and connects where they say; false at the end of file."""
        heard = control.recv(65536)
        *lines, self._line = (self._line + heard).split(b"\n")
        for line in lines:
            self._codes[line[:3]] += 1
            found = ANNOUNCED.match(line)
            if found is None:
                continue
            high, low, port = (int(number or 0) for number in found.groups())
            with contextlib.suppress(OSError):  # it may be closed again already
                data = rooms.enter_context(dial(self._lab, port or high * 256 + low))
                watched.register(data, selectors.EVENT_READ)
                data.sendall(self._chance.randbytes(self._chance.choice((0, 1, 900))))
                data.shutdown(socket.SHUT_WR)
        return bool(heard)

    @staticmethod
    def _drain(watched: selectors.BaseSelector, data: socket.socket) -> None:
        try:
            more = data.recv(65536)
        except ConnectionError:
            more = b""
        if not more:
            watched.unregister(data)


def test_a_fuzzed_control_connection(lab: Meeting, folder: Folder) -> None:
    server = ftp_tools.start_ours(lab, folder, "127.0.0.1").program
    assert server is not None
    chance = random.Random(SEED)
    before, memory, taken = lab.footprint(server), 0, 0
    codes: Counter[bytes] = Counter()
    while taken < INPUTS:
        said = fuzz.conversation(chance, SESSION)
        taken += SESSION * Conversation(lab, said, chance, codes).hold()
        expect_no_report(lab, server)
        memory = memory or server.memory().private
    lab.expect_back_to(server, before)
    assert server.memory().private - memory < GROWTH
    expect_no_report(lab, server)
    expect_nothing_unfinished(folder)
    assert min(codes[code] for code in USUAL) > 5, codes
    with contextlib.closing(
        Ftp(lab, ftp_tools.PORT, ftp_tools.USER, ftp_tools.PASSWORD)
    ) as session:
        assert session.store("file", TREE["file"]) == b""
        assert session.fetch("file") == TREE["file"]
        session.quit()


# -- TFTP --------------------------------------------------------------------

GIVE_UP = struct.pack("!HH", ERROR, 0) + b"given up\0"


class Crowd:
    """Clients, each with a port of its own, that send packets to the server all at once."""

    def __init__(
        self, lab: Meeting, server: Program, socks: list[socket.socket], chance: random.Random
    ) -> None:
        self._lab, self._server, self._chance = lab, server, chance
        self._poll = select.poll()
        self._socks = {sock.fileno(): sock for sock in socks}
        for fd in self._socks:
            self._poll.register(fd, select.POLLIN)
        self.later = 0
        """Packets that were sent to a transfer's own port."""

    def send(self) -> None:
        """Each one's packet, and what comes of it, until the server is alone again."""
        for sock in self._socks.values():
            sock.sendto(fuzz.first_packet(self._chance), ("127.0.0.1", tftp_tools.PORT))
        with tftp(self._lab, tftp_tools.PORT) as last:
            last.ask(RRQ, "not-there")
            assert last.answer()[0] == ERROR  # so it has taken all before that
        while self._answers() or self._server.processes() > 1:
            self._lab.take_output()

    def _answers(self) -> int:
        """Answers each packet that there is, with one that is wrong; then gives up."""
        ready = self._poll.poll(1)
        for fd, _ in ready:
            _, sender = self._socks[fd].recvfrom(65536)
            if sender[1] != tftp_tools.PORT:
                for packet in (fuzz.later_packet(self._chance), GIVE_UP):
                    self._socks[fd].sendto(packet, sender)
                self.later += 1
        return len(ready)


def test_fuzzed_tftp_packets(lab: Meeting, folder: Folder) -> None:
    server = tftp_tools.start_ours(lab, folder, "127.0.0.1")
    with contextlib.ExitStack() as rooms:
        clients = [rooms.enter_context(tftp(lab, tftp_tools.PORT)).sock for _ in range(BATCH)]
        crowd = Crowd(lab, server, clients, random.Random(SEED))
        crowd.send()
        before, memory = lab.footprint(server), server.memory().private
        for _ in range(INPUTS // BATCH):
            crowd.send()
            expect_no_report(lab, server)
    assert crowd.later > INPUTS // 10
    lab.expect_back_to(server, before)
    assert server.memory().private - memory < GROWTH
    expect_no_report(lab, server)
    expect_nothing_unfinished(folder)
    for name, data in TREE.items():
        folder.expect_file(name, data)
    with tftp(lab, tftp_tools.PORT) as client:
        client.ask(RRQ, "in/file")
        opcode, number, first = client.answer()
        client.send(ACK, number)
        assert (opcode, first + client.answer()[2]) == (DATA, TREE["in/file"])
        client.send(ACK, 2)
