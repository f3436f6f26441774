"""From labcap's words to a student's: what a trace that is not right says about a program."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, Optional, Sequence

from labkit.feedback import Mismatch


def orderly(first_closer: str) -> list[str]:
    """What labs promise of each TCP connection: handshake, FIN from each side, no RST."""
    return [
        "handshake.complete=true",
        "teardown.kind=fin",
        f"teardown.first_closer={first_closer}",
        "teardown.reset=null",
        "to_server.missing_bytes=0",
        "to_client.missing_bytes=0",
    ]


def mismatch_of(
    unmet: Sequence[str], flows: Sequence[dict[str, Any]], cause: Optional[str] = None
) -> Mismatch:
    """The feedback for expectations that `labcap check` found not met; CAUSE if FLOWS cannot tell.
    """
    wanted = [line.split(": ", 2)[1] for line in unmet]
    connections = [flow for flow in flows if flow["type"] == "tcp"]
    return Mismatch(
        expected="on the wire: " + ", ".join(wanted),
        seen="; ".join(line.split(": ", 1)[1] for line in unmet),
        cause=cause or _cause(wanted, connections),
    )


def fault_told(said: bytes) -> Optional[str]:
    """What the error that a program printed, SAID, shows by itself."""
    text = said.decode(errors="replace")
    if any(os.strerror(code) in text for code in (errno.EADDRNOTAVAIL, errno.ENETUNREACH)):
        return "byte-order"  # no host here has the address it used
    return "udp-not-tcp" if os.strerror(errno.EOPNOTSUPP) in text else None


def why_elsewhere(
    flows: Sequence[dict[str, Any]], address: str, port: int
) -> Optional[str]:
    """What FLOWS say of a client that was expected at ADDRESS and PORT and did not come."""
    if any(flow["type"] == "udp" for flow in flows):
        return "udp-not-tcp"
    refused = [flow["server"] for flow in flows if flow["handshake"]["refused"]]
    ports = {server["port"] for server in refused} - {port}
    if ports:
        return "byte-order" if socket.htons(port) in ports else "wrong-port"
    if ":" not in address and any(":" in server["address"] for server in refused):
        return "first-address-only"
    return None


def _cause(wanted: Sequence[str], connections: Sequence[dict[str, Any]]) -> Optional[str]:
    if not connections:
        return "no-packets"
    for flow in connections:
        teardown = flow["teardown"]
        if teardown["reset"] is not None and any(w.startswith("teardown.") for w in wanted):
            return "linger-rst" if _was_read(flow) else "unread-input-rst"
        if teardown["kind"] in ("open", "half-closed") and "teardown.kind=fin" in wanted:
            return "descriptor-leak"
    if any(word.startswith("teardown.first_closer=") for word in wanted):
        return "first-closer"
    return None


def _was_read(flow: dict[str, Any]) -> bool:
    """Everything sent to the side that reset had come back: it had nothing unread."""
    return bool(flow["to_server"]["bytes"] == flow["to_client"]["bytes"])
