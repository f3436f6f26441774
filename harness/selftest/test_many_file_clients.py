"""A hundred clients at once, of FTP and of TFTP: all are served at the same time, none is kept."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Iterator

import pytest

import ftp_tools
import tftp_tools
from inside import ACK, DATA, RRQ, WRQ, Ftp, Tftp, read_all
from labkit.processes import descriptors_of, memory_of, tree_of
from meeting import LAB, Meeting, meeting, sample
from workbench import Benches

MANY = 100
DOWN, UP = MANY // 2, MANY // 2
BLOCK = tftp_tools.BLOCK
SERVED = {"file": sample(5000), "in/folder/other": b"1"}
OFTEN = 200
"""Transfers of each kind in one session."""
GROWTH = 256 * 1024
"""Bytes that a session may have grown by after so many transfers."""


@pytest.fixture
def lab(benches: Benches, tmp_path: Path) -> Iterator[Meeting]:
    bench = benches(LAB)
    with meeting(bench.work, tmp_path, bench.reference, recorded=False) as made:
        yield made


def login(lab: Meeting) -> Ftp:
    return Ftp(lab, ftp_tools.PORT, ftp_tools.USER, ftp_tools.PASSWORD)


def contents(size: int) -> dict[str, bytes]:
    """A file for each client that fetches one, no two alike."""
    return {f"down-{number}": sample(size + number)[number:] for number in range(DOWN)}


def test_a_hundred_ftp_sessions(lab: Meeting) -> None:
    """Each has its transfer under way before the first of them goes on."""
    files = contents(300_000)
    folder = lab.folder(files)
    server = ftp_tools.start_ours(lab, folder, "127.0.0.1").program
    assert server is not None
    before = lab.footprint(server)
    with contextlib.ExitStack() as rooms:
        sessions = [rooms.enter_context(contextlib.closing(login(lab))) for _ in range(MANY)]
        asked = [*(f"RETR {name}" for name in files), *(f"STOR up-{n}" for n in range(UP))]
        transfers = [rooms.enter_context(session.transfercmd(what))
                     for session, what in zip(sessions, asked)]
        assert server.processes() == 1 + MANY
        for data, content in zip(transfers[DOWN:], files.values()):
            data.sendall(content)
            data.close()
        for data, content in zip(transfers, files.values()):
            assert read_all(data) == content
        for session in sessions:
            session.voidresp()
            session.quit()
    lab.expect_back_to(server, before)
    stored = {f"up-{number}": files[f"down-{number}"] for number in range(UP)}
    for name, content in stored.items():
        folder.expect_file(name, content)
    folder.expect_names(*files, *stored)


def test_a_session_keeps_nothing_of_its_transfers(lab: Meeting) -> None:
    """No descriptor and no memory, after hundreds of files, lists and failures."""
    server = ftp_tools.start_ours(lab, lab.folder(SERVED), "127.0.0.1").program
    assert server is not None and server.pid is not None
    pid = server.pid

    def use(session: Ftp, times: int) -> tuple[int, int]:
        """What the session's process has after so many times: descriptors, bytes."""
        for _ in range(times):
            assert session.fetch("file") == SERVED["file"]
            assert session.store("new", b"new") == b""
            assert session.size("in/folder/other") == 1
            assert session.fetch("nothing") is None
            assert session.store("nowhere/new", b"") is None
            assert sorted(session.nlst()) == ["file", "in", "new"]
            session.makepasv()
            session.cwd("in/folder")
            session.cwd("/")
        [process] = [each for each in tree_of(pid) if each != pid]
        return descriptors_of(process), memory_of(process).private

    with contextlib.closing(login(lab)) as session:
        descriptors, memory = use(session, 5)
        more_descriptors, more_memory = use(session, OFTEN)
        session.quit()
    assert more_descriptors == descriptors
    assert more_memory - memory < GROWTH


def test_a_hundred_tftp_transfers(lab: Meeting) -> None:
    """Each has had its first answer, from a port of its own, before the first goes on."""
    files = contents(5 * BLOCK)
    folder = lab.folder(files)
    server = tftp_tools.start_ours(lab, folder, "127.0.0.1")
    before = lab.footprint(server)
    with contextlib.ExitStack() as rooms:
        clients = [rooms.enter_context(contextlib.closing(Tftp(lab, tftp_tools.PORT)))
                   for _ in range(MANY)]
        for client, name in zip(clients, files):
            client.ask(RRQ, name)
        for number, client in enumerate(clients[DOWN:]):
            client.ask(WRQ, f"up-{number}")
        first = [client.answer() for client in clients]
        assert len({client.peer for client in clients}) == MANY
        assert server.processes() == 1 + MANY
        got = [fetch(client, answer[2]) for client, answer in zip(clients[:DOWN], first)]
        assert got == list(files.values())
        for client, content in zip(clients[DOWN:], files.values()):
            store(client, content)
    lab.be_patient(10)  # the server's processes stay for a while, should their last ACK be lost
    lab.expect_back_to(server, before)
    stored = {f"up-{number}": files[f"down-{number}"] for number in range(UP)}
    for name, content in stored.items():
        folder.expect_file(name, content)
    folder.expect_names(*files, *stored)


def fetch(client: Tftp, first: bytes) -> bytes:
    """The whole file whose FIRST block has come."""
    content = last = first
    number = 1
    client.send(ACK, number)
    while len(last) == BLOCK:
        number += 1
        opcode, block, last = client.answer()
        assert (opcode, block) == (DATA, number)
        content += last
        client.send(ACK, number)
    return content


def store(client: Tftp, content: bytes) -> None:
    """Sends CONTENT, whose request has been acknowledged."""
    for number in range(len(content) // BLOCK + 1):
        client.send(DATA, number + 1, content[number * BLOCK:(number + 1) * BLOCK])
        assert client.answer()[:2] == (ACK, number + 1)
