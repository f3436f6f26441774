"""How long hello_server and prompt_server wait for a client that never closes: 10 s and 5 s.

That takes as long as it says, which is too long for a graded test.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from workbench import Workbench

from labkit import closing_first
from labkit.closing_first import HELLO, PROMPT, Server
from labkit.peer import CLOSED, Peer, tcp_state
from labkit.scenario import Scenario

GRACE = 3.0
"""Seconds that a busy machine may add."""


@pytest.mark.parametrize("server, limit, silent", [(HELLO, 10.0, 1), (PROMPT, 5.0, 0)],
                         ids=["hello_server", "prompt_server"])
def test_a_client_that_never_closes_is_left_in_the_end(
    bench: Workbench, tmp_path: Path, server: Server, limit: float, silent: int
) -> None:
    """One goes on talking, and no byte buys it more time; those that are SILENT go as well."""
    with contextlib.closing(Scenario(
        bench.work, lambda name: bench.reference / name, tmp_path / "trace.pcapng",
    )) as lab:
        lab.stall = limit + GRACE
        program = closing_first.start(lab, server)
        before = lab.footprint(program)
        for _ in range(silent + 1):
            peer = closing_first.connect(lab, server)
            closing_first.converse(peer, server)
        began = time.monotonic()
        lab.wait_for(lambda: was_left(peer), "the server gives the connection up",
                     lambda: "it still takes what is sent", poll=0.02)
        assert limit - 0.5 < time.monotonic() - began < limit + GRACE
        lab.expect_back_to(program, before)
        closing_first.whole(lab, server, "the next client")


def was_left(peer: Peer) -> bool:
    """A byte that nobody takes any more is answered with a reset."""
    if tcp_state(peer.sock) != CLOSED:
        peer.start_sending(b"x")
    return peer.was_reset or tcp_state(peer.sock) == CLOSED
