"""What the graded tests of TCP on a bad network have in common.

TCP makes up for what is lost, doubled, reordered and damaged. So a program notices nothing
but that now and then it has to wait: for 200 ms and more where a last segment or a FIN was
lost, for a second after a lost SYN (RFC 6298). Who gives up meanwhile fails these tests.
"""

from __future__ import annotations

from typing import Any

from labkit.feedback import Mismatch
from labkit.scenario import Scenario
from labkit.verdict import orderly

_PATIENCE = 3.0
"""Seconds; longer than the kernel waits before it sends something again."""


def disturb(lab: Scenario, *rules: str) -> None:
    """As Scenario.disturb(), and nobody is taken for stuck while TCP waits to send again."""
    lab.stall = max(lab.stall, _PATIENCE)
    lab.disturb(*rules)


def expect_unnoticed(
    lab: Scenario, to_server: int, to_client: int, *faults: str, first_closer: str = "client"
) -> list[dict[str, Any]]:
    """The verdict: one connection, all bytes, an orderly end, and in the trace the FAULTS.

    A connection that ended otherwise was given up too early.
    """
    try:
        return lab.expect_packets(
            "connections=1", *orderly(first_closer), f"to_server.bytes={to_server}",
            f"to_client.bytes={to_client}", *faults)
    except Mismatch as error:
        early = ("first-closer", "linger-rst", "unread-input-rst")
        cause = "own-timeout" if error.cause in early else error.cause
        raise Mismatch(error.expected, error.seen, cause) from None
