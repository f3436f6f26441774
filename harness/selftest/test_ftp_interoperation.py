"""FTP between the lab's programs and those of others, both ways: each file is what was sent."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Callable, Iterator

import pytest

from ftp_tools import (
    PASSWORD, USER, Client, Curl, Ftplib, Lftp, OldCurl, Ours, Site, start_ours,
    start_ours_for_anyone, start_pyftpdlib, start_vsftpd,
)
from labkit.feedback import Mismatch
from labkit.folders import Folder
from meeting import LAB, Meeting, meeting, sample, use
from workbench import Benches

SIZES = (0, 1, 2, 511, 512, 513, 1448, 4095, 4096, 4097, 65535, 65536, 65537, 3_000_001)
FILES = {f"of-{size}.bytes": sample(size) for size in SIZES}
FEW = {f"of-{size}.bytes": sample(size) for size in (0, 1, 1448, 65536, 3_000_001)}
"""For curl, which now and then waits a second before it opens a data connection."""
ADDRESSES = ("127.0.0.1", "::1")

LFTP_CANNOT = (Lftp, "::1", True)
"""In EPRT it names the address `::`, which is nobody's: refused, as any but its own."""

Start = Callable[[Meeting, Folder, str], Site]

at_each_address = pytest.mark.parametrize("address", ADDRESSES)


@pytest.fixture
def lab(benches: Benches, tmp_path: Path) -> Iterator[Meeting]:
    bench = benches(LAB)
    with meeting(bench.work, tmp_path / "trace.pcapng", bench.reference) as made:
        made.be_patient(5)  # curl may wait a second before it opens a data connection
        yield made


def move_all(lab: Meeting, start: Start, kind: type[Client], address: str, active: bool) -> None:
    """Every file from the server, and every file to another one; and what that then has."""
    files = FEW if issubclass(kind, Curl) and not active else FILES
    theirs, ours, stored = lab.folder(files), lab.folder(), lab.folder()
    site = start(lab, theirs, address)
    kind(lab, ours, site, active).get(*files)
    expect_all(ours, files)
    end(lab, site)
    client = kind(lab, ours, start(lab, stored, address), active)
    client.put(*files)
    expect_all(stored, files)
    assert sorted(client.names()) == sorted(files)


def expect_all(folder: Folder, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        folder.expect_file(name, data)
    folder.expect_names(*files)


def end(lab: Meeting, site: Site) -> None:
    """Ends the server of SITE, whose port is free then."""
    assert site.program is not None
    site.program.kill()
    lab.wait_gone(site.program)


# -- Our server --------------------------------------------------------------


@pytest.mark.parametrize("client, address, active", [
    pytest.param(client, address, active,
                 id=f"{client.__name__}-{address}-{'active' if active else 'passive'}")
    for client, address, active in itertools.product((Curl, Lftp, Ftplib), ADDRESSES, (False, True))
    if (client, address, active) != LFTP_CANNOT])
def test_our_server_and_others_clients(
    lab: Meeting, client: type[Client], address: str, active: bool
) -> None:
    move_all(lab, start_ours, client, address, active)


@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
def test_our_server_and_the_commands_of_rfc_959_alone(lab: Meeting, active: bool) -> None:
    move_all(lab, start_ours, OldCurl, "127.0.0.1", active)


@at_each_address
@pytest.mark.parametrize("client", [Curl, Lftp, Ftplib])
def test_our_server_lets_anyone_read_and_no_one_write(
    lab: Meeting, client: type[Client], address: str
) -> None:
    theirs, ours = lab.folder(FEW), lab.folder({"new": b"not to be stored"})
    user = client(lab, ours, start_ours_for_anyone(lab, theirs, address))
    user.get(*FEW)
    with pytest.raises(Mismatch):
        user.put("new")
    expect_all(theirs, FEW)


def test_a_wrong_password_is_told_by_curl(lab: Meeting) -> None:
    ours = lab.folder()
    site = start_ours(lab, lab.folder(FILES), "127.0.0.1")
    refused = lab.start_tool("curl", "-sS", "-u", f"{USER}:{PASSWORD}x", "-O",
                             site.url + "of-1.bytes", folder=ours)
    lab.expect_exit(refused, 67)
    ours.expect_names()


def test_lftp_mirrors_a_tree_as_our_lists_describe_it(lab: Meeting) -> None:
    """It follows the lines of LIST: which are folders, which are files, of what size."""
    tree = {"a": b"1", "in/b c": sample(5000), "in/deep/d": b"", "other/e'\"f": b"quoted"}
    theirs, ours = lab.folder(tree), lab.folder()
    theirs.link("in/link", "../a")
    Lftp(lab, ours, start_ours(lab, theirs, "127.0.0.1")).run("mirror --no-perms . .")
    for name, data in tree.items():
        ours.expect_file(name, data)
    ours.expect_names(*tree)


@pytest.mark.parametrize("method", ["multicwd", "nocwd", "singlecwd"])
def test_curl_gets_into_folders_in_each_of_its_ways(lab: Meeting, method: str) -> None:
    theirs, ours = lab.folder({"in/deep/file": b"deep", "in/other": b"other"}), lab.folder()
    site = start_ours(lab, theirs, "127.0.0.1")
    use(lab, ours, "curl", "-sS", "--ftp-method", method, "-u", f"{USER}:{PASSWORD}",
        "--remote-name-all", site.url + "in/deep/file", site.url + "in/other")
    ours.expect_file("file", b"deep")
    ours.expect_file("other", b"other")


@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
def test_text_crosses_as_text(lab: Meeting, active: bool) -> None:
    text = b"one\n\ntwo three\n" * 20_000
    theirs, ours = lab.folder({"down": text}), lab.folder({"up": text})
    client = Ftplib(lab, ours, start_ours(lab, theirs, "127.0.0.1"), active)
    client.get_text("down")
    client.put_text("up")
    ours.expect_file("down", text)
    theirs.expect_file("up", text)


def test_one_session_has_one_control_connection(lab: Meeting) -> None:
    """curl's, through all its transfers: with it one data connection for each."""
    names = list(FEW)[1:]  # for an empty file curl asks for its size alone
    Curl(lab, lab.folder(), start_ours(lab, lab.folder(FEW), "127.0.0.1")).get(*names)
    flows = lab.expect_packets("connections=5", "teardown.kind=fin")
    assert sum(flow["server"]["port"] == 2121 for flow in flows[:-1]) == 1


# -- Our client --------------------------------------------------------------


@at_each_address
@pytest.mark.parametrize("start", [start_vsftpd, start_pyftpdlib])
def test_our_client_and_others_servers(lab: Meeting, start: Start, address: str) -> None:
    move_all(lab, start, Ours, address, active=False)


@pytest.mark.parametrize("start", [start_vsftpd, start_pyftpdlib, start_ours])
def test_what_another_server_refuses_is_told(lab: Meeting, start: Start) -> None:
    ours = lab.folder()
    site = start(lab, lab.folder(FILES), "127.0.0.1")
    user = [] if site.user == "anonymous" else ["-u", f"{USER}:{PASSWORD}"]
    client = lab.start("client", "-p", "2121", *user, "127.0.0.1", folder=ours,
                       stdin=b"get nothing\nget of-513.bytes\n")
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: get nothing: 550 ")
    ours.expect_file("of-513.bytes", FILES["of-513.bytes"])
    ours.expect_names("of-513.bytes")


@at_each_address
def test_our_pair(lab: Meeting, address: str) -> None:
    move_all(lab, start_ours, Ours, address, active=False)
