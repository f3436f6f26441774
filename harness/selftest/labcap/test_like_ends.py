"""Connections whose ends are alike: the same ports or addresses in another combination, so that
the sum of all their numbers is one and the same. Their packets take turns in one trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from calls import ReadAll
from traces import Conversation

A, B = "10.0.0.1", "10.0.0.2"


def ends(client: str, client_port: int, server: str, server_port: int) -> dict[str, Any]:
    return {"client_address": client, "client_port": client_port,
            "server_address": server, "server_port": server_port}


@pytest.mark.parametrize("alike", [
    [ends(A, 5000 + i, B, 6000 - i) for i in range(6)],
    [ends(A, 5000, B, 6000), ends(B, 5000, A, 6000)],
    [ends(A, 5000, B, 6000), ends(B, 5000, A, 6000), ends(A, 5500, B, 5500),
     ends(B, 5400, A, 5600)],
    [ends(A, 5000, f"{10 + i}.0.0.2", 6000 - i) for i in range(5)],
    [ends(f"{10 + i}.0.0.1", 5000 - i, B, 6000) for i in range(5)],
    [ends(f"2001:db8::{4 + i}", 5000, f"2001:db8::{12 - i}", 6000) for i in range(4)],
], ids=["ports", "swapped", "some of both", "servers", "clients", "last octets of IPv6"])
def test_each_connection_has_its_own_packets(
    trace: Path, flows: ReadAll, alike: list[dict[str, Any]]
) -> None:
    talks = [Conversation(client_isn=1000 * i, step_ns=7, **each)
             for i, each in enumerate(alike, 1)]
    for number, talk in enumerate(talks, 1):
        talk.handshake()
        for _ in range(3):
            talk.client("PA", b"x" * number)
            talk.server("PA", b"y" * (10 * number))
        talk.close()
    whole = Conversation()
    for turn in zip(*(talk.packets for talk in talks)):
        whole.packets.extend(turn)
    told = flows(whole.write(trace))
    assert len(told) == len(alike)
    for number, (each, flow) in enumerate(zip(alike, told), 1):
        assert (flow["client"], flow["server"]) == (
            {"address": each["client_address"], "port": each["client_port"]},
            {"address": each["server_address"], "port": each["server_port"]})
        assert (flow["to_server"]["bytes"], flow["to_client"]["bytes"]) == (3 * number,
                                                                            30 * number)
        assert (flow["state"], flow["to_server"]["packets"]) == ("SF", 7)
