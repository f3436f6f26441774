"""scapy's reading of a trace: it agrees with labcap's, and notices when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from labkit import capture, second_opinion
from labkit.feedback import HarnessError
from labkit.paths import REPO
from workbench import Benches, Workbench, graded_tests

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


# -- Datagrams, and a network in between ---------------------------------------


def of_the_documents(name: str) -> Path:
    return REPO / "docs" / "traces" / f"{name}.pcapng"


@pytest.mark.parametrize("name", sorted(
    path.stem for path in (REPO / "docs" / "traces").glob("*.pcapng")))
def test_it_agrees_on_the_traces_of_the_documents(name: str) -> None:
    second_opinion.compare(of_the_documents(name), capture.flows(of_the_documents(name)))


@pytest.mark.parametrize("name", [
    "test_pair_takes_data_in_its_order",
    "test_pair_on_two_hosts[ipv6]",
])
def test_it_agrees_where_packets_arrive(benches: Benches, name: str) -> None:
    lab = "01-tcp-echo" if "data" in name else "03-udp"
    bench = benches(lab)
    bench.run(graded_tests(lab)[name], bench.reference)
    trace = bench.reference / f"{name}.pcapng"
    flows = capture.flows(trace)
    assert flows[-1]["arrivals"]
    second_opinion.compare(trace, flows)


def another_size(flow: dict[str, Any]) -> None:
    flow["to_server"]["sizes"][1] += 1


def one_datagram_less(flow: dict[str, Any]) -> None:
    flow["to_client"]["sizes"].pop()


def one_arrival_more(flow: dict[str, Any]) -> None:
    flow["to_client"]["arrived"] += 1


def one_doubled(flow: dict[str, Any]) -> None:
    flow["to_server"]["duplicated"] += 1


@pytest.mark.parametrize("change", [another_size, one_datagram_less, one_arrival_more, one_doubled],
                         ids=lambda change: change.__name__)
def test_it_notices_of_datagrams(change: Callable[[dict[str, Any]], None]) -> None:
    trace = of_the_documents("udp-late")
    flows = capture.flows(trace)
    change(flows[0])
    with pytest.raises(HarnessError, match="scapy"):
        second_opinion.compare(trace, flows)


@pytest.mark.parametrize("arrivals", [None, 0])
def test_it_notices_arrivals_that_are_not_counted(arrivals: Optional[int]) -> None:
    trace = of_the_documents("udp-late")
    flows = capture.flows(trace)
    flows[-1]["arrivals"] = arrivals
    with pytest.raises(HarnessError, match="scapy"):
        second_opinion.compare(trace, flows)
