"""The verdict, which rests on the packets that were recorded."""

from __future__ import annotations

import contextlib
from typing import Any, Optional

from labkit import capture, second_opinion
from labkit.events import DeadlinePassed
from labkit.kernel_sockets import ALL_STATES, LISTEN, TIME_WAIT, Endpoint
from labkit.scenario.world import World
from labkit.verdict import mismatch_of, orderly

_UNSETTLED = [state for state in ALL_STATES if state not in (LISTEN, TIME_WAIT)]


class Wire(World):
    """The end of a test: the recording is ended, and judged."""

    def settle(self) -> None:
        """Waits until no connection is between two states, so that no packet is still to come.

        A connection that stays open because a program never closes it settles nothing:
        after STALL seconds without a change the trace is judged as it is.
        """
        with contextlib.suppress(DeadlinePassed):
            self._still = 0.0
            self._loop.wait(lambda: not self._unsettled(), poll=0.0005)

    def _unsettled(self) -> list[Endpoint]:
        return self.network.sockets.tcp(_UNSETTLED)

    def expect_orderly(
        self,
        to_server: int,
        to_client: int,
        *,
        first_closer: str = "client",
        connections: int = 1,
        packets: str = "",
    ) -> list[dict[str, Any]]:
        """The verdict on a test whose CONNECTIONS all carried that many bytes and ended well."""
        return self.expect_packets(
            f"connections={connections}",
            *orderly(first_closer),
            f"to_server.bytes={to_server}",
            f"to_client.bytes={to_client}",
            packets=packets,
        )

    def expect_packets(
        self, *expectations: str, packets: str = "", cause: Optional[str] = None
    ) -> list[dict[str, Any]]:
        """Ends the recording and judges it by labcap's EXPECTATIONS; returns its flows.

        packets: a libpcap filter; only what it leaves is judged. cause: why they are not met,
        where the packets cannot tell. scapy reads the same trace and must agree, else
        HarnessError.
        """
        self.settle()
        self.end_recording()
        if packets:
            found = capture.flows(self.trace)
            unmet = capture.check(self.trace, expectations, packets)
        else:
            found, unmet = capture.flows_and_check(self.trace, expectations)
        second_opinion.compare(self.trace, found)
        if unmet:
            raise mismatch_of(unmet, found, cause)
        return found
