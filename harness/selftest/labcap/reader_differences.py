"""Why tshark or tcptrace tell something else than labcap: the list of docs/other-readers.md.

Each reason is a name of that list and the sign by which it is known in the script of a
connection. A difference without a reason is a fault, of labcap or of the list.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence, Union

from corpus_packets import ACK, FIN, RST, SYN, Dress, Segment
from second_readers import Row


class Scene(NamedTuple):
    """The segments that one connection shows, copies among them, and what they wear."""

    segments: Sequence[Segment]
    copies: Sequence[int]  # by side
    dress: Dress
    keep_alives: bool
    twin: bool  # the same ports in two VLANs
    nested: bool  # in a service tag (802.1ad)
    again: bool  # the same ports and the same ISN after the end
    ended: bool  # packets come after both FINs or a reset


def parts_by_flags(segments: Sequence[Union[Segment, Row]]) -> set[str]:
    """tcp.completeness as tshark 4 tells it: by flags, of the first packet but a SYN's."""
    parts = set()
    for at, segment in enumerate(segments):
        flags = segment.flags
        if flags & (SYN | ACK) == SYN:
            parts |= {"syn"} if at == 0 else set()
        elif at > 0:
            parts |= {"syn_ack"} if flags & SYN else set()
            parts |= {"data" if segment.length else "ack"} if flags & (SYN | ACK) == ACK else set()
            parts |= {"fin"} if flags & FIN and not flags & SYN else set()
            parts |= {"rst"} if flags & RST else set()
    return parts


def fast_open(scene: Scene) -> bool:
    """Data in a SYN, which tshark counts or not, whatever is around it: not compared."""
    return any(each.flags & SYN and each.length for each in scene.segments)


# By (part, who alone tells of it): which reasons there may be.
PART_REASONS = {
    ("ack", "tshark"): "tshark-flag-not-number",
    ("ack", "labcap"): "tshark-bare-ack",
    ("syn", "labcap"): "tshark-first-packet",
    ("syn_ack", "labcap"): "tshark-first-packet",
    ("syn_ack", "tshark"): "tshark-syn-ack-of-either",
    ("data", "tshark"): "tshark-no-data",
    ("data", "labcap"): "tshark-first-packet",
    ("fin", "labcap"): "tshark-first-packet",
    ("fin", "tshark"): "tshark-reset-with-fin",
    ("rst", "tshark"): "tshark-reset-after-the-end",
    ("rst", "labcap"): "tshark-first-packet",
}

def late_syn(scene: Scene) -> bool:
    """A SYN without ACK behind a segment of its sender that does not begin the stream."""
    return any(each.flags & (SYN | ACK) == SYN and first.sender == each.sender
               and not first.flags & SYN and first.place != 1
               for at, each in enumerate(scene.segments) for first in scene.segments[:at])


# Of the connections of a case as a whole.
TSHARK_GROUPS: list[tuple[str, Callable[[Scene], bool]]] = [
    ("tshark-vlans", lambda scene: scene.twin),
    ("tshark-same-isn", lambda scene: scene.again),
    ("tshark-late-syn", late_syn),
]
TSHARK_BYTES: list[tuple[str, Callable[[Scene], bool]]] = [
    ("tshark-keep-alive-octet", lambda scene: scene.keep_alives),
    ("tshark-far", lambda scene: any(each.place >= 2**31 for each in scene.segments)),
]
TCPTRACE: list[tuple[str, Callable[[Scene], bool]]] = [
    ("tcptrace-service-tag", lambda scene: scene.nested),
    ("tcptrace-copies", lambda scene: any(scene.copies)),
    ("tcptrace-extension-header",
     lambda scene: scene.dress.version == 6 and scene.dress.ip_options),
    ("tcptrace-no-ip-length", lambda scene: scene.dress.no_ip_length),
    ("tcptrace-reset-text",
     lambda scene: any(each.flags & RST and each.length for each in scene.segments)),
    ("tcptrace-window-probe",
     lambda scene: any(each.window == 0 for each in scene.segments)),
]


def one_from_its_syn_on(scenes: Sequence[Scene]) -> bool:
    """What tcptrace is asked about: it looks for a connection's ends in its own way."""
    scene = scenes[0]
    return len(scenes) == 1 and not scene.ended and scene.segments[0].flags & (SYN | ACK) == SYN
