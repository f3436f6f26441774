"""Submissions whose Makefile or source attacks whoever builds them: real attacks, no harm done."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import build as building
from labkit import sandbox, trees
from labkit.build import Build, build
from labkit.feedback import Mismatch
from labkit.paths import LABS, REPO
from small_suite import snapshot

LAB = "01-tcp-echo"
MARK = f"LABKIT_SELFTEST={os.getpid()}"
"""In the environment of all that a build starts."""


@pytest.fixture(autouse=True)
def marked(two_programs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a build of the two programs starts can be told from all else."""
    monkeypatch.setitem(sandbox.ENVIRONMENT, *MARK.split("="))


@pytest.fixture
def work() -> Iterator[Path]:
    """A workspace, in which and beside which nothing is changed but the folder of the build."""
    with sandbox.workspace() as folder:
        before = snapshot(folder)
        yield folder
        trees.remove_tree(folder / LAB)
        after = snapshot(folder)
        assert after == before
        assert processes_left() == []
    assert not folder.exists()


def processes_left() -> list[str]:
    """Those that a build has started: this process's environment has not the mark."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and MARK.encode() in Path(f"/proc/{name}/environ").read_bytes():
                found.append(name)
        except OSError:
            continue
    return found


def make(source: Path, work: Path, *commands: str) -> Build:
    """Builds SOURCE, whose Makefile makes `client` first and then does COMMANDS."""
    lines = "".join(f"\t{command}\n" for command in commands)
    (source / "Makefile").write_text(f"all: client attack\nclient: client.c\n\tcc -o client $<\n"
                                     f".PHONY: attack\nattack:\n{lines}")
    built = build(LAB, source, work, reference=False)
    assert processes_left() == []
    return built


def complaint(built: Build) -> str:
    """Why there is no server; the client is there."""
    assert "client" in built.programs and not built.ok
    with pytest.raises(Mismatch) as caught:
        built.program("server")
    assert caught.value.cause == "not-built"
    return caught.value.seen


# -- Makefiles ---------------------------------------------------------------------


FORKER = "#include <unistd.h>\nint main(void) { for (;;) fork(); }\n"


def test_a_fork_bomb(source: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sandbox.BUILD_LIMITS, "nproc", 200)
    monkeypatch.setattr(building, "DEADLINE", 3.0)
    (source / "bomb.c").write_text(FORKER)
    assert "make took more than 3 s" in complaint(make(source, work, "cc -o bomb bomb.c; ./bomb"))


def test_a_crowd_that_works(source: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sandbox.BUILD_LIMITS, "nproc", 200)
    monkeypatch.setitem(sandbox.BUILD_LIMITS, "work", 1)
    (source / "bomb.c").write_text(FORKER)
    seen = complaint(make(source, work, "cc -o bomb bomb.c; ./bomb"))
    assert "used too much: processor time" in seen


def test_memory_of_many(source: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sandbox.BUILD_LIMITS, "memory", 128 << 20)
    (source / "hog.c").write_text(
        "#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\nint main(void)\n{\n"
        "for (int i = 0; i < 50; i++) if (fork() == 0) { memset(malloc(16 << 20), 1, 16 << 20);"
        " pause(); }\npause();\n}\n")
    assert "used too much: memory" in complaint(make(source, work, "cc -o hog hog.c; ./hog"))


def test_endless_output(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "OUTPUT_BYTES", 1 << 20)
    built = make(source, work, "@yes spam")
    assert "make printed more than 1 MiB" in complaint(built)
    assert len(built.log) < building.LOG_BYTES + 100


@pytest.mark.parametrize("command", [
    "kill -9 -1", "kill -9 1; kill -9 0", "kill -9 $$PPID", "killall5 -9; kill -KILL -1"])
def test_killing_everybody(source: Path, work: Path, command: str) -> None:
    complaint(make(source, work, f"-{command}", "false"))


@pytest.mark.parametrize("command", [
    "nohup sleep 1000 >/dev/null 2>&1 &",
    "setsid sh -c 'trap \"\" TERM HUP INT; sleep 1000 & sleep 1000' >/dev/null 2>&1 &",
    "(sleep 1000 &) &",
])
def test_a_process_that_outlives_make_does_not(source: Path, work: Path, command: str) -> None:
    """Also where it holds make's output open: nobody waits for it."""
    begun = time.monotonic()
    built = make(source, work, command, "cc -o server server.c")
    assert built.ok and time.monotonic() - begun < 20


@pytest.mark.parametrize("place", [
    "../x", "/x", "/usr/x", "/etc/x", "/run/labinit", "/dev/x", "/proc/1/comm",
    "/proc/sys/kernel/hostname", "/proc/self/../1/oom_score_adj", str(REPO / "x"), "/var/tmp/x",
])
def test_nothing_outside_can_be_written(source: Path, work: Path, place: str) -> None:
    built = make(source, work, f"-@echo spam >{place}", "-@rm -rf /run /usr/bin/env ..", "false")
    complaint(built)
    assert "Read-only" in built.log or "Permission denied" in built.log
    assert not (REPO / "x").exists()


def test_the_graders_files_are_out_of_reach(source: Path, work: Path) -> None:
    built = make(source, work, f"-@ls {REPO} {LABS} {work} /tmp/labkit* /root /home /etc/shadow",
                 "-@cat /proc/1/environ /proc/1/cmdline /proc/1/maps", "-@ls -a / /etc /run",
                 "false")
    complaint(built)
    assert built.log.count("No such file") >= 6 and "labkit-" not in built.log
    assert sorted(line for line in built.log.splitlines() if line in ("alternatives", "passwd")) \
        == ["alternatives"]


def test_a_build_is_nobody_outside(source: Path, work: Path) -> None:
    built = make(source, work, "@id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; "
                 "cc -o server server.c; chmod 6755 server")
    owner = sandbox.GUEST_ID if sandbox.guests_switch() else os.geteuid()
    assert built.program("server").stat().st_uid == owner
    lines = built.log.splitlines()
    assert "CapEff:\t0000000000000000" in lines and "NoNewPrivs:\t1" in lines and "1000" in lines


@pytest.mark.parametrize("command", [
    "i=0; while [ $$i -lt 3000 ]; do mkdir d; cd d; i=$$((i + 1)); done",
    "i=0; while [ $$i -lt 3000 ]; do mkdir d; cd d; i=$$((i + 1)); done; chmod 0 .; sleep 1000",
    "seq -f 'f%g' 3000 | xargs touch; sleep 1000", "seq -f 'd%g' 3000 | xargs mkdir; sleep 1000",
], ids=["deep", "deep-and-stays", "files", "folders"])
def test_too_many_files_or_folders(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The fixture sees that they can be removed."""
    monkeypatch.setattr(building, "FOLDER_FILES", 2000)
    built = make(source, work, command, "false")
    complaint(built)
    if "sleep" in command:
        assert "make filled its folder" in built.log


def test_names_that_nobody_expects(source: Path, work: Path) -> None:
    built = make(source, work, "touch -- -rf '$$(id)' \"$$(printf 'a\\nb')\"",
                 "touch \"$$(printf '\\377')\"", "cc -o server server.c")
    assert built.ok


@pytest.mark.parametrize("command", [
    "mkfifo server", "ln -s /etc/passwd server", "ln -s ../labinit server", "mkdir server",
    "ln client.c server", "truncate -s 200M server; chmod 755 server",
    "ln -s /run/labinit server"])
def test_what_is_no_program_is_not_taken_for_one(source: Path, work: Path, command: str) -> None:
    complaint(make(source, work, command))


def test_a_file_has_a_largest_size(source: Path, work: Path) -> None:
    built = make(source, work, "truncate -s 5G big", "false")
    complaint(built)
    assert not (built.folder / "big").exists() or (built.folder / "big").stat().st_size == 0


def test_a_makefile_cannot_blame_the_grader(source: Path, work: Path) -> None:
    """It says what bwrap would, and fails as it can, also with 'make -q'."""
    (source / "Makefile").write_text(
        "$(info bwrap: no namespaces)\nMAKEFLAGS += -q\nall:\n\tfalse\n")
    built = build(LAB, source, work, reference=False)
    assert not built.ok and built.programs == {}


# -- Sources -----------------------------------------------------------------------


BOMBS = {
    "endless-include": '#include "/dev/zero"\n',
    "include-of-stdin": '#include "/dev/stdin"\n',
    "include-of-a-terminal": '#include "/dev/tty"\n',
    "includes-itself": '#include "server.c"\n#include "server.c"\n',
    "huge-array": "char a[1L << 33] = {1};\nint main(void) { return a[0]; }\n",
    "huge-table": "int a[1 << 28] = {1};\nint main(void) { return a[0]; }\n",
    "macros": "".join(f"#define A{n} A{n - 1} A{n - 1} A{n - 1} A{n - 1}\n" for n in range(1, 30))
    + "#define A0 0,\nint a[] = {A29};\nint main(void) { return 0; }\n",
    "endless-assembler": 'asm(".rept 1000000000\\n.quad 1, 2, 3, 4, 5, 6\\n.endr");\n',
    "the-password-file": 'asm(".incbin \\"/etc/passwd\\"");\nint main(void) { return 0; }\n',
    "the-solution": f'#include "{LABS / LAB / "server.c"}"\n',
    "the-real-hosts": '#include "/etc/hosts"\nint main(void) { return 0; }\n',
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_source_that_attacks_costs_its_own_program_only(
    source: Path, work: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With less memory and time than in grading: other tests run on this machine, too."""
    monkeypatch.setitem(sandbox.BUILD_LIMITS, "as", 512 << 20)
    monkeypatch.setitem(sandbox.BUILD_LIMITS, "cpu", 2)
    (source / "server.c").write_text(BOMBS[name])
    built = build(LAB, source, work, reference=False)
    assert "server" not in built.programs and "client" in built.programs, built.log[:2000]
    with pytest.raises(Mismatch) as caught:
        built.program("server")
    assert caught.value.cause == "not-built"
    assert len(caught.value.text()) < 10_000
    assert "int main" not in caught.value.seen or name not in ("the-solution",)


def test_a_plugin_of_the_compiler_gains_nothing(source: Path, work: Path) -> None:
    """It runs in the same sandbox as the Makefile."""
    built = make(source, work, "cc -shared -fPIC -o evil.so client.c",
                 "cc -fplugin=./evil.so server.c")
    complaint(built)
