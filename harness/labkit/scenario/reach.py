"""How far programs get at all: what a test that needs more need not even try.

In its first tests (grading.first) a program shows whether it ever BEGINS: a server has a
socket that can be called, a client sends a packet; whether it ever SPEAKS: sends a byte, or a
datagram; and whether it ever RESTS, or spins. What it never did in any of them no other test waits
for: it is not judged.

That holds only for a program that hangs. One that ended, or said anything at all once its
input was at its end, may well do in another test what it did not do here.
"""

from __future__ import annotations

import selectors
from typing import Any, Collection, Mapping, Optional, Sequence

from labkit import capture
from labkit.events import DeadlinePassed
from labkit.feedback import Mismatch, NotJudged
from labkit.peer import Peer
from labkit.program import Program
from labkit.scenario.datagrams import Datagrams
from labkit.scenario.world import SPIN_ON, STALL

BEGINS, SPEAKS, RESTS = "begins", "speaks", "rests"
ASKED = "asked"
"""It had a connection, data on it (or on stdin), and the end of both, or it had datagrams; it
said nothing at all."""


class Reach(Datagrams):
    """What the programs of a test reach, and what is known that they never do."""

    never: Mapping[str, Collection[str]] = {}
    """By the name of a program: what it did in none of its first tests. Not to be told to those
    tests themselves."""
    _asked = False
    """The programs were given all that could make them go on."""

    def needs(self, milestone: str) -> None:
        """Raises NotJudged where no program of this test ever gets to MILESTONE.

        To be called by what waits for that, and for nothing else.
        """
        names = self._names(self.programs)
        if self._none(names, milestone):
            raise self._not_judged(names[0])

    def needs_server(self, name: str) -> None:
        """Raises NotJudged where the server NAME, not started yet, never begins."""
        if self._none([name], BEGINS):
            self._find(name)  # which tells more where it was not even built
            raise self._not_judged(name)

    def _none(self, names: Sequence[str], milestone: str) -> bool:
        """Whether there are programs in NAMES, and none that ever gets to MILESTONE."""
        return bool(names) and all(milestone in self.never.get(name, ()) for name in names)

    def _never_rests(self, programs: Sequence[Program]) -> bool:
        return self._asked or self._none(self._names(programs), RESTS)

    def _names(self, programs: Sequence[Program]) -> list[str]:
        """Of those of PROGRAMS that are the submission's."""
        return [program.name for program in programs if program.submitted]

    def longest_spin(self) -> float:
        """Less where the programs of this test are known to spin, and need not be waited for.

        Silence that a test is patient with may end by what they send again, if they send at all.
        """
        names = self._names(self.programs)
        if self.stall > STALL and not self._none(names, SPEAKS):
            return super().longest_spin()
        return SPIN_ON if self._never_rests(self.programs) else super().longest_spin()

    def _not_judged(self, name: str) -> NotJudged:
        if BEGINS not in self.never[name]:
            return NotJudged(f"`{name}` never sends a byte", "no-answer")
        if "client" in name:
            return NotJudged(f"`{name}` never sends a packet", "no-packets")
        return NotJudged(f"`{name}` never has a socket that can be called", "not-listening")

    def reached(self, name: str) -> Optional[set[str]]:
        """What the program NAME, the submission's only one here, has got to and hangs in.

        To be asked when a test of it has failed. None: it does not hang, or nobody knows.
        Ends its input, its peers' side of each connection, and the recording.
        """
        asked = self._ask_to_the_end()
        if asked is None:
            return None
        self.end_recording()
        flows = [flow for flow in capture.flows(self.trace) if flow["type"] != "capture"]
        if "client" in name:
            begun = bool(flows)
            spoken = any(flow["type"] == "tcp" and _sent(flow["to_server"]) for flow in flows)
        else:
            begun = bool(self.listening()) or any(
                bool(self._bound(host)) for host in self.network.names) or any(
                flow["to_client"]["bytes"] or flow.get("handshake", {}).get("syn_ack")
                for flow in flows)
            spoken = any(flow["type"] == "tcp" and _sent(flow["to_client"]) for flow in flows)
        if any(self._came_from_it(flow) for flow in flows):
            begun = spoken = True
        asked = asked or any(flow["type"] == "udp" for flow in flows)
        rests = all(program.activity().blocked for program in self.programs)
        found = ((BEGINS, begun or spoken), (SPEAKS, spoken), (RESTS, rests), (ASKED, asked))
        return {what for what, so in found if so}

    def _ask_to_the_end(self) -> Optional[bool]:
        """Gives the programs all that could make them go on, and waits until nothing will.

        Returns whether a peer ended its side of a connection; None where a program has ended,
        or something came from it, or that was not waited for.
        """
        programs = [program for program in self.programs if program.submitted]
        if not programs:
            return None
        for program in programs:
            program.close_stdin()
        asked = [peer.ask_to_the_end() for peer in self._peers if isinstance(peer, Peer)]

        def something_came() -> bool:
            return any(program.has_ended for program in programs) or self._has_unread()

        self.take_longer(self.stall + _PATIENCE)
        self._asked = True
        self._signs = ()  # as if it had just begun to stand still
        try:
            self._loop.wait(something_came, poll=0.005)
        except DeadlinePassed:
            return None if self._loop.is_over else any(asked)
        except Mismatch:
            pass  # it uses too much, or floods
        return None

    def _has_unread(self) -> bool:
        """Something waits to be read, or accepted, on a socket of a scripted peer."""
        with selectors.DefaultSelector() as selector:
            for peer in self._peers:
                sock = getattr(peer, "sock", None)
                if sock is not None and sock.fileno() >= 0:
                    selector.register(sock, selectors.EVENT_READ)
            return bool(selector.get_map()) and bool(selector.select(0))

    def _came_from_it(self, flow: Mapping[str, Any]) -> bool:
        """FLOW has datagrams that no scripted peer sent."""
        ways = (("client", "to_server"), ("server", "to_client"))
        return flow["type"] == "udp" and any(
            _sent(flow[way]) and (flow[side]["address"], flow[side]["port"]) not in self._own
            for side, way in ways)


_PATIENCE = 20.0
"""Seconds more for a test that has failed: enough to see that a program spins."""


def _sent(way: Mapping[str, Any]) -> bool:
    return bool(way["bytes"] or way.get("datagrams"))


def never_reached(found: Mapping[str, list[Optional[set[str]]]]) -> dict[str, set[str]]:
    """Of each program in FOUND, the milestones that it got to in none of its first tests.

    FOUND: for each of these tests what was reached; None where that is not known, or it does not
    hang there. That it never SPEAKS is known of one that was ASKED.
    """
    never = {}
    for name, tests in found.items():
        known = [reached for reached in tests if reached is not None]
        if len(tests) < 2 or len(known) < len(tests):
            continue
        together = set[str]().union(*known)
        lacking = {BEGINS, SPEAKS, RESTS} - together
        if BEGINS in together and ASKED not in together:
            lacking.discard(SPEAKS)
        if lacking:
            never[name] = lacking
    return never
