"""Traces as `labcap show --json` tells them, made by hand, and pages made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional, Sequence

from labkit.grading import GradedTest
from labkit.results import FAILED, PASSED, Result

LABCAP = '#!/bin/sh\nfor word; do file=$word; done\nexec cat -- "$file"\n'
"""A labcap whose traces hold what it says of them."""


START = 1700000000.123456


def packet(number: int, to_server: bool, label: str, **more: Any) -> dict[str, Any]:
    """A packet's row; MORE replaces or adds members."""
    length = more.get("length", 0)
    text = f"{label} seq 0" + (f" len {length}" if length else "")
    return {"type": "packet", "flow": 1, "packet": number, "time": number * 3e-5,
            "gap": 3e-5 if number > 1 else None, "to_server": to_server, "label": label,
            "text": text, "flags": label, "seq": 0, "ack": None, "length": length, "note": "",
            "comment": "", "tone": "plain", "lost": False,
            "states": {"client": None, "server": None}, "payload": "", "payload_kept": 0, **more}


def call(after: int, side: str, name: str, **more: Any) -> dict[str, Any]:
    """A system call's row; MORE replaces or adds members."""
    return {"type": "call", "flow": 1, "after": after, "side": side, "process": "",
            "pid": 11 if side == "server" else 12, "part": "whole", "weight": "main",
            "call": sum(name.encode()), "name": name, "text": f"{name}(3)", "result": "= 0",
            "time": after * 3e-5, "duration": 1e-5, "states": states(), "data": "",
            "data_length": 0, "note": "", **more}


def flow(number: int = 1, **more: Any) -> dict[str, Any]:
    """The beginning of a flow; MORE replaces or adds members."""
    return {"type": "flow", "flow": number, "protocol": "tcp",
            "client": {"address": "127.0.0.1", "port": 42224, "processes": ["client"]},
            "server": {"address": "127.0.0.1", "port": 4321, "processes": ["server"]},
            "start": START, "packets": 10, "duration": 0.000408,
            "states": {"client": "CLOSED", "server": "CLOSED"}, **more}


def phase(name: str) -> dict[str, Any]:
    return {"type": "phase", "flow": 1, "name": name}


def fold(first: int, last: int, text: str) -> dict[str, Any]:
    return {"type": "fold", "flow": 1, "segments": last - first + 1, "bytes_to_server": 1,
            "bytes_to_client": 0, "calls": 2, "first_packet": first, "last_packet": last,
            "duration": 0.01, "text": text}


def states(client: Optional[str] = None, server: Optional[str] = None) -> dict[str, Any]:
    return {"client": client, "server": server}


def told(*rows: dict[str, Any], calls: Optional[str] = None) -> str:
    """The whole of what labcap says: ROWS, and its last line."""
    last = {"type": "trace", "file": "t.pcapng", "flows": 1, "calls": calls}
    text = "".join(json.dumps(row) + "\n" for row in (*rows, last))
    return text.replace(f"{START!r}", f"{START:.6f}789")  # as labcap, finer than a float is


def echo(payload: bytes = b"hello\n") -> list[dict[str, Any]]:
    """One TCP connection that echoes PAYLOAD, with its calls."""
    size, data = len(payload), payload[:480].hex()
    asks = "1/3 SYN: the client asks to connect; its first byte will be number 2927179379"
    return [
        flow(),
        call(0, "server", "socket", text="socket(AF_INET, SOCK_STREAM, 0)", result="= 3"),
        call(0, "server", "bind", text="bind(3, 127.0.0.1:4321)"),
        call(0, "server", "listen", text="listen(3, 4096)", states=states(server="LISTEN")),
        call(0, "server", "accept", part="begin", text="accept(3)", result=None, duration=0.495),
        call(0, "client", "connect", part="begin", text="connect(3, 127.0.0.1:4321)", result=None,
             time=-0.00044, duration=0.000187),
        phase("handshake"),
        packet(1, True, "1/3 SYN", tone="open", states=states("SYN-SENT", "SYN-RECEIVED"),
               comment=asks),
        packet(2, False, "2/3 SYN+ACK", tone="open", ack=1, states=states("ESTABLISHED")),
        packet(3, True, "3/3 ACK", tone="open", seq=1, ack=1,
               states=states(server="ESTABLISHED")),
        call(3, "client", "connect", part="end", duration=0.000187),
        call(3, "server", "accept", part="end", result="= 4", duration=0.495),
        phase("data"),
        call(3, "server", "read", part="begin", text="read(4)", result=None),
        call(3, "client", "write", text=f'write(3, "hello\\n", {size})', result=f"= {size}",
             data=data),
        packet(4, True, "PSH+ACK", seq=1, ack=1, length=size, tone="data", payload=data,
               payload_kept=min(480, size)),
        packet(5, False, "ACK", seq=1, ack=1 + size),
        call(5, "server", "read", part="end", result=f"= {size}", duration=0.0003, data=data),
        fold(6, 40, "35 segments, 50,680 bytes to the server; 12 calls"),
        packet(41, True, "PSH+ACK", seq=1, ack=1, length=size, tone="data", gap=0.21,
               note="retransmission of packet 4", payload=data, lost=True),
        phase("teardown"),
        packet(42, True, "1/4 FIN", tone="close", states=states("FIN-WAIT-1", "CLOSE-WAIT")),
        call(42, "server", "close", text="close(4)", note="3 bytes were unread"),
        packet(43, False, "RST", tone="bad", note="reset: the server closed with 3 bytes unread",
               states=states("CLOSED", "CLOSED")),
        {"type": "outcome", "flow": 1, "text": "The client closed first, but then the server "
                                               "reset the connection (packet 43)."},
    ]


FEEDBACK = (
    ("expected", "the connection ends with a FIN from each side"),
    ("seen", "the server answers the FIN with a reset (packets 4, 43)"),
    ("likely cause", "The socket is closed while received bytes are still unread."),
    ("read on", "labs/01-tcp-echo/README.md, step 8; RFC 9293 section 3.10.4"),
)


def result(number: int, status: str = PASSED, **more: Any) -> Result:
    """The result of a test of step NUMBER // 4 + 1."""
    step = number // 4 + 1
    test = GradedTest(f"test_{number}", f"test_{number}", "01-tcp-echo", step, 2, ("server",),
                      f"Server ends test {number}", f"01-{step:02}-test_{number}.pcapng")
    values: dict[str, Any] = {
        "trace": f"traces/{test.trace_name}", "calls": f"traces/{test.name}.calls",
        "no_calls": None, "command": f"harness/grade 01 -k {test.name}",
        "output": "" if status == PASSED else "not so"}
    if status == FAILED:
        values.update(cause="unread-input-rst", parts=FEEDBACK, packets="packets 4, 43")
    return Result(test, status, **{**values, **more})


def leave(out: Path, results: Sequence[Result], text: str) -> None:
    """Each of RESULTS has left a trace in OUT of which labcap tells TEXT."""
    (out / "traces").mkdir(parents=True, exist_ok=True)
    for each in results:
        if each.trace is not None:
            (out / each.trace).write_text(text, encoding="utf-8")
