"""The rows of a ladder in plain words: their names, and what is told of one on a click."""

from __future__ import annotations

from typing import Union

from labkit.report.rows import Call, Flow, Fold, Packet

Details = list[tuple[str, str]]
"""Terms, and what is said of each."""

_UNITS = (("s", 10**9), ("ms", 10**6), ("µs", 10**3))


def span(nanoseconds: int) -> str:
    """NANOSECONDS with three digits that count: '30.0 µs'."""
    size = abs(nanoseconds)
    for unit, units in _UNITS:
        if size >= 0.9995 * units:
            value = nanoseconds / units
            digits = 2 if size < 9.995 * units else 1 if size < 99.95 * units else 0
            return f"{value:.{digits}f} {unit}"
    return f"{nanoseconds} ns"


def count(number: int, thing: str) -> str:
    """'1 packet', '1,234 packets'."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def heading_of(flow: Flow) -> str:
    protocol = flow.protocol.upper()
    kind = "TCP connection" if protocol == "TCP" else f"{protocol} flow"
    return f"{kind} {flow.number}"


def summary_of(flow: Flow) -> str:
    lasted = f" in {span(flow.duration)}" if flow.packets > 1 else ""
    return (f"client {flow.client.address}, server {flow.server.address}; "
            f"{count(flow.packets, 'packet')}{lasted}")


# -- Names ---------------------------------------------------------------------


def name_of_packet(packet: Packet, marked: bool) -> str:
    """As in 'Packet 1, client to server, 1/3 SYN, sequence number 0'."""
    words = [f"Packet {packet.number}", _way(packet), packet.label or packet.text]
    if packet.seq is not None:
        words.append(f"sequence number {packet.seq}")
    if packet.ack is not None:
        words.append(f"acknowledges up to {packet.ack}")
    if packet.length:
        words.append(f"{count(packet.length, 'byte')} of data")
    words += ["lost on the way"] if packet.lost else []
    words += [packet.note] if packet.note else []
    words += _new_states(packet)
    words += ["named in the feedback"] if marked else []
    return ", ".join(words)


def name_of_call(call: Call) -> str:
    """As in 'The server calls accept(3), which waits'."""
    who = _caller(call)
    verb = " calls" if "(" in call.text else ":"  # a signal is no call
    words = [f"The {who}{verb} {call.text} {call.result}".rstrip()]
    if call.part == "begin":
        words = [f"The {who} calls {call.text}; the call has not yet returned"]
    elif call.part == "end":
        after = f" after {span(call.duration)}" if call.duration is not None else ""
        words = [f"The {who}'s call of {call.name} returns{after}: {call.result}"]
    return ", ".join(words + ([call.note] if call.note else []) + _new_states(call))


def name_of_fold(fold: Fold) -> str:
    return "Folded: " + ", packets ".join(text for _, text in details_of_fold(fold))


def _caller(call: Call) -> str:
    """'server', or 'server's thread 2'."""
    side = "server" if call.to_server else "client"
    return f"{side}'s {call.process}" if call.process else side


def _new_states(row: Union[Packet, Call]) -> list[str]:
    states = (("client", row.client_state), ("server", row.server_state))
    return [f"the {side} is now in {state}" for side, state in states if state]


def _way(packet: Packet) -> str:
    return "client to server" if packet.to_server else "server to client"


# -- Details -------------------------------------------------------------------


def details_of_packet(packet: Packet, flow: Flow) -> Details:
    told = [("What it is", packet.comment),
            ("Segment" if flow.protocol == "tcp" else "Packet", packet.text),
            ("Note", packet.note)]
    if packet.length:
        kept = len(packet.payload)
        whole = "" if kept == packet.length else f", of which {kept:,} are shown"
        told += [("Payload", count(packet.length, "byte") + whole)]
    return [(term, text) for term, text in told if text]


def details_of_call(call: Call) -> Details:
    told = [("Call", f"{call.text} {call.result}".rstrip()), ("Note", call.note),
            ("By", f"the {_caller(call)}" + (f", process {call.pid}" if call.pid else ""))]
    if call.duration is not None:
        told += [("Took", span(call.duration))]
    elif call.part != "whole":
        told += [("Took", "it never returned")]
    return [(term, text) for term, text in told if text]


def details_of_fold(fold: Fold) -> Details:
    told = [("Folded", fold.text)]
    if fold.last_packet:
        told.append(("Packets", f"{fold.first_packet} to {fold.last_packet}"))
    return told
