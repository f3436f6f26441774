"""How far programs get at all: what a test that needs more need not even try.

In its first tests (grading.first) a program shows whether it ever BEGINS: a server has a
socket that can be called, a client sends a packet; and whether it ever SPEAKS: sends a byte, or
a datagram. What it never did in any of them no other test waits for: it is not judged.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional

from labkit import capture
from labkit.feedback import NotJudged
from labkit.scenario.datagrams import Datagrams

BEGINS, SPEAKS = "begins", "speaks"


class Reach(Datagrams):
    """What the programs of a test reach, and what is known that they never do."""

    never: Mapping[str, str] = {}
    """By the name of a program: BEGINS or SPEAKS, the first that it did in none of its first
    tests. Not to be told to those tests themselves."""

    def needs(self, milestone: str) -> None:
        """Raises NotJudged where no program of this test ever gets to MILESTONE.

        To be called by what waits for that, and for nothing else.
        """
        names = [program.name for program in self.programs if program.command.startswith("./")]
        lacking = [self.never.get(name) for name in names]
        if names and None not in lacking and (milestone == SPEAKS or SPEAKS not in lacking):
            raise self._not_judged(names[0])

    def needs_server(self, name: str) -> None:
        """Raises NotJudged where the server NAME, not started yet, never begins."""
        if self.never.get(name) == BEGINS:
            self._find(name)  # which tells more where it was not even built
            raise self._not_judged(name)

    def _not_judged(self, name: str) -> NotJudged:
        milestone = self.never[name]
        if milestone == SPEAKS:
            return NotJudged(f"`{name}` never sends a byte", "no-answer")
        if "client" in name:
            return NotJudged(f"`{name}` never sends a packet", "no-packets")
        return NotJudged(f"`{name}` never has a socket that can be called", "not-listening")

    def reached(self, name: str) -> set[str]:
        """What the program NAME, the submission's only one here, has got to. Ends the recording."""
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
        return {what for what, so in ((BEGINS, begun or spoken), (SPEAKS, spoken)) if so}

    def _came_from_it(self, flow: Mapping[str, Any]) -> bool:
        """FLOW has datagrams that no scripted peer sent."""
        ways = (("client", "to_server"), ("server", "to_client"))
        return flow["type"] == "udp" and any(
            _sent(flow[way]) and (flow[side]["address"], flow[side]["port"]) not in self._own
            for side, way in ways)


def _sent(way: Mapping[str, Any]) -> bool:
    return bool(way["bytes"] or way.get("datagrams"))


def never_reached(found: Mapping[str, list[Optional[set[str]]]]) -> dict[str, str]:
    """Of each program in FOUND, the milestone that it got to in none of its first tests.

    FOUND: for each of these tests what was reached; None where that is not known, or all was well.
    """
    never = {}
    for name, tests in found.items():
        known = [reached for reached in tests if reached is not None]
        if len(tests) < 2 or len(known) < len(tests):
            continue
        together = set[str]().union(*known)
        if SPEAKS not in together:
            never[name] = SPEAKS if BEGINS in together else BEGINS
    return never
