"""Starters: what `make starter` writes, and that each step, once written, is worth something."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest
from prefixes import WITNESSES, Prefixes
from workbench import LABS_THERE, Benches, graded_tests

from labkit.build import PROGRAMS
from labkit.paths import HARNESS, LABS, REPO
from labkit.handout import told_of_steps
from labkit.starter.marks import steps
from labkit.starter.sources import starter_files

each_lab = pytest.mark.parametrize("lab", LABS_THERE)


TESTS = {lab: graded_tests(lab) for lab in LABS_THERE}
EACH_STEP = [(lab, number) for lab in LABS_THERE for number in told_of_steps(lab)]


@pytest.fixture(scope="module")
def prefixes(benches: Benches) -> Callable[[str], Prefixes]:
    """Those of a lab."""
    return functools.lru_cache(maxsize=None)(lambda lab: Prefixes(benches(lab)))


@pytest.mark.parametrize("lab, number", [
    pytest.param(lab, number, id=f"{lab[:2]}-{number}",
                 marks=pytest.mark.xdist_group(f"prefixes of {lab}"))  # compiled once
    for lab, number in EACH_STEP
])
def test_each_step_is_worth_something(
    prefixes: Callable[[str], Prefixes], lab: str, number: int
) -> None:
    """Its witness fails before the step is written, and passes from then on."""
    made, witness = prefixes(lab), TESTS[lab][WITNESSES[lab][number]]
    assert made.bench.catches(witness, made.build(number - 1, witness.programs))
    made.bench.run(witness, made.build(number, witness.programs))


def starter(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([HARNESS / "starter", *map(str, words)], text=True, capture_output=True)


def build(folder: Path) -> "subprocess.CompletedProcess[str]":
    flags = "CFLAGS=-std=gnu11 -O2 -Wall -Wextra -Werror -pthread"
    return subprocess.run(["make", "-s", flags], cwd=folder, text=True, capture_output=True)


@each_lab
def test_starter_builds_without_a_warning(tmp_path: Path, lab: str) -> None:
    assert starter(lab, tmp_path / "new").returncode == 0
    built = build(tmp_path / "new")
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    assert all((tmp_path / "new" / name).exists() for name in PROGRAMS[lab])


@each_lab
def test_starter_holds_nothing_of_what_is_to_be_written(lab: str) -> None:
    """Of a step's code no line, but those that stand elsewhere in the lab too, and few in stubs."""
    written = "".join(starter_files(lab).values())
    files = starter_files(lab, [step.number for step in steps(lab)])
    for step in steps(lab):
        others = "".join({**files, step.file: files[step.file].replace(step.code, "")}.values())
        lines = [line.strip() for line in step.code.splitlines()]
        own = [line for line in lines if len(line) > 14 and line not in others]
        told = [line for line in own if line in written]
        assert [line for line in told if line not in step.stub] == []
        assert len(told) <= len(lines) / 5, f"the stub of step {step.number} tells {told}"


@each_lab
def test_starter_with_all_steps_written_is_the_lab(lab: str) -> None:
    files = starter_files(lab, [step.number for step in steps(lab)])
    marks = re.compile(r" *(/\* STEP .*?\*/|/\* END STEP .*?\*/)\n", re.S)
    for path in (LABS / lab).glob("*.[ch]"):
        assert files[path.name] == marks.sub("", path.read_text())


@each_lab
def test_starter_tells_of_each_step_in_the_handouts_words(lab: str) -> None:
    files = starter_files(lab)
    for step in steps(lab):
        told = told_of_steps(lab)[step.number]
        text = re.search(rf"/\* STEP {step.number}: (.*?) \*/", files[step.file], re.S)
        assert text is not None
        words = " ".join(text[1].replace("\n", " ").replace(" * ", " ").split())
        assert words.startswith(f"{told.title}. {told.text} ")
        assert f"| {step.number} | {told.title} | `{step.file}` |" in files["README.md"]


def test_starter_fits_80_columns_where_it_is_code() -> None:
    for lab in LABS_THERE:
        for name, text in starter_files(lab).items():
            if name.endswith((".c", ".h")):
                assert [line for line in text.splitlines() if len(line) > 80] == []


def test_program_says_once_which_step_is_missing(tmp_path: Path) -> None:
    assert starter("03", tmp_path / "new").returncode == 0
    assert build(tmp_path / "new").returncode == 0
    for name, step in (("server", "1: bind it"), ("client", "4: take a line")):
        ended = subprocess.run([tmp_path / "new" / name], input="x\ny\n", text=True,
                               capture_output=True)
        assert ended.stderr == f"{name}: not written yet: step {step}\n"
        assert (ended.returncode, ended.stdout) == (3, "")


def test_first_steps_may_be_written_already(tmp_path: Path) -> None:
    assert starter("03", tmp_path / "new", "-n", 3).returncode == 0
    assert "STEP 2" not in (tmp_path / "new" / "server.c").read_text()
    assert "STEP 5: Connect." in (tmp_path / "new" / "client.c").read_text()


def test_starter_is_written_into_a_new_or_empty_folder_only(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert starter("01", tmp_path / "empty").returncode == 0
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "empty").iterdir())
    file = tmp_path / "file"
    file.write_text("mine")
    for folder, why in ((tmp_path / "empty", "something in it"), (file, "no folder"),
                        (tmp_path / "no" / "such", "not there")):
        refused = starter("01", folder)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert re.fullmatch(rf"starter: .*{why}.*\n", refused.stderr)
    after = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "empty").iterdir())
    assert (before, file.read_text()) == (after, "mine")


@pytest.mark.parametrize("words", [("05", "x"), ("01", "x", "-n", "some"), ("01", "x", "-n", "31"),
                                   ("03", "x", "-n", "999")])
def test_wrong_arguments_are_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    refused = subprocess.run([HARNESS / "starter", *words], text=True, capture_output=True,
                             cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.fullmatch(r"starter: .*\n", refused.stderr)
    assert list(tmp_path.iterdir()) == []


def test_starter_is_never_written_among_the_labs(tmp_path: Path) -> None:
    """There a folder with a Makefile counts as a lab, also for who comes through a link."""
    (tmp_path / "link").symlink_to(LABS)
    for folder in (LABS / "mine", LABS / "01-tcp-echo" / "mine", tmp_path / "link" / "mine"):
        refused = starter("01", folder)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert re.fullmatch(r"starter: .*/mine: lies in labs/.*\n", refused.stderr)
        assert not folder.exists()


def make_starter(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", "-s", "starter", *words], cwd=REPO, text=True,
                          capture_output=True,
                          env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})


@pytest.mark.parametrize(
    "words", [(), ("LAB=01",), ("DIR=x",), ("LAB=", "DIR=x"), ("LAB=01", "DIR=")])
def test_make_starter_says_what_it_is_to_be_told(words: tuple[str, ...]) -> None:
    refused = make_starter(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.match(r"starter: .* As in: make starter LAB=01 DIR=FOLDER\nmake: ", refused.stderr)


def test_make_starter_takes_the_folder_as_it_is_typed(tmp_path: Path) -> None:
    folder = tmp_path / "a $(touch x) 'b'"
    made = make_starter("LAB=02", f"DIR={folder}")
    assert made.returncode == 0, made.stderr
    assert (folder / "turn_server.c").exists() and not (REPO / "x").exists()
