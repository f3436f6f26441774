"""Zeek's conn_state and history of a connection, by Zeek's own rules.

The letters and states are those of conn.log's documentation,
https://docs.zeek.org/en/v8.2.0/scripts/base/protocols/conn/main.zeek.html (history, conn_state);
where it leaves a choice, what Zeek's TCP analyzer does decides (zeek/zeek on GitHub,
src/packet_analysis/protocol/tcp/TCPSessionAdapter.cc, and its reassembler for the gaps).
"""

from __future__ import annotations

import re

from corpus_packets import ACK, FIN, RST, SEQUENCE_SPACE, SYN, Segment

INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = (
    "inactive", "SYN sent", "SYN+ACK sent", "partial", "established", "closed", "reset",
)  # fmt: skip
TRUSTED_JUMP = 2**20  # a SYN or RST that is further off tells no place


class End:
    """One endpoint: its state and the one before, and where its stream begins and ends."""

    def __init__(self) -> None:
        self.state = self.before = INACTIVE
        self.start = self.last = 0
        self.flags_at: dict[str, int] = {}  # the place of the latest packet of s, h, f or r
        self.times = {"T": 0, "W": 0, "G": 0}

    def go(self, state: str) -> None:
        """Enter a state."""
        if state != self.state:
            self.before, self.state = self.state, state

    @property
    def clean(self) -> bool:
        """Whether a gap of this end is worth a letter."""
        return ESTABLISHED in (self.state, self.before if self.state == CLOSED else None)


def signed(difference: int) -> int:
    """A difference of places as 32 bits show it."""
    return (difference + SEQUENCE_SPACE // 2) % SEQUENCE_SPACE - SEQUENCE_SPACE // 2


class Zeek:
    """A connection in Zeek's eyes."""

    def __init__(self) -> None:
        self.ends = (End(), End())
        self.originator = 0
        self.letters: list[str] = []

    def flip(self) -> None:
        """The other end is the originator after all."""
        self.originator ^= 1
        self.letters.append("^")

    def see(self, segment: Segment, gaps: int) -> None:
        """Take a segment; gaps are those that its acknowledgement shows in the other stream."""
        me, peer = self.ends[segment.sender], self.ends[segment.sender ^ 1]
        end = segment.end + (segment.flags & FIN)
        if segment.flags & RST:
            end -= segment.length
        fresh = self._place(me, segment, end)
        self._note(segment)
        if (segment.window == 0 and not segment.flags & RST and peer.state != CLOSED
                and me.state != RESET):
            self._count(segment.sender, "W")
        self._advance(me, segment, end, fresh)
        self._move(me, peer, segment)
        if me.clean and peer.clean:
            for _ in range(gaps):
                self._count(segment.sender ^ 1, "G")

    def _write(self, side: int, letter: str) -> None:
        self.letters.append(letter if side == self.originator else letter.lower())

    def _count(self, side: int, letter: str) -> None:
        """Written at the 1st, 10th, 100th time."""
        times = self.ends[side].times
        times[letter] += 1
        if re.fullmatch("10*", str(times[letter])):
            self._write(side, letter)

    def _note(self, segment: Segment) -> None:
        flags, control = segment.flags, segment.flags & (SYN | FIN | RST)
        at = segment.place
        if control == SYN:
            kind, letter = "syn", "H" if flags & ACK else "S"
        elif control == FIN:
            kind, letter, at = "fin", "F", segment.end
        elif control == RST:
            kind, letter = "rst", "R"
        elif control:
            kind = letter = "I" if control & FIN and control & RST else "Q"
            at = 0
        elif segment.length:
            kind, letter, at = "data", "D", 0
        elif flags & ACK:
            kind, letter, at = "ack", "A", 0
        else:
            return
        marks = self.ends[segment.sender].flags_at
        if kind not in marks or (marks[kind] - at) % SEQUENCE_SPACE:
            self._write(segment.sender, letter)
        marks[kind] = at

    @staticmethod
    def _place(me: End, segment: Segment, end: int) -> bool:
        """Learns where the stream begins; returns whether this very packet tells."""
        syn = bool(segment.flags & SYN)
        if me.state == INACTIVE:
            me.start = segment.place if syn else segment.place - 1
            me.last = end if syn else segment.place
            return True
        told_by_reset = me.state == RESET and me.before == INACTIVE
        if syn and segment.place != me.start and (me.state not in (CLOSED, RESET)
                                                  or told_by_reset):
            me.start, me.last = segment.place, end
            return True
        return False

    def _advance(self, me: End, segment: Segment, end: int, fresh: bool) -> None:
        jump = signed(end - me.last)
        if segment.flags & (SYN | RST) and abs(jump) > TRUSTED_JUMP:
            return
        if segment.flags & FIN and me.last == me.start + 1:
            me.last = end
        elif me.state == RESET:
            return
        elif jump > 0:
            me.last += jump
        elif segment.length and not segment.flags & RST and not fresh:
            self._count(segment.sender, "T")

    def _move(self, me: End, peer: End, segment: Segment) -> None:
        flags = segment.flags
        if me.state == INACTIVE:
            self._begin(me, peer, segment)
        elif me.state in (SYN_SENT, SYN_ACK_SENT):
            if flags & FIN:
                me.go(CLOSED)
            if flags & RST:
                me.go(RESET)
        elif me.state in (PARTIAL, ESTABLISHED):
            if (flags & SYN and not flags & ACK and me.state == PARTIAL
                    and peer.state == INACTIVE):
                me.go(SYN_SENT)
            if flags & FIN and not flags & RST:
                me.go(CLOSED)
                if (peer.state, peer.before) == (RESET, CLOSED):
                    peer.go(CLOSED)
            if flags & RST:
                me.go(RESET)
        elif me.state == CLOSED and flags & RST and peer.state != CLOSED:
            me.go(RESET)

    def _begin(self, me: End, peer: End, segment: Segment) -> None:
        flags = segment.flags
        originator = segment.sender == self.originator
        if flags & SYN and originator:  # a SYN may be recorded behind its SYN+ACK
            late = peer.state == ESTABLISHED
            me.go(SYN_ACK_SENT if flags & ACK else ESTABLISHED if late else SYN_SENT)
        elif flags & SYN:
            if peer.state == SYN_SENT:
                peer.go(ESTABLISHED)
            me.go(ESTABLISHED)
        if flags & FIN:
            me.go(CLOSED)
        if flags & RST:
            me.go(RESET)
        if me.state != INACTIVE:
            return
        if not originator and not segment.length and peer.state == SYN_SENT:
            return
        me.go(ESTABLISHED if flags & ACK and peer.state == ESTABLISHED else PARTIAL)

    def state(self, any_bytes: bool) -> str:
        """conn_state; any_bytes is whether either side's size is above 0."""
        ours, theirs = (self.ends[side].state for side in (self.originator, self.originator ^ 1))
        idle = (INACTIVE, PARTIAL)
        if theirs == RESET:
            if ours in (SYN_SENT, SYN_ACK_SENT) or (ours == RESET and not any_bytes):
                return "REJ"
            return "RSTRH" if ours in idle else "RSTR"
        if ours == RESET:
            if theirs not in idle:
                return "RSTO"
            return "RSTOS0" if re.match(r"\^?S[^HAFGIQ]*R", "".join(self.letters)) else "OTH"
        if ours == CLOSED:
            return "SF" if theirs == CLOSED else "SH" if theirs in idle else "S2"
        if theirs == CLOSED:
            return "SHR" if ours in idle else "S3"
        return {(SYN_SENT, INACTIVE): "S0", (ESTABLISHED, ESTABLISHED): "S1"}.get(
            (ours, theirs), "OTH")
