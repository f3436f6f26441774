"""Every graded test's log of system calls is held against its trace.

No data is on the wire before the call that sent it, and none is received before it came.
labcap says so of itself, and call_order.py counts anew, with scapy. The suite's own tests do
this (conftest.py); in grading nothing rests on it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from labkit.paths import LABCAP

sys.path.append(str(Path(__file__).parent / "labcap"))  # call_order.py is there

MOST_BYTES = 96 * 1024
"""Of a trace that scapy reads; where there is more of the same, labcap's own word is enough."""
NOT_FOR_IT = ("a port was used twice", "two datagrams are equal")
"""What call_order.py says of a trace in which it cannot tell who sent what."""
TOUCHES_NONE = "no call in it touches a connection of the trace"


class CallsInOrder:
    """A plugin of pytest: a graded test's teardown fails where its calls are out of order."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """When the log is written."""
        left = dict(item.user_properties)
        if "calls" in left and Path(str(left["calls"])).exists():
            wrong = out_of_order(Path(str(left["trace"])), Path(str(left["calls"])))
            assert not wrong, "\n".join(wrong)


def out_of_order(trace: Path, log: Path) -> list[str]:
    """What contradicts itself in LOG and TRACE, a line each."""
    shown = subprocess.run([LABCAP, "show", "--json", "--all", "--syscalls", log, trace],
                           capture_output=True, text=True, check=False)
    objects = [json.loads(line, parse_float=Decimal) for line in shown.stdout.splitlines()]
    flows = any(one["type"] == "flow" for one in objects)
    unused = shown.stderr.rstrip().endswith(TOUCHES_NONE)
    if unused and not (flows and b"->" in log.read_bytes()):
        return []
    if shown.returncode != 0 or shown.stderr:
        return [f"labcap show: status {shown.returncode}, {shown.stderr}"]
    if trace.stat().st_size > MOST_BYTES:
        return []
    from call_order import check_order  # scapy is slow to load

    try:
        return check_order(trace, [log], objects).wrong
    except AssertionError as error:
        if str(error).startswith(NOT_FOR_IT):
            return []
        raise
