"""What a recording tells of a connection: worked out from the script, by its true places.

Nothing is read from bytes and no 32-bit number is compared: the places come from the script.
What it shares with labcap is the contract alone, of which it is a second telling.
"""

from __future__ import annotations

from typing import Any, Optional

from corpus_packets import ACK, FIN, RST, SYN, Segment
from corpus_zeek import Zeek

Pieces = list[tuple[int, int]]
NAMES = ("client", "server")


def without(start: int, end: int, pieces: Pieces) -> Pieces:
    """What is left of [start, end) when the pieces are taken out, from low to high."""
    left = [(start, end)] if start < end else []
    for low, high in pieces:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, low)), (max(first, high), last))
            if part[0] < part[1]
        ]
    return sorted(left)


def total(pieces: Pieces) -> int:
    """How many places the pieces hold."""
    return sum(end - start for start, end in pieces)


class Side:
    """What was seen of one side as a sender."""

    def __init__(self) -> None:
        self.known = False  # its SYN was seen
        self.plain_syn = False  # without ACK
        self.next: Optional[int] = None  # behind the highest place, or the first one told of
        self.seen: Pieces = []
        self.base: Optional[int] = None  # the first place that was told of, 1 with the SYN
        self.first = 1  # where its stream begins, as far as anybody can know
        self.acked: Optional[int] = None
        self.acked_number = 0  # of the packet that acknowledged so much
        self.last_ack: Optional[tuple[int, int]] = None  # that it sent, and its window
        self.window = -1
        self.syn_acked = False
        self.beyond_syn = False
        self.fin: Optional[int] = None  # its place
        self.fin_number = 0
        self.fin_ack: Optional[int] = None  # the packet that acknowledges it
        self.fin_acks: Optional[int] = None  # what the FIN's packet acknowledges
        self.fin_acks_fin = False  # so much that it is the other one's FIN
        self.counts = dict.fromkeys(
            ("packets", "segments", "bytes", "retransmitted_segments", "retransmitted_bytes",
             "out_of_order_segments", "duplicate_acks", "zero_windows", "keep_alives",
             "largest_segment"), 0)  # fmt: skip

    def has_sent_fin_below(self, ack: Optional[int]) -> bool:
        """Whether this number acknowledges the FIN, and nothing that was never sent."""
        return (self.fin is not None and ack is not None and self.next is not None
                and self.fin < ack <= self.next)


class Truth:
    """One connection, told segment by segment in the order of the file."""

    def __init__(self) -> None:
        self.sides = (Side(), Side())
        self.client = 0
        self.client_known = self.client_by_syn = False
        self.numbers: list[int] = []
        self.times: list[int] = []
        self.syn: Optional[int] = None
        self.syn_retransmissions = 0
        self.syn_ack: Optional[int] = None
        self.syn_ack_fits = False
        self.ack: Optional[int] = None
        self.complete = self.refused = False
        self.reset: Optional[int] = None
        self.reset_by = 0
        self.first_fin: Optional[int] = None
        self.zeek = Zeek()

    # ---- Whose packet it is

    def starts_anew(self, segment: Segment) -> bool:
        """Whether this SYN belongs to a connection after this one."""
        if not self.numbers or segment.flags & (SYN | RST) != SYN:
            return False
        me, peer = self.sides[segment.sender], self.sides[segment.sender ^ 1]
        fins = self.sides[0].fin is not None and self.sides[1].fin is not None
        ended = self.reset is not None or fins
        other_isn = not me.known and me.base not in (None, 1)
        if not segment.flags & ACK:
            near = me.base in range(1, 65537) and me.counts["packets"] > 0
            return ended or other_isn and not near
        answers = True  # the known SYN, or what is taken for the place behind it
        if peer.base is not None:
            assert segment.ack is not None and peer.next is not None
            answers = (0 if peer.known else peer.base - 1) <= segment.ack <= peer.next
        return other_isn or not answers if ended else other_isn and not answers

    def _learn_roles(self, segment: Segment) -> None:
        if not segment.flags & SYN or segment.flags & RST:
            client = None
        elif not segment.flags & ACK:
            client = None if self.client_by_syn else segment.sender
            self.client_by_syn = True
        else:
            client = None if self.client_known else segment.sender ^ 1
        if client is not None:
            self.client_known = True
            if client != self.client:
                self.client = client
                self.zeek.flip()

    # ---- One segment

    def see(self, segment: Segment, number: int, time_ns: int) -> None:
        """Take the next segment of the recording."""
        me = self.sides[segment.sender]
        flags, place, ack = segment.flags, segment.place, segment.ack
        if not self.numbers:
            self.client = segment.sender
            self.zeek.originator = segment.sender
        self.numbers.append(number)
        self.times.append(time_ns)
        self._learn_roles(segment)
        me.counts["packets"] += 1
        gaps = 0
        if flags & RST:
            self._take_reset(segment, number)
        else:
            self._learn_places(segment)
            keep_alive = (not flags & (SYN | FIN) and segment.length <= 1
                          and me.next is not None and place == me.next - 1)
            me.counts["zero_windows"] += segment.window == 0
            if flags & SYN:
                self._take_syn(segment, number)
            else:
                me.beyond_syn = True
            if ack is not None and self._fits(segment):
                gaps = self._take_ack(segment, number, keep_alive)
            self._take_third(segment, number)
            if keep_alive:
                me.counts["keep_alives"] += 1
            elif segment.length:
                self._take_payload(segment)
            if flags & FIN:
                self._take_fin(segment, number)
        self.zeek.see(segment, gaps)

    def _learn_places(self, segment: Segment) -> None:
        me, peer = self.sides[segment.sender], self.sides[segment.sender ^ 1]
        if segment.flags & SYN:
            if not me.known:
                me.known, me.first, me.base = True, 1, 1
                me.seen = [(max(1, low), high) for low, high in me.seen if high > 1]
                me.counts["bytes"] = total(me.seen)
                me.next = max([1, *(end for _, end in me.seen),
                               0 if me.fin is None else me.fin + 1])
            me.plain_syn |= not segment.flags & ACK
        elif me.next is None:
            me.next = me.first = me.base = segment.place
        if segment.ack is not None and peer.next is None:
            peer.next = peer.first = peer.base = segment.ack

    def _take_syn(self, segment: Segment, number: int) -> None:
        by_client = segment.sender == self.client
        client = self.sides[self.client]
        if by_client and not segment.flags & ACK:
            if self.syn is None:
                self.syn = number
            else:
                self.syn_retransmissions += 1
        elif not by_client and segment.flags & ACK:
            assert segment.ack is not None and client.next is not None
            assert client.base is not None
            fits = client.base <= segment.ack <= client.next
            client.syn_acked |= fits
            if self.syn_ack is None or (fits and not self.syn_ack_fits):
                self.syn_ack, self.syn_ack_fits = number, fits
        self._check_complete()

    def _check_complete(self) -> None:
        if self.syn is not None and self.ack is not None:
            self.complete |= self.sides[0].syn_acked and self.sides[1].syn_acked

    def _fits(self, segment: Segment) -> bool:
        """What answers a SYN alone and acknowledges something else is of an older connection."""
        me, peer = self.sides[segment.sender], self.sides[segment.sender ^ 1]
        if me.known or not peer.plain_syn or peer.beyond_syn:
            return True
        assert segment.ack is not None and peer.next is not None
        return 1 <= segment.ack <= peer.next

    def _take_ack(self, segment: Segment, number: int, keep_alive: bool) -> int:
        """Returns how many holes the acknowledgement lays open."""
        me, peer = self.sides[segment.sender], self.sides[segment.sender ^ 1]
        ack = segment.ack
        assert ack is not None
        if (not keep_alive and not segment.length and not segment.flags & (SYN | FIN)
                and segment.window and me.last_ack == (ack, segment.window)
                and any(end > ack for _, end in peer.seen)):
            me.counts["duplicate_acks"] += 1
        me.last_ack = (ack, segment.window)
        before = peer.acked
        if peer.fin_ack is None and peer.has_sent_fin_below(ack):
            peer.fin_ack = number
        if before is not None and ack <= before:
            return 0
        peer.acked, peer.acked_number = ack, number
        end = ack if peer.fin is None else min(ack, peer.fin)
        low = 1 if peer.known else peer.first
        return len(without(max(low, before or low), end, peer.seen))

    def _take_third(self, segment: Segment, number: int) -> None:
        if self.complete or segment.ack is None:
            return
        client, server = self.sides[self.client], self.sides[self.client ^ 1]
        crossed = client.plain_syn and server.plain_syn
        if segment.sender != self.client:
            if crossed and client.next is not None and 1 <= segment.ack <= client.next:
                client.syn_acked = True
        elif server.known and self.ack is None:
            assert server.next is not None and client.next is not None
            fits = 1 <= segment.ack <= server.next
            if not crossed:
                fits &= not segment.flags & SYN and client.syn_acked
                assert client.base is not None
                fits &= client.base <= segment.place <= max(client.next, client.acked or 0) + 65535
            if fits:
                server.syn_acked = True
                self.ack = number
        self._check_complete()

    def _take_payload(self, segment: Segment) -> None:
        me = self.sides[segment.sender]
        assert me.next is not None
        start, end = segment.end - segment.length, segment.end
        if me.known:  # nothing below belongs to the stream
            start = max(start, 1)
        fresh = without(start, end, me.seen)
        me.counts["segments"] += 1
        me.counts["largest_segment"] = max(me.counts["largest_segment"], segment.length)
        me.counts["bytes"] += total(fresh)
        me.counts["retransmitted_segments"] += not fresh
        me.counts["retransmitted_bytes"] += segment.length - total(fresh)
        me.counts["out_of_order_segments"] += any(low < me.next for low, _ in fresh)
        me.seen += fresh
        me.next = max(me.next, end)
        if not me.known:
            me.first = min(me.first, start)

    # ---- The end

    def _take_fin(self, segment: Segment, number: int) -> None:
        me, peer = self.sides[segment.sender], self.sides[segment.sender ^ 1]
        assert me.next is not None
        if me.fin is not None and (  # another one counts where data shows that this was none
            me.fin_ack is not None or segment.end <= me.fin
            or segment.end > max(me.next, me.acked or 0) + 65535
        ):
            return
        me.fin, me.fin_number, me.fin_acks = segment.end, number, segment.ack
        me.next = max(me.next, segment.end + 1)
        if me.has_sent_fin_below(me.acked):
            me.fin_ack = me.acked_number
        me.fin_acks_fin = peer.has_sent_fin_below(me.fin_acks)
        peer.fin_acks_fin = me.has_sent_fin_below(peer.fin_acks)

    def _ended(self) -> bool:
        return self.sides[0].fin_ack is not None and self.sides[1].fin_ack is not None

    def _take_reset(self, segment: Segment, number: int) -> None:
        me, peer = self.sides[segment.sender], self.sides[segment.sender ^ 1]
        if self._ended():
            return
        if self.reset is None:
            self.reset, self.reset_by = number, segment.sender
        if (segment.sender != self.client and not me.known and peer.plain_syn
                and segment.ack is not None and peer.next is not None
                and 1 <= segment.ack <= peer.next):
            self.refused = True

    def _missing(self, side: Side) -> int:
        if side.acked is None:
            return 0
        end = side.acked if side.fin is None else min(side.acked, side.fin)
        return total(without(1 if side.known else side.first, end, side.seen))

    def _teardown(self) -> dict[str, Any]:
        client, server = self.sides[self.client], self.sides[self.client ^ 1]
        closer: Optional[str] = None
        segments = None
        fins = [side for side in (client, server) if side.fin is not None]
        if len(fins) == 1:
            closer = NAMES[fins[0] is server]
        elif fins:
            acknowledges = [client.fin_acks_fin, server.fin_acks_fin]
            first, second = sorted(fins, key=lambda side: side.fin_number)
            if not second.fin_acks_fin and first.fin_acks_fin:
                first, second = second, first  # the FIN that acknowledges the other one
            closer = NAMES[first is server] if any(acknowledges) else "both"
            if first.fin_ack is not None and first.fin_ack < second.fin_number:
                segments = 4
            elif any(acknowledges):
                segments = 3
        if self.reset is not None:
            kind = "reset"
        elif self._ended():
            kind = "fin"
        else:
            kind = "half-closed" if fins else "open"
        return {
            "kind": kind, "first_closer": closer,
            "client_fin": client.fin_number or None, "client_fin_ack": client.fin_ack,
            "server_fin": server.fin_number or None, "server_fin_ack": server.fin_ack,
            "segments": segments,
            "reset_by": None if self.reset is None else NAMES[self.reset_by != self.client],
            "reset": self.reset,
        }  # fmt: skip

    def told(self, isns: tuple[int, int]) -> dict[str, Any]:
        """What flows --json should say, without addresses, ports and id."""
        client, server = self.sides[self.client], self.sides[self.client ^ 1]
        directions = [
            {**side.counts, "missing_bytes": self._missing(side)} for side in (client, server)
        ]
        return {
            "client_known": self.client_known,
            "first_packet": self.numbers[0],
            "last_packet": self.numbers[-1],
            "start": self.times[0],
            "duration": max(self.times) - self.times[0],
            "handshake": {
                "complete": self.complete, "syn": self.syn, "syn_ack": self.syn_ack,
                "ack": self.ack,
                "client_isn": isns[self.client] if client.known else None,
                "server_isn": isns[self.client ^ 1] if server.known else None,
                "syn_retransmissions": self.syn_retransmissions, "refused": self.refused,
            },
            "teardown": self._teardown(),
            "to_server": directions[0],
            "to_client": directions[1],
            "state": self.zeek.state(any(each["bytes"] + each["missing_bytes"] > 0
                                         for each in directions)),
            "history": "".join(self.zeek.letters),
        }  # fmt: skip
