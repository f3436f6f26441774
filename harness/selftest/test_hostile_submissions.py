"""Folders that attack whoever takes them in: links, pipes, sizes, numbers, names."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labkit import intake, sandbox, trees
from labkit.build import Build, build
from labkit.feedback import Mismatch
from small_suite import PROGRAM, SmallSuite, snapshot

LAB = "01-tcp-echo"
NAMES = [b"-rf", b"--help", b"$(id >owned)", b"`id >owned`", b"a;id>owned", b"a\nb.c",
         b"\xff\xfe.c", b"x" * 255, b"...", b"%s%n", b"a'b\"c", b"\x1b[31m.c",
         "\u202egnp.c".encode(), b"*", b"~"]
"""Names that a file can have: nothing but '/' and NUL is forbidden."""

pytestmark = pytest.mark.usefixtures("two_programs")


@pytest.fixture
def work() -> Iterator[Path]:
    with sandbox.workspace() as folder:
        yield folder
    assert not folder.exists()


def taken(source: Path, work: Path) -> Build:
    """What is built of SOURCE, in little time; it is as it was."""
    before, begun = snapshot(source), time.monotonic()
    built = build(LAB, source, work, reference=False)
    assert time.monotonic() - begun < 20 and snapshot(source) == before
    return built


def left_out(source: Path, work: Path, name: str) -> str:
    """Why file NAME of SOURCE is not taken in; the client is built all the same."""
    built = taken(source, work)
    assert "client" in built.programs and not (built.folder / name).exists()
    [line] = [line for line in built.log.splitlines() if line.startswith(f"left out: {name}: ")]
    return line.split(": ", 2)[2]


def refusal(source: Path, work: Path) -> str:
    """Why nothing of SOURCE is built, as feedback tells it."""
    built = taken(source, work)
    with pytest.raises(Mismatch) as caught:
        built.program("server")
    assert built.programs == {} and "compile" not in caught.value.text()
    return caught.value.seen


# -- What is no file ---------------------------------------------------------------


def test_a_fifo(source: Path, work: Path) -> None:
    os.mkfifo(source / "extra.c")
    assert left_out(source, work, "extra.c") == "not a file"


def test_a_socket(source: Path, work: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.relpath(source / "extra.c"))  # a socket's path must be short
        assert left_out(source, work, "extra.c") == "not a file"


# An ordinary user can hand in no device, as mknod(2) refuses it: there is nothing to test.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device(source: Path, work: Path) -> None:
    os.mknod(source / "extra.c", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
    assert left_out(source, work, "extra.c") == "not a file"


@pytest.mark.parametrize("target", [
    "/etc/shadow", "/dev/zero", "/proc/self/environ", "../secret.c", "client.c", "extra.c",
    "/nowhere"])
def test_a_symbolic_link(source: Path, work: Path, target: str) -> None:
    (source.parent / "secret.c").write_text("secret")
    (source / "extra.c").symlink_to(target)
    assert left_out(source, work, "extra.c") == "symbolic link"


def test_a_link_to_a_folder(source: Path, work: Path) -> None:
    (source / "all").symlink_to("/")
    assert left_out(source, work, "all") == "symbolic link"


# The kernel refuses an ordinary user a link to a file of others that he cannot write to
# (proc(5), protected_hardlinks), and chown(2) to make such a file.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of others to link to")
def test_a_hard_link_to_somebody_elses_file(source: Path, work: Path) -> None:
    secret = source.parent / "secret"
    secret.write_text("secret")
    os.chown(source, 1, 1)
    os.link(secret, source / "extra.c")
    assert left_out(source, work, "extra.c") == "hard link to somebody else's file"


def test_a_hard_link_to_a_file_of_its_own(source: Path, work: Path) -> None:
    os.link(source / "client.c", source / "extra.c")
    assert (taken(source, work).folder / "extra.c").read_text() == PROGRAM


# -- Too much -------------------------------------------------------------------------


def test_a_sparse_file_of_5_gib(source: Path, work: Path) -> None:
    with open(source / "big.bin", "wb") as file:
        file.truncate(5 << 30)
    assert left_out(source, work, "big.bin") == "larger than 16 MiB"


def test_a_sparse_source_of_5_gib(source: Path, work: Path) -> None:
    """The file is named, and no compiler, as none has run."""
    with open(source / "server.c", "wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(Mismatch, match="left out: server.c: larger than 16 MiB") as caught:
        taken(source, work).program("server")
    assert caught.value.cause == "program-missing"


def test_many_large_files(source: Path, work: Path) -> None:
    for number in range(9):
        with open(source / f"{number}.bin", "wb") as file:
            file.truncate(8 << 20)
    assert "larger than 64 MiB" in refusal(source, work)


def test_one_hundred_thousand_files(source: Path, work: Path) -> None:
    many = source / "many"
    many.mkdir()
    for number in range(100_000):
        os.link(source / ("client.c" if number % 2 else "server.c"), many / f"{number}.c")
    assert "more than 2000 files" in refusal(source, work)
    trees.remove_tree(many)


def test_many_empty_folders(source: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "FILE_COUNT", 100)
    for number in range(101):
        (source / f"{number}").mkdir()
    assert "more than 100 files and folders" in refusal(source, work)


def test_folders_5000_deep(source: Path, work: Path) -> None:
    """Deeper than a path can tell, and than functions can call themselves."""
    built = Path.cwd()
    try:
        os.chdir(source)
        for _ in range(5000):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(built)
    begun = build(LAB, source, work, reference=False)
    assert "more than 8 deep" in begun.log
    trees.remove_tree(source)
    assert not source.exists()


# -- Names ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_only_a_name(source: Path, work: Path, name: bytes) -> None:
    (source / os.fsdecode(name)).write_bytes(b"odd")
    built = taken(source, work)
    assert built.ok and (built.folder / os.fsdecode(name)).read_bytes() == b"odd"
    assert not (built.folder / "owned").exists()
    json.dumps(built.to_json()).encode("utf-8")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_is_left_out_can_be_told(source: Path, work: Path, name: bytes) -> None:
    (source / os.fsdecode(name)).symlink_to("x")
    log = taken(source, work).log
    assert "left out: " in log and "symbolic link" in log
    assert all(c.isprintable() or c in "\n\t" for c in log)
    log.encode("utf-8")


def test_a_folder_with_an_odd_name_is_graded_and_told(small_suite: SmallSuite) -> None:
    """As SUBMISSION itself, also where its name is no UTF-8 and has a line feed in it."""
    small_suite.tests('''
@graded(step=1, points=1, programs=["server"])
def test_one(program_path):
    assert program_path("server").is_file()

@graded(step=1, points=1, programs=["client"])
def test_two(program_path):
    program_path("client")
''')
    folder = small_suite.top / os.fsdecode(b"--help $(id >owned)\n\xff\x1b[31m")
    folder.mkdir()
    (folder / "server.c").write_text(PROGRAM)
    grade = small_suite.grade("01", "-s", str(folder))
    assert grade.status == 1, grade.stderr
    assert [test["status"] for test in grade.results["tests"]] == ["passed", "failed"]
    assert "\x1b" not in grade.stdout and not (small_suite.top / "owned").exists()
    ElementTree.parse(small_suite.out / "junit.xml")
