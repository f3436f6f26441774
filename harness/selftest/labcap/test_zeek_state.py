"""conn_state and history, with Zeek's letters and Zeek's order of tests."""

from __future__ import annotations

from pathlib import Path

from calls import ReadOne
from traces import Conversation, echo_conversation


def told_by(flow: ReadOne, trace: Path, talk: Conversation) -> tuple[str, str]:
    """The pair (state, history) of a conversation."""
    told = flow(talk.write(trace))
    return told["state"], told["history"]


def test_s0_a_syn_without_reply(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    assert told_by(flow, trace, talk) == ("S0", "S")


def test_rej_a_syn_answered_by_a_reset(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("RA", seq=0)
    assert told_by(flow, trace, talk) == ("REJ", "Sr")


def test_s1_established_and_not_ended(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    talk.server("PA", b"hello")
    assert told_by(flow, trace, talk) == ("S1", "ShADd")


def test_sf_established_and_closed(trace: Path, flow: ReadOne) -> None:
    assert told_by(flow, trace, echo_conversation()) == ("SF", "ShADadFf")


def test_s2_only_the_client_closed(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("A")
    assert told_by(flow, trace, talk) == ("S2", "ShAFa")


def test_s3_only_the_server_closed(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.server("FA")
    talk.client("A")
    assert told_by(flow, trace, talk) == ("S3", "ShAf")


def test_rsto_the_client_reset(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("RA")
    assert told_by(flow, trace, talk) == ("RSTO", "ShAR")


def test_rstr_the_server_reset(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    talk.server("RA")
    assert told_by(flow, trace, talk) == ("RSTR", "ShADr")


def test_rstos0_a_syn_and_a_reset_without_syn_ack(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.client("R")
    assert told_by(flow, trace, talk) == ("RSTOS0", "SR")


def test_rstrh_a_syn_ack_and_a_reset_without_syn(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().unseen_handshake()
    talk.server("SA", seq=0)
    talk.server("R")
    state, history = told_by(flow, trace, talk)
    assert (state, history.lstrip("^")) == ("RSTRH", "hr")


def test_s1_with_the_syn_missed(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().unseen_handshake()
    talk.server("SA", seq=0)
    talk.client("A")
    state, history = told_by(flow, trace, talk)
    assert (state, history.lstrip("^")) == ("S1", "hA")


def test_oth_the_other_side_of_midstream_traffic_says_nothing(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().unseen_handshake()
    talk.client("PA", b"hello")
    assert told_by(flow, trace, talk) == ("OTH", "D")


def test_sh_a_syn_and_a_fin_without_syn_ack(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.client("F")
    assert told_by(flow, trace, talk) == ("SH", "SF")


def test_shr_a_syn_ack_and_a_fin_without_syn(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().unseen_handshake()
    talk.server("SA", seq=0)
    talk.server("FA")
    state, history = told_by(flow, trace, talk)
    assert (state, history.lstrip("^")) == ("SHR", "hf")


def test_oth_midstream_traffic(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().unseen_handshake()
    talk.client("PA", b"hello")
    talk.server("A")
    assert told_by(flow, trace, talk) == ("OTH", "Da")


def test_responder_reset_is_tested_before_originator_reset(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    talk.client("RA")
    talk.server("RA")
    assert told_by(flow, trace, talk) == ("RSTR", "ShADRr")


def test_originator_reset_is_tested_before_responder_fin(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.server("FA")
    talk.client("RA")
    assert told_by(flow, trace, talk) == ("RSTO", "ShAfR")


def test_a_reset_after_its_own_fin_is_a_reset(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("A")
    talk.client("RA")
    assert told_by(flow, trace, talk) == ("RSTO", "ShAFaR")


def test_a_reset_after_both_fins_leaves_sf(trace: Path, flow: ReadOne) -> None:
    talk = echo_conversation()
    talk.server("R")
    assert told_by(flow, trace, talk) == ("SF", "ShADadFfr")


def test_acks_and_data_are_written_once_a_side(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    for _ in range(3):
        talk.client("PA", b"hello")
        talk.server("A")
        talk.server("PA", b"hello")
        talk.client("A")
    assert told_by(flow, trace, talk) == ("S1", "ShADad")


def test_a_syn_and_a_fin_sent_again_are_written_once(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.client("S", seq=0)
    talk.server("SA")
    talk.server("SA", seq=0)
    talk.client("A")
    talk.client("FA")
    talk.client("FA", seq=1)
    assert told_by(flow, trace, talk) == ("S2", "ShAF")


def test_data_in_a_fin_has_no_letter_of_its_own(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FPA", b"hello")
    assert told_by(flow, trace, talk) == ("S2", "ShAF")


def test_a_retransmission_is_t(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.server("PA", b"hello")
    talk.server("PA", b"hello", seq=1)
    assert told_by(flow, trace, talk) == ("S1", "ShAdt")


def test_the_tenth_retransmission_is_written_again(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    for _ in range(9):
        talk.client("PA", b"hello", seq=1)
    assert told_by(flow, trace, talk) == ("S1", "ShADT")
    talk.client("PA", b"hello", seq=1)
    assert told_by(flow, trace, talk) == ("S1", "ShADTT")


def test_a_zero_window_is_w(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    talk.server("A", window=0)
    assert told_by(flow, trace, talk) == ("S1", "ShADaw")


def test_a_hole_that_was_acknowledged_is_g_of_the_side_that_sent_it(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    talk.lose("client", 100)
    talk.server("A")
    assert told_by(flow, trace, talk) == ("S1", "ShADaG")


def test_fin_and_rst_in_one_packet_are_i(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FRA")
    assert flow(talk.write(trace))["history"] == "ShAI"


def test_syn_and_fin_in_one_packet_are_q(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("SF")
    assert flow(talk.write(trace))["history"] == "Q"


def test_data_of_a_first_syn_and_the_text_of_a_reset_retransmit_nothing(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation()
    talk.client("S", b"hello")
    talk.server("SA")
    talk.server("RA", b"no more room")
    assert told_by(flow, trace, talk) == ("RSTR", "Shr")


def test_a_syn_with_data_sent_again_retransmits_it(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S", b"hello")
    talk.client("S", b"hello", seq=0)
    assert told_by(flow, trace, talk) == ("S0", "ST")


def test_the_place_of_the_syn_is_no_gap(trace: Path, flow: ReadOne) -> None:
    """An acknowledgement of the ISN itself is wrong, but what follows it hides nothing."""
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("A", ack=0)
    talk.client("A")
    assert told_by(flow, trace, talk) == ("S1", "ShA")
