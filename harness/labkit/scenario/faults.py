"""A network that loses, doubles, delays, reorders and damages the packets a test names."""

from __future__ import annotations

import contextlib
from typing import Any, Optional

from labkit.events import DeadlinePassed
from labkit.feedback import HarnessError
from labkit.labwire import Change, Labwire
from labkit.scenario.world import World
from labkit.standstill import packets_queue

_ROUNDS = 4
"""How often late packets may call forth others before a test's end no longer waits."""
_LOOKED_AT = 2.0
"""Seconds within which the kernel looks at what has arrived; a busy one takes milliseconds."""


class Faults(World):
    """The network between the programs.

    With one host it is the loopback, as ever, until a test disturbs it. Between two hosts
    nothing passes without labwire, which then runs also without a rule.
    """

    def __init__(self, *args: Any, **how: Any) -> None:
        """As World has it."""
        super().__init__(*args, **how)
        self.rules: tuple[str, ...] = ()
        """What the test does to the network; feedback tells it."""
        self._labwire: Optional[Labwire] = None
        if self.hosts == 2:
            try:
                self._labwire = Labwire(self._loop, self.network, self.buffer)
            except BaseException:
                super().close()
                raise

    def disturb(self, *rules: str) -> None:
        """From the first packet on the network does what RULES say (docs/bad-network.md).

            lab.disturb("drop syn to 4321 1", "delay 40 udp from 6000 every 3")

        To be called before any program and any peer is there. The trace then shows what was
        sent and what arrived. Once the recording has ended nothing arrives any more: what
        needs the network comes before expect_packets(). Raises HarnessError.
        """
        if not rules:
            raise HarnessError("disturb() without a rule")
        if self.rules or self.programs or self._peers:
            raise HarnessError("disturb() must come once, and before any program and peer")
        self.rules = rules
        if self._labwire is None:
            self._labwire = Labwire(self._loop, self.network, self.buffer)
        self.ready()

    @property
    def changes(self) -> list[Change]:
        """The packets that the rules changed so far; all of them once the recording ended."""
        return [] if self._labwire is None else self._labwire.changes

    def _under_way(self) -> bool:
        """As World has it; labwire may hold packets back for as long as a rule says."""
        return self._labwire is not None and not self._labwire.over or super()._under_way()

    def _join(self) -> None:
        if self._labwire is not None and not self._labwire.begun:
            self._labwire.begin(self.rules)

    def _part(self) -> None:
        if self._labwire is None or not self._labwire.begun or self._labwire.over:
            return
        for _ in range(_ROUNDS):
            with contextlib.suppress(DeadlinePassed):  # the kernel itself may answer, as by RST
                self._loop.wait(lambda: not packets_queue(), poll=0.0005, at_least=_LOOKED_AT)
            if self._labwire.settle() == 0:
                break
            for program in self.programs:  # what arrived late may be answered
                if program.exit is None:
                    self.wait_blocked(program)
        self._labwire.end()

    def close(self) -> None:
        """As World has it; what was on its way arrives before the recording ends."""
        try:
            self._part()
        finally:
            if self._labwire is not None:
                self._labwire.close()
            super().close()
