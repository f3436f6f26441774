"""strace's log of one program as objects: its calls, and the ends of its processes."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

HEAD, TAIL = 64 * 1024, 128 * 1024
"""Bytes read of a log's two ends: how a program began, and what it did last."""


class Call(NamedTuple):
    """One system call; where it is cut off, its arguments are not all there."""

    process: int
    name: str
    arguments: str
    result: Optional[int]
    """What it returned; None: it did not return, or that cannot be seen."""
    error: str
    """As in 'ECONNRESET'; '' where it did not fail."""
    made: str = ""
    """What strace says of its result: of a descriptor as `about` does, of a process its id."""

    @property
    def descriptor(self) -> Optional[int]:
        """Its first argument, where that is a descriptor."""
        found = re.match(r"(\d+)<", self.arguments)
        return int(found[1]) if found else None

    @property
    def about(self) -> str:
        """What that descriptor is: 'TCP:[127.0.0.1:4321->127.0.0.1:52436]', 'pipe:[1]', ''."""
        found = re.match(r"\d+<((?:->|[^<>]|<[^<>]*>)*)>", self.arguments)
        return found[1] if found else ""

    @property
    def child(self) -> int:
        """The process, or thread, that a clone() or fork() made; 0 for all other calls."""
        if self.name not in ("clone", "clone3", "fork", "vfork"):
            return 0
        return int(self.made) if self.made.isdecimal() else max(self.result or 0, 0)

    @property
    def failed(self) -> bool:
        return bool(self.error)

    @property
    def lasts(self) -> bool:
        """It has not returned."""
        return self.result is None

    def __str__(self) -> str:
        what = f"{self.name}()"
        if self.failed:
            return f"{what} failed with {self.error}"
        return f"{what} has not returned" if self.lasts else f"{what} returned {self.result}"


class End(NamedTuple):
    """The end of one of its processes or threads."""

    process: int
    status: Optional[int]
    signal: str
    """As in 'SIGSEGV'; '' where none ended it."""


class Log(NamedTuple):
    """What a program did, in order."""

    calls: tuple[Call, ...] = ()
    ends: tuple[End, ...] = ()
    signals: frozenset[tuple[int, str]] = frozenset()
    """Which came, by name, each behind the process or thread that got it."""
    whole: bool = True
    """Nothing was left out between its beginning and its end."""

    @property
    def dead(self) -> frozenset[int]:
        """Its processes, not threads, that have ended: they hold nothing open any more."""
        threads = {call.child for call in self.calls if "CLONE_THREAD" in call.arguments}
        return frozenset(end.process for end in self.ends) - threads

    @property
    def gave_up(self) -> list[Call]:
        """The calls of the process, its threads' among them, that was the first to exit.

        One that exited with an error goes first: others end because it did.
        """
        leaders: dict[int, int] = {}
        found: dict[int, list[Call]] = {}
        ended: list[tuple[bool, int, int]] = []
        for at, call in enumerate(self.calls):
            leader = leaders.get(call.process, call.process)
            if "CLONE_THREAD" in call.arguments:
                leaders[call.child] = leader
            found.setdefault(leader, []).append(call)
            if call.name == "exit_group":
                ended.append((call.arguments == "0", at, leader))
        return found[min(ended)[2]] if ended else list(self.calls)


_LINE = re.compile(r"(\d+) +[\d.]+ (.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_RETURNED = re.compile(r"(\w+)\((.*)\) += (0x[0-9a-f]+|-?\d+|\?)"
                       r"(?:<((?:->|[^<>])*)>|(?: /\* (\d+) in))?(?: (E[A-Z0-9_]+)\b)?.*")
_BEGUN = re.compile(r"(\w+)\((.*?)(?: ?<(?:unfinished|detached) \.\.\.>)?$")
_EXITED = re.compile(r"\+\+\+ exited with (\d+) \+\+\+")
_KILLED = re.compile(r"\+\+\+ killed by (\w+)")
_UNFINISHED = " <unfinished ...>"


def read_log(log: bytes) -> Log:
    """LOG, as strace wrote it with the tracer's options; what is not understood is left out."""
    whole = len(log) <= HEAD + TAIL
    if not whole:
        log = log[:HEAD] + b"\n" + log[-TAIL:]
    calls: list[Call] = []
    ends: list[End] = []
    signals: set[tuple[int, str]] = set()
    open_calls: dict[int, tuple[int, str]] = {}
    """Of a process: its call that lasts, by its place in CALLS, and how that begins."""
    for line in log.decode("ascii", "replace").split("\n"):
        found = _LINE.match(line)
        if found is None:
            continue
        process, text = int(found[1]), found[2]
        resumed = _RESUMED.match(text)
        if resumed and process in open_calls:
            place, begun = open_calls.pop(process)
            made = _call(process, begun + resumed[1])
            if made is not None:
                calls[place] = made
        elif text.startswith("---"):
            signals.add((process, text.split()[1]))
        elif text.startswith("+++"):
            exited, killed = _EXITED.match(text), _KILLED.match(text)
            ends.append(End(process, int(exited[1]) if exited else None,
                            killed[1] if killed else ""))
        else:
            made = _call(process, text)
            if made is not None:
                if text.endswith(_UNFINISHED):
                    open_calls[process] = len(calls), text[: -len(_UNFINISHED)]
                calls.append(made)
    return Log(tuple(calls), tuple(ends), frozenset(signals), whole)


def _call(process: int, text: str) -> Optional[Call]:
    returned = _RETURNED.fullmatch(text)
    if returned is not None:
        result = None if returned[3] == "?" else int(returned[3], 0)
        error = returned[6] or ""
        if error.startswith("ERESTART"):
            error = "EINTR"  # as the program sees it, unless the call goes on by itself
        return Call(process, returned[1], returned[2], result, error,
                    returned[4] or returned[5] or "")
    begun = _BEGUN.fullmatch(text)
    return Call(process, begun[1], begun[2], None, "") if begun is not None else None
