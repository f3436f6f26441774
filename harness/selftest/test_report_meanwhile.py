"""Evidence that is drawn while tests still run: the same as in the end, and no harm if it fails."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import report_samples as samples
from labkit.report.evidence import AT_ONCE, evidence_of
from labkit.report.meanwhile import PARTS_AT_ONCE, Meanwhile
from labkit.report.page import write_report
from labkit.results import FAILED, PASSED, REPORT, Result
from labkit.run import Run

MANY = PARTS_AT_ONCE * AT_ONCE


@pytest.fixture(autouse=True)
def not_nice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it gives way to nobody: what it has drawn hangs on no load."""
    monkeypatch.setattr("labkit.report.meanwhile._NICE", 0)


def some(out: Path, count: int) -> list[Result]:
    """COUNT results, each fourth of a test that failed, with their traces in OUT."""
    results = [samples.result(number, PASSED if number % 4 else FAILED, calls=None)
               for number in range(count)]
    samples.leave(out, results, samples.told(*samples.echo()))
    return results


def taken(out: Path, results: list[Result]) -> Meanwhile:
    """What was given all RESULTS, and whose process has ended."""
    meanwhile = Meanwhile(out)
    for number, result in enumerate(results):
        meanwhile.take(number, result)
    for part in meanwhile._parts:
        part.process.join()
    return meanwhile


def test_it_is_drawn_as_in_the_end(tmp_path: Path, labcap: Path) -> None:
    results = some(tmp_path, MANY + 3)
    drawn = taken(tmp_path, results).drawn(results)
    assert sorted(drawn) == list(range(MANY))
    assert [drawn[number] for number in range(MANY)] == evidence_of(results, tmp_path)[:MANY]
    assert all(evidence.markup for evidence in drawn.values())


def test_the_page_takes_what_is_drawn_and_draws_the_rest(tmp_path: Path, labcap: Path) -> None:
    results = some(tmp_path, MANY + 3)
    write_report(results, tmp_path, None)
    whole = (tmp_path / REPORT).read_text("utf-8")
    meanwhile = taken(tmp_path, results)
    labcap.write_text("#!/bin/sh\nexit 1\n")
    write_report(results, tmp_path, None, meanwhile)
    page = (tmp_path / REPORT).read_text("utf-8")
    assert (whole.count('<svg class="ladder"'), page.count('<svg class="ladder"')) == (
        MANY + 3, MANY)


def test_what_has_changed_since_is_drawn_anew(tmp_path: Path, labcap: Path) -> None:
    results = some(tmp_path, MANY)
    meanwhile = taken(tmp_path, results)
    results[1].status = FAILED
    results[4].packets = ""
    results[5].no_calls = "strace is not installed"
    results[6].trace = None
    results[8], results[9] = results[9], results[8]
    assert sorted(set(range(MANY)) - set(meanwhile.drawn(results))) == [1, 4, 5, 6, 8, 9]


def test_a_trace_that_could_not_be_read_is_read_again(tmp_path: Path, labcap: Path) -> None:
    results = some(tmp_path, MANY)
    results[2].trace = None
    labcap.write_text("#!/bin/sh\ncase $* in *test_7*) exit 3;; esac\n"
                      'for file; do :; done\nexec cat -- "$file"\n')
    found = taken(tmp_path, results).drawn(results)
    assert sorted(set(range(MANY)) - set(found)) == [2, 7]


def test_a_process_that_ends_too_early_has_drawn_nothing(tmp_path: Path, labcap: Path) -> None:
    labcap.write_text("#!/bin/sh\nkill -KILL $PPID\n")
    results = some(tmp_path, MANY)
    assert taken(tmp_path, results).drawn(results) == {}


def test_a_run_has_each_test_drawn_that_has_ended(tmp_path: Path, labcap: Path) -> None:
    results = some(tmp_path, MANY)
    run = Run(["01-tcp-echo"], None, tmp_path)
    run.expect([result.test for result in results])
    run.draw_meanwhile()
    for result in reversed(results):
        for phase in ("call", "teardown"):
            run.record(SimpleNamespace(
                nodeid=result.test.nodeid, when=phase, duration=0.0, failed=False,
                user_properties=[("graded", json.dumps(result.test.to_json())),
                                 ("trace", str(tmp_path / str(result.trace))),
                                 ("verdict", PASSED), ("no_calls", "there are none")]))
    assert run._meanwhile is not None
    [part] = run._meanwhile._parts
    part.process.join()
    assert sorted(run._meanwhile.drawn(run._in_order())) == list(range(MANY))
    run.close()
