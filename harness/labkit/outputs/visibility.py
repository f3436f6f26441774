"""Which tests students may see, where an instructor says more than the tests themselves.

A rule is a line, 'VISIBILITY PATTERN': one of VISIBILITIES, and a test's name (with '*' and
'?' for any characters, with or without its variant in brackets), step_N, or a program. The
last rule that fits counts. In a file, '#' begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from labkit.grading import VISIBILITIES, GradedTest


@dataclass(frozen=True)
class Rule:
    """The tests that PATTERN fits are VISIBILITY."""

    visibility: str
    pattern: str

    def fits(self, test: GradedTest) -> bool:
        if self.pattern == f"step_{test.step}" or self.pattern in test.programs:
            return True
        plain = self.pattern.replace("[", "[[]")  # brackets are part of names here
        return any(fnmatchcase(name, plain) for name in (test.name, test.name.split("[")[0]))


def rules_of(text: str) -> list[Rule]:
    """The rules in a file's TEXT. Raises ValueError, in one line."""
    lines = [(number, line.partition("#")[0].split())
             for number, line in enumerate(text.splitlines(), 1)]
    return [_rule(number, words) for number, words in lines if words]


def _rule(number: int, words: Sequence[str]) -> Rule:
    if len(words) < 2 or words[0] not in VISIBILITIES:
        raise ValueError(f"line {number}: no rule like 'hidden test_name'; the first word is one "
                         f"of {', '.join(VISIBILITIES)}")
    return Rule(words[0], " ".join(words[1:]))


def visibility_of(test: GradedTest, rules: Sequence[Rule]) -> str:
    """What RULES make of TEST, or what it says itself."""
    said = [rule.visibility for rule in rules if rule.fits(test)]
    return said[-1] if said else test.visibility


def useless(rules: Iterable[Rule], tests: Sequence[GradedTest]) -> list[Rule]:
    """Those of RULES that fit none of TESTS: a misspelt one would show what it should hide."""
    return [rule for rule in rules if not any(rule.fits(test) for test in tests)]
