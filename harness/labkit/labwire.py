"""labwire around a test: the network between its programs, and what it did to their packets."""

from __future__ import annotations

import re
from typing import Callable, NamedTuple, Sequence

from labkit.events import EventLoop
from labkit.feedback import HarnessError
from labkit.network import PrivateNetwork
from labkit.paths import LABWIRE
from labkit.tool import READY_FD, Tool

_SETTLED = re.compile(rb"^settled (\d+)$", re.MULTILINE)
_WHOLE = re.compile(rb"\d+ packets, 0 lost by the relay itself\n")


class Change(NamedTuple):
    """A packet that did not simply arrive, as labwire tells it."""

    rule: int
    """Counted from 1."""
    action: str
    ordinal: int
    """Which of the packets that the rule counts, from 1."""
    protocol: str
    source: str
    """An address, with its port where the protocol has ports."""
    destination: str
    size: int
    """Bytes of payload."""


class Labwire:
    """A network that follows rules: on the only host's loopback, or between two hosts.

    It prepares itself from the start, beside other things; packets pass from begin() on.
    buffer: MiB for what it has not taken yet, each way.
    """

    def __init__(self, loop: EventLoop, network: PrivateNetwork, buffer: int) -> None:
        where = ["lo"] if len(network.names) == 1 else ["link", "a", "b"]
        argv = [str(LABWIRE), "--ready-fd", str(READY_FD), "-B", str(buffer), *where, "-"]
        self._tool = Tool(loop, network, argv, "labwire")
        self._answers = 0
        self.begun = False
        self.over = False
        """It was ended: nothing arrives any more."""

    def begin(self, rules: Sequence[str]) -> None:
        """Returns once every packet passes through it, treated as RULES say.

        rules: as harness/labwire/main.c and docs/bad-network.md tell. A wrong one is a
        HarnessError.
        """
        for rule in rules:
            if not rule.strip() or "\n" in rule:
                raise HarnessError(f"{rule!r} is no rule of a network")
        self._tool.write("".join(rule + "\n" for rule in rules))
        self._tool.wait_ready()
        self.begun = True

    @property
    def changes(self) -> list[Change]:
        """The packets it was told to treat, in the order in which they were sent."""
        found = []
        for line in self._tool.out.decode().split("\n")[:-1]:
            word = line.split()
            if word[0] != "settled":
                found.append(Change(int(word[0]), word[1], int(word[2]), word[3], word[4],
                                    word[6], int(word[7])))
        return found

    def settle(self) -> int:
        """Returns once nothing is on its way any more; how many packets arrived since.

        Delayed ones arrive when they are due, then those that wait to be overtaken.
        """
        self._answers += 1
        self._tool.write("settle")
        self._wait(lambda: len(_SETTLED.findall(self._tool.out)) >= self._answers,
                   "did not come to rest")
        return int(_SETTLED.findall(self._tool.out)[-1])

    def end(self) -> None:
        """As settle(), and nothing arrives after that.

        Raises HarnessError when a packet was lost that no rule meant.
        """
        if self.over:
            return
        self.over = True
        self._tool.close_stdin()
        self._wait(lambda: self._tool.out_ended and _WHOLE.search(self._tool.said) is not None,
                   "did not end")

    def close(self) -> None:
        """Gives back the descriptors; the end of the network ends labwire itself."""
        self.over = True
        self._tool.close()

    def _wait(self, done: Callable[[], bool], failed: str) -> None:
        self._tool.wait(lambda: done() or self._tool.ended, failed)
        words = self._tool.words
        if not done():
            self.over = True
            raise HarnessError(f"the network between the programs failed: {words}")
