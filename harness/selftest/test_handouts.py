"""The handouts: what they say of steps is so, and their commands are such as can be typed."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from workbench import LABS_THERE, graded_tests

from labkit.paths import LABS, REPO
from labkit.handout import told_of_steps
from labkit.starter.marks import steps

TRACES = {"/tmp/echo.pcapng": "echo-hello", "/tmp/chat.pcapng": "chat-shutdown"}
"""Which of the stored traces is the one that a handout has captured; others hold less than that."""
QUICK = {"01-tcp-echo": 31, "02-p2p-chat": 12, "03-udp": 14, "04-file-transfer": 3}
"""Of each lab a step whose check takes no time."""
each_lab = pytest.mark.parametrize("lab", LABS_THERE)


def commands(lab: str) -> list[str]:
    """The lines of LAB's handout that are for a shell, without their comments; each whole."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (LABS / lab / "README.md").read_text(), re.S | re.M)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+#.*", "", line) for line in lines]


@each_lab
def test_each_step_is_told_of_with_its_own_number_and_check(lab: str) -> None:
    told = told_of_steps(lab)
    assert sorted(told) == sorted(step.number for step in steps(lab))
    judged = {test.step for test in graded_tests(lab).values()}
    for number, step in told.items():
        assert step.title and step.text
        assert shlex.split(step.check) == ["harness/grade", lab[:2], "-k", f"step_{number}"]
        assert number in judged


@each_lab
def test_files_that_the_handout_names_hold_the_step(lab: str) -> None:
    """As in 'step 7 in [session.c](session.c), 8 in [paths.c](paths.c)'."""
    section = (LABS / lab / "README.md").read_text().split("\n## Steps\n")[1].split("\n## ")[0]
    section = " ".join(section.split())
    where = {step.number: step.file for step in steps(lab)}
    for numbers, file in re.findall(
            r"((?:\d+(?: to |, | and |; )?)+),? (?:is |are )?in \[(\w+\.c)\]", section):
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", numbers):
            for number in range(int(first), int(last or first) + 1):
                assert where[number] == file


@each_lab
def test_a_check_can_be_run_as_it_stands_there(lab: str, tmp_path: Path) -> None:
    """But for its OUT: out/grade may be another run's at the moment."""
    check = told_of_steps(lab)[QUICK[lab]].check
    done = subprocess.run(f"{check} -o {shlex.quote(str(tmp_path / 'out'))}", shell=True, cwd=REPO,
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    points = re.search(r"^Score: (\d+) of (\d+)$", done.stdout, re.M)
    assert points is not None and points[1] == points[2] != "0"


@each_lab
def test_what_the_handout_expects_of_a_trace_can_be_asked(lab: str) -> None:
    checks = [line for line in commands(lab) if "/labcap check " in line]
    assert checks
    for line in checks:
        labcap, _, trace, *expectations = shlex.split(line)
        stored = REPO / "docs" / "traces" / f"{TRACES.get(trace, 'udp-hello')}.pcapng"
        asked = subprocess.run([LABS / lab / labcap, "check", stored, *expectations],
                               text=True, capture_output=True)
        assert asked.returncode == (0 if trace in TRACES else 1), asked.stdout + asked.stderr


@each_lab
def test_the_handout_tells_how_to_begin(lab: str) -> None:
    assert f"make starter LAB={lab[:2]} DIR=FOLDER" in commands(lab)
