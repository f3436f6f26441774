"""A pair on its stage: a play has its programs do something and waits for what comes of it.

The first thing that does not come ends the play: it is told, and so is all that happened.
"""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass
from typing import Callable, Iterator, Optional

from labkit.diagnosis import diagnosed
from labkit.events import DeadlinePassed
from labkit.feedback import Mismatch
from labkit.folders import Folder
from labkit.pairs.table import Command, Pair
from labkit.pairs.transcript import Transcript
from labkit.peer import describe
from labkit.program import Program
from labkit.scenario import STALL, Scenario

_PATIENCE = 6.0
"""Seconds that programs may stand still where they send again what was lost, by their own clock."""
_AT_ONCE = 10.0
"""Seconds more for the whole play, in which it is looked at and can end after Ctrl-C."""
_STREAMS = {"stdout": "|", "stderr": "!"}


@dataclass(eq=False)
class Actor:
    """A program of the play."""

    name: str
    program: Program
    folder: Optional[Folder]
    heard: int = 0
    """Bytes of its stdout that the play has waited for."""
    told: bool = False
    """Its end is in the transcript."""

    @property
    def shown(self) -> str:
        return f"`{self.program.command}`"


class Stage:
    """PAIR's programs in LAB's network, and what happens to them written down."""

    def __init__(self, lab: Scenario, pair: Pair, transcript: Transcript) -> None:
        self._lab = lab
        self._pair = pair
        self._transcript = transcript
        self._actors: list[Actor] = []
        self._taken: dict[tuple[Actor, str], int] = {}
        self.problems: list[Mismatch] = []
        """What did not go as the play has it, in the order it was found."""
        if pair.udp:
            lab.be_patient(_PATIENCE)

    def perform(self) -> None:
        """The whole play, and its end, whatever comes. Raises HarnessError."""
        with self._noted():
            self._pair.play(self)
        self._settle()
        for problem in self.problems:
            diagnosed(self._lab, self._pair.lab, problem)
        for actor in reversed(self._actors):
            self._see_off(actor)

    # -- What a play does

    def serve(self, *more: str) -> Actor:
        """Starts the pair's server with MORE arguments; goes on once it can be reached."""
        actor = self._start(self._pair.server, more, self._pair.server.name or "server")
        with self._noted():
            self.bound(actor, self._pair.port)
        if actor.program.exit is not None or not actor.program.activity().blocked:
            raise _Over
        return actor

    def bound(self, actor: Actor, port: int) -> None:
        """Waits until the kernel has ACTOR's socket on PORT, and ACTOR waits for packets."""
        wait = self._lab.wait_bound if self._pair.udp else self._lab.wait_listening
        try:
            wait(actor.program, port)
            self._lab.wait_blocked(actor.program)
        finally:
            self._take()

    def start(self, *more: str, name: str = "") -> Actor:
        """Starts the pair's client with MORE arguments."""
        return self._start(self._pair.client, more, name or self._pair.client.name or "client")

    def types(self, actor: Actor, line: str) -> None:
        """Types LINE and Enter."""
        self._transcript.row(actor.name, "<", line)
        actor.program.write(f"{line}\n".encode())

    def ends_input(self, actor: Actor) -> None:
        """Types Ctrl-D; goes on once ACTOR has done what it does then."""
        self._transcript.row(actor.name, "<", "(Ctrl-D: the end of its input)")
        actor.program.close_stdin()
        self._lab.wait_blocked(actor.program)

    def prints(self, actor: Actor, text: str) -> None:
        """Waits for TEXT on stdout, after what was waited for before; more may come with it."""
        program, wanted = actor.program, text.encode()
        self._wait(lambda: wanted in program.stdout[actor.heard:] or program.output_ended,
                   f"{actor.shown} prints `{text.rstrip()}`",
                   lambda: self._instead_of_printed(actor))
        at = program.stdout.find(wanted, actor.heard)
        if at < 0:
            raise Mismatch(f"{actor.shown} prints `{text.rstrip()}`",
                           self._instead_of_printed(actor), "messages")
        actor.heard = at + len(wanted)
        self._take(rests=True)

    def ends(self, actor: Actor) -> None:
        """Waits for its end, which is by itself and with status 0."""
        program = actor.program
        expected = f"{actor.shown} exits with status 0"
        self._wait(lambda: _is_over(program), expected, lambda: "it still runs")
        assert program.exit is not None
        self._tell_end(actor, "")
        if program.exit.status != 0:
            raise Mismatch(expected, f"it {program.exit}{program.last_words}")

    def has(self, actor: Actor, name: str, data: bytes) -> None:
        """In its folder there is a file NAME with DATA."""
        assert actor.folder is not None
        actor.folder.expect_file(name, data)
        self._transcript.row(actor.name, "=",
                             f"its folder has {name}, the {len(data)} bytes that were sent")

    # -- Behind the scenes

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except Mismatch as problem:
            self.problems.append(problem)
        except _Over:
            pass

    def _start(self, command: Command, more: tuple[str, ...], name: str) -> Actor:
        self._transcript.row(name, "$", " ".join([*command.argv, *more]))
        folder = None if command.files is None else self._lab.folder(command.files)
        program = self._lab.start(command.program, *command.args, *more, folder=folder)
        actor = Actor(name, program, folder)
        self._actors.append(actor)
        return actor

    def _wait(self, done: Callable[[], bool], expected: str, seen: Callable[[], str]) -> None:
        def take_and_ask() -> bool:
            self._take()
            return done()

        try:
            self._lab.wait_for(take_and_ask, expected, seen)
        finally:
            self._take()

    def _take(self, rests: bool = False) -> None:
        """Writes down what has been printed: whole lines, with RESTS also what has no end."""
        for actor in self._actors:
            for stream, mark in _STREAMS.items():
                data: bytearray = getattr(actor.program, stream)
                start = self._taken.get((actor, stream), 0)
                end = len(data) if rests else data.rfind(b"\n", start) + 1
                if end > start:
                    text = data[start:end].decode(errors="backslashreplace")
                    for line in text.removesuffix("\n").split("\n"):
                        self._transcript.printed(actor.name, mark, line)
                    self._taken[actor, stream] = end

    def _instead_of_printed(self, actor: Actor) -> str:
        program = actor.program
        after = describe(bytes(program.stdout[actor.heard:]))
        end = f"; it {program.exit}" if program.exit is not None else ""
        return f"on stdout: {after}{end}{program.last_words}"

    def _settle(self) -> None:
        """Ends the recording when no packet is to come any more."""
        with self._noted():
            self._lab.settle()
        with contextlib.suppress(DeadlinePassed):
            self._lab.end_recording()
        self._take()

    def _see_off(self, actor: Actor) -> None:
        """Ctrl-C for a program that still runs, after the recording; tells how it ended."""
        program, before = actor.program, ""
        self._lab.wait_blocked(program)  # its end may just have begun
        if not program.has_ended:
            before = "Ctrl-C: "
            program.send_signal(signal.SIGINT)
            self._lab.stall = STALL
        self._lab.take_longer(_AT_ONCE)
        with self._noted():
            self._wait(lambda: _is_over(program), f"Ctrl-C ends {actor.shown}",
                       lambda: "it still runs")
        if not before and not actor.told and not any(actor.shown in each.expected
                                                     for each in self.problems):
            self.problems.insert(0, Mismatch(f"{actor.shown} goes on until Ctrl-C",
                                             f"it {program.exit}{program.last_words}"))
        if program.exit is not None and not actor.told:
            self._tell_end(actor, before)

    def _tell_end(self, actor: Actor, before: str) -> None:
        exit = actor.program.exit
        assert exit is not None
        self._take(rests=True)
        much = ": it printed far too much" if actor.program.overflowed else ""
        self._transcript.row(actor.name, "=" if exit.status == 0 else "?", f"{before}{exit}{much}")
        actor.told = True
        if exit.leftovers:
            names = ", ".join(exit.leftovers)
            self.problems.append(Mismatch(f"{actor.shown} leaves no process behind",
                                          f"a second later there still were: {names}",
                                          "left-over-process"))


def _is_over(program: Program) -> bool:
    """It has ended, and all that was printed is here, but for what a process it left may print."""
    return program.exit is not None and (program.output_ended or bool(program.exit.leftovers))


class _Over(Exception):
    """There is nothing more to be played."""
