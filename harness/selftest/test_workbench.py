"""The workbench of these tests names, and marks, graded tests as pytest and grading do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from small_suite import SmallSuite
from workbench import LABS_THERE, Workbench, graded_tests

import workbench
from labkit import grading
from labkit.feedback import HarnessError
from labkit.grading import judged
from labkit.paths import HARNESS

STACKED = '''
import signal

SERVERS = {"server": 5, "server_fork": 20}
ARGUMENTS = [["-x"], []]

@graded(step=3, points=1, programs=("client",))
def test_plain():
    """Plain."""

@pytest.mark.parametrize("program", SERVERS)
@graded(step=SERVERS, points={"server": 3, "server_fork": 1})
def test_one_rule(program):
    """One rule."""

@pytest.mark.parametrize("program", ["server", "server_fork"])
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=["an-option", "none"])
@graded(step=0, points=1, programs=("client",))
def test_stacked(program, arguments):
    """Stacked."""

@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("program, number", [("server", 1.5), ("server_fork", signal.SIGINT)])
@pytest.mark.parametrize("word", ["a b", "\\u00e9", None, True])
@graded(step={"server": 1, "server_fork": 2}, points=1)
def test_without_ids(program, arguments, number, word):
    """Without ids."""
'''


def collected(*arguments: object) -> list[str]:
    """The names that pytest finds."""
    done = subprocess.run(
        [str(HARNESS / "python"), "-m", "pytest", "--collect-only", "-q", *map(str, arguments)],
        cwd=HARNESS, capture_output=True, text=True, check=False)
    return [line.split("::", 1)[1] for line in done.stdout.splitlines() if "::" in line]


@pytest.mark.parametrize("lab", LABS_THERE)
def test_names_are_pytests_own(lab: str) -> None:
    files = grading.test_files(lab)
    assert list(graded_tests(lab)) == (collected(*files) if files else [])


def test_names_of_stacked_parameters_are_pytests_own(
    small_suite: SmallSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_suite.tests(STACKED)
    file = small_suite.harness / "tests" / "test_01_small.py"
    monkeypatch.setattr(workbench, "test_files", lambda lab: [file])
    tests = graded_tests("01-tcp-echo")
    assert list(tests) == collected("--rootdir", small_suite.harness, file)
    assert tests["test_one_rule[server_fork]"].step == 20
    assert tests["test_one_rule[server_fork]"].programs == ("server_fork",)
    assert tests["test_stacked[none-server]"].programs == ("server", "client")
    assert tests["test_stacked[none-server]"].values == {"program": "server", "arguments": []}


def test_grading_finds_the_same_steps_and_programs(
    small_suite: SmallSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_suite.tests(STACKED)
    grade = small_suite.grade("-j2")
    assert grade.status == 0, grade.stdout + grade.stderr
    file = small_suite.harness / "tests" / "test_01_small.py"
    monkeypatch.setattr(workbench, "test_files", lambda lab: [file])
    results = small_suite.results()["tests"]
    found = [(t["extra_data"]["step"], tuple(t["extra_data"]["programs"])) for t in results]
    there = sorted(graded_tests("01-tcp-echo").values(), key=lambda test: test.step)
    assert found == [(test.step, test.programs) for test in there]
    assert sorted(t["max_score"] for t in results if "One rule" in t["name"]) == [1, 3]


def test_one_rule_is_selected_by_a_programs_step(small_suite: SmallSuite) -> None:
    small_suite.tests(STACKED)
    small_suite.grade("-j1", "-k", "step_20")
    [result] = json.loads((small_suite.out / "results.json").read_text())["tests"]
    assert result["name"].endswith("One rule. [server_fork]")


@pytest.mark.parametrize("mark, values", [
    (dict(step=1, points=1, programs=()), {}),
    (dict(step={"server": 1}, points=1, programs=()), {"program": "client"}),
    (dict(step=1, points={"server": 1}, programs=()), {"program": "client"}),
    (dict(step={"server": 1}, points=1, programs=("server",)), {}),
], ids=["no-program", "no-step-for-it", "no-points-for-it", "steps-without-a-program"])
def test_a_mark_that_says_too_little_is_an_error(
    mark: dict[str, object], values: dict[str, object]
) -> None:
    with pytest.raises(HarnessError):
        judged(mark, values)


def test_two_tests_of_one_name_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / "test_01_a.py", tmp_path / "test_01_b.py"]
    for file in files:
        file.write_text("from labkit.grading import graded\n"
                        "@graded(step=1, points=1, programs=('server',))\n"
                        "def test_same(): pass\n")
    monkeypatch.setattr(workbench, "test_files", lambda lab: files)
    with pytest.raises(ValueError, match="another test_same"):
        graded_tests("01-tcp-echo")


# -- Programs and the modules they share ---------------------------------------

SMALL_LAB = {
    "share.h": "int number(void);\n",
    "share.c": '#include "share.h"\nint number(void) { return 7; }\n',
    "server.c": '#include "share.h"\nint main(void) { return number(); }\n',
    "client.c": '#include "share.h"\nint main(void) { return number() + 1; }\n',
    "turn_server.c": "int number(void) { return 9; }\nint main(void) { return number(); }\n",
}


@pytest.fixture
def small_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    lab, work = tmp_path / "02-p2p-chat", tmp_path / "work"
    for folder in (lab, work):
        folder.mkdir()
    for name, text in SMALL_LAB.items():
        (lab / name).write_text(text)
    monkeypatch.setattr(workbench, "LABS", tmp_path)
    return Workbench(work, lab.name)


def statuses(folder: Path) -> dict[str, int]:
    """What each program of FOLDER returns."""
    return {name: subprocess.run([folder / name], check=False).returncode
            for name in ("server", "client", "turn_server")}


def test_programs_are_linked_with_the_modules_they_need(small_bench: Workbench) -> None:
    assert small_bench.programs == ["client", "server", "turn_server"]
    assert statuses(small_bench.reference) == {"server": 7, "client": 8, "turn_server": 9}


def test_a_program_can_be_made_wrong(small_bench: Workbench) -> None:
    wrong = small_bench.variant("wrong", ["server"], "server.c",
                                SMALL_LAB["server.c"].replace("number()", "number() + 20"))
    assert statuses(wrong) == {"server": 27, "client": 8, "turn_server": 9}


@pytest.mark.parametrize("programs, then", [
    (["server"], {"server": 3, "client": 8, "turn_server": 9}),
    (["server", "client", "turn_server"], {"server": 3, "client": 4, "turn_server": 9}),
])
def test_a_module_can_be_made_wrong(
    small_bench: Workbench, programs: list[str], then: dict[str, int]
) -> None:
    source = SMALL_LAB["share.c"].replace("7", "3")
    assert statuses(small_bench.variant("wrong", programs, "share.c", source)) == then


def test_a_variant_that_warns_can_be_refused(small_bench: Workbench) -> None:
    source = "int main(void) { int unused; return 0; }\n"
    with pytest.raises(subprocess.CalledProcessError):
        small_bench.variant("wrong", ["server"], "server.c", source, "-Wall", "-Werror")
