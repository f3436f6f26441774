"""What a server that should send back what it receives does with it, call by call."""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple, Optional

from labkit.diagnosis.calls import Call
from labkit.diagnosis.evidence import Evidence, Seen
from labkit.diagnosis.signs import RECEIVE, SEND, length
from labkit.feedback import counted

_SEND_BYTES = ("send", "sendto", "write")
_CHARACTER = re.compile(r"\\(?:[0-7]{1,3}|.)|.")
"""One of a string as strace writes it."""


class Echo(NamedTuple):
    """A call that received, and the only one that sent before the next that received."""

    got: Call
    sent: Call

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes that the one returned, and that the other was called for."""
        return self.got.result or 0, length(self.sent) or 0

    def __str__(self) -> str:
        got, sent = self.sizes
        return f"got {counted(got, 'byte')} and then called {self.sent.name}() for {sent}"


def _echoes(program: Seen) -> Iterator[Echo]:
    """What PROGRAM did with all that it received and answered with one call."""
    got: dict[tuple[int, str], Call] = {}
    sent: dict[tuple[int, str], list[Call]] = {}
    for call in program.log.calls:
        place = (call.process, call.about)
        if call.about[:3] not in ("TCP", "UDP"):
            continue
        if call.name in RECEIVE:
            if place in got and len(sent[place]) == 1:
                yield Echo(got[place], sent[place][0])
            got.pop(place, None)
            if call.result is not None and not call.failed:
                got[place], sent[place] = call, []
        elif call.name in _SEND_BYTES and place in got and length(call) is not None:
            sent[place].append(call)
    for place, call in got.items():
        if len(sent[place]) == 1:
            yield Echo(call, sent[place][0])


def _is_echo_server(evidence: Evidence, program: Seen) -> bool:
    return evidence.lab in ("01-tcp-echo", "03-udp") and program.name in (
        "server", "server_fork", "server_thread", "server_poll")


def cut_as_a_string(evidence: Evidence) -> Optional[str]:
    """An echo server's send() ends at the first NUL of what it got, or at an earlier one's end."""
    for program in evidence.programs:
        if not _is_echo_server(evidence, program):
            continue
        earlier: set[int] = set()
        for echo in _echoes(program):
            got, sent = echo.sizes
            if sent < got and _first_nul(echo.got) == sent or sent > got and sent in earlier:
                return f"`{program.name}` {echo}"
            earlier.add(got)
    return None


def sends_less(evidence: Evidence) -> Optional[str]:
    """An echo server calls send() each time for fewer bytes than it has got."""
    for program in evidence.programs:
        echoes = [echo for echo in _echoes(program) if echo.got.result]
        if _is_echo_server(evidence, program) and echoes and all(
                echo.sizes[1] < echo.sizes[0] for echo in echoes):
            return f"`{program.name}` {echoes[0]}"
    return None


def never_sends(evidence: Evidence) -> Optional[str]:
    """An echo server got bytes, and never called what sends on a connection."""
    for program in evidence.programs:
        calls = [call for call in program.log.calls if call.about[:3] in ("TCP", "UDP")]
        got = next(
            (call for call in calls if call.name in RECEIVE and (call.result or 0) > 0), None)
        if not _is_echo_server(evidence, program) or not program.log.whole or got is None:
            continue
        if not any(call.name in SEND for call in calls):
            return f"{got} in `{program.name}`, which never called send() or write() for the socket"
    return None


def keeps_what_it_got(evidence: Evidence) -> Optional[str]:
    """An echo server got bytes, and waits for more before it sends them."""
    for program in evidence.programs:
        if not _is_echo_server(evidence, program) or not program.blocked:
            continue
        kept: dict[tuple[int, str], int] = {}
        for call in program.log.calls:
            place = (call.process, call.about)
            if call.name in RECEIVE and "->" in call.about and not call.failed:
                if call.lasts and kept.get(place):
                    return (f"`{program.name}` waits in {call.name}() for more, and has not sent "
                            "what it got before")
                kept[place] = kept.get(place, 0) + (call.result or 0)
            elif call.name in SEND:
                kept.pop(place, None)
    return None


def _first_nul(call: Call) -> Optional[int]:
    """Where the first NUL is in what CALL received, as far as that is shown."""
    text = re.search(r'"((?:[^"\\]|\\.)*)"', call.arguments)
    characters = _CHARACTER.findall(text[1]) if text else []
    return next((at for at, each in enumerate(characters)
                 if re.fullmatch(r"\\0{1,3}", each)), None)
