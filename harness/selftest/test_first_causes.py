"""Which fault stands at the top, and which failed tests are told in a line."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Sequence

from labkit.diagnosis.first_causes import faults_of, settle
from labkit.feedback import Mismatch, NotJudged
from labkit.grading import GradedTest
from labkit.results import FAILED, PASSED, Result
from labkit.table import table

LAB = "01-tcp-echo"


def graded_test(step: int, *programs: str, number: int = 0) -> GradedTest:
    name = f"test_{step}_{'_'.join(programs)}_{number}"
    return GradedTest(f"tests/test.py::{name}", name, LAB, step, 1, programs,
                      f"A test of step {step}, number {number}", f"01-{step:02}-{name}.pcapng")


def result(
    step: int, *programs: str, fault: Mismatch | NotJudged | None = None, number: int = 0
) -> Result:
    test = graded_test(step, *programs, number=number)
    if fault is None:
        return Result(test, PASSED, "")
    parts = fault.parts(test.handout)
    text = "\n".join(f"{label}: {part}" for label, part in parts)
    return Result(test, FAILED, text, fault.cause, not isinstance(fault, NotJudged), "", parts)


def never_listens(program: str) -> Mismatch:
    return Mismatch(f"`./{program} -p 4321` listens on 127.0.0.1 port 4321",
                    "no listening socket at all", "not-listening")


def crashed(program: str) -> Mismatch:
    return Mismatch(f"`./{program}` goes on", "it ended by SIGSEGV", "crash")


def unwritten(step: int) -> Mismatch:
    mismatch = never_listens("server")
    mismatch.cause = "not-written-yet"
    mismatch.likely = f"Step {step} is not written yet: bind the address."
    return mismatch


def outcome(results: Sequence[Result]) -> dict[str, tuple[bool, str]]:
    return {each.test.name: (each.judged, each.output) for each in results}


def test_one_test_tells_it_in_full_and_the_others_say_that_they_judge_nothing() -> None:
    results = [result(step, "server", fault=never_listens("server")) for step in (9, 4, 6, 4)]
    results += [result(0, "server"), result(5, "client", fault=Mismatch("a", "b", "fixed-length"))]
    settle(results)
    [fault] = faults_of(results)
    assert fault.blocks and fault.words == "`server` never listens" and len(fault.others) == 3
    assert fault.best is results[1] and fault.best.judged
    assert results[0].output == "not judged: `server` never listens, see step 4"
    assert results[3].output == "not judged: `server` never listens"
    assert [each.judged for each in results] == [False, True, False, False, True, True]
    assert all(each.score == 0 for each in results[:4]) and results[4].score == 1
    assert {each.cause for each in results[:4]} == {"not-listening"}


def test_the_order_of_results_does_not_matter() -> None:
    def make() -> list[Result]:
        return [*(result(step, "server", fault=never_listens("server"), number=n)
                  for step in (4, 6) for n in range(4)),
                *(result(12, "client", fault=crashed("client"), number=n) for n in range(5)),
                result(13, "client", "server", fault=never_listens("server"))]

    settle(expected := make())
    for seed in range(5):
        mixed = make()
        random.Random(seed).shuffle(mixed)
        settle(mixed)
        assert outcome(mixed) == outcome(expected)
        assert [(fault.words, fault.best.test) for fault in faults_of(mixed)] == [
            (fault.words, fault.best.test) for fault in faults_of(expected)]


def test_to_settle_twice_is_to_settle_once() -> None:
    results = [result(step, "server", fault=unwritten(3)) for step in (3, 4, 5)]
    settle(results)
    once = outcome(results)
    settle(results)
    assert outcome(results) == once
    assert results[1].output == "not judged: step 3 is not written yet"


def test_each_program_has_its_own_fault_also_in_tests_of_a_pair() -> None:
    results = [result(4, "server", fault=never_listens("server")),
               result(20, "server_fork", fault=never_listens("server_fork")),
               result(13, "client", "server", fault=never_listens("server")),
               result(21, "client", "server_fork", fault=never_listens("server_fork"))]
    settle(results)
    assert [fault.words for fault in faults_of(results)] == [
        "`server` never listens", "`server_fork` never listens"]
    assert [each.judged for each in results] == [True, True, False, False]


def test_what_a_gate_did_not_judge_refers_to_the_test_that_tells() -> None:
    silent = NotJudged("`server` never listens", "not-listening")
    results = [result(6, "server", fault=silent), result(7, "server", fault=silent),
               result(4, "server", fault=never_listens("server"))]
    settle(results)
    assert [each.judged for each in results] == [False, False, True]
    assert results[0].output == "not judged: `server` never listens, see step 4"


def test_what_a_gate_did_not_judge_follows_the_fault_that_its_program_has() -> None:
    for fault, words in ((unwritten(1), "step 1 is not written yet"),
                         (crashed("server"), "`server` crashes")):
        silent = NotJudged("`server` never has a socket that can be called", "not-listening")
        results = [result(step, "server", fault=silent) for step in (1, 2, 5, 6)]
        results += [result(3, "server", fault=fault), result(4, "server", fault=fault),
                    result(0, "server")]
        settle(results)
        [found] = faults_of(results)
        assert (found.words, found.best.test.step, len(found.others)) == (words, 3, 5)
        assert {each.cause for each in results[:6]} == {fault.cause}
        once = outcome(results)
        settle(results)
        assert outcome(results) == once


def test_what_no_test_tells_in_full_does_not_stand_on_top() -> None:
    silent = NotJudged("`client` never sends a packet", "no-packets")
    results = [result(1, "client", fault=silent),
               result(9, "server", fault=never_listens("server"))]
    settle(results)
    assert [fault.best.judged for fault in faults_of(results)] == [True, False]


def test_steps_that_are_not_written_are_told_apart() -> None:
    results = [result(step, "server", fault=unwritten(missing), number=missing)
               for step in (4, 9) for missing in (4, 7)]
    settle(results)
    assert [fault.words for fault in faults_of(results)] == [
        "step 4 is not written yet", "step 7 is not written yet"]


def test_steps_that_are_not_written_come_by_their_number() -> None:
    results = [result(1, "peer", fault=unwritten(12)), result(2, "peer", fault=unwritten(1)),
               result(3, "peer", fault=unwritten(12), number=1)]
    settle(results)
    assert [fault.words for fault in faults_of(results)] == [
        "step 1 is not written yet", "step 12 is not written yet"]


def test_what_failed_before_the_missing_step_comes_first() -> None:
    results = [result(12, "server", fault=unwritten(12)), result(13, "server"),
               result(9, "server", fault=Mismatch("a", "b", "descriptor-leak"))]
    settle(results)
    first, second = faults_of(results)
    assert first.best is results[2] and not first.blocks
    assert second.words == "step 12 is not written yet"


def test_what_failed_before_the_missing_step_comes_first_in_whatever_program() -> None:
    results = [result(12, "client", fault=unwritten(12), number=n) for n in range(9)]
    results += [result(step, "server", fault=Mismatch("a", "b", cause), number=n)
                for step, cause, n in ((1, "other", 0), (8, "descriptor-leak", 0),
                                       (9, "descriptor-leak", 1), (2, "messages", 0))]
    settle(results)
    first, second = faults_of(results)
    assert (first.words, first.best.test.step, len(first.others)) == ("", 8, 1)
    assert second.words == "step 12 is not written yet"


def test_a_fault_is_told_by_the_step_of_whose_tests_most_find_it() -> None:
    results = [result(1, "server", fault=Mismatch("a", "b", "messages"))]
    results += [result(step, "server", number=n) for step in (1, 5) for n in (1, 2, 3)]
    results += [result(6, "server", fault=Mismatch("a", "b", "messages"), number=n)
                for n in range(4)]
    settle(results)
    [fault] = faults_of(results)
    assert fault.best.test.step == 6 and len(fault.others) == 4


def test_what_is_known_of_most_tests_comes_first_where_no_cause_is() -> None:
    def other(known: str) -> Mismatch:
        mismatch = Mismatch("a", "b", "other")
        mismatch.because = known
        return mismatch

    results = [result(6, "server", fault=other(f"it got {n} and sent {n - 1}"), number=n)
               for n in range(20, 25)]
    results += [result(7, "server", fault=other("it waits"), number=n) for n in range(3)]
    results.append(result(8, "server", fault=Mismatch("a", "b", "partial-write")))
    settle(results)
    [fault] = faults_of(results)
    assert fault.best.test.step == 6 and len(fault.others) == 4
    settle(less := results[5:])
    assert faults_of(less) == []


def test_the_fault_that_most_tests_meet_comes_first() -> None:
    results = [result(1, "server", fault=never_listens("server"))]
    results += [result(9, "client", fault=never_listens("client"), number=n) for n in range(3)]
    settle(results)
    assert [len(fault.others) for fault in faults_of(results)] == [2, 0]


def test_what_a_gate_did_not_judge_has_a_test_that_tells_why() -> None:
    silent = NotJudged("`server` never sends a byte", "no-answer")
    results = [result(6, "server", fault=silent, number=n) for n in range(3)]
    results += [result(4, "server", fault=Mismatch("a", "b", "other")),
                result(5, "server", fault=Mismatch("a", "b", "messages")),
                result(2, "client", fault=Mismatch("a", "b", "usage"))]
    settle(results)
    [fault] = faults_of(results)
    assert fault.words == "`server` does not answer" and fault.best is results[4]
    assert results[0].output == "not judged: `server` does not answer, see step 5"
    assert {each.cause for each in results[:3]} == {"messages"}
    once = outcome(results)
    settle(results)
    assert outcome(results) == once


def test_the_title_is_that_of_the_missing_step() -> None:
    results = [result(1, "server", fault=unwritten(4)), result(6, "server", fault=unwritten(4))]
    lines = shown(results)
    assert lines[3].startswith("  step 4 is not written yet (listen")


def test_a_submission_that_was_not_taken_is_one_fault_of_all_programs() -> None:
    results = [result(step, name, fault=Mismatch("a", "too much", "not-taken"))
               for step, name in ((4, "server"), (12, "client"), (20, "server_fork"))]
    settle(results)
    [fault] = faults_of(results)
    assert (fault.words, fault.place, len(fault.others)) == (
        "nothing of the submission was taken", "", 2)
    assert [each.judged for each in results] == [True, False, False]


def test_what_does_not_compile_comes_before_what_is_not_written() -> None:
    results = [result(1, "client", fault=unwritten(1), number=n) for n in range(9)]
    results += [result(4, "server", fault=Mismatch("a", "server.c:3: error", "not-built"))]
    settle(results)
    assert [fault.words for fault in faults_of(results)] == [
        "`server` does not compile", "step 1 is not written yet"]


def test_a_crash_in_few_tests_hides_nothing() -> None:
    results = [result(6, "server", fault=crashed("server"), number=n) for n in range(3)]
    results += [result(6, "server", number=n) for n in range(3, 20)]
    settle(results)
    assert all(each.judged for each in results) and faults_of(results) == []


def test_a_crash_in_most_tests_is_told_once() -> None:
    results = [result(6, "server", fault=crashed("server"), number=n) for n in range(12)]
    results += [result(0, "server", number=n) for n in range(3)]
    settle(results)
    [fault] = faults_of(results)
    assert fault.words == "`server` crashes" and len(fault.others) == 11


def test_programs_that_do_not_compile_for_one_reason_are_one_fault() -> None:
    def not_built(program: str, why: str) -> Result:
        return result(1, program, fault=Mismatch(f"`make` builds {program}", why, "not-built"))

    results = [not_built(name, "net.c:3: error") for name in ("server", "client", "server_fork")]
    results.append(not_built("server_poll", "server_poll.c:1: error"))
    settle(results)
    assert [fault.words for fault in faults_of(results)] == [
        "`client` and 2 other programs do not compile", "`server_poll` does not compile"]


def test_without_a_fault_that_blocks_the_one_that_most_tests_found_comes_first() -> None:
    results = [result(6, "server", fault=Mismatch("a", str(n), "fixed-length"), number=n)
               for n in range(4)]
    results += [result(2, "server", fault=Mismatch("a", "b", "usage"))]
    settle(results)
    [fault] = faults_of(results)
    assert not fault.blocks and fault.best.cause == "fixed-length" and len(fault.others) == 3
    assert all(each.judged for each in results)


def shown(results: Sequence[Result]) -> list[str]:
    settle(results)
    return table(results, Path("/out"), Path("/")).splitlines()


def test_the_table_tells_the_first_fault_once_and_on_top() -> None:
    results = [result(step, "server", fault=never_listens("server"), number=n)
               for step in (4, 5, 6) for n in range(5)]
    lines = shown(results)
    assert lines[2] == "THE FIRST THING TO REPAIR"
    assert lines[3].startswith("  `server` never listens (step 4: listen, and say so): 14 more")
    assert sum("likely cause: " in line for line in lines) == 1
    assert lines.index("  not judged: 14 tests, as `server` never listens (step 4)") > 10
    assert sum(line.endswith("0/5 not judged") for line in lines) == 2
    assert all(len(line) <= 80 for line in lines) and len(lines) < 40


def test_what_does_not_compile_has_no_step() -> None:
    """The first test that needs the program may be of any."""
    lines = shown([result(step, "server", fault=Mismatch("a", "net.c:36", "not-built"))
                   for step in (1, 4, 6)])
    assert lines[3].startswith("  `server` does not compile: 2 more tests can judge nothing")
    assert "  not judged: 2 tests, as `server` does not compile" in lines


def test_the_table_of_a_few_faults_has_no_first_one() -> None:
    lines = shown([result(6, "server", fault=Mismatch("a", "b", "fixed-length"))])
    assert "THE FIRST THING TO REPAIR" not in lines


def test_a_fault_of_many_steps_is_told_without_the_title_of_one() -> None:
    lines = shown([result(step, "server", fault=Mismatch("a", "b", "messages"))
                   for step in (1, 4, 6, 7, 8)])
    assert lines[3].startswith("  `server` (step 1): 4 more tests find the same.")
