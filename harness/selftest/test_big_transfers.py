"""Files of a gibibyte, and of more blocks than TFTP can number: between our programs and others'.

Nothing is recorded here: the bytes at both ends are compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Union

import pytest

import ftp_tools
import tftp_tools
from labkit.folders import Folder
from labkit.program import Program
from meeting import LAB, Meeting, meeting, write_big
from tftp_tools import Options
from workbench import Benches

NAME = "big"
GIB, MIB = 1 << 30, 1 << 20
NUMBERS = 65536
"""Blocks that have a number of their own."""


class Pair(NamedTuple):
    server: Program
    client: Union[ftp_tools.Client, tftp_tools.Client]


Start = Callable[[Meeting, Folder, Folder], Pair]
"""Starts a server in the first folder; the client works in the second."""


@pytest.fixture
def lab(benches: Benches, tmp_path: Path) -> Iterator[Meeting]:
    bench = benches(LAB)
    with meeting(bench.work, tmp_path, bench.reference, recorded=False) as made:
        made.be_patient(5)
        made.file_bytes = GIB
        made.administer("ip", "link", "set", "dev", "lo", "mtu", "65536")
        yield made


def move(lab: Meeting, size: int, start: Start) -> None:
    """Fetches a file of SIZE bytes, and then stores it, each time into an empty folder."""
    original, copy = lab.folder(size=size + MIB), lab.folder(size=size + MIB)
    write_big(lab, original, NAME, size)
    pair = start(lab, original, copy)
    pair.client.get(NAME)
    expect_equal(lab, original, copy)
    copy.remove(NAME)
    pair.server.kill()
    lab.wait_gone(pair.server)
    start(lab, copy, original).client.put(NAME)
    expect_equal(lab, original, copy)


def expect_equal(lab: Meeting, *folders: Folder) -> None:
    """All the FOLDERS have the file, and nothing else."""
    lab.administer("cmp", *(str(folder.shown.path / NAME) for folder in folders))
    for folder in folders:
        folder.expect_names(NAME)


# -- FTP ---------------------------------------------------------------------


def ftp(start: Callable[..., ftp_tools.Site], client: type[ftp_tools.Client]) -> Start:
    def pair(lab: Meeting, theirs: Folder, ours: Folder) -> Pair:
        site = start(lab, theirs, "127.0.0.1")
        assert site.program is not None
        return Pair(site.program, client(lab, ours, site))

    return pair


@pytest.mark.parametrize("start", [
    pytest.param(ftp(ftp_tools.start_ours, ftp_tools.Curl), id="our-server-and-curl"),
    pytest.param(ftp(ftp_tools.start_vsftpd, ftp_tools.Ours), id="our-client-and-vsftpd")])
def test_a_gibibyte_by_ftp(lab: Meeting, start: Start) -> None:
    move(lab, GIB, start)


# -- TFTP --------------------------------------------------------------------

WINDOW = Options(blksize=8192, windowsize=4)
"""A gibibyte has twice as many of these blocks as there are numbers."""


def tftp(
    start: Callable[..., Program], client: type[tftp_tools.Client], options: Options = Options()
) -> Start:
    return lambda lab, theirs, ours: Pair(start(lab, theirs, "127.0.0.1"),
                                          client(lab, ours, "127.0.0.1", options))


@pytest.mark.parametrize("start", [
    pytest.param(tftp(tftp_tools.start_ours, tftp_tools.Atftp, WINDOW), id="our-server-and-atftp"),
    pytest.param(tftp(tftp_tools.start_atftpd, tftp_tools.Ours, WINDOW),
                 id="our-client-and-atftpd")])
def test_a_gibibyte_by_tftp(lab: Meeting, start: Start) -> None:
    """The last block, an empty one, is number 1 again, for the second time."""
    move(lab, GIB, start)


@pytest.mark.parametrize("start", [
    pytest.param(tftp(tftp_tools.start_ours, tftp_tools.TftpHpa), id="our-server-and-tftp-hpa"),
    pytest.param(tftp(tftp_tools.start_ours, tftp_tools.Curl), id="our-server-and-curl"),
    pytest.param(tftp(tftp_tools.start_tftpd_hpa, tftp_tools.Ours), id="our-client-and-tftpd-hpa")])
def test_one_block_after_another_past_the_wrap(lab: Meeting, start: Start) -> None:
    """The last block is number 1 again."""
    move(lab, NUMBERS * tftp_tools.BLOCK + 100, start)
