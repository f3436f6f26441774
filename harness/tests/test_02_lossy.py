"""Lab 02 on a network that loses: conversations go on as ever."""

from __future__ import annotations

from labkit.chat import CHAT, LINE, LONG_LINE, PORTS, TURNS, Conversation, converse
from labkit.grading import graded_each
from labkit.losses import disturb, expect_unnoticed
from labkit.reasons import BAD_NETWORK, because
from labkit.scenario import Scenario

LAB = "02-p2p-chat"


def bad_network(port: int) -> list[str]:
    """Each way the first line is lost, then every fifth segment of data; and the first FIN."""
    return ["drop fin 1", *(f"drop data {way} {port} {which}"
                            for way in ("to", "from") for which in ("1", "every 5"))]


@because(BAD_NETWORK)
@graded_each(CHAT, step=8, points=1)
def test_chat_on_a_bad_network(lab: Scenario, program: str) -> None:
    """Lines are lost both ways, and a FIN: all that was typed is printed, both sides end well."""
    disturb(lab, *bad_network(PORTS[program]))
    talk = converse(lab, program)
    for line in (LINE, LONG_LINE):
        talk.program.write(line)
        talk.start_hearing(line)
        talk.expect_said(line, cause="own-timeout")
        talk.expect_heard(line, cause="own-timeout")
    talk.end_stdin()
    end(lab, talk)


@because(BAD_NETWORK)
@graded_each(TURNS, step={"turn_server": 1, "turn_client": 2}, points=1)
def test_turns_on_a_bad_network(lab: Scenario, program: str) -> None:
    """The same in turns: each side waits until the other's line is whole, however long."""
    disturb(lab, *bad_network(PORTS[program]))
    talk = converse(lab, program)
    if talk.is_server:
        talk.hear(LINE, cause="own-timeout")
    for _ in range(2):
        talk.say(LONG_LINE, cause="own-timeout")
        talk.hear(LONG_LINE, cause="own-timeout")
    talk.program.close_stdin()
    talk.peer.expect_eof(cause="own-timeout")
    end(lab, talk)


def end(lab: Scenario, talk: Conversation) -> None:
    """The program has sent its FIN: now the peer's comes, it ends, and the trace has it all."""
    talk.peer_closes()
    talk.expect_exit(cause="own-timeout")
    to_server, to_client = talk.said, talk.heard
    if talk.is_server:
        to_server, to_client = to_client, to_server
    expect_unnoticed(lab, to_server, to_client, "to_server.lost>=10", "to_client.lost>=10",
                     first_closer=talk.role("program"))
