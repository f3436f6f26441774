"""The folders that programs work in: what programs can do there, what the test sees of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from labkit.feedback import Mismatch
from labkit.folders import Folder, fault_of_file
from labkit.scenario import Scenario
from workbench import World

# -- What programs see and do ------------------------------------------------


def run(lab: Scenario, folder: Folder, script: str, status: int = 0) -> bytes:
    """What a shell prints that runs SCRIPT in FOLDER."""
    shell = lab.start_tool("sh", "-c", script, folder=folder)
    lab.expect_exit(shell, status)
    return bytes(shell.stdout)


def test_a_program_works_in_its_folder(world: World) -> None:
    lab = world(prog='pwd; cat in; printf "$1" > out')
    folder = lab.folder({"in": b"bytes\0of it\n"})
    program = lab.start("prog", "saved", folder=folder)
    lab.expect_exit(program)
    assert program.stdout == b"/files\nbytes\0of it\n"
    folder.expect_file("out", b"saved")
    folder.expect_names("in", "out")
    assert program.command == "./prog saved"


def test_a_program_without_a_folder_is_where_the_submission_is(world: World) -> None:
    lab = world(prog="pwd; touch x 2>/dev/null || echo no; ls -d /files 2>/dev/null || echo none")
    lab.folder()
    program = lab.start("prog")
    lab.expect_exit(program)
    assert program.stdout == b"/lab\nno\nnone\n"


def test_two_programs_can_share_a_folder_or_have_their_own(world: World) -> None:
    lab = world()
    one, two = lab.folder(), lab.folder()
    run(lab, one, "echo 1 > a")
    assert run(lab, one, "cat a; ls") == b"1\na\n"
    assert run(lab, two, "ls") == b""


@pytest.mark.parametrize("script", [
    "echo new > file", "rm file", "mv file other", "echo more >> file", "echo x > inner/file",
    "mkdir inner/x", "rm -r inner", "ln -s /etc link", "chmod 600 file", "ln file inner/hard"])
def test_what_the_test_made_belongs_to_the_programs(world: World, script: str) -> None:
    lab = world()
    folder = lab.folder({"file": b"old", "inner/file": b"old"})
    run(lab, folder, script)


def test_what_programs_made_the_test_can_read_and_remove(world: World) -> None:
    lab = world()
    folder = lab.folder()
    run(lab, folder, "umask 077; mkdir private; echo x > private/file; chmod 0 private/file")
    assert folder.names() == ["private/file"]
    assert folder.read("private/file") == b"x\n"
    assert run(lab, folder, "stat -c %a private/file") == b"0\n"
    folder.remove("private/file")
    folder.remove("private")
    assert folder.names() == []


@pytest.mark.parametrize("script", ["echo x > new", "echo x > file", "rm file", "mkdir folder"])
def test_in_a_read_only_folder_only_the_test_writes(world: World, script: str) -> None:
    lab = world()
    folder = lab.folder({"file": b"old"}, read_only=True)
    folder.write("later", b"written while it is read-only")
    told = run(lab, folder, f"exec 2>&1; ({script}) || cat later")
    assert b"Read-only file system" in told and told.endswith(b"written while it is read-only")
    folder.expect_names("file", "later")
    folder.expect_file("file", b"old")


def test_a_disk_of_its_own_can_be_full(world: World) -> None:
    lab = world()
    folder = lab.folder({"there": bytes(4096)}, size=16384)
    script = "head -c 20000 /dev/zero > big || echo full; wc -c < big"
    assert run(lab, folder, f"{script}; rm big; : > empty; echo x > s") == b"full\n12288\n"
    folder.expect_names("empty", "s", "there")
    with pytest.raises(OSError) as caught:
        folder.write("more", bytes(16384))
    assert caught.value.errno == errno.ENOSPC


def test_a_folder_holds_some_mebibytes_where_its_size_is_not_told(world: World) -> None:
    lab = world()
    folder = lab.folder({"big": bytes(range(256)) * 65536})
    assert run(lab, folder, "cat big big big > more; wc -c < more") == b"50331648\n"
    run(lab, folder, "cat big big > still_more 2>/dev/null", status=1)


def test_the_host_outside_sees_nothing_of_it(world: World, workspace: Path) -> None:
    lab = world()
    folder = lab.folder({"file": b"here"})
    assert os.listdir(folder.shown.path) == []
    lab.close()
    with pytest.raises(OSError):
        folder.read("file")  # nor is that charged to a program


def test_two_hosts_can_share_a_folder(workspace: Path) -> None:
    lab = Scenario(workspace, lambda name: workspace, workspace / "trace.pcapng", hosts=2)
    try:
        folder = lab.folder()
        for host in ("a", "b"):
            shell = lab.start_tool("sh", "-c", f"echo {host} >> seen", folder=folder, host=host)
            lab.expect_exit(shell)
        folder.expect_file("seen", b"a\nb\n")
    finally:
        lab.close()


def test_a_folder_where_there_is_none_is_an_error(world: World, workspace: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        world().network.folder(workspace / "missing", 4096)


# -- What the test makes in it -----------------------------------------------


def test_everything_that_is_not_a_file_can_be_made(world: World) -> None:
    lab = world()
    folder = lab.folder()
    folder.make_folder("a/b/c")
    folder.make_fifo("a/fifo")
    folder.link("a/link", "../../etc/passwd")
    assert folder.names() == ["a/b/c/", "a/fifo", "a/link"]
    assert run(lab, folder, "test -p a/fifo && test -d a/b/c && readlink a/link") == (
        b"../../etc/passwd\n")


def test_a_file_that_a_program_has_open_grows_and_shrinks(world: World) -> None:
    lab = world()
    folder = lab.folder({"file": b"0123456789\n"})
    script = "exec 3<file; echo; read _; cat <&3; read _; wc -c <&3; stat -Lc %s /proc/self/fd/3"
    shell = lab.start_tool("sh", "-c", script, folder=folder)
    lab.expect_line(shell, "")
    folder.append("file", b"more\n")
    shell.write(b"\n")
    lab.expect_line(shell, "0123456789")
    lab.expect_line(shell, "more")
    folder.cut("file", 3)
    shell.write(b"\n")
    lab.expect_line(shell, "0")
    lab.expect_line(shell, "3")
    folder.write("file", b"other")
    folder.expect_file("file", b"other")


def test_one_thing_takes_the_place_of_another_in_one_step(world: World) -> None:
    lab = world()
    folder = lab.folder({"file": b"old", "inner/new": b"new"})
    folder.rename("inner/new", "file")
    folder.expect_file("file", b"new")
    folder.link("link", "file")
    folder.rename("link", "file")
    folder.expect_names("file", "inner/")


# -- What a hostile program leaves in it -------------------------------------


@pytest.fixture
def trapped(world: World, workspace: Path) -> Folder:
    """A folder in which a program made links out of it, and a FIFO."""
    (workspace / "outside").mkdir()
    (workspace / "outside" / "file").write_bytes(b"of the host")
    lab = world()
    folder = lab.folder()
    run(lab, folder, f"o={workspace}/outside; ln -s $o out; ln -s $o/file file; mkfifo f")
    return folder


@pytest.mark.parametrize("name", ["out/file", "file", "f", "out"])
def test_nothing_is_read_through_a_trap(trapped: Folder, name: str) -> None:
    with pytest.raises(Mismatch):
        trapped.read(name)


@pytest.mark.parametrize("script, seen", [
    (":", "it is not there; in the folder: nothing"),
    ("mkfifo file", "it is not a regular file; in the folder: file"),
    ("mkdir file", "it is not a regular file; in the folder: file/"),
    ("ln -s /etc/passwd file", "it is a symbolic link; in the folder: file"),
])
def test_a_file_that_is_none_is_the_programs_fault(
    world: World, script: str, seen: str
) -> None:
    lab = world()
    folder = lab.folder()
    run(lab, folder, script)
    with pytest.raises(Mismatch) as caught:
        folder.read("file", "cut-file-kept")
    assert (caught.value.seen, caught.value.cause) == (seen, "cut-file-kept")


@pytest.mark.parametrize("name", ["out/file", "out/new", "file", "f"])
def test_nothing_is_written_through_a_trap(
    trapped: Folder, workspace: Path, name: str
) -> None:
    with pytest.raises(OSError):
        trapped.write(name, b"trapped")
    assert os.listdir(workspace / "outside") == ["file"]
    assert (workspace / "outside" / "file").read_bytes() == b"of the host"


def test_names_do_not_follow_links_and_removing_removes_the_link(
    trapped: Folder, workspace: Path
) -> None:
    assert trapped.names() == ["f", "file", "out"]
    for name in trapped.names():
        trapped.remove(name)
    assert trapped.names() == []
    assert os.listdir(workspace / "outside") == ["file"]


def test_folders_in_folders_without_end_are_no_trouble(world: World) -> None:
    lab = world()
    folder = lab.folder()
    run(lab, folder, "mkdir -p $(printf 'd/%.0s' $(seq 1900))")
    assert len(folder.names()) == 1


def test_files_without_end_are_too_many_at_some_time(world: World) -> None:
    lab = world()
    folder = lab.folder()
    run(lab, folder, "seq 20000 | xargs touch 2>/dev/null", status=123)
    assert 1000 < len(folder.names()) < 10000


@pytest.mark.parametrize("name", ["../x", "a/../b", "/x", "a//b"])
def test_names_in_a_test_stay_inside(world: World, name: str) -> None:
    folder = world().folder()
    with pytest.raises((ValueError, OSError)):
        folder.write(name, b"")


# -- The verdict -------------------------------------------------------------

DATA = bytes(i * 7 % 251 + 1 for i in range(2000)) + b"\0 end"


@pytest.mark.parametrize("got, cause", [
    (None, "name-line"),
    (b"", "name-line"),
    (DATA[:1000], "name-line"),
    (DATA[:1024], "name-line"),
    (DATA[:1024] + DATA[1025:], "block-border"),
    (DATA[:1023] + DATA[1024:], "block-border"),
    (DATA[:512] + DATA[:512] + DATA[512:], "block-border"),
    (DATA[:1000] + DATA[1001:], "name-line"),
    (DATA[:2000], "c-string"),
    (DATA.replace(b"\n", b"\r\n"), "text-mode"),
    (DATA.replace(b"\r", b""), "text-mode"),
    (DATA + bytes(100), "fixed-length"),
])
def test_a_wrong_file_tells_why(world: World, got: bytes, cause: str) -> None:
    folder = world().folder({} if got is None else {"copy": got})
    with pytest.raises(Mismatch) as caught:
        folder.expect_file("copy", DATA, "name-line")
    assert caught.value.cause == cause


def test_a_right_file_is_right(world: World) -> None:
    world().folder({"copy": DATA}).expect_file("copy", DATA)


def test_a_block_may_begin_before_the_file() -> None:
    wrong = DATA[:1000] + b"?" + DATA[1001:]
    assert fault_of_file(DATA, wrong) is None
    assert fault_of_file(DATA, wrong, before=24) == "block-border"


def test_what_lies_there_too_much_is_told(world: World) -> None:
    folder = world().folder({"copy": DATA, ".copy.Xy12": b"half"})
    with pytest.raises(Mismatch, match=r"\.copy\.Xy12") as caught:
        folder.expect_names("copy")
    assert caught.value.cause == "cut-file-kept"


def test_patience_only_grows(world: World) -> None:
    lab = world()
    before = lab.stall
    lab.be_patient(before + 4)
    lab.be_patient(before)
    assert lab.stall == before + 4
