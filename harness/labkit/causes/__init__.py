"""The faults that feedback can name: what each is in the program, and where to read on."""

from __future__ import annotations

from labkit.causes.cause import Cause
from labkit.causes.of_files import OF_FILES
from labkit.causes.of_limits import OF_LIMITS
from labkit.causes.of_sockets import OF_SOCKETS

__all__ = ["CAUSES", "NOT_THERE", "Cause"]

CAUSES = {**OF_SOCKETS, **OF_FILES, **OF_LIMITS}
"""By short key: the faults that feedback can name, for someone who meets them first."""
NOT_THERE = ("not-built", "not-taken", "program-missing")
"""Those of a program that is not there: of no test, and no step."""
