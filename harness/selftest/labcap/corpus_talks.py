"""Scripts of TCP connections, made by dice: who sends what, and what of it is recorded."""

from __future__ import annotations

import random
from typing import Callable, Optional

from corpus_packets import (
    ACK,
    COPY,
    CUT,
    FIN,
    FRAGMENT,
    MALFORMED,
    PSH,
    QUOTED,
    RST,
    SEEN,
    SYN,
    WINDOW,
    Segment,
)

LEFT_OUT = [CUT, FRAGMENT, QUOTED, MALFORMED]
CLIENT, SERVER = 0, 1
FAR = 1_000_000_000
FULL = 1460


class Script:
    """The segments of one connection in the order they were sent.

    next is the place that a side sends from, acked what it has acknowledged of the other side.
    """

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.sent: list[Segment] = []
        self.next = [0, 0]
        self.acked: list[Optional[int]] = [None, None]
        self.pieces: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self.window = [WINDOW, WINDOW]
        self.closed = [False, False]
        self.slept = False

    def send(self, sender: int, flags: int, length: int = 0, *, place: Optional[int] = None,
             ack: Optional[int] = None, window: Optional[int] = None, lost: bool = False,
             stale: bool = False) -> None:
        """Send a segment; lost is one that the recorder did not get."""
        at = self.next[sender] if place is None else place
        if flags & ACK and ack is None:
            ack = self.next[sender ^ 1]
        told = self.window[sender] if window is None else window
        segment = Segment(sender, flags, at, length, ack, told, stale)
        if not lost:
            self.sent.append(segment)
        if flags & RST or stale:
            return
        if length:
            self.pieces[sender].append((segment.end - length, length))
        if length or flags & (SYN | FIN):
            self.next[sender] = max(self.next[sender], segment.end + (flags & FIN))
        if ack is not None:
            self.acked[sender] = ack

    def size(self) -> int:
        """Bytes of a segment: mostly few, at times a full one, or one by offload."""
        pick = self.dice.random()
        if pick < 0.6:
            return self.dice.randrange(1, 200)
        return FULL if pick < 0.9 else self.dice.randrange(FULL, 20_000)


# ---- Opening


def opened(s: Script) -> None:
    s.send(CLIENT, SYN)
    s.send(SERVER, SYN | ACK)
    s.send(CLIENT, ACK)


def opened_with_data(s: Script) -> None:
    s.send(CLIENT, SYN)
    s.send(SERVER, SYN | ACK)
    s.send(CLIENT, ACK | PSH, s.size())


def opened_with_fin(s: Script) -> None:
    s.send(CLIENT, SYN)
    s.send(SERVER, SYN | ACK)
    s.send(CLIENT, ACK | FIN, s.dice.choice([0, 5]))
    s.closed[CLIENT] = True


def opened_slowly(s: Script) -> None:
    """SYN and SYN+ACK, each sent up to three times."""
    for _ in range(s.dice.randint(1, 3)):
        s.send(CLIENT, SYN, place=0)
    for _ in range(s.dice.randint(1, 3)):
        s.send(SERVER, SYN | ACK, place=0)
    s.send(CLIENT, ACK)


def opened_fast(s: Script) -> None:
    """Data in the SYN (RFC 7413), taken or refused by the server, which may have data too."""
    length = s.dice.randrange(1, 500)
    s.send(CLIENT, SYN, length)
    if s.dice.random() < 0.3:
        s.send(CLIENT, SYN, length, place=0)
    if s.dice.random() < 0.5:
        s.send(SERVER, SYN | ACK, s.dice.choice([0, 0, 100]))
        s.send(CLIENT, ACK)
    else:
        s.send(SERVER, SYN | ACK, ack=1)
        s.send(CLIENT, ACK | PSH, length, place=1)


def crossed(s: Script) -> None:
    """A simultaneous open (RFC 9293, figure 8)."""
    again = s.dice.choice([SYN | ACK, ACK])
    s.send(CLIENT, SYN)
    s.send(SERVER, SYN)
    for side in s.dice.sample([CLIENT, SERVER], 2):
        s.send(side, again, place=0 if again & SYN else 1)


def unanswered(s: Script) -> None:
    for _ in range(s.dice.randint(1, 4)):
        s.send(CLIENT, SYN, place=0)
    s.closed = [True, True]


def refused(s: Script) -> None:
    s.send(CLIENT, SYN)
    s.send(SERVER, RST | ACK, place=s.dice.choice([0, FAR]), ack=1, window=0)
    s.closed = [True, True]


def reset_by_another_number(s: Script) -> None:
    """A reset that does not acknowledge the SYN refuses nothing."""
    s.send(CLIENT, SYN)
    if s.dice.random() < 0.5:
        s.send(SERVER, RST | ACK, place=0, ack=s.dice.choice([0, 2, 5000]))
    else:
        s.send(SERVER, RST, place=0)
    s.closed = [True, True]


def given_up(s: Script) -> None:
    """The client resets, before or after the SYN+ACK."""
    s.send(CLIENT, SYN)
    if s.dice.random() < 0.5:
        s.send(SERVER, SYN | ACK)
    s.send(CLIENT, RST | s.dice.choice([0, ACK]))
    s.closed = [True, True]


def answered_by_an_older_connection(s: Script) -> None:
    """An ACK of something else, the reset it gets, and the SYN again (RFC 9293, figure 9)."""
    s.send(CLIENT, SYN)
    other = s.dice.choice([FAR, -FAR, 70_000, -70_000])
    s.send(SERVER, ACK, place=other, ack=other, stale=True)
    s.send(CLIENT, RST, place=other)
    s.send(CLIENT, SYN, place=0)
    s.send(SERVER, SYN | ACK)
    s.send(CLIENT, ACK)


def wrongly_acknowledged(s: Script) -> None:
    """A third packet of wrong numbers, perhaps before a right one."""
    s.send(CLIENT, SYN)
    s.send(SERVER, SYN | ACK)
    if s.dice.random() < 0.5:
        s.send(CLIENT, ACK, ack=0)
    else:
        s.send(CLIENT, ACK, place=s.dice.choice([-FAR, 0, FAR]))
    if s.dice.random() < 0.7:
        s.send(CLIENT, ACK)


def answered_late(s: Script) -> None:
    """The SYN+ACK stands behind what acknowledges it, and perhaps behind data of its sender."""
    s.send(CLIENT, SYN)
    s.next[SERVER] = 1
    s.send(CLIENT, ACK, ack=s.dice.choice([0, 1]))
    if s.dice.random() < 0.5:
        s.send(SERVER, ACK, s.size())
    s.send(SERVER, SYN | ACK, place=0, ack=1)
    s.send(CLIENT, ACK, s.dice.choice([0, 50]), ack=s.dice.choice([1, s.next[SERVER]]))
    for _ in range(s.dice.randint(0, 2)):
        s.send(CLIENT, ACK, ack=1)


def both_bits(s: Script) -> None:
    """SYN and FIN in one packet."""
    s.send(CLIENT, SYN | FIN)
    if s.dice.random() < 0.5:
        s.send(SERVER, SYN | ACK)
        s.send(CLIENT, ACK)
    s.closed = [True, True]


OPENINGS: list[tuple[Callable[[Script], None], int]] = [
    (opened, 46), (opened_with_data, 10), (opened_with_fin, 3), (opened_slowly, 8),
    (opened_fast, 5), (crossed, 5), (unanswered, 3), (refused, 4), (reset_by_another_number, 3),
    (given_up, 3), (answered_by_an_older_connection, 3), (wrongly_acknowledged, 5),
    (answered_late, 3), (both_bits, 2),
]  # fmt: skip


# ---- Talking


def data(s: Script, side: int) -> None:
    s.send(side, ACK | s.dice.choice([0, PSH]), s.size())


def missed_data(s: Script, side: int) -> None:
    """Sent, and not recorded."""
    s.send(side, ACK, s.size(), lost=True)


def missed_gigabyte(s: Script, side: int) -> None:
    """Acknowledged data of which nothing is there, more than a number can tell at once."""
    if s.slept:
        return
    s.slept = True
    s.pieces[side].clear()
    for _ in range(s.dice.choice([1, 2, 4])):
        s.next[side] += s.dice.randrange(FAR)
        s.send(side ^ 1, ACK)
    s.send(side, ACK, 1)


def same_again(s: Script, side: int) -> None:
    if s.pieces[side]:
        place, length = s.dice.choice(s.pieces[side])
        s.send(side, ACK, length, place=place)


def overlapping(s: Script, side: int) -> None:
    """Old bytes, and perhaps new ones behind them."""
    back = s.dice.randrange(1, 400)
    s.send(side, ACK, s.dice.randrange(1, 800), place=max(1, s.next[side] - back))


def overtaken(s: Script, side: int) -> None:
    """Two segments, or parts of them, in the wrong order."""
    first, second, start = s.size(), s.size(), s.next[side]
    s.send(side, ACK, second, place=start + first)
    s.send(side, ACK, first + s.dice.choice([0, 0, -1, 1]) or 1, place=start)


def filled_late(s: Script, side: int) -> None:
    """A hole of three segments that is filled in parts, with acknowledgements between."""
    start, length = s.next[side], s.dice.randrange(1, 300)
    order = [3, 0, 2, 1]
    if s.dice.random() < 0.5:
        s.dice.shuffle(order)
    for index in order:
        s.send(side, ACK, length, place=start + index * length)
        s.send(side ^ 1, ACK, ack=s.dice.choice([start, start, start + length]))
    s.send(side ^ 1, ACK)


def acknowledgement(s: Script, side: int) -> None:
    s.send(side, ACK)


def part_acknowledged(s: Script, side: int) -> None:
    top = s.next[side ^ 1]
    s.send(side, ACK, ack=s.dice.randint(max(1, top - 2000), top))


def same_acknowledgement(s: Script, side: int) -> None:
    """Again and again, as of one who waits for a segment."""
    ack = s.acked[side]
    if ack is None:
        return
    if s.dice.random() < 0.7:
        s.send(side ^ 1, ACK, s.size())
    for _ in range(s.dice.randint(1, 4)):
        s.send(side, ACK, ack=ack)


def closed_window(s: Script, side: int) -> None:
    """A receiver without room, probes of each kind, and a window that opens."""
    s.send(side, ACK, window=0)
    for _ in range(s.dice.randint(0, 2)):
        if s.dice.random() < 0.5:
            s.send(side ^ 1, ACK, 1)
        else:
            s.send(side ^ 1, ACK, place=s.next[side ^ 1] - 1)
        s.send(side, ACK, window=0)
    s.window[side] = s.dice.choice([WINDOW, 4000, 1])
    s.send(side, ACK)


def kept_alive(s: Script, side: int) -> None:
    for _ in range(s.dice.randint(1, 3)):
        s.send(side, ACK, s.dice.randint(0, 1), place=s.next[side] - 1)
        s.send(side ^ 1, ACK)


def without_ack(s: Script, side: int) -> None:
    s.send(side, PSH, s.dice.choice([0, 10]))


def syn_again(s: Script, side: int) -> None:
    """The SYN once more in the middle, of which only the client's is a plain one."""
    if not s.slept:
        s.send(side, SYN if side == CLIENT else SYN | ACK, place=0)


TALK: list[tuple[Callable[[Script, int], None], int]] = [
    (data, 40), (acknowledgement, 20), (missed_data, 6), (missed_gigabyte, 1), (same_again, 8),
    (overlapping, 5), (overtaken, 6), (filled_late, 3), (part_acknowledged, 5),
    (same_acknowledgement, 6), (closed_window, 3), (kept_alive, 3), (without_ack, 1),
    (syn_again, 1),
]  # fmt: skip


# ---- Closing


def fin_of(s: Script, side: int) -> None:
    s.send(side, ACK | FIN, s.dice.choice([0, 0, 0, 30]))
    if s.dice.random() < 0.1:
        s.send(side, ACK | FIN, place=s.next[side] - 1)
    s.closed[side] = True


def in_four(s: Script, first: int) -> None:
    fin_of(s, first)
    s.send(first ^ 1, ACK)
    if s.dice.random() < 0.3:
        data(s, first ^ 1)
        s.send(first, ACK)
    fin_of(s, first ^ 1)
    s.send(first, ACK)


def in_three(s: Script, first: int) -> None:
    fin_of(s, first)
    fin_of(s, first ^ 1)
    s.send(first, ACK)


def both_at_once(s: Script, first: int) -> None:
    """Neither FIN acknowledges the other (RFC 9293, figure 13)."""
    before = s.next[first]
    fin_of(s, first)
    s.send(first ^ 1, ACK | FIN, ack=before)
    s.closed[first ^ 1] = True
    for side in s.dice.sample([CLIENT, SERVER], 2):
        s.send(side, ACK)


def half(s: Script, first: int) -> None:
    fin_of(s, first)
    for _ in range(s.dice.randint(0, 2)):
        s.send(first ^ 1, ACK)
        data(s, first ^ 1)


def reset(s: Script, first: int) -> None:
    """A reset of any look, perhaps with a text, perhaps answered by one."""
    place = s.next[first] + s.dice.choice([0, 0, 0, 50, FAR])
    s.send(first, RST | s.dice.choice([0, ACK, ACK, FIN | ACK]), s.dice.choice([0, 0, 20]),
           place=place)
    if s.dice.random() < 0.2:
        s.send(first ^ 1, RST)


def reset_after_fin(s: Script, first: int) -> None:
    fin_of(s, first)
    if s.dice.random() < 0.5:
        s.send(first ^ 1, ACK)
    s.send(s.dice.choice([first, first ^ 1]), RST | ACK)


def reset_after_both(s: Script, first: int) -> None:
    s.dice.choice([in_four, in_three])(s, first)
    s.send(s.dice.choice([first, first ^ 1]), RST)


def reset_between_acknowledgements(s: Script, first: int) -> None:
    fin_of(s, first)
    fin_of(s, first ^ 1)
    s.send(first, RST)


def left_open(s: Script, first: int) -> None:
    del s, first


CLOSINGS: list[tuple[Callable[[Script, int], None], int]] = [
    (in_four, 30), (in_three, 25), (both_at_once, 8), (half, 6), (reset, 10),
    (reset_after_fin, 4), (reset_after_both, 4), (reset_between_acknowledgements, 3),
    (left_open, 10),
]  # fmt: skip


def late(s: Script, side: int) -> None:
    """What still comes after the end."""
    s.dice.choice([same_again, acknowledgement, same_acknowledgement, kept_alive])(s, side)


# ---- A whole connection


def choose(dice: random.Random, table: list[tuple[Callable[..., None], int]]
           ) -> Callable[..., None]:
    """One of a table, by weight."""
    return dice.choices([row[0] for row in table], [row[1] for row in table])[0]


def script(dice: random.Random) -> Script:
    """A connection from its opening to its end."""
    s = Script(dice)
    choose(dice, OPENINGS)(s)
    if s.closed == [False, False]:
        for _ in range(dice.choice([0, 1, 2, 3, 4, 6, 9])):
            choose(dice, TALK)(s, dice.randrange(2))
        choose(dice, CLOSINGS)(s, dice.randrange(2))
        if dice.random() < 0.1:
            late(s, dice.randrange(2))
    return s


# ---- What the recorder makes of it


def recorded(s: Script, *, begins: bool, ends: bool) -> list[tuple[Segment, str]]:
    """The segments in the order of the file, each with its fate.

    begins and ends say whether the recording may start and stop in the middle.
    """
    dice = s.dice
    held = [(segment, SEEN) for segment in s.sent]
    if begins and len(held) > 2 and dice.random() < 0.15:
        del held[: dice.randrange(1, len(held) - 1)]
    if ends and len(held) > 2 and dice.random() < 0.1:
        del held[dice.randrange(1, len(held)) :]
    first = 0 if begins else 1  # the SYN that starts a connection anew is always there
    if s.slept:  # nothing but the acknowledgements tells how far the stream has come
        return held
    if dice.random() < 0.25:
        held = held[:first] + [each for each in held[first:] if dice.random() > 0.12]
    if dice.random() < 0.2:
        for _ in range(dice.randint(1, 3)):
            if len(held) > first + 1:
                at = dice.randrange(first, len(held))
                moved = held.pop(at)
                far = 1 if moved[0].flags & SYN else 3
                to = dice.randrange(max(first, at - far), min(len(held), at + far) + 1)
                held.insert(to, moved)
    if dice.random() < 0.1:
        for _ in range(dice.randint(1, 2)):
            if len(held) > first:
                at = dice.randrange(first, len(held))
                held[at] = (held[at][0], dice.choice(LEFT_OUT))
    if dice.random() < 0.15:
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(held)) if held else 0
            if held and held[at][1] == SEEN:
                held.insert(at + 1, (held[at][0], COPY))
    return held
