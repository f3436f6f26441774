"""How a submission is taken in and built: nothing in it is trusted, nothing in it changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import build as building
from labkit import compiler_words, intake, sandbox
from labkit.build import Build, build
from labkit.feedback import HarnessError, Mismatch
from labkit.trees import remove_tree
from small_suite import PROGRAM, snapshot

LAB = "01-tcp-echo"
BROKEN = "int main(void)\n{\n    return undeclared;\n}\n"

pytestmark = pytest.mark.usefixtures("two_programs")


@pytest.fixture
def work() -> Iterator[Path]:
    with sandbox.workspace() as folder:
        yield folder
        remove_tree(folder / LAB)


def mismatch(built: Build, program: str) -> Mismatch:
    with pytest.raises(Mismatch) as caught:
        built.program(program)
    return caught.value


def test_both_programs_are_built_with_the_labs_makefile(source: Path, work: Path) -> None:
    built = build(LAB, source, work, reference=False)
    assert built.ok and set(built.programs) == {"server", "client"}
    assert built.program("server") == work / LAB / "server"


def test_a_submission_is_not_changed(source: Path, work: Path) -> None:
    before = snapshot(source)
    build(LAB, source, work, reference=False)
    assert snapshot(source) == before


def test_a_program_that_does_not_compile_fails_alone(source: Path, work: Path) -> None:
    (source / "server.c").write_text(BROKEN)
    built = build(LAB, source, work, reference=False)
    assert not built.ok and built.program("client").is_file()
    error = mismatch(built, "server")
    assert error.cause == "not-built"
    assert "server.c:3:12: error: ‘undeclared’ undeclared" in error.seen
    assert len(error.seen.splitlines()) <= compiler_words.MOST_LINES


def test_a_programs_errors_are_told_without_the_next_commands_and_without_warnings(
    source: Path, work: Path
) -> None:
    (source / "Makefile").write_text(
        "all: client server\nserver: server.c lines.c\n\tcc -Wall -o server server.c lines.c\n"
        "client: client.c lines.c\n\tcc -Wall -o client client.c lines.c\n")
    (source / "lines.c").write_text(BROKEN)
    (source / "server.c").write_text(
        "static int unused(void)\n{\n    return 0;\n}\n"
        "int main(void)\n{\n    return first + second;\n}\n")
    built = build(LAB, source, work, reference=False)
    told = [line for line in mismatch(built, "server").seen.splitlines() if line[0] != " "]
    assert [line.split(" (")[0] for line in told] == [
        "server.c:7:12: error: ‘first’ undeclared",
        "server.c:7:12: note: each undeclared identifier is reported only once for each function "
        "it appears in",
        "server.c:7:20: error: ‘second’ undeclared"]
    told = [line for line in mismatch(built, "client").seen.splitlines() if line[0] != " "]
    assert [line.split(" (")[0] for line in told if "note" not in line] == [
        "lines.c:3:12: error: ‘undeclared’ undeclared"]


def test_a_make_that_was_stopped_is_not_called_a_compilers_error(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "OUTPUT_BYTES", 1 << 16)
    (source / "Makefile").write_text("all:\n\t@yes\n")
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert error.seen.startswith("not built: make printed more than")
    assert "compiler" not in error.text() and "took more than a build may" in error.text()


def test_a_module_that_does_not_compile_is_told_of_whoever_needs_it(
    source: Path, work: Path
) -> None:
    """In the words about the module: the linker's come later, and say less."""
    (source / "Makefile").write_text(
        "all: client server\n"
        "client: client.c\n\tcc -o client client.c\n"
        "server: server.c lines.o\n\tcc -o server server.c lines.o\n"
        "lines.o: lines.c\n\t-cc -c lines.c\n\tcc -c -o lines.o -x c /dev/null\n")
    (source / "lines.c").write_text(BROKEN)
    (source / "server.c").write_text("int take_line(void);\nint main(void)\n{\n"
                                     "    return take_line();\n}\n")
    built = build(LAB, source, work, reference=False)
    assert built.program("client").is_file()
    error = mismatch(built, "server")
    assert error.seen.startswith("lines.c:3:12: error: ‘undeclared’ undeclared")


def test_a_linkers_message_is_told_rather_than_that_make_failed(
    source: Path, work: Path
) -> None:
    (source / "server.c").write_text("int nowhere(void);\nint main(void)\n{\n"
                                     "    return nowhere();\n}\n")
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert error.cause == "not-built"
    assert "undefined reference to `nowhere'" in error.seen.splitlines()[0]
    assert not error.seen.startswith("make: ***")


def test_a_linkers_message_is_told_with_the_compilers_guess_and_ends_there(
    source: Path, work: Path
) -> None:
    """A misspelt name is told first where the compiler met it; of the next program nothing."""
    (source / "Makefile").write_text(
        "all: server client\n"
        "lines.o: lines.c\n\tcc -c lines.c\n"
        "server: server.c lines.o\n\tcc -o server server.c lines.o\n"
        "client: client.c lines.o\n\tcc -o client client.c lines.o\n")
    (source / "lines.c").write_text("int take_line(void)\n{\n    return reed(0);\n}\n")
    (source / "server.c").write_text("int take_line(void);\nint main(void)\n{\n"
                                     "    return take_line() + prinft(\"\");\n}\n")
    lines = mismatch(build(LAB, source, work, reference=False), "server").seen.splitlines()
    assert "server.c:4:26: warning: implicit declaration of function ‘prinft’" in lines[0]
    assert "lines.c:3:12: warning: implicit declaration of function ‘reed’" in lines[1]
    assert "undefined reference to `prinft'" in lines[2]
    assert "undefined reference to `reed'" in lines[4]
    assert lines[5:] == ["collect2: error: ld returned 1 exit status"]


@pytest.mark.parametrize("place", ["my-lab/server.c", "a/b/Server.C", "Server.c"])
def test_a_source_that_is_not_in_its_place_is_told_of(
    source: Path, work: Path, place: str
) -> None:
    (source / place).parent.mkdir(parents=True, exist_ok=True)
    (source / "server.c").rename(source / place)
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert error.cause == "program-missing"
    assert error.seen.splitlines() == ["there is no server.c, and make made no server",
                                       f"not in its place: server.c, which is here as {place}"]


def test_no_link_is_followed_to_a_source_that_is_not_there(
    source: Path, work: Path, tmp_path: Path
) -> None:
    """Neither one that was handed in, nor one that make has made."""
    (tmp_path / "elsewhere").mkdir()
    (source / "server.c").rename(tmp_path / "elsewhere" / "server.c")
    (source / "folder").symlink_to(tmp_path / "elsewhere")
    (source / "Server.c").symlink_to(tmp_path / "elsewhere" / "server.c")
    (source / "Makefile").write_text("all:\n\tcc -o client client.c\n\tln -s / root\n"
                                     "\tmkdir made; ln -s /bin/true made/server.c\n")
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert error.seen == "there is no server.c, and make made no server"


def test_a_program_without_source_is_missing(source: Path, work: Path) -> None:
    (source / "client.c").unlink()
    error = mismatch(build(LAB, source, work, reference=False), "client")
    assert error.cause == "program-missing" and "there is no client.c" in error.seen


def test_a_compilers_message_that_is_not_utf_8_can_be_shown(source: Path, work: Path) -> None:
    (source / "server.c").write_bytes(b"#error \xff\xfe \x1b[31m\n")
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert "#error" in error.seen and "\x1b" not in error.text()
    error.text().encode("utf-8")


def test_a_submissions_own_makefile_is_used(source: Path, work: Path) -> None:
    (source / "makefile").write_text("all:\n\tcc -o server client.c\n\tcc -o client client.c\n")
    (source / "server.c").write_text(BROKEN)
    assert build(LAB, source, work, reference=False).ok


def test_a_fault_in_a_folder_below_is_found_in_the_compilers_words(
    source: Path, work: Path
) -> None:
    (source / "src").mkdir()
    (source / "server.c").rename(source / "src" / "server.c")
    (source / "src" / "server.c").write_text(BROKEN)
    (source / "Makefile").write_text("all:\n\tcc -o client client.c\n\tcc -o server src/server.c\n")
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert error.cause == "not-built" and "src/server.c:3:12: error" in error.seen


def test_old_programs_and_objects_are_never_taken(source: Path, work: Path) -> None:
    shutil.copy("/bin/true", source / "server")
    shutil.copy("/bin/true", source / "other")
    (source / "client").write_text("#!/bin/sh\nexit 0\n")
    (source / "client").chmod(0o755)
    for name in ("server.c", "client.c"):
        (source / name).write_text(BROKEN)
        os.utime(source / name, (0, 0))  # make would hold the programs for newer
    built = build(LAB, source, work, reference=False)
    assert built.programs == {} and not (work / LAB / "other").exists()


def test_a_newer_file_of_its_name_does_not_keep_a_program_from_being_built(
    source: Path, work: Path
) -> None:
    (source / "client").write_text("#!/bin/sh\nexit 0\n")
    (source / "client").chmod(0o755)
    os.utime(source / "client.c", (0, 0))
    built = build(LAB, source, work, reference=False)
    assert built.ok and "client: is built from source" in built.log


def test_a_script_in_a_programs_place_is_no_program(source: Path, work: Path) -> None:
    (source / "Makefile").write_text(
        "all:\n\tcc -o client client.c\n\tprintf '#!/bin/sh\\n' >server; chmod 755 server\n")
    assert set(build(LAB, source, work, reference=False).programs) == {"client"}


def test_a_link_in_a_programs_place_is_no_program(source: Path, work: Path) -> None:
    (source / "Makefile").write_text(
        "all:\n\tcc -o client client.c\n\tln -s /bin/true server\n")
    assert set(build(LAB, source, work, reference=False).programs) == {"client"}


def test_links_pipes_and_hidden_folders_are_left_out(
    source: Path, work: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.c"
    secret.write_text(PROGRAM)
    (source / "server.c").unlink()
    (source / "server.c").symlink_to(secret)
    (source / "folder").symlink_to(tmp_path)
    os.mkfifo(source / "Makefile")
    (source / ".git").mkdir()
    (source / ".git" / "config").write_text("")
    built = build(LAB, source, work, reference=False)
    assert sorted(path.name for path in built.folder.iterdir()) == [
        "Makefile", "client", "client.c"]
    error = mismatch(built, "server")
    assert error.cause == "program-missing" and "server.c: symbolic link" in error.seen


@pytest.mark.parametrize("limit, words", [
    ("FILE_COUNT", "more than 1 files and folders"), ("TOTAL_BYTES", "larger than"),
    ("DEPTH", "1 deep")])
def test_a_submission_has_bounds(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    monkeypatch.setattr(intake, limit, 1)
    (source / "a" / "b" / "c").mkdir(parents=True)
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert error.cause == "not-taken" and words in error.seen


def test_a_file_that_is_much_of_too_much_is_named(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "TOTAL_BYTES", 9000)
    for name, size in (("a", 10), ("b", 8985), ("c", 10)):
        (source / name).write_bytes(bytes(size))
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert error.seen.endswith(", and b has 8985 bytes of that")


def test_an_unreadable_file_is_not_the_submissions_fault(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(HarnessError, match=r"client\.c: Permission denied"):
        build(LAB, source, work, reference=False)


def test_endless_output_of_make_is_cut(source: Path, work: Path) -> None:
    (source / "Makefile").write_text("all:\n\t@yes spam | head -c 50000000\n\tfalse\n")
    built = build(LAB, source, work, reference=False)
    assert not built.ok and len(built.log) <= building.LOG_BYTES


def test_a_make_that_does_not_end_is_ended(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "DEADLINE", 0.5)
    (source / "Makefile").write_text("all:\n\ttrap '' TERM HUP INT; sleep 1000 & sleep 1000\n")
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert "make took more than" in error.seen


def test_a_make_that_fills_the_disk_is_ended(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "FOLDER_BYTES", 1 << 20)
    (source / "Makefile").write_text("all:\n\thead -c 4M /dev/zero >big; sleep 1000\n")
    error = mismatch(build(LAB, source, work, reference=False), "server")
    assert "make filled its folder" in error.seen


def test_a_build_sees_no_network_and_no_home(source: Path, work: Path) -> None:
    (source / "Makefile").write_text(
        "all:\n\t@ls /root /home /srv 2>&1; tail -n +3 /proc/net/dev; echo end\n")
    log = build(LAB, source, work, reference=False).log
    assert log.count("No such file") == 3 and "eth" not in log and "end" in log


def test_a_build_that_locks_its_folders_is_removed(source: Path, work: Path) -> None:
    (source / "Makefile").write_text("all:\n\tmkdir -p a/b && touch a/b/c && chmod -R 0 a\n")
    build(LAB, source, work, reference=False)
    remove_tree(work / LAB)
    assert not (work / LAB).exists()


def test_a_build_that_locks_its_own_folder_costs_itself_only(source: Path, work: Path) -> None:
    (source / "Makefile").write_text("all:\n\tchmod 0 .\n")
    made = build(LAB, source, work, reference=False)
    with pytest.raises(Mismatch):
        made.program("server")
    remove_tree(work / LAB)
    assert not (work / LAB).exists()


def test_the_labs_themselves_are_not_built_twice(source: Path, work: Path) -> None:
    first = build(LAB, source, work, reference=False)
    for program in first.programs.values():
        shutil.copy2(program, source)
    shutil.copy2(first.folder / "Makefile", source)
    remove_tree(first.folder)
    again = build(LAB, source, work, reference=True)
    assert again.ok and "cc" not in again.log
