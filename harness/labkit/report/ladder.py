"""Where everything stands in the drawing of one flow: five bands, from left to right
the client's calls, its state, the packets between the two, the server's state and calls.

Lengths are in pixels of the SVG; ladder.svg makes markup of them.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from labkit.feedback import clean_line
from labkit.report import words
from labkit.report.crop import is_named
from labkit.report.rows import Call, Flow, Fold, Packet, Phase, Row, Side

CHARACTER = 7.3
"""Width of one, in the font of the ladder."""
GUTTER = 116
"""For the packets' numbers, and the time since the one before."""
NUMBER_END, GAP_END = 40, 108
LANES = 330
STATES, NO_STATES = 112, 34
EDGE = 14
HEAD = 44
PHASE_ROW, ROW, NOTED_ROW, CALL_ROW, NOTED_CALL_ROW, FOLD_ROW = 24, 28, 43, 20, 33, 30
"""Heights."""
CALL_CHARACTERS = 46
"""A call that is longer is cut; the whole of it is told on a click."""
BAR = 7
BARS = 3
"""Processes of a side that have a place of their own for what they wait in."""
LONG_CALL = 1_000_000
"""Nanoseconds that a call waited, when that is worth to be told."""
LONG_GAP = 100_000_000
"""Nanoseconds between two packets that are worth a second look."""


class Bar(NamedTuple):
    """A process is in a call from one row to another."""

    x: float
    y: int
    height: int


class Label(NamedTuple):
    """Words that stand somewhere in a row."""

    kind: str
    x: int
    y: int
    text: str


@dataclass
class Drawn:
    """One row: its place, its name, what it shows, and what a click on it tells."""

    kind: str
    y: int
    height: int
    name: str = ""
    key: str = ""
    times: str = ""
    """In ns: since the flow's first packet, and since the packet before."""
    details: str = ""
    payload: str = ""
    path: str = ""
    dot: Optional[tuple[float, int]] = None
    labels: list[Label] = field(default_factory=list)


@dataclass
class Ladder:
    """One flow, ready to be written down."""

    title: str
    about: str
    start: int
    """Nanoseconds since 1970."""
    outcome: str
    opened: bool
    width: int
    height: int
    client: int
    server: int
    heads: list[Label]
    bars: list[Bar]
    rows: list[Drawn]


class _Bands:
    """Where the bands of one flow are."""

    def __init__(self, flow: Flow, texts: Sequence[tuple[bool, str]]) -> None:
        """TEXTS: of its calls, each with whether it is the server's."""
        states = STATES if flow.protocol == "tcp" else NO_STATES
        self.of_calls = {side: _width_of_calls([text for of, text in texts if of == side])
                         for side in (False, True)}
        self.calls_end = GUTTER + self.of_calls[False]
        self.client = max(self.calls_end + states, _half(flow.client.address))
        self.server = self.client + LANES
        self.calls_start = self.server + states
        self.width = max(self.calls_start + self.of_calls[True],
                         self.server + _half(flow.server.address)) + EDGE
        self.middle = (self.client + self.server) // 2


def _width_of_calls(texts: Sequence[str]) -> int:
    """Of one side's band of calls, which has TEXTS; 0 where it has none."""
    cells = max(map(_cells, texts), default=0)
    return round(cells * CHARACTER) + EDGE if cells else 0


def _half(address: str) -> int:
    return round(len(address) * CHARACTER / 2)


def ladder_of(flow: Flow, test: int, named: Collection[int], opened: bool) -> Ladder:
    """The drawing of FLOW, of the test with number TEST; NAMED packets are marked."""
    return _Drawing(flow, test, named).ladder(opened)


class _Drawing:
    """Goes through the rows of a flow, from the top to the bottom."""

    def __init__(self, flow: Flow, test: int, named: Collection[int]) -> None:
        self._flow, self._test, self._named = flow, test, named
        calls = [row for row in flow.rows if isinstance(row, Call)]
        texts = [_call_text(call) for call in calls]
        self._texts = iter(texts)
        self._at = _Bands(flow, [(call.to_server, text) for call, text in zip(calls, texts)])
        self._places = {side: _processes(calls, side) for side in (False, True)}
        self._y = HEAD
        self._rows: list[Drawn] = []
        self._bars: list[Bar] = []
        self._begun: dict[int, tuple[bool, int, int]] = {}

    def ladder(self, opened: bool) -> Ladder:
        flow, at = self._flow, self._at
        if flow.client.state or flow.server.state:
            self._rows.append(Drawn("start", self._y, CALL_ROW, labels=self._states(
                flow.client.state, flow.server.state, self._y + 14)))
            self._y += CALL_ROW
        for row in flow.rows:
            drawn = self._draw(row)
            self._rows.append(drawn)
            self._y += drawn.height
        for begun in self._begun.values():
            self._bars.append(self._bar(*begun, self._y))
        return Ladder(words.heading_of(flow), words.summary_of(flow), flow.start,
                      flow.outcome, opened,
                      at.width, self._y + EDGE, at.client, at.server,
                      self._heads(), self._bars, self._rows)

    def _heads(self) -> list[Label]:
        at, flow = self._at, self._flow
        heads = [Label("head", at.client, 15, _role("client", flow.client)),
                 Label("head", at.server, 15, _role("server", flow.server)),
                 Label("address", at.client, 31, flow.client.address),
                 Label("address", at.server, 31, flow.server.address)]
        if at.of_calls[False]:
            heads.append(Label("band left", at.calls_end, 15, "calls"))
        if at.of_calls[True]:
            heads.append(Label("band right", at.calls_start, 15, "calls"))
        return heads

    def _draw(self, row: Row) -> Drawn:
        if isinstance(row, Packet):
            return self._packet(row)
        if isinstance(row, Call):
            return self._call(row)
        if isinstance(row, Fold):
            return self._fold(row)
        return self._phase(row)

    def _phase(self, row: Phase) -> Drawn:
        label = Label("caption", self._at.middle, self._y + 17, row.name)
        return Drawn("phase", self._y, PHASE_ROW, labels=[label])

    def _packet(self, row: Packet) -> Drawn:
        y = self._y
        marked = is_named(row, self._named)
        return Drawn(
            f"packet {row.tone}{' lost' if row.lost else ''}{' named' if marked else ''}",
            y, NOTED_ROW if row.note else ROW,
            name=words.name_of_packet(row, marked),
            key=f"t{self._test}p{row.number}",
            times=f"{row.time}" if row.gap is None else f"{row.time} {row.gap}",
            details=_told(words.details_of_packet(row, self._flow)),
            payload=_payload(row.payload),
            path=self._arrow(row, y + 20),
            labels=self._labels_of_packet(row))

    def _labels_of_packet(self, row: Packet) -> list[Label]:
        at, y = self._at, self._y
        labels = [Label("number", NUMBER_END, y + 24, str(row.number)),
                  Label("arrow", at.middle, y + 14, _fit(row.text, _fits(LANES - 24)))]
        if row.gap is not None:
            labels.append(Label("gap long" if row.gap >= LONG_GAP else "gap", GAP_END, y + 24,
                                words.span(row.gap)))
        if row.note:
            labels.append(Label("note middle", at.middle, y + 35,
                                _fit(row.note, _fits(LANES + STATES))))
        return labels + self._states(row.client_state, row.server_state, y + 24)

    def _arrow(self, row: Packet, y: int) -> str:
        start, end, ahead = self._at.client, self._at.server, 1
        if not row.to_server:
            start, end, ahead = end, start, -1
        start += ahead * 5
        if row.lost:
            end = start + ahead * LANES * 17 // 20
            return f"M{start} {y}H{end}m-5-5 10 10m0-10-10 10"
        end -= ahead * 5
        return f"M{start} {y}H{end}m{-8 * ahead}-4 {8 * ahead} 4 {-8 * ahead} 4"

    def _states(self, client: str, server: str, y: int) -> list[Label]:
        aside = BARS * BAR
        return [label for label in (
            Label("state left", self._at.client - aside, y, client),
            Label("state right", self._at.server + aside, y, server)) if label.text]

    def _call(self, row: Call) -> Drawn:
        y, middle = self._y, self._y + CALL_ROW // 2
        x = self._bar(row.to_server, row.pid, 0, 0).x + BAR / 2
        edge = self._at.calls_start if row.to_server else self._at.calls_end
        aside = 4 if row.to_server else -4
        text = next(self._texts)
        note = _note_below(row, text)
        to_text = "" if row.client_state or row.server_state else (
            f"M{edge - aside} {middle}H{x + aside}")
        self._wait(row, middle)
        return Drawn(
            f"call {row.part}{' quiet' if row.quiet else ''}",
            y, NOTED_CALL_ROW if note else CALL_ROW,
            name=words.name_of_call(row),
            times=str(row.time),
            details=_told(words.details_of_call(row)),
            payload=_payload(row.data),
            path=to_text,
            dot=(x, middle),
            labels=self._labels_of_call(row, edge, text, note))

    def _labels_of_call(self, row: Call, edge: int, text: str, note: str) -> list[Label]:
        y, side = self._y, "right" if row.to_server else "left"
        labels = [Label(f"calls {side}", edge, y + 14, text)]
        if note:
            labels.append(Label(f"note {side}", edge, y + 27, _fit(note, CALL_CHARACTERS)))
        return labels + self._states(row.client_state, row.server_state, y + 14)

    def _wait(self, row: Call, y: int) -> None:
        """From its beginning to its end the process is in the call."""
        if row.part == "begin":
            self._begun[row.number] = row.to_server, row.pid, y
        elif row.part == "end" and row.number in self._begun:
            self._bars.append(self._bar(*self._begun.pop(row.number), y))

    def _bar(self, to_server: bool, pid: int, top: int, bottom: int) -> Bar:
        """On the line of its side, or outside of it for the second process and the third."""
        place = min(self._places[to_server].index(pid), BARS - 1) * BAR
        line = self._at.server + place if to_server else self._at.client - place
        return Bar(line - BAR / 2, top, bottom - top)

    def _fold(self, row: Fold) -> Drawn:
        text = _fit(f"… {row.text} …", _fits(LANES + STATES))
        return Drawn(
            "fold named" if is_named(row, self._named) else "fold", self._y, FOLD_ROW,
            name=words.name_of_fold(row),
            details=_told(words.details_of_fold(row)),
            labels=[Label("caption", self._at.middle, self._y + 19, text)])


def _role(role: str, side: Side) -> str:
    """'server', or with its program's name 'server: server_fork'."""
    others = [name for name in side.processes if name != role]
    return f"{role}: {_fit(', '.join(others), 24)}" if others else role


def _processes(calls: Sequence[Call], to_server: bool) -> list[int]:
    """The processes of one side, in the order in which they come."""
    return list(dict.fromkeys(call.pid for call in calls if call.to_server == to_server))


def _call_text(call: Call) -> str:
    """CALL as it stands in its band."""
    who = f"[{call.process}] " if call.process else ""
    if call.part == "begin":
        return f"{who}{_fit(call.text, CALL_CHARACTERS - len(who) - 2)} …"
    end = f" {call.result}" if call.result else ""
    if call.part == "end" and call.duration is not None and call.duration >= LONG_CALL:
        end += f", after {words.span(call.duration)}"
    name = f"… {call.name}" if call.part == "end" else call.text
    end += _received(call, CALL_CHARACTERS - len(who) - _cells(name) - _cells(end))
    if _has_room(call.note, who + name + end):
        end += f", {call.note}"
    return who + _fit(name, max(12, CALL_CHARACTERS - len(who) - _cells(end))) + end


def _note_below(call: Call, text: str) -> str:
    """The note of CALL, where it is not in its TEXT."""
    return "" if call.note and text.endswith(f", {call.note}") else call.note


def _has_room(note: str, text: str) -> bool:
    return bool(note) and _cells(text) + _cells(note) + 2 <= CALL_CHARACTERS


def _received(call: Call, room: int) -> str:
    """What came, as far as there is ROOM; what was sent is among the arguments."""
    if not call.data or '"' in call.text or room < 8:
        return ""
    text = clean_line(call.data.decode("utf-8", "replace")).replace('"', '\\"')
    shown = _fit(text, room - 4)
    return f' "{shown}"' if shown == text else f' "{shown[:-1]}"…'


def _fits(width: float) -> int:
    return int(width / CHARACTER)


def _fit(text: str, cells: int) -> str:
    """TEXT in one line of so many CELLS of a terminal's kind, cut where it is longer."""
    if len(text) <= cells and text.isascii() and text.isprintable():
        return text  # as most are, and this is much faster
    text = clean_line(text)
    if _cells(text) <= cells:
        return text
    if text.isascii():
        return text[: max(0, cells - 1)].rstrip(" ,.") + "…"
    used, kept = 1, []
    for character in text:
        used += _cells(character)
        if used > cells:
            break
        kept.append(character)
    return "".join(kept).rstrip(" ,.") + "…"


def _cells(text: str) -> int:
    """How wide TEXT is: an East Asian character takes two places."""
    if text.isascii() or text.replace("…", "").isascii():
        return len(text)  # as of most texts
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "FW")
               for c in text)


def _told(details: words.Details) -> str:
    """DETAILS for the page's script: a line each, the term and a tab before the text."""
    return "\n".join(f"{term}\t{clean_line(text)}" for term, text in details)


def _payload(data: bytes) -> str:
    return b64encode(data).decode("ascii")
