"""How many datagrams lab 03's server sends back, beside one made for nothing but speed.

Ours makes two system calls for each datagram; udp_mmsg makes two for up to 64 of them.
Both run in one private network, and udp_load is the clients of both: it asks one after
the other, in short turns, so that a ratio is one of two turns of the same round.

Servers and clients share one processor. So a server always finds many datagrams at once
(all that the clients may have under way), as udp_mmsg needs it to be fast. What counts
is the processor time that a server uses, as udp_load explains.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from echo_speed import SPARE_SECONDS, TOOLS, Stage, one_processor, print_ratios
from labkit.paths import LABS

TURN_MS = 20
"""Milliseconds of one server's turn."""
OURS = "server"
RIVAL = "udp_mmsg"
ENOUGH = 0.80
"""The part of the rival's speed that ours is to have at least."""

LAB_PROGRAMS = LABS / "03-udp"


def measure(seconds: float, lab_programs: Path = LAB_PROGRAMS) -> dict[str, list[float]]:
    """By server: datagrams per second of its processor time, for each round.

    seconds: how long each server is asked. Raises HarnessError where one is missing or fails.
    """
    servers = [lab_programs / OURS, TOOLS / RIVAL]
    with one_processor(), Stage(servers, 2 * seconds * len(servers) + SPARE_SECONDS) as stage:
        asked = [f"{port}:{server.process.inner_pid}"
                 for port, server in zip(stage.ports, stage.servers)]
        rounds = max(1, round(seconds * 1e3 / TURN_MS))
        rates = stage.rates([str(TOOLS / "udp_load"), "-t", str(TURN_MS),
                             "-r", str(rounds), *asked])
        stage.end_servers()
    return {server.name: list(of_server) for server, of_server in zip(servers, zip(*rates))}


def print_report(results: dict[str, list[float]]) -> None:
    """Everything, for a terminal of 80 columns."""
    for name, rates in results.items():
        print(f"{name:<16}{statistics.median(rates):>15,.0f} datagrams of 64 bytes a second")
    print()
    ratios = [ours / rival for ours, rival in zip(results[OURS], results[RIVAL])]
    print_ratios(f"{OURS} to {RIVAL}, in each round", {f"/ {RIVAL}": ratios})
    print(f"The median is to be at least {ENOUGH:.2f}.")
