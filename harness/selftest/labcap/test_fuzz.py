"""labcap's fuzz targets, without a fuzzer: their seeds, and what was found with them before.

Once under AddressSanitizer and UndefinedBehaviorSanitizer, once under valgrind, which alone sees
a decision that rests on memory nobody has set.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Sequence

import fuzz_seeds
import pytest
from calls import SANITIZED_DEADLINE
from conftest import LABCAP_DIR, build
from fuzz_seeds import TARGETS

FINDS = LABCAP_DIR / "fuzz" / "finds"
MEMCHECK = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
            "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect"]  # fmt: skip


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with each target's seeds."""
    folder = tmp_path_factory.mktemp("seeds")
    fuzz_seeds.write_seeds(folder)
    return folder


def give(command: Sequence[str | Path], target: str, inputs: Sequence[Path]) -> None:
    """Let a target have the inputs: it must take them all, without a word of a sanitizer."""
    done = subprocess.run(
        [*command, target, *inputs], capture_output=True, text=True, errors="replace",
        timeout=SANITIZED_DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == f"{len(inputs)} files given to {target}\n"


def test_every_target_has_seeds(seeds: Path) -> None:
    sources = LABCAP_DIR.glob("fuzz/fuzz_*.c")
    assert {path.stem[len("fuzz_"):] for path in sources} == set(TARGETS)
    assert {path.name for path in seeds.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_finds_do_no_harm(seeds: Path, target: str) -> None:
    inputs = [*sorted((seeds / target).iterdir()), *sorted((FINDS / target).glob("*"))]
    give([build("labcap-replay-sanitized", "replay")], target, inputs)


@pytest.mark.parametrize("target", TARGETS)
def test_memcheck_has_nothing_to_say(seeds: Path, target: str) -> None:
    """Every second seed (there are several of a kind), all finds, all traces of the documents."""
    inputs = [*sorted((seeds / target).iterdir())[::2], *sorted((FINDS / target).glob("*"))]
    if target in ("file", "calls"):
        inputs += sorted(fuzz_seeds.DOCS.glob("*.pcapng" if target == "file" else "*.calls"))
    give([*MEMCHECK, build("labcap-replay", "replay")], target, inputs)


@pytest.mark.parametrize("arguments", ["", "tcp", "other x"])
def test_replay_says_how_it_is_called(arguments: str) -> None:
    binary = build("labcap-replay", "replay")
    done = subprocess.run([binary, *arguments.split()], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"usage: .*\ntargets:( \w+){5}\n", done.stderr)


ENDINGS = {
    "in time": ("exit 0", 0, "", ""),
    "find": ("echo 'Test unit written to finds/crash-1'; exit 77", 1, "an input does harm",
             "ended"),
    "interrupted": ("echo 'libFuzzer: run interrupted; exiting'; exit 72", 1,
                    "it ended before its time (status 72", "harm"),
    "killed": ("kill -9 $$", 1, "it ended before its time (status 137", "harm"),
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_run_says_harm_of_a_find_alone(tmp_path: Path, ending: str) -> None:
    """With the fuzzer, and all that makes it, replaced by a few words."""
    fuzzer, status, said, unsaid = ENDINGS[ending]
    labcap, seeds = tmp_path / "harness/labcap", tmp_path / "harness/selftest/labcap/fuzz_seeds.py"
    (labcap / "fuzz").mkdir(parents=True)
    seeds.parent.mkdir(parents=True)
    seeds.touch()
    shutil.copy(LABCAP_DIR / "fuzz/run", labcap / "fuzz/run")
    shutil.copy(LABCAP_DIR.parent / "python", tmp_path / "harness/python")
    (labcap / "fuzz/fuzz_tcp.c").touch()
    (labcap / "Makefile").write_text("fuzz-tcp: ;\n")
    (labcap / "fuzz-tcp").write_text(f"#!/bin/sh\n{fuzzer}\n")
    (labcap / "fuzz-tcp").chmod(0o755)
    done = subprocess.run([labcap / "fuzz/run", "tcp"], capture_output=True, text=True, check=False,
                          env={**os.environ, "CLANG": "true"})
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert not unsaid or unsaid not in done.stderr
