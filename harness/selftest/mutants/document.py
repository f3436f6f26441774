"""docs/kill-table.md: for each graded test the faults that it alone finds, or why it is there.

The document is written from results, which are not kept in the repository. What it claims is
read back from it: with the tests and programs of today it must come out the same.
"""

from __future__ import annotations

import re
from typing import Iterable, Mapping, Sequence

from known_wrong import KnownWrong, of_every_lab
from workbench import GradedTest

from labkit.paths import REPO
from mutants.digest import digest
from mutants.running import only_killer
from mutants.told import Line

PATH = REPO / "docs" / "kill-table.md"
Claims = dict[str, dict[str, str]]
"""By lab: known-wrong programs by name, each with the only test that finds it."""

_BEGIN, _END = "<!-- kill table -->\n", "<!-- end kill table -->\n"
_LAB = re.compile(r"^## (\d\d-[\w-]+)$", re.M)
_ROW = re.compile(r"^\| `(test_[^`]+)` \| (`.*) \|$", re.M)
_PROGRAM = re.compile(r"(?:^|; )`([\w.-]+)`: ")
Tests = Mapping[str, Mapping[str, GradedTest]]
"""By lab and name."""


def write(tests: Tests, lines: Iterable[Line]) -> None:
    """Writes the labs of TESTS anew, with what LINES tell of them; leaves the others."""
    text = PATH.read_text("utf-8")
    claims = claims_of(text)
    for lab in tests:
        claims[lab] = {}
    for line in lines:
        for test in only_killer(line.row, line.found):
            if line.row.wrong is not None:
                claims[line.row.lab][line.row.name] = test
    PATH.write_text(drawn_anew(text, tests, claims), "utf-8")


def claims_of(text: str) -> Claims:
    """What the document TEXT claims."""
    labs = _LAB.split(text)
    return {lab: {program: test for test, cell in _ROW.findall(part)
                  for program in _PROGRAM.findall(cell)}
            for lab, part in zip(labs[1::2], labs[2::2])}


def drawn_anew(text: str, tests: Tests, claims: Claims) -> str:
    """TEXT with its tables as they are with these TESTS and CLAIMS; other labs stay."""
    head, rest = text.split(_BEGIN)
    body, tail = rest.split(_END)
    parts = _LAB.split(body)
    old = {lab: part.rstrip("\n") + "\n" for lab, part in zip(parts[1::2], parts[2::2])}
    drawn = {**old, **{lab: _table(lab, tests[lab], claims.get(lab, {})) for lab in tests}}
    return (head + _BEGIN + "".join(f"\n## {lab}{drawn[lab]}" for lab in sorted(drawn))
            + _END + tail)


def unexplained(tests: Mapping[str, GradedTest], claims: Mapping[str, str]) -> list[str]:
    """Those of TESTS that alone find nothing and do not say why they are there."""
    alone = set(claims.values())
    return [name for name, test in tests.items() if name not in alone and test.reason is None]


def _table(lab: str, tests: Mapping[str, GradedTest], claims: Mapping[str, str]) -> str:
    wrong = {program.name: program for of_lab, program in of_every_lab() if of_lab == lab}
    found: dict[str, list[KnownWrong]] = {}
    shared: dict[str, list[KnownWrong]] = {}
    for name in sorted(wrong):
        if name in claims:
            found.setdefault(claims[name], []).append(wrong[name])
        else:
            shared.setdefault(wrong[name].killed_by, []).append(wrong[name])
    alone = sum(name in found for name in tests)
    text = [f"\n\n{len(tests)} tests, {len(wrong)} known-wrong programs; {alone} tests alone find "
            f"some fault.\n<!-- made from: {_made_from(tests, wrong.values())} -->\n"]
    for programs in dict.fromkeys(test.programs for test in tests.values()):
        text += [f"\n### {' and '.join(programs)}\n\n", "| test | what it alone finds |\n",
                 "| --- | --- |\n"]
        own = [test for test in tests.values() if test.programs == programs]
        text += [f"| `{test.name}` | {_cell(test, found, shared)} |\n"
                 for test in own]
    return "".join(text)


def _cell(
    test: GradedTest, found: Mapping[str, Sequence[KnownWrong]],
    shared: Mapping[str, Sequence[KnownWrong]],
) -> str:
    """What TEST alone has FOUND; else its reason, and the faults it is about with others."""
    if test.name in found:
        return "; ".join(f"`{wrong.name}`: {wrong.fault} ({wrong.cause})"
                         for wrong in found[test.name])
    reason = f"*{test.reason or 'it does not say why it is there'}*"
    faults = dict.fromkeys(f"{wrong.fault} ({wrong.cause})" for wrong in shared.get(test.name, ()))
    return f"{reason}; with others: {'; '.join(faults)}" if faults else reason


def _made_from(tests: Iterable[str], programs: Iterable[KnownWrong]) -> str:
    """Of the tests' names and the programs' edits: with new ones the table is another."""
    return digest(*sorted(tests), *sorted(repr(tuple(wrong)) for wrong in programs))
