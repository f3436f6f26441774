"""scapy's reading of a trace: it agrees with labcap's, and notices when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from labkit import capture, second_opinion
from labkit.feedback import HarnessError
from workbench import Workbench, graded_tests

NAME = "test_server_serves_one_client_after_the_other[server]"


@pytest.fixture(scope="module")
def trace(bench: Workbench) -> Path:
    bench.run(graded_tests("01-tcp-echo")[NAME], bench.reference)
    return bench.reference / f"{NAME}.pcapng"


def test_it_agrees_on_a_real_trace(trace: Path) -> None:
    second_opinion.compare(trace, capture.flows(trace))


def test_it_agrees_on_ipv6(bench: Workbench) -> None:
    name = "test_server_serves_ipv6[server]"
    bench.run(graded_tests("01-tcp-echo")[name], bench.reference)
    trace = bench.reference / f"{name}.pcapng"
    second_opinion.compare(trace, capture.flows(trace))


def test_connections_of_the_same_ports_are_not_told_apart(trace: Path) -> None:
    flows = capture.flows(trace)
    second_opinion.compare(trace, [{**flows[0], "to_client": {"packets": 0, "bytes": 0}}, *flows])


def one_byte_more(flows: list[dict[str, Any]]) -> None:
    flows[3]["to_client"]["bytes"] += 1


def one_packet_less(flows: list[dict[str, Any]]) -> None:
    flows[0]["to_server"]["packets"] -= 1


def no_fin(flows: list[dict[str, Any]]) -> None:
    flows[1]["teardown"]["server_fin"] = None


def a_packet_not_counted(flows: list[dict[str, Any]]) -> None:
    flows[-1]["packets"] -= 1


@pytest.mark.parametrize("change", [one_byte_more, one_packet_less, no_fin, a_packet_not_counted],
                         ids=lambda change: change.__name__)
def test_it_notices(trace: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    flows = capture.flows(trace)
    change(flows)
    with pytest.raises(HarnessError, match="scapy"):
        second_opinion.compare(trace, flows)
