"""TFTP between the lab's programs and those of others, both ways: each file is what was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator

import pytest

from labkit.folders import Folder
from labkit.program import Program
from meeting import LAB, Meeting, meeting, sample
from tftp_tools import (
    Atftp, Client, Curl, Options, Ours, TftpHpa, start_atftpd, start_ours, start_tftpd_hpa,
)
from workbench import Benches

ADDRESSES = ("127.0.0.1", "::1")
BIG = 2_000_003

Start = Callable[[Meeting, Folder, str], Program]

at_each_address = pytest.mark.parametrize("address", ADDRESSES)


@pytest.fixture
def lab(benches: Benches, tmp_path: Path) -> Iterator[Meeting]:
    bench = benches(LAB)
    with meeting(bench.work, tmp_path / "trace.pcapng", bench.reference) as made:
        made.be_patient(5)
        yield made


def files_for(options: Options) -> dict[str, bytes]:
    """Files whose ends lie at, before and behind the ends of blocks and of windows."""
    window = options.block * (options.windowsize or 1)
    sizes = {0, 1, options.block - 1, options.block, options.block + 1, 2 * options.block,
             window - 1, window, window + 1, BIG if options.block >= BLOCKS_OF_BIG else 5000}
    return {f"of-{size}.bytes": sample(size) for size in sorted(sizes)}


BLOCKS_OF_BIG = 512
"""Bytes of a block from which on a big file does not take too long."""


def move_all(
    lab: Meeting, start: Start, kind: type[Client], address: str, options: Options
) -> None:
    """Every file from the server, and every file to another one."""
    files = files_for(options)
    theirs, ours, stored = lab.folder(files), lab.folder(), lab.folder()
    client = kind(lab, ours, address, options)
    server = start(lab, theirs, address)
    client.get(*files)
    expect_all(ours, files)
    server.kill()
    lab.wait_gone(server)
    start(lab, stored, address)
    client.put(*files)
    wait_for_sizes(lab, stored, files)
    expect_all(stored, files)


def wait_for_sizes(lab: Meeting, folder: Folder, files: dict[str, bytes]) -> None:
    """Until each file is as large as it is to be: atftpd answers the last block, then writes it."""
    wanted = {name: len(data) for name, data in files.items()}

    def sizes() -> dict[str, int]:
        return {name: len(folder.read(name)) for name in folder.names()}

    lab.wait_for(lambda: sizes() == wanted, f"files of {wanted}", lambda: f"{sizes()}", poll=0.01)


def expect_all(folder: Folder, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        folder.expect_file(name, data)
    folder.expect_names(*files)


def options(*each: Options) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("asked", each, ids=map(str, each))


# -- Our server --------------------------------------------------------------


@at_each_address
def test_our_server_and_tftp_hpa(lab: Meeting, address: str) -> None:
    move_all(lab, start_ours, TftpHpa, address, Options())


@at_each_address
@options(Options(), Options(blksize=8), Options(blksize=1428), Options(tsize=True, timeout=3),
         Options(windowsize=3), Options(blksize=1428, windowsize=16, tsize=True, timeout=2))
def test_our_server_and_atftp(lab: Meeting, address: str, asked: Options) -> None:
    move_all(lab, start_ours, Atftp, address, asked)


@at_each_address
@options(Options(), Options(blksize=512), Options(blksize=1428), Options(blksize=8192))
def test_our_server_and_curl(lab: Meeting, address: str, asked: Options) -> None:
    move_all(lab, start_ours, Curl, address, asked)


# -- Our client --------------------------------------------------------------


@at_each_address
@options(Options(), Options(blksize=8), Options(blksize=1428), Options(blksize=8192),
         Options(windowsize=16))
def test_our_client_and_tftpd_hpa(lab: Meeting, address: str, asked: Options) -> None:
    """It knows no windowsize, and leaves that out of its answer."""
    move_all(lab, start_tftpd_hpa, Ours, address, asked)


@options(Options(), Options(blksize=8), Options(blksize=1428), Options(windowsize=3),
         Options(blksize=1428, windowsize=16))
def test_our_client_and_atftpd(lab: Meeting, asked: Options) -> None:
    """It can be bound to an IPv4 address only."""
    move_all(lab, start_atftpd, Ours, "127.0.0.1", asked)


@at_each_address
@options(Options(), Options(blksize=1428, windowsize=16))
def test_our_pair(lab: Meeting, address: str, asked: Options) -> None:
    move_all(lab, start_ours, Ours, address, asked)


# -- What is refused ---------------------------------------------------------


@pytest.mark.parametrize("start", [start_ours, start_tftpd_hpa, start_atftpd])
def test_a_missing_file_is_told_by_our_client(lab: Meeting, start: Start) -> None:
    ours = lab.folder()
    start(lab, lab.folder({"there": b"1"}), "127.0.0.1")
    client = lab.start("udp_client", "127.0.0.1", "get", "nothing", folder=ours)
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"udp_client: .*nothing: (?i:file not found|no such file)")
    ours.expect_names()


def test_others_clients_are_told_what_our_server_refuses(lab: Meeting) -> None:
    theirs, ours = lab.folder({"old": b"old"}), lab.folder({"old": b"new"})
    start_ours(lab, theirs, "127.0.0.1")
    refused = lab.start_tool("curl", "-sS", "-O", "tftp://127.0.0.1:6666/nothing", folder=ours)
    lab.expect_exit(refused, 68)
    refused = lab.start_tool("curl", "-sS", "-T", "old", "tftp://127.0.0.1:6666/", folder=ours)
    lab.expect_exit(refused, 73)
    theirs.expect_file("old", b"old")
    theirs.expect_names("old")
