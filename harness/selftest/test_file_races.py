"""No moment is the right one to swap a folder, or a file, for a link that leads outside.

swap.c does so all the time, while files are asked for and stored thousands of times.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional

import pytest

import ftp_tools
import tftp_tools
from inside import ACK, DATA, ERROR, RRQ, WRQ, Ftp, tftp
from labkit.folders import Folder
from meeting import LAB, Meeting, meeting
from workbench import Benches, run

TIMES = 2000
"""How often each thing is tried."""
WHOLE = 100
"""Files that are stored whole over TFTP; the server stays with each for a while."""
INSIDE, SECRET, STORED = b"from inside", b"a secret from outside", b"stored by a client"
SERVED = {"served/inner/file": INSIDE, "served/file": INSIDE, "outside/file": SECRET}

Try = Callable[[], Optional[bytes]]
"""One attempt: the bytes that came, b"" where the server took some, or None: it refused."""


class Race(NamedTuple):
    lab: Meeting
    folder: Folder


@pytest.fixture
def race(benches: Benches, tmp_path: Path) -> Iterator[Race]:
    """A folder in which names change their meaning from now on, and nothing else happens yet."""
    bench = benches(LAB)
    swap = bench.work / "swap"
    if not swap.is_dir():
        run("cc", "-D_GNU_SOURCE", "-O2", "-Wall", "-Werror", "-o", bench.folder("swap") / "swap",
            Path(__file__).parent / "swap.c")
    with meeting(bench.work, tmp_path, bench.reference, swap, recorded=False) as lab:
        folder = lab.folder(SERVED)
        folder.link("served/inner.link", "../outside")
        folder.link("served/file.link", "../outside/file")
        lab.start("swap", "served/inner", "served/inner.link", "served/file", "served/file.link",
                  folder=folder)
        yield Race(lab, folder)


def often(race: Race, attempt: Try, times: int, right: bytes) -> None:
    """Tries it so many TIMES; each time it is either RIGHT or refused, and both do happen."""
    seen: Counter[Optional[bytes]] = Counter()
    for _ in range(times):
        seen[attempt()] += 1
        race.lab.take_output()
    assert set(seen) == {right, None}
    assert min(seen.values()) > times // 50, seen


def expect_outside_untouched(folder: Folder) -> None:
    folder.expect_file("outside/file", SECRET)
    assert [name for name in folder.names() if name.startswith("outside")] == ["outside/file"]


def test_ftp_in_a_race(race: Race) -> None:
    program = race.lab.start_server(
        "server", "-u", f"{ftp_tools.USER}:{ftp_tools.PASSWORD}", "-d", "served",
        port=ftp_tools.PORT, folder=race.folder)
    with contextlib.closing(
        Ftp(race.lab, ftp_tools.PORT, ftp_tools.USER, ftp_tools.PASSWORD)
    ) as session:
        often(race, lambda: session.fetch("inner/file"), TIMES, INSIDE)
        often(race, lambda: session.fetch("file"), TIMES, INSIDE)
        often(race, lambda: session.store("inner/new", STORED), TIMES, b"")
        session.quit()
    assert program.exit is None
    expect_outside_untouched(race.folder)


def fetch(race: Race, name: str) -> Optional[bytes]:
    """What comes of a file that fits into one block."""
    with tftp(race.lab, tftp_tools.PORT) as client:
        client.ask(RRQ, name)
        opcode, _, rest = client.answer()
        if opcode == ERROR:
            return None
        client.send(ACK, 1)
        return rest


def store(race: Race, name: str, whole: bool) -> Optional[bytes]:
    """Stores a file; not WHOLE, it is given up when the server is ready for it."""
    with tftp(race.lab, tftp_tools.PORT) as client:
        client.ask(WRQ, name)
        if client.answer()[0] == ERROR:
            return None
        if not whole:
            client.send(ERROR, 0, b"given up\0")
            return b""
        client.send(DATA, 1, STORED)
        return b"" if client.answer()[0] == ACK else None


def test_tftp_in_a_race(race: Race) -> None:
    race.lab.start_datagram_server("udp_server", "-w", "-d", "served", port=tftp_tools.PORT,
                                   folder=race.folder)
    often(race, lambda: fetch(race, "inner/file"), TIMES, INSIDE)
    often(race, lambda: fetch(race, "file"), TIMES, INSIDE)
    often(race, lambda: store(race, "inner/new", whole=False), TIMES, b"")
    names = iter(f"inner/new-{number}" for number in range(WHOLE))
    often(race, lambda: store(race, next(names), whole=True), WHOLE, b"")
    expect_outside_untouched(race.folder)
