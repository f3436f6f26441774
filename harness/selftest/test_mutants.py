"""The kill table: who kills a program, what is run again, what the document claims."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Callable, Iterator

import pytest
from known_wrong import KnownWrong
from workbench import LABS_THERE, Workbench, graded_tests

import workbench
from labkit import sandbox
from labkit.paths import LABS
from mutants import document
from mutants.rows import Row, wrong_rows
from mutants.running import run_rows
from mutants.store import Store
from mutants.told import Line, as_csv, table
from small_suite import HEAD

TESTS_OF = {lab: graded_tests(lab) for lab in LABS_THERE}
LAB = "01-tcp-echo"
TESTS = '''
from labkit.reasons import because

def exits_with(lab, arguments, status):
    lab.expect_exit(lab.start("server", *arguments), status)

@pytest.mark.parametrize("arguments", [["-x"], ["-p", "none"]], ids=["option", "port"])
@graded(step=1, points=1, programs=("server",))
def test_usage(lab, arguments):
    """Two variants of one rule."""
    exits_with(lab, arguments, 2)

@graded(step=1, points=1, programs=("server",))
def test_help(lab):
    """Another rule."""
    exits_with(lab, ["-h"], 2)

@because("it is said here")
@graded(step=1, points=1, programs=("server",))
def test_idle(lab):
    """Nobody fails it."""
'''


def wrong(name: str, condition: str) -> KnownWrong:
    """A server that exits with 3 where CONDITION holds of its arguments, with 2 otherwise."""
    code = ("#include <string.h>\n#include <stdlib.h>\nint main(int argc, char **argv)\n"
            f"{{\n    exit({condition} ? 3 : 2);\n    (void)argc;\n    (void)argv;\n}}\n")
    text = (LABS / LAB / "server.c").read_text()
    return KnownWrong(name, f"3 where {condition}", "server", ((text, code),),
                      "test_usage[option]", "exit-status")


ONE = wrong("one", 'strcmp(argv[1], "-x") == 0')
TWO = wrong("two", "argc == 2")
VARIANTS = wrong("variants", 'strcmp(argv[1], "-h") != 0')
NONE = wrong("none", "argc == 1")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Row]]:
    """Makes rows of wrong programs, with the tests that are in the file given then."""
    file = tmp_path / "test_01_small.py"
    file.write_text(HEAD + TESTS)
    monkeypatch.setattr(workbench, "test_files", lambda lab: [file])

    def make(*programs: KnownWrong) -> list[Row]:
        return wrong_rows(LAB, graded_tests(LAB), programs)

    return make


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., list[Line]]]:
    """Runs rows as harness/mutants does; what is known stays from call to call."""
    with sandbox.workspace() as work:
        bench = Workbench(work, LAB)

        def lines(rows: list[Row], only: bool = False) -> list[Line]:
            run_rows(rows, {LAB: bench}, Store(tmp_path / "pairs"), jobs=2, only=only)
            store = Store(tmp_path / "pairs")
            return [Line(row, store.found(row)) for row in rows]

        yield lines


def killers(lines: list[Line]) -> dict[str, list[str]]:
    return {line.row.name: list(line.killers) for line in lines}


def test_who_kills_a_program_is_found_out(
    rows: Callable[..., list[Row]], run: Callable[..., list[Line]]
) -> None:
    lines = run(rows(ONE, TWO, VARIANTS, NONE))
    assert killers(lines) == {
        "one": ["test_usage[option]"], "two": ["test_usage[option]", "test_help"],
        "variants": ["test_usage[option]", "test_usage[port]"], "none": []}
    assert [line.complaint for line in lines] == [
        None, None, None, "test_usage[option]: passes"]
    told = table(lines)
    assert "4 wrong programs, 16 pairs with a test: 5 killed" in told
    assert "1 program has one killer only" in told
    assert "\n  * exit-status        test_usage[option]\n" in told
    assert "* is the one that must" in told
    assert "! none: test_usage[option]: passes" in told
    assert all(len(line) <= 80 for line in told.splitlines())


def test_the_csv_has_a_cell_for_each_pair(
    rows: Callable[..., list[Row]], run: Callable[..., list[Line]]
) -> None:
    [head, one] = csv.reader(as_csv(run(rows(ONE))).splitlines())
    assert dict(zip(head, one)) == {
        "lab": LAB, "program": "one", "fault": ONE.fault, "cause": "exit-status",
        "test_usage[option]": "exit-status", "test_usage[port]": "passed",
        "test_help": "passed", "test_idle": "passed"}


def test_a_row_ends_where_another_rule_kills_it(
    rows: Callable[..., list[Row]], run: Callable[..., list[Line]]
) -> None:
    two, variants, one = run(rows(TWO, VARIANTS, ONE), only=True)
    assert len(one.found) == 4 and list(one.killers) == ["test_usage[option]"]
    assert list(two.killers) == ["test_help"]
    assert len(variants.found) == 4 and len(variants.killers) == 2


def test_no_second_program_is_run_for_a_test_that_alone_finds_one(
    rows: Callable[..., list[Row]], run: Callable[..., list[Line]]
) -> None:
    run(rows(ONE))
    one, again = run(rows(ONE, wrong("again", ONE.fault.removeprefix("3 where "))), only=True)
    assert list(one.killers) == ["test_usage[option]"] and again.found == {}


def test_only_what_has_changed_is_run_again(
    rows: Callable[..., list[Row]], run: Callable[..., list[Line]], tmp_path: Path
) -> None:
    def known() -> int:
        return len((tmp_path / "pairs").read_text().splitlines())

    run(rows(ONE))
    run(rows(ONE))
    assert known() == 4
    with (tmp_path / "pairs").open("a") as pairs:
        pairs.write('["of a run that was ended in the mid')
    file = tmp_path / "test_01_small.py"
    text = file.read_text()
    file.write_text(text.replace('"it is said here"', '"in other words"')
                    .replace("Another rule.", "Told anew.") + "# a comment\n")
    run(rows(ONE))
    assert known() == 5
    file.write_text(text.replace('["-h"], 2', '["-?"], 2'))
    run(rows(ONE))
    assert known() == 6


def test_a_claim_is_read_back_from_the_document(
    rows: Callable[..., list[Row]], run: Callable[..., list[Line]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What one test alone finds is claimed; programs that are gone are claimed no more."""
    monkeypatch.setattr(document, "PATH", tmp_path / "kill-table.md")
    monkeypatch.setattr(document, "of_every_lab", lambda: [(LAB, ONE), (LAB, TWO)])
    document.PATH.write_text("before\n<!-- kill table -->\n<!-- end kill table -->\nbehind\n")
    lines = run(rows(TWO, ONE), only=True)  # TWO: no more is known than that test_help kills it
    tests = {LAB: graded_tests(LAB)}
    document.write(tests, lines)
    text = document.PATH.read_text()
    assert document.claims_of(text) == {LAB: {"one": "test_usage[option]"}}
    assert document.drawn_anew(text, tests, document.claims_of(text)) == text
    assert document.unexplained(tests[LAB], document.claims_of(text)[LAB]) == [
        "test_usage[port]", "test_help"]
    assert "| `test_idle` | *it is said here* |" in text
    monkeypatch.setattr(document, "of_every_lab", lambda: [(LAB, TWO)])
    anew = document.drawn_anew(text, tests, document.claims_of(text))
    assert anew != text and document.claims_of(anew) == {LAB: {}}


@pytest.mark.parametrize("lab", document.claims_of(document.PATH.read_text("utf-8")))
def test_the_document_is_current(lab: str) -> None:
    """Otherwise: harness/mutants --only --document, which runs what is new."""
    text = document.PATH.read_text("utf-8")
    assert document.drawn_anew(text, {lab: TESTS_OF[lab]}, document.claims_of(text)) == text


@pytest.mark.parametrize("lab", document.claims_of(document.PATH.read_text("utf-8")))
def test_every_test_alone_finds_a_fault_or_says_why_it_is_there(lab: str) -> None:
    claims = document.claims_of(document.PATH.read_text("utf-8"))
    assert document.unexplained(TESTS_OF[lab], claims[lab]) == []
