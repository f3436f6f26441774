"""What programs print: lines, bytes, complaints, nothing."""

from __future__ import annotations

import re
from typing import Optional

from labkit.feedback import Mismatch, counted
from labkit.peer import OF_STREAMS, describe, difference, guess_cause, is_foreign
from labkit.program import Program
from labkit.scenario.world import World


def _foreign(data: bytes, program: Program, cause: Optional[str]) -> Optional[str]:
    """'messages', where what PROGRAM wrote begins with other words, and CAUSE tells of DATA."""
    said_else = cause in OF_STREAMS and is_foreign(data, bytes(program.stdout))
    return "messages" if said_else else None


def _cut(data: bytes, program: Program) -> Optional[str]:
    """What a tool, which writes all that it is sent at once, shows of DATA where it has a part."""
    own = program.submitted
    return None if own else guess_cause(data, bytes(program.stdout))


class Output(World):
    """Waiting for what a program prints, which must be what is expected."""

    def expect_line(self, program: Program, line: str, cause: Optional[str] = None) -> None:
        """Waits for the next line on the program's stdout, which must be LINE."""
        self._expect_line(program, re.escape(line), f"the line `{line}`", cause)

    def expect_line_matching(
        self, program: Program, pattern: str, cause: Optional[str] = None
    ) -> None:
        """The same for a line that the regular expression PATTERN describes in full."""
        self._expect_line(program, pattern, f"a line like `{pattern}`", cause)

    def _expect_line(
        self, program: Program, pattern: str, wanted: str, cause: Optional[str]
    ) -> None:
        self.wait_for(lambda: b"\n" in program.stdout or program.output_ended,
                      f"`{program.command}` prints {wanted}",
                      lambda: f"on stdout: {describe(bytes(program.stdout))}{program.last_words}",
                      lambda: self._why_no_line(program, pattern) or cause
                      or "stdout-not-flushed")
        got, newline, rest = bytes(program.stdout).partition(b"\n")
        if not newline or not re.fullmatch(pattern, got.decode(errors="replace")):
            raise Mismatch(expected=f"`{program.command}` prints {wanted}",
                           seen=f"on stdout: {describe(got + newline)}{program.last_words}",
                           cause=cause or "messages")
        program.stdout[:] = rest

    @staticmethod
    def _why_no_line(program: Program, pattern: str) -> Optional[str]:
        """'messages', where the line like PATTERN is on stderr."""
        lines = program.stderr.decode(errors="replace").split("\n")
        return "messages" if any(re.fullmatch(pattern, line) for line in lines) else None

    def expect_output(self, program: Program, data: bytes, cause: Optional[str] = None) -> None:
        """Waits until the program's stdout has as many bytes as DATA, and they must be DATA."""
        self.wait_for(lambda: len(program.stdout) >= len(data) or program.output_ended,
                      f"`{program.command}` writes {counted(len(data), 'byte')} to stdout",
                      lambda: difference(data, bytes(program.stdout)) + program.last_words,
                      lambda: _foreign(data, program, cause) or _cut(data, program)
                      or cause or "stdout-not-flushed")
        got = bytes(program.stdout)
        if got[: len(data)] != data:
            own = program.submitted  # else a tool, which tells what it was sent
            raise Mismatch(expected=f"`{program.command}` writes the {len(data)} bytes to stdout "
                           "that came back", seen=difference(data, got) + program.last_words,
                           cause=_foreign(data, program, cause) or cause
                           or guess_cause(data, got)
                           or ("single-read" if got or own else "no-answer"))
        del program.stdout[: len(data)]

    def expect_silence(self, program: Program) -> None:
        """A program that has ended wrote nothing more to stdout."""
        if program.stdout:
            raise Mismatch(expected=f"`{program.command}` prints nothing more to stdout",
                           seen=describe(bytes(program.stdout)), cause="messages")

    def expect_complaint(
        self, program: Program, pattern: str, cause: str = "messages"
    ) -> None:
        """A line of stderr, of a program that has ended, begins as PATTERN says; or else CAUSE."""
        text = program.stderr.decode(errors="replace")
        if not re.search(f"^(?:{pattern})", text, re.MULTILINE):
            raise Mismatch(expected=f"`{program.command}` prints a line like `{pattern}` to stderr",
                           seen=f"on stderr: {describe(bytes(program.stderr))}", cause=cause)

    def expect_stderr_line(
        self, program: Program, line: str, cause: Optional[str] = None
    ) -> None:
        """Waits until LINE is a whole line of the program's stderr, among whatever others."""
        def there() -> bool:
            return f"\n{line}\n".encode() in b"\n" + program.stderr

        expected = f"`{program.command}` prints the line `{line}` to stderr"
        self.wait_for(lambda: there() or program.output_ended, expected,
                      lambda: f"on stderr: {describe(bytes(program.stderr))}", cause or "messages")
        if not there():
            raise Mismatch(expected=expected,
                           seen=f"it ended; on stderr: {describe(bytes(program.stderr))}",
                           cause=cause or "messages")
