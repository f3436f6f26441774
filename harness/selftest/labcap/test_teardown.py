"""How a connection ends: FIN, reset, half, or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from calls import Labcap, ReadOne
from traces import CLIENT, SERVER, Conversation, echo_conversation


def test_fin_when_both_fins_are_seen_and_acknowledged(trace: Path, flow: ReadOne) -> None:
    teardown = flow(echo_conversation().write(trace))["teardown"]
    assert teardown == {
        "kind": "fin",
        "first_closer": "client",
        "client_fin": 7,
        "client_fin_ack": 8,
        "server_fin": 9,
        "server_fin_ack": 10,
        "segments": 4,
        "reset_by": None,
        "reset": None,
    }


def test_the_server_may_close_first(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.close(first=SERVER)
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["kind"] == "fin"
    assert teardown["first_closer"] == "server"
    assert (teardown["server_fin"], teardown["server_fin_ack"]) == (4, 5)
    assert (teardown["client_fin"], teardown["client_fin_ack"]) == (6, 7)


def test_a_reset_after_both_fins_were_acknowledged_changes_nothing(
    tmp_path: Path, flow: ReadOne
) -> None:
    talk = echo_conversation()
    plain = flow(talk.write(tmp_path / "plain.pcap"))
    talk.client("R")
    reset = flow(talk.write(tmp_path / "reset.pcap"))
    assert reset["teardown"] == plain["teardown"]
    assert reset["state"] == plain["state"] == "SF"


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_reset_before_any_fin(trace: Path, flow: ReadOne, side: str) -> None:
    talk = Conversation().handshake()
    talk.segment(side, "RA")
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["kind"] == "reset"
    assert (teardown["reset_by"], teardown["reset"]) == (side, 4)
    assert teardown["first_closer"] is None
    assert teardown["segments"] is None


def test_reset_between_the_fins(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("A")
    talk.server("RA")
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["kind"] == "reset"
    assert (teardown["reset_by"], teardown["reset"]) == ("server", 6)
    assert (teardown["client_fin"], teardown["client_fin_ack"]) == (4, 5)
    assert (teardown["server_fin"], teardown["server_fin_ack"]) == (None, None)


def test_reset_while_the_second_fin_is_not_acknowledged(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("R")
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["kind"] == "reset"
    assert (teardown["reset_by"], teardown["reset"]) == ("client", 6)


def test_the_first_of_two_resets_is_told(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.server("RA")
    talk.client("R")
    teardown = flow(talk.write(trace))["teardown"]
    assert (teardown["reset_by"], teardown["reset"]) == ("server", 4)


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_half_closed_with_one_fin_only(trace: Path, flow: ReadOne, side: str) -> None:
    other = SERVER if side == CLIENT else CLIENT
    talk = Conversation().handshake()
    talk.segment(side, "FA")
    talk.segment(other, "A")
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["kind"] == "half-closed"
    assert teardown["first_closer"] == side
    assert (teardown[f"{side}_fin"], teardown[f"{side}_fin_ack"]) == (4, 5)
    assert teardown[f"{other}_fin"] is None


def test_open_without_any_fin(trace: Path, flow: ReadOne) -> None:
    teardown = flow(Conversation().handshake().write(trace))["teardown"]
    assert teardown["kind"] == "open"
    assert teardown["first_closer"] is None


def test_place_of_a_fin_is_its_sequence_number_plus_its_payload(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FPA", b"goodbye")
    talk.server("A", ack=8)
    talk.server("A", ack=9)
    teardown = flow(talk.write(trace))["teardown"]
    assert (teardown["client_fin"], teardown["client_fin_ack"]) == (4, 6)


def test_a_fin_further_on_is_the_right_one_while_none_is_acknowledged(
    trace: Path, flow: ReadOne, labcap: Labcap
) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.client("FPA", b"goodbye", seq=1)
    talk.server("A")
    talk.server("FA")
    talk.client("A")
    talk.write(trace)
    teardown = flow(trace)["teardown"]
    assert (teardown["kind"], teardown["first_closer"]) == ("fin", "client")
    assert (teardown["client_fin"], teardown["client_fin_ack"]) == (5, 6)
    assert (teardown["server_fin"], teardown["server_fin_ack"]) == (7, 8)
    assert re.findall("[1-4]/4", labcap("show", trace).stdout) == ["1/4", "1/4", "2/4", "3/4", "4/4"]


@pytest.mark.parametrize("data, seq", [(b"goodbye", 2), (b"", 2**31 - 2)])
def test_a_fin_further_on_is_nothing_where_one_is_acknowledged_or_out_of_the_window(
    trace: Path, flow: ReadOne, data: bytes, seq: int
) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    if data:
        talk.server("A")
    talk.client("FA", data, seq=seq)
    talk.server("FA", ack=2)
    talk.client("A", seq=2)
    talk.write(trace)
    teardown = flow(trace)["teardown"]
    assert (teardown["kind"], teardown["client_fin"]) == ("fin", 4)


def test_second_fin_at_the_same_place_is_a_retransmission(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FPA", b"goodbye")
    talk.client("FA", seq=8)
    talk.client("FPA", b"bye", seq=5)
    talk.server("A")
    talk.server("FA")
    talk.client("A")
    told = flow(talk.write(trace))
    assert told["teardown"]["kind"] == "fin"
    assert (told["teardown"]["client_fin"], told["teardown"]["client_fin_ack"]) == (4, 7)
    assert told["to_server"]["bytes"] == 7
    assert told["history"].count("F") == 1


def test_an_acknowledgement_of_the_data_only_does_not_acknowledge_the_fin(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.client("FPA", b"goodbye")
    talk.server("A", ack=8)
    teardown = flow(talk.write(trace))["teardown"]
    assert (teardown["client_fin"], teardown["client_fin_ack"]) == (4, None)


def test_simultaneous_close_is_by_both(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("FA", ack=1)
    talk.client("A", ack=2)
    talk.server("A")
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["kind"] == "fin"
    assert teardown["first_closer"] == "both"
    assert (teardown["client_fin"], teardown["server_fin"]) == (4, 5)
    assert (teardown["client_fin_ack"], teardown["server_fin_ack"]) == (7, 6)


def test_four_segments_when_the_first_fin_was_acknowledged_before_the_second(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("A")
    talk.server("PA", b"last words")
    talk.server("FA")
    talk.client("A")
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["segments"] == 4
    assert teardown["first_closer"] == "client"


def test_an_acknowledgement_with_data_counts_as_the_second_of_four_segments(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("PA", b"last words")
    talk.server("FA")
    talk.client("A")
    teardown = flow(talk.write(trace))["teardown"]
    assert (teardown["segments"], teardown["client_fin_ack"]) == (4, 5)


def test_three_segments_when_the_second_fin_acknowledges_the_first(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["kind"] == "fin"
    assert teardown["segments"] == 3
    assert (teardown["client_fin"], teardown["client_fin_ack"]) == (4, 5)
    assert (teardown["server_fin"], teardown["server_fin_ack"]) == (5, 6)
    assert teardown["first_closer"] == "client"


def test_a_fin_whose_packet_is_late_keeps_its_place(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FA", seq=6)
    talk.client("PA", b"hello", seq=1)
    talk.server("A", ack=7)
    told = flow(talk.write(trace))
    assert (told["teardown"]["client_fin"], told["teardown"]["client_fin_ack"]) == (4, 6)
    assert told["to_server"]["bytes"] == 5
    assert told["to_server"]["missing_bytes"] == 0


def test_a_fin_recorded_behind_the_one_that_acknowledges_it_was_the_first(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.server("FA", ack=2)
    talk.client("FA", ack=1)
    talk.client("A", seq=2)
    teardown = flow(talk.write(trace))["teardown"]
    assert teardown["kind"] == "fin"
    assert (teardown["first_closer"], teardown["segments"]) == ("client", 3)
    assert (teardown["client_fin"], teardown["client_fin_ack"]) == (5, 4)


@pytest.mark.parametrize("late", [False, True], ids=["fin first", "fin captured later"])
def test_what_was_never_sent_does_not_acknowledge_a_fin(
    trace: Path, flow: ReadOne, late: bool
) -> None:
    """RFC 9293, section 3.10.7.4: such an acknowledgement is not acceptable."""
    talk = Conversation().handshake()
    if late:
        talk.server("A", ack=9000)
        fin = talk.client("FA")
    else:
        fin = talk.client("FA")
        talk.server("A", ack=9000)
    told = flow(talk.write(trace))["teardown"]
    assert (told["kind"], told["client_fin"], told["client_fin_ack"]) == ("half-closed", fin, None)
    number = talk.server("A", ack=2)
    assert flow(talk.write(trace))["teardown"]["client_fin_ack"] == number


@pytest.mark.parametrize("late", [False, True], ids=["fin first", "fin captured later"])
def test_a_fin_that_acknowledges_too_much_does_not_acknowledge_the_other(
    trace: Path, flow: ReadOne, late: bool
) -> None:
    talk = Conversation().handshake()
    if late:
        talk.server("FA", ack=9000)
        talk.client("FA", ack=1)
    else:
        talk.client("FA")
        talk.server("FA", ack=9000)
    told = flow(talk.write(trace))["teardown"]
    assert (told["kind"], told["first_closer"], told["segments"]) == ("half-closed", "both", None)
