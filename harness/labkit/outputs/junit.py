"""junit.xml, as Ant's junit task first wrote it and CI services read it.

A submission's fault is a failure, the grader's own is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from labkit.results import ERROR, FAILED, PASSED, Result


def document(results: Sequence[Result]) -> str:
    """The file's text: a suite for each lab, a case for each test."""
    suites = ElementTree.Element("testsuites")
    for lab in sorted({result.test.lab for result in results}):
        _add_suite(suites, lab, [result for result in results if result.test.lab == lab])
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add_suite(suites: ElementTree.Element, lab: str, results: Sequence[Result]) -> None:
    suite = ElementTree.SubElement(suites, "testsuite", {
        "name": lab,
        "tests": str(len(results)),
        "failures": str(sum(result.status == FAILED for result in results)),
        "errors": str(sum(result.status == ERROR for result in results)),
        "skipped": "0",
        "time": f"{sum(result.seconds for result in results):.3f}",
    })
    for result in results:
        case = ElementTree.SubElement(suite, "testcase", {
            "classname": f"{lab}.step_{result.test.step}",
            "name": result.test.name,
            "time": f"{result.seconds:.3f}",
        })
        if result.status != PASSED:
            kind = "failure" if result.status == FAILED else "error"
            ElementTree.SubElement(case, kind, {
                "type": "harness" if result.cause is None else result.cause,
                "message": result.output.split("\n")[0],
            }).text = result.output + (f"\n\n{result.detail}" if result.detail else "")
