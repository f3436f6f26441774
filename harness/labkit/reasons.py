"""Why a graded test is there, every fault of which some other test finds, too.

All other tests are the only one to find some fault: docs/kill-table.md tells which.
"""

from __future__ import annotations

from typing import Any, Callable, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., Any])

PLAINEST = "the plainest case: the first to pass, and the shortest trace to read when it fails"
NAMES_IT = "it is about this fault and names it; others only come across it"
PROGRAMS = "one rule for several programs: a student writes each of them anew"
VALUES = "one rule, each case of which is a mistake of its own; some mistakes touch several"
SIZES = "one rule at several sizes: which of them a mistake shows at depends on the mistake"
SIGNALS = "one rule for both signals: a program may handle one and forget the other"
FAMILIES = "one rule for IPv4 and IPv6: a program may be right for one of them only"
PAIR = "the pair: programs that are each right alone must also understand each other"
TOOL = "a peer that somebody else wrote, which does nothing for a test's sake"
TWO_HOSTS = "two hosts: what is right on the loopback may not be right between machines"
BAD_NETWORK = "losses, doubles and delays together, as a real network has them"


def because(why: str) -> Callable[[Test], Test]:
    """Says WHY a graded test is there, in a line; of a rule's variants, why those that need it."""
    return pytest.mark.because(why)
