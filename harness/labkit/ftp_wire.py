"""The verdict on an FTP session: a control connection that stays, a data connection for each file.

Both sides of lab 04's FTP programs are judged by it, with scripted peers and together.
"""

from __future__ import annotations

from typing import Any, Collection, NamedTuple, Optional, Sequence

from labkit.feedback import Mismatch
from labkit.scenario import Scenario

CONTROL_PORT = 2121
CLIENT, SERVER = "client", "server"
"""The two sides of a session, whoever opened a data connection."""
_OTHER = {CLIENT: SERVER, SERVER: CLIENT}

Flow = dict[str, Any]
"""A connection as `labcap flows --json` tells it."""


class Data(NamedTuple):
    """A data connection as it should be on the wire."""

    size: Optional[int]
    """Bytes of payload, all from the sender; None where the transfer is broken off."""
    sender: str
    """CLIENT or SERVER: it sends the file, or the list, and closes first (RFC 959, 3.3)."""
    opener: Optional[str] = None
    """Who connects: CLIENT (passive), SERVER (active), None where either is right."""


def expect_connections(
    lab: Scenario, *data: Data, port: int = CONTROL_PORT, sessions: int = 1,
    besides: Collection[int] = (), orderly: bool = True,
) -> list[Flow]:
    """Ends the recording and judges it; returns its flows.

    There were SESSIONS control connections to PORT, and besides them these data connections,
    in the order of their first packets; there may have been others to the ports BESIDES. Each
    control connection ended with a FIN from each side, unless ORDERLY is false; so did each
    data connection that was not broken off.
    """
    found = lab.expect_packets("connections>=1")
    flows = [flow for flow in found if flow["type"] == "tcp"]
    control = [flow for flow in flows if flow["server"]["port"] == port]
    others = [flow for flow in flows if flow["server"]["port"] not in (port, *besides)]
    _expect_count("control connection", control, sessions, "control-closed")
    _expect_count("data connection", others, len(data), "data-connection")
    for flow in control if orderly else ():
        _expect_orderly(flow, f"the control connection to port {port}")
    for number, (flow, wanted) in enumerate(zip(others, data), 1):
        name = f"data connection {number} of {len(data)}"
        if wanted.size is not None:
            _expect_orderly(flow, name)
        _expect_transfer(flow, wanted, name)
        if not any(_encloses(outer, flow) for outer in control):
            raise _mismatch(flow, f"{name} begins and ends while a control connection is open",
                            "none was open all the time", "control-closed")
    return found


def _expect_count(what: str, flows: Sequence[Flow], count: int, cause: str) -> None:
    if len(flows) != count:
        places = ", ".join(f"{flow['first_packet']} to {flow['last_packet']}" for flow in flows)
        raise Mismatch(expected=f"on the wire: {count} {what}{'s'[count == 1:]}",
                       seen=f"{len(flows)}", cause=cause,
                       packets=f"packets {places}" if 0 < len(flows) < 5 else None)


def _expect_orderly(flow: Flow, name: str) -> None:
    """FLOW has a whole handshake, a FIN from each side, no reset and no gap."""
    teardown = flow["teardown"]
    if teardown["reset"] is not None:
        raise Mismatch(expected=f"{name} ends with a FIN from each side",
                       seen=f"a reset by the side that is its TCP {teardown['reset_by']}",
                       cause="unread-input-rst", packets=[teardown["reset"]])
    if not flow["handshake"]["complete"]:
        raise _mismatch(flow, f"{name} begins with SYN, SYN+ACK, ACK", "it does not",
                        "data-connection")
    if teardown["kind"] != "fin":
        raise _mismatch(flow, f"{name} ends with a FIN from each side",
                        f"it is {teardown['kind']}", "descriptor-leak")
    if flow["to_server"]["missing_bytes"] or flow["to_client"]["missing_bytes"]:
        raise _mismatch(flow, f"{name} has all its bytes", "some are missing", "partial-file")


def _expect_transfer(flow: Flow, wanted: Data, name: str) -> None:
    """FLOW carries what WANTED says, one way only, and its sender closes first."""
    if wanted.size is None:
        return
    openers = [wanted.opener] if wanted.opener else [CLIENT, SERVER]
    seen = [_sent(flow, wanted.sender, opener) for opener in openers]
    if (wanted.size, 0) not in seen:
        sent, back = max(seen)
        raise _mismatch(
            flow, f"{name} carries {wanted.size} bytes, all sent by the {wanted.sender}",
            f"{sent} bytes, and {back} the other way", "partial-file")
    closers = [_role(wanted.sender, opener) for opener, bytes_ in zip(openers, seen)
               if bytes_ == (wanted.size, 0)]
    if flow["teardown"]["first_closer"] not in closers:
        raise _mismatch(flow, f"{name}: the {wanted.sender}, who sent the bytes, closes first",
                        "the other side does", "first-closer")


def _role(side: str, opener: str) -> str:
    """What labcap calls a SIDE of the session in a connection that OPENER made."""
    return CLIENT if side == opener else SERVER


def _sent(flow: Flow, sender: str, opener: str) -> tuple[int, int]:
    """Bytes that SENDER sent in FLOW, which OPENER made, and bytes that came back."""
    to = _OTHER[_role(sender, opener)]
    return int(flow[f"to_{to}"]["bytes"]), int(flow[f"to_{_OTHER[to]}"]["bytes"])


def _encloses(outer: Flow, inner: Flow) -> bool:
    """INNER was opened while OUTER was open, and closed before it, as far as it was closed."""
    end = _first_fin(outer, outer["last_packet"])
    return bool(outer["first_packet"] < inner["first_packet"] < end
                and _first_fin(inner, 0) < end)


def _first_fin(flow: Flow, without: int) -> int:
    """The packet of the first FIN, or WITHOUT."""
    fins = (flow["teardown"]["client_fin"], flow["teardown"]["server_fin"])
    return min((packet for packet in fins if packet is not None), default=without)


def _mismatch(flow: Flow, expected: str, seen: str, cause: str) -> Mismatch:
    return Mismatch(f"on the wire: {expected}", seen, cause,
                    packets=f"packets {flow['first_packet']} to {flow['last_packet']}")
