"""From a failed test to its cause.

calls.py reads strace's log, evidence.py gathers what is known when a test fails, signs.py finds
what that shows by itself, wording.py what the printed text does, and rules.py, the table, says
which sign means which cause.
first_causes.py finds, once all tests have run, which fault is to be repaired first.
"""

from __future__ import annotations

from dataclasses import replace

from labkit.diagnosis.first_causes import step_in
from labkit.diagnosis.evidence import Evidence, evidence_of
from labkit.diagnosis.rules import RULED_OUT, RULES
from labkit.diagnosis.signs import looked_at
from labkit.feedback import Mismatch
from labkit.scenario import Scenario

__all__ = ["diagnosed", "verdict_on"]


def diagnosed(lab: Scenario, of: str, mismatch: Mismatch) -> Mismatch:
    """MISMATCH, which was found just now, with the cause that the evidence shows.

    LAB is where it was found, still open; its recording is ended. OF: the folder's name of the
    lab that its programs are of.
    """
    if not lab.programs:
        return mismatch
    try:
        return _diagnosed(lab, of, mismatch)
    except Exception as error:  # what a submission leaves behind must not end the grading
        mismatch.because = f"the evidence could not be read ({type(error).__name__}: {error})"
        return mismatch


def _diagnosed(lab: Scenario, of: str, mismatch: Mismatch) -> Mismatch:
    evidence = evidence_of(lab, of, mismatch.expected, mismatch.seen, mismatch.cause)
    mismatch.cause, mismatch.because = verdict_on(evidence)
    if mismatch.cause == "not-written-yet":
        step = step_in(mismatch.because)
        title = mismatch.because.partition(f"step {step}: ")[2]
        mismatch.likely = (f"Step {step} is not written yet{': ' if title else ''}{title}. "
                           "What comes after it cannot be judged before it is there.")
        mismatch.read = f"the handout's step {step}"
    return mismatch


def verdict_on(evidence: Evidence) -> tuple[str, str]:
    """The cause's key in CAUSES, and what shows it; '' where that is what the test saw."""
    for rule in RULES:
        words = rule.words(evidence)
        if words is not None:
            return rule.cause, words
    no = RULED_OUT.get(evidence.suspicion)
    contrary = no(evidence) if no is not None else None
    if contrary is None:
        return evidence.suspicion, "" if evidence.suspicion != "other" else looked_at(evidence)
    for rule in RULES:
        words = rule.words(replace(evidence, suspicion="other"))
        if words is not None:
            return rule.cause, words
    return "other", looked_at(evidence)
