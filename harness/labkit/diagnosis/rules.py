"""From evidence to cause: the rules, in the order in which they are asked.

A rule is read so: where its sign shows, and the test suspects one of `over`, the cause is this;
unless it is one of `but`, which say more than the sign does. The first rule that holds decides.
Where none does, the test's own suspicion stands, unless the evidence rules it out.
"""

from __future__ import annotations

from typing import Collection, Mapping, NamedTuple, Optional

from labkit.diagnosis import echoes, signs, wording
from labkit.diagnosis.evidence import Evidence
from labkit.diagnosis.signs import Sign, gave_up, used


class Rule(NamedTuple):
    """SIGN means CAUSE, if the test's suspicion is one of OVER (None: any) and not of BUT."""

    sign: Sign
    cause: str
    over: Optional[Collection[str]] = None
    but: Collection[str] = ()

    def words(self, evidence: Evidence) -> Optional[str]:
        """What shows the cause, in words that go on from 'because'; None where it is another."""
        suspicion = evidence.suspicion
        if suspicion != self.cause and (
                suspicion in self.but or self.over is not None and suspicion not in self.over):
            return None
        return self.sign(evidence)


UNCLEAR = frozenset({"other"})
SILENCE = UNCLEAR | {
    "closes-both", "connection-refused", "descriptor-leak", "no-answer", "no-packets", "not-bound",
    "not-listening", "stdout-not-flushed",
}
"""What a test suspects that has seen only that something does not come."""
ENDED = SILENCE | {"ended-early", "exit-status", "one-client-only"}
"""And that a program has ended, or ended otherwise than it should."""
SYMPTOMS = ENDED | {
    "first-closer", "idle-client-blocks", "lines-lost", "messages", "no-half-close",
    "partial-write", "single-read", "slow-end", "unread-input-rst",
}
"""What can be the consequence of nearly any fault."""
ADDRESSES = frozenset({
    "address-in-use", "dotted-only", "no-ipv6", "wrong-address", "wrong-port",
})
"""What a test suspects that gives a program an address, and does not find it there."""
ANY_SYMPTOM = SYMPTOMS | ADDRESSES | {"busy-wait", "c-string"}
"""What can be the consequence of a server that never gets as far as to serve."""
DATAGRAMS = frozenset({
    "cut-datagram", "empty-datagram", "surplus-datagrams", "unreachable-ends-server",
    "wrong-receiver",
})
"""What it suspects where a datagram is not answered by one with the same bytes."""
SUSPICIONS = {"any symptom, any address": ANY_SYMPTOM, "any symptom": SYMPTOMS,
              "an end": ENDED, "silence": SILENCE}
"""By the names that docs/causes.md has for them."""
RESETS = UNCLEAR | {"descriptor-leak", "first-closer", "sigpipe", "unread-input-rst"}
NO_FIN = UNCLEAR | {"descriptor-leak", "no-half-close"}

RULES = (
    Rule(signs.spins_for_each, "busy-wait"),
    Rule(used("too-many-processes"), "too-many-processes"),
    Rule(used("too-much-memory"), "too-much-memory"),
    Rule(used("too-much-output"), "too-much-output"),
    Rule(signs.not_written_yet, "not-written-yet"),
    Rule(signs.crashed_by_a_format, "format-string", over=SYMPTOMS),
    Rule(signs.crashed, "crash", but={
        "bad-options", "c-string", "cut-file-kept", "format-string", "lookup-error", "unbounded"}),
    Rule(signs.killed_by_sigpipe, "sigpipe"),
    Rule(gave_up("EINTR"), "eintr"),
    Rule(signs.says_interrupted, "eintr", over=SYMPTOMS - {"exit-status", "slow-end"}),
    Rule(signs.reset_ended_it, "reset-ends-server", over=ENDED),
    Rule(gave_up("EMFILE", "accept", "accept4"), "out-of-descriptors", over=ENDED),
    Rule(signs.port_swapped, "byte-order"),
    Rule(signs.address_swapped, "byte-order"),
    Rule(wording.prints_a_swapped_port, "byte-order"),
    Rule(signs.malformed_error, "error-packet"),
    Rule(signs.taken_without_reuse, "no-reuseaddr", over=ENDED),
    Rule(signs.listens_unbound, "not-listening", over=ANY_SYMPTOM),
    Rule(signs.left_without_listening, "ended-early", over=ANY_SYMPTOM),
    Rule(signs.set_up_failed, "ended-early", over=ANY_SYMPTOM),
    Rule(signs.accepts_without_listening, "not-listening", over=ANY_SYMPTOM),
    Rule(signs.accepts_no_more, "one-client-only", over=ANY_SYMPTOM | {
        "not-accepted", "reset-ends-server"}),
    Rule(signs.cannot_accept, "not-accepted", over=ANY_SYMPTOM),
    Rule(signs.uses_another_descriptor, "wrong-descriptor", over=ANY_SYMPTOM),
    Rule(signs.bound_everywhere, "wrong-address", over={"dotted-only", "no-ipv6"}),
    Rule(signs.printed_not_sent, "messages", over=SYMPTOMS | {"c-string"}),
    Rule(signs.datagrams_for_tcp, "udp-not-tcp", over=SYMPTOMS),
    Rule(signs.streams_for_udp, "tcp-not-udp", over=SYMPTOMS),
    Rule(signs.spins, "busy-wait", over=SYMPTOMS | {"waits-for-ever"}),
    Rule(wording.worded_otherwise, "messages", over=NO_FIN | {"c-string", "shared-descriptor"}),
    Rule(wording.as_many_bytes, "messages", over={"c-string"}),
    Rule(signs.waits_without_its_socket, "waits-for-one", over=ANY_SYMPTOM | {
        "connected-peer", "cut-datagram", "deadlock", "eintr", "format-string", "lines-mixed",
        "own-timeout", "refusal-ends-peer"}),
    Rule(signs.sends_after_its_fin, "early-fin", over=ANY_SYMPTOM | {"eintr"}),
    Rule(signs.shuts_both, "closes-both", over=SYMPTOMS),
    Rule(signs.lingers_for_nothing, "linger-rst", over=RESETS),
    Rule(signs.another_process_holds_it, "shared-descriptor", over=NO_FIN),
    Rule(signs.sends_more_than_it_got, "fixed-length", over=UNCLEAR | {"messages"}),
    Rule(signs.too_big_for_a_datagram, "fixed-length", over=SILENCE | {"messages", "no-ipv6"}),
    Rule(echoes.cut_as_a_string, "c-string", over=ANY_SYMPTOM | DATAGRAMS),
    Rule(signs.rest_not_sent, "partial-write", over=SYMPTOMS),
    Rule(signs.never_began, "ended-early"),
    Rule(signs.sent_nothing, "no-packets"),
    Rule(signs.ended_early, "ended-early", over=SILENCE - {"closes-both", "descriptor-leak"}),
    Rule(signs.left_after_data, "ended-early", over=(
        ANY_SYMPTOM | DATAGRAMS | {"reset-ends-server"}) - {"one-client-only"}),
    Rule(signs.left_after_a_client, "one-client-only", over=SILENCE),
    Rule(signs.server_left, "ended-early", over=SILENCE | {"waits-for-one"}),
    Rule(echoes.keeps_what_it_got, "no-answer", over=SYMPTOMS | {"c-string"}),
    Rule(echoes.never_sends, "no-answer", over=SYMPTOMS | {"c-string"}),
    Rule(signs.never_closes, "descriptor-leak", over=UNCLEAR | {"slow-end"}),
    Rule(echoes.sends_less, "other", over={"closes-both", "partial-write", "single-read"}),
    Rule(signs.no_socket, "no-packets", over=UNCLEAR | {"connection-refused"}),
    Rule(signs.nothing_written, "stdout-not-flushed", over=UNCLEAR),
)

RULED_OUT: Mapping[str, Sign] = {
    "address-in-use": signs.never_bound,
    "eintr": signs.never_interrupted,
    "linger-rst": signs.never_lingers,
    "no-ipv6": signs.has_ipv6,
    "no-reuseaddr": signs.reuses,
    "partial-write": signs.took_all,
    "reset-ends-server": signs.still_runs,
    "sigpipe": signs.no_sigpipe,
    "single-read": signs.nothing_received,
    "stdout-not-flushed": signs.nothing_to_print,
}
"""By suspicion: the sign that it is not so."""
