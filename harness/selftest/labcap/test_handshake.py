"""Who the client is, what one connection is, and when a handshake is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
from calls import ReadAll, ReadOne
from traces import Conversation, echo_conversation


def test_client_is_the_sender_of_the_first_syn(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(client_port=22, server_port=50000)
    talk.handshake().write(trace)
    told = flow(trace)
    assert (told["client"]["port"], told["server"]["port"]) == (22, 50000)
    assert told["client_known"] is True


def test_client_is_the_receiver_of_the_syn_ack_when_no_syn_was_seen(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().unseen_handshake()
    talk.sides["server"].next = 0
    talk.server("SA")
    talk.client("A")
    talk.write(trace)
    told = flow(trace)
    assert told["client"] == {"address": "10.0.0.1", "port": 39870}
    assert told["client_known"] is True
    assert told["handshake"]["syn"] is None
    assert told["handshake"]["syn_ack"] == 1
    assert told["handshake"]["server_isn"] == 2000000
    assert told["handshake"]["complete"] is False


def test_client_is_the_sender_of_the_first_packet_when_no_syn_was_seen(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().unseen_handshake()
    talk.server("PA", b"midstream")
    talk.client("A")
    talk.write(trace)
    told = flow(trace)
    assert told["client"] == {"address": "10.0.0.2", "port": 4321}
    assert told["client_known"] is False
    assert told["to_server"]["bytes"] == 9


def test_syn_with_other_isn_starts_a_new_connection(trace: Path, flows: ReadAll) -> None:
    talk = Conversation().handshake()
    talk.then(client_isn=5_000_000).handshake()
    talk.write(trace)
    told = flows(trace)
    assert [each["handshake"]["client_isn"] for each in told] == [1_000_000, 5_000_000]
    assert [each["handshake"]["syn"] for each in told] == [1, 4]
    assert [each["handshake"]["complete"] for each in told] == [True, True]


@pytest.mark.parametrize("place, connections", [(65536, 1), (65537, 2), (0, 2)])
def test_a_syn_recorded_behind_data_belongs_to_it_where_that_follows_closely(
    trace: Path, flows: ReadAll, place: int, connections: int
) -> None:
    """65,535 bytes are the largest window that needs no option (RFC 9293, section 3.1)."""
    talk = Conversation()
    talk.client("PA", b"0123456789", seq=place, ack=1)
    talk.client("S", seq=0)
    talk.server("SA", ack=1)
    talk.client("A")
    size = 65535 if connections == 1 else 5
    for at in range(1, 1 + size, size // 5):
        talk.client("A", bytes(size // 5), seq=at)
    talk.server("A", ack=place + 10 if connections == 1 else 6)
    talk.write(trace)
    told = flows(trace)
    assert len(told) == connections
    last = told[-1]
    assert (last["handshake"]["syn"], last["handshake"]["complete"]) == (2, True)
    assert last["to_server"]["missing_bytes"] == 0
    assert last["to_server"]["bytes"] == (place + 9 if connections == 1 else 5)


def test_same_isn_syn_is_a_retransmission(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.client("S", seq=0, after_ns=10**9)
    talk.client("S", seq=0, after_ns=2 * 10**9)
    talk.server("SA")
    talk.client("A")
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert handshake["syn_retransmissions"] == 2
    assert (handshake["syn"], handshake["syn_ack"], handshake["ack"]) == (1, 4, 5)
    assert handshake["complete"] is True


def test_a_syn_near_data_of_an_older_connection_begins_another_one(
    trace: Path, flows: ReadAll
) -> None:
    """Some senders choose the same ISN each time, and the same port."""
    talk = Conversation()
    talk.client("PA", b"0123456789", seq=100, ack=1)
    talk.client("S", seq=0, after_ns=2 * 10**9)
    talk.server("SA", seq=0, ack=1)
    talk.client("A", seq=1)
    assert [told["handshake"]["complete"] for told in flows(talk.write(trace))] == [False, True]


def two_answers(acknowledged: int) -> Conversation:
    """SYN+ACKs with the ISNs 2,000,000 and 7,000,000; the client takes one of them."""
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("S", seq=0, after_ns=10**9)
    talk.server("SA", seq=0, tcp={"seq": 7_000_000})
    talk.sides["server"].isn = acknowledged
    talk.client("A")
    talk.client("PA", b"four")
    talk.server("PA", b"answer")
    talk.close()
    return talk


@pytest.mark.parametrize("isn, syn_ack", [(7_000_000, 4), (2_000_000, 2)])
def test_of_two_syn_acks_with_different_isns_the_acknowledged_one_counts(
    trace: Path, flow: ReadOne, isn: int, syn_ack: int
) -> None:
    """A server that forgot the first SYN, as one with SYN cookies does, answers the second anew."""
    two_answers(isn).write(trace)
    told = flow(trace)
    handshake = told["handshake"]
    assert (handshake["syn_ack"], handshake["server_isn"]) == (syn_ack, isn)
    assert (handshake["ack"], handshake["complete"]) == (5, True)
    assert (told["to_client"]["bytes"], told["to_client"]["missing_bytes"]) == (6, 0)
    assert told["teardown"]["kind"] == "fin"


@pytest.mark.parametrize("at", [1, 4])
def test_of_two_syn_acks_the_one_that_the_server_goes_on_with_counts(
    trace: Path, flow: ReadOne, at: int
) -> None:
    """Where no acknowledgement was recorded, nor perhaps its first data."""
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("S", seq=0, after_ns=10**9)
    talk.server("SA", seq=0, tcp={"seq": 7_000_000})
    talk.server("PA", b"answer"[at - 1:], seq=at)
    told = flow(talk.write(trace))
    assert (told["handshake"]["syn_ack"], told["handshake"]["server_isn"]) == (2, 2_000_000)
    assert told["to_client"]["bytes"] == 7 - at


def test_of_three_syn_acks_the_first_one_can_count(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    for isn in (7_000_000, 9_000_000):
        talk.client("S", seq=0, after_ns=10**9)
        talk.server("SA", seq=0, tcp={"seq": isn})
    talk.client("A")
    told = flow(talk.write(trace))
    assert (told["handshake"]["syn_ack"], told["handshake"]["complete"]) == (2, True)


def test_a_syn_ack_with_another_isn_counts_no_longer_once_one_is_acknowledged(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.server("SA", seq=0, tcp={"seq": 7_000_000})
    talk.client("PA", b"four", ack=1)
    talk.write(trace)
    told = flow(trace)
    assert (told["handshake"]["syn_ack"], told["handshake"]["server_isn"]) == (2, 2_000_000)
    assert told["to_client"]["missing_bytes"] == 0


def test_after_both_fins_a_syn_with_the_same_isn_starts_a_new_connection(
    trace: Path, flows: ReadAll
) -> None:
    talk = echo_conversation()
    talk.then().handshake()
    talk.write(trace)
    told = flows(trace)
    assert [each["handshake"]["syn"] for each in told] == [1, 11]
    assert [each["teardown"]["kind"] for each in told] == ["fin", "open"]


def test_after_a_reset_a_syn_with_the_same_isn_starts_a_new_connection(
    trace: Path, flows: ReadAll
) -> None:
    talk = Conversation().handshake()
    talk.server("RA")
    talk.then().handshake()
    talk.write(trace)
    told = flows(trace)
    assert [each["handshake"]["syn"] for each in told] == [1, 5]
    assert [each["teardown"]["kind"] for each in told] == ["reset", "open"]


def test_after_a_refusal_a_second_try_is_a_new_connection(trace: Path, flows: ReadAll) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("RA", seq=0)
    talk.then().handshake()
    talk.write(trace)
    told = flows(trace)
    assert [each["handshake"]["refused"] for each in told] == [True, False]
    assert [each["handshake"]["complete"] for each in told] == [False, True]


def test_after_one_fin_only_a_syn_with_the_same_isn_starts_no_connection(
    trace: Path, flows: ReadAll
) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.then().client("S")
    talk.write(trace)
    assert len(flows(trace)) == 1


def test_other_ports_are_another_connection(trace: Path, flows: ReadAll) -> None:
    talk = Conversation().handshake()
    talk.then(client_port=39871).handshake()
    talk.write(trace)
    assert [each["client"]["port"] for each in flows(trace)] == [39870, 39871]


def test_other_addresses_are_another_connection(trace: Path, flows: ReadAll) -> None:
    talk = Conversation().handshake()
    talk.then(server_address="10.0.0.3").handshake()
    talk.write(trace)
    assert [each["server"]["address"] for each in flows(trace)] == ["10.0.0.2", "10.0.0.3"]


def test_a_connection_to_itself_receives_what_it_sends(trace: Path, flow: ReadOne) -> None:
    """connect() to a socket's own port opens at both ends at once, which are the same (RFC 9293,
    section 3.5): there is one stream, in both directions."""
    talk = Conversation(server_address="10.0.0.1", server_port=39870, server_isn=1_000_000)
    socket = talk.sides["client"]
    talk.sides["server"] = socket
    talk.client("S")
    talk.client("SA", seq=0, ack=1)
    talk.client("A", ack=1)
    talk.client("PA", b"hello", ack=1)
    talk.client("A")
    talk.client("FA")
    talk.client("A")
    talk.write(trace)
    told = flow(trace)
    assert told["client"] == told["server"]
    assert (told["handshake"]["complete"], told["handshake"]["syn_ack"]) == (True, 2)
    assert told["handshake"]["client_isn"] == told["handshake"]["server_isn"] == 1_000_000
    assert (told["teardown"]["kind"], told["teardown"]["first_closer"]) == ("fin", "both")
    assert (told["teardown"]["server_fin"], told["teardown"]["server_fin_ack"]) == (6, 7)
    assert told["to_server"] == told["to_client"]
    assert (told["to_client"]["bytes"], told["to_client"]["missing_bytes"]) == (5, 0)


def test_a_host_may_talk_to_itself_from_the_same_port_number(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(server_address="10.0.0.3", client_port=4321).handshake()
    talk.client("PA", b"hello")
    talk.write(trace)
    told = flow(trace)
    assert (told["to_server"]["bytes"], told["to_client"]["bytes"]) == (5, 0)


def test_three_packets_complete_the_handshake(trace: Path, flow: ReadOne) -> None:
    Conversation().handshake().write(trace)
    handshake = flow(trace)["handshake"]
    assert (handshake["syn"], handshake["syn_ack"], handshake["ack"]) == (1, 2, 3)
    assert handshake["complete"] is True


def test_syn_alone_is_not_a_handshake(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert (handshake["syn"], handshake["syn_ack"], handshake["ack"]) == (1, None, None)
    assert handshake["complete"] is False
    assert (handshake["client_isn"], handshake["server_isn"]) == (1_000_000, None)


@pytest.mark.parametrize("ack", [0, 2, -500, 10_000])
def test_syn_ack_of_another_number_is_not_a_handshake(trace: Path, flow: ReadOne, ack: int) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA", ack=ack)
    talk.client("A")
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert handshake["complete"] is False
    assert handshake["ack"] is None


def test_a_syn_ack_after_a_wrong_one_counts(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA", ack=77)
    talk.server("SA", seq=0)
    talk.client("A")
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert (handshake["syn_ack"], handshake["ack"]) == (3, 4)
    assert handshake["complete"] is True


def test_third_packet_may_carry_data(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("PA", b"hello")
    talk.write(trace)
    told = flow(trace)
    assert told["handshake"]["ack"] == 3
    assert told["handshake"]["complete"] is True
    assert told["to_server"]["bytes"] == 5


def test_third_packet_may_carry_fin(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("FA")
    talk.write(trace)
    told = flow(trace)
    assert told["handshake"]["ack"] == 3
    assert told["handshake"]["complete"] is True
    assert told["teardown"]["client_fin"] == 3


def test_a_later_packet_stands_in_for_a_lost_third_one(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.server("PA", b"welcome")
    talk.client("A")
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert (handshake["ack"], handshake["complete"]) == (4, True)


@pytest.mark.parametrize("ack", [0, -1, 2, 100_000])
def test_third_packet_ack_out_of_range_is_not_a_handshake(
    trace: Path, flow: ReadOne, ack: int
) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("A", ack=ack)
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert handshake["ack"] is None
    assert handshake["complete"] is False


def test_third_packet_may_acknowledge_data_the_server_sent(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.server("PA", b"welcome")
    talk.client("A", ack=4)
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert (handshake["ack"], handshake["complete"]) == (4, True)


@pytest.mark.parametrize("seq", [-100_000, 1_000_000_000])
def test_third_packet_whose_sequence_number_does_not_fit_is_not_a_handshake(
    trace: Path, flow: ReadOne, seq: int
) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("A", seq=seq)
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert handshake["ack"] is None
    assert handshake["complete"] is False


def test_third_packet_without_ack_flag_is_not_a_handshake(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("P", b"x", tcp={"ack": 2_000_001})
    talk.write(trace)
    assert flow(trace)["handshake"]["complete"] is False


def test_a_reset_is_no_third_packet(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("RA")
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert handshake["ack"] is None
    assert handshake["complete"] is False
    assert handshake["refused"] is False


def test_a_packet_of_the_server_is_no_third_packet(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.server("PA", b"welcome")
    talk.write(trace)
    assert flow(trace)["handshake"]["complete"] is False


def test_a_right_third_packet_after_a_wrong_one_counts(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("A", ack=9000)
    talk.client("A")
    talk.write(trace)
    handshake = flow(trace)["handshake"]
    assert (handshake["ack"], handshake["complete"]) == (4, True)


def test_simultaneous_open_counts_as_complete(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("S")
    talk.client("SA", seq=0)
    talk.server("SA", seq=0)
    talk.write(trace)
    told = flow(trace)
    assert told["client"]["port"] == 39870
    assert told["handshake"]["complete"] is True
    assert told["handshake"]["syn"] == 1
    assert told["handshake"]["syn_ack"] == 4
    assert told["handshake"]["ack"] == 3
    assert told["handshake"]["client_isn"] == 1_000_000
    assert told["handshake"]["server_isn"] == 2_000_000
    assert told["handshake"]["refused"] is False


def test_no_syn_of_a_simultaneous_open_is_a_retransmission(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("S")
    talk.client("SA", seq=0)
    talk.server("SA", seq=0)
    assert flow(talk.write(trace))["handshake"]["syn_retransmissions"] == 0


def test_simultaneous_open_acknowledged_without_syn_counts_as_complete(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("S")
    talk.client("A")
    talk.server("A")
    talk.write(trace)
    assert flow(trace)["handshake"]["complete"] is True


@pytest.mark.parametrize("silent", ["client", "server"])
def test_simultaneous_open_with_one_syn_unacknowledged_is_not_complete(
    trace: Path, flow: ReadOne, silent: str
) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("S")
    if silent == "client":
        talk.server("SA", seq=0)
    else:
        talk.client("SA", seq=0)
    talk.write(trace)
    assert flow(trace)["handshake"]["complete"] is False


def test_a_reset_that_acknowledges_the_syn_refuses_it(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("RA", seq=-2_000_000)
    talk.write(trace)
    told = flow(trace)
    assert told["handshake"]["refused"] is True
    assert told["handshake"]["complete"] is False
    assert told["teardown"]["kind"] == "reset"
    assert (told["teardown"]["reset_by"], told["teardown"]["reset"]) == ("server", 2)


@pytest.mark.parametrize("first", [
    {"sender": "client", "flags": "R", "seq": 1},
    {"sender": "server", "flags": "RA", "seq": 0, "ack": 9000},
], ids=["the client's", "of something else"])
def test_a_reset_refuses_after_another_one(
    trace: Path, flow: ReadOne, first: dict[str, Any]
) -> None:
    """It was on its way by then; what ended the connection stays the first."""
    talk = Conversation()
    talk.client("S")
    talk.segment(first.pop("sender"), first.pop("flags"), **first)
    talk.server("RA", seq=0, ack=1)
    told = flow(talk.write(trace))
    assert told["handshake"]["refused"] is True
    assert (told["teardown"]["kind"], told["teardown"]["reset"]) == ("reset", 2)


def test_a_reset_that_acknowledges_something_else_refuses_nothing(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("RA", seq=0, ack=9000)
    talk.write(trace)
    assert flow(trace)["handshake"]["refused"] is False


def test_a_reset_without_ack_refuses_nothing(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("R", seq=0)
    talk.write(trace)
    assert flow(trace)["handshake"]["refused"] is False


def test_a_reset_after_the_handshake_is_no_refusal(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.server("RA")
    talk.write(trace)
    told = flow(trace)
    assert told["handshake"]["refused"] is False
    assert told["handshake"]["complete"] is True


@pytest.mark.parametrize(("options", "ack"), [([("WScale", 7)], 4), ([], None)])
def test_an_ack_behind_much_that_was_not_recorded_completes_in_the_window_as_the_syns_scale_it(
    trace: Path, flow: ReadOne, options: list[tuple[str, int]], ack: Optional[int]
) -> None:
    talk = Conversation()
    talk.client("S", tcp={"options": options})
    talk.server("SA", tcp={"options": options})
    talk.lose("client", 200_000)
    talk.server("A")
    talk.lose("client", 300_000)
    talk.client("A")
    assert flow(talk.write(trace))["handshake"]["ack"] == ack
