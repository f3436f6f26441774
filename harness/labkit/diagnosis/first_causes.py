"""Which fault is to be repaired first, and which failed tests are only its consequences.

A program that does not compile, never listens or crashes at once fails nearly every test, and
none of them judges what it is about. One of them tells the fault in full; the others say in a
line that they could judge nothing. That depends on the results alone, not on their order.
"""

from __future__ import annotations

import re
from typing import Callable, Mapping, NamedTuple, Optional, Sequence

from labkit.causes import NOT_THERE
from labkit.feedback import told
from labkit.grading import VISIBLE
from labkit.results import FAILED, Result

ALWAYS = {
    "not-built": "{} not compile",
    "program-missing": "{} not there",
    "not-taken": "nothing of the submission was taken",
    "not-written-yet": "step {step} is not written yet",
    "not-listening": "`{}` never listens",
    "not-bound": "`{}` never has a UDP socket at its port",
}
"""By cause: faults behind which nothing can be seen, in a test that asks for what is missing."""
_VERBS = {"not-built": ("does", "do"), "program-missing": ("is", "are")}
"""Of faults that several programs have in common, and that are told once."""
WHERE_MOST = {
    "busy-wait": "`{}` does not wait, it spins",
    "crash": "`{}` crashes",
    "ended-early": "`{}` gives up and ends",
    "no-answer": "`{}` does not answer",
    "no-packets": "`{}` sends nothing",
}
"""And such that are so where they strike half of a program's tests."""
FEWEST = 3
"""Tests that such a fault must strike."""


class Fault(NamedTuple):
    """A fault that several tests of one lab have found, or could not look behind."""

    words: str
    """What it is, as in '`server` never listens'; '' where the cause's own words tell."""
    best: Result
    """The test that tells it best."""
    others: tuple[Result, ...]

    @property
    def blocks(self) -> bool:
        """The other tests could judge nothing."""
        return bool(self.words)

    @property
    def place(self) -> str:
        """As in ' (step 4)'; '' where WORDS say which step, or it has nothing to do with any."""
        if step_in(self.words) or self.best.cause in NOT_THERE:
            return ""
        return f" (step {self.best.test.step})"


def settle(results: Sequence[Result]) -> None:
    """Makes of each of RESULTS that is a mere consequence one that is not judged."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        key = _key(result)
        if key:
            groups.setdefault((result.test.lab, key), []).append(result)
    for group in _with_gated(groups, results):
        if group[0].cause in ALWAYS or _are_most(group, results) or not all(
                result.judged for result in group):
            _mark(_words(group), group, results)


def _with_gated(
    groups: Mapping[tuple[str, str], list[Result]], results: Sequence[Result]
) -> list[list[Result]]:
    """GROUPS, where those of which nothing was judged follow a fault that their program has.

    Where it has none that blocks, what most of RESULTS found in it tells why.
    """
    whole = [[*group] for group in groups.values() if any(result.judged for result in group)]
    told = [(group, {(each.test.lab, _whose(each)) for each in group}) for group in whole]
    for group in groups.values():
        if not any(result.judged for result in group):
            place = (group[0].test.lab, _whose(group[0]))
            theirs = [other for other, places in told if place in places]
            if theirs:
                min(theirs, key=lambda other: _order(_best(other))).extend(group)
            else:
                found = _most([each for each in results if each.judged and not _key(each)
                               and (each.test.lab, _whose(each)) == place])
                whole.append([*group, _best(found)] if found else group)
    return whole


def _most(results: Sequence[Result]) -> list[Result]:
    """The failed ones of RESULTS with the cause that most have, of such the most basic; or none.

    Where the evidence does not decide, those have the same of which the same is known.
    """
    same: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        if result.status == FAILED:
            known = dict(result.parts).get("likely cause", "") if result.cause == "other" else ""
            cause = f"{result.cause} {re.sub('[0-9]+', '', known)}"
            same.setdefault((result.test.lab, _whose(result), cause), []).append(result)
    none: list[Result] = []
    return min(same.values(), default=none, key=lambda group: (
        group[0].cause in (None, "other"), -len(group), _order(_best(group))))


def _mark(words: str, group: Sequence[Result], results: Sequence[Result]) -> None:
    """One of GROUP tells the fault; the others have its cause, whatever their own look came to."""
    best = _best(group, results)
    for result in group:
        result.fault = words
        if result is not best:
            result.judged, result.cause = False, best.cause
            elsewhere = best.test.step != result.test.step and best.cause != "not-written-yet"
            place = f", see step {best.test.step}" if elsewhere else ""
            result.parts = [("not judged", f"{words}{place}")]
            result.output, result.packets = told(result.parts), ""


def faults_of(results: Sequence[Result]) -> list[Fault]:
    """The faults that block tests of RESULTS, which are settled and of one lab, first one first.

    Where none does: the fault that most tests have found, if more than FEWEST have.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        if result.fault:
            groups.setdefault(result.fault, []).append(result)
    faults = [_fault(words, group, results) for words, group in groups.items()]
    if faults:
        return _before(results, sorted(faults, key=_weight(faults)))
    undecided = [result for result in results if result.cause == "other"]
    decided = [result for result in results if result.cause not in (None, "other")]
    most = max(_most(decided), _most(undecided), key=len)
    return [_fault("", most, results)] if len(most) > FEWEST else []


def _weight(faults: Sequence[Fault]) -> Callable[[Fault], tuple[object, ...]]:
    """The order of FAULTS: what does not compile; then what most tests struck on.

    Steps that are not written, by their number, are as one.
    """
    unwritten = sum(1 + len(fault.others) for fault in faults if step_in(fault.words))

    def key(fault: Fault) -> tuple[object, ...]:
        step = int(step_in(fault.words) or 0)
        tests = unwritten if step else 1 + len(fault.others)
        return (not fault.best.judged, fault.best.cause != "not-built", -tests, step,
                _order(fault.best))

    return key


def _before(results: Sequence[Result], faults: list[Fault]) -> list[Fault]:
    """FAULTS; before a step that is not written comes what most failed by in an earlier one."""
    missing = int(step_in(faults[0].words) or 0)
    earlier = _most([result for result in results if result.judged and not result.fault
                     and 0 < result.test.step < missing])
    return [_fault("", earlier, results), *faults] if earlier else faults


def _fault(words: str, group: Sequence[Result], results: Sequence[Result]) -> Fault:
    best = _best(group, results)
    return Fault(words, best, tuple(result for result in group if result is not best))


def _best(group: Sequence[Result], results: Sequence[Result] = ()) -> Result:
    """Of tests with the same fault the one that tells it: in full, to all, of one program, early.

    RESULTS: of all tests, where those count for less that use what only a later step is about.
    """
    begins = _beginning(group, results)
    return min(group, key=lambda result: (
        not result.judged, result.visibility != VISIBLE, len(result.test.programs) > 1,
        result.test.step < begins, _order(result)))


def _beginning(group: Sequence[Result], results: Sequence[Result]) -> int:
    """The first step of whose tests, of GROUP's program, half are in GROUP; 0 without one."""
    if group[0].cause in ALWAYS:
        return 0
    lab, program = group[0].test.lab, _whose(group[0])
    own = {result.test.name for result in group}
    for step in sorted({result.test.step for result in group} - {0}):
        tests = [result.test.name in own for result in results if result.test.step == step
                 and result.test.lab == lab and program in result.test.programs]
        if tests and 2 * sum(tests) >= len(tests):
            return step
    return 0


def _order(result: Result) -> tuple[bool, int, int, str]:
    """By steps; what is about the command line alone, step 0, comes last."""
    test = result.test
    return test.step == 0, test.step, len(test.programs), test.name


def _are_most(group: Sequence[Result], results: Sequence[Result]) -> bool:
    lab, program = group[0].test.lab, _whose(group[0])
    tests = sum(result.test.lab == lab and program in result.test.programs for result in results)
    return len(group) >= FEWEST and 2 * len(group) >= tests


def _key(result: Result) -> str:
    """The same for all results that may be consequences of one fault; '' for all else."""
    cause = result.cause or ""
    if result.status != FAILED or cause not in {**ALWAYS, **WHERE_MOST}:
        return ""
    if cause == "not-built":
        return f"{cause}: {dict(result.parts).get('seen')}"
    if cause in ("not-taken", "program-missing"):
        return cause
    if cause == "not-written-yet":
        return f"{cause}: {step_in(result.output)}"  # programs share their first steps
    return f"{cause}: {_whose(result)}"


def _words(group: Sequence[Result]) -> str:
    """What the fault is that GROUP have in common."""
    group = [result for result in group if result.judged and _key(result)] or [
        result for result in group if _key(result)]
    cause = group[0].cause or ""
    words = {**ALWAYS, **WHERE_MOST}[cause]
    if cause not in _VERBS:
        return words.format(_whose(group[0]), step=step_in(group[0].output))
    names = [f"`{name}`" for name in dict.fromkeys(map(_whose, sorted(group, key=_order)))]
    if len(names) > 2:
        names = [names[0], f"{len(names) - 1} other programs"]
    return words.format(f"{' and '.join(names)} {_VERBS[cause][len(names) > 1]}")


def step_in(text: str) -> str:
    """The number of the step that TEXT, a feedback, says is not written yet; '' without one."""
    found = re.search(r"not written yet: step (\d+)|[Ss]tep (\d+) is not written yet", text)
    return "" if found is None else found[1] or found[2]


def _whose(result: Result) -> str:
    """The program that RESULT's fault is in: the one that its feedback names first."""
    programs = result.test.programs
    found: Optional[re.Match[str]] = re.search(
        rf"(?:`(?:\./)?|builds )({'|'.join(map(re.escape, programs))})\b", result.output)
    return found[1] if found and len(programs) > 1 else programs[0]
