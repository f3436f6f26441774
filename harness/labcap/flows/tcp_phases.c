/* tcp_phases.c - handshake, teardown and the states of RFC 9293 of a connection. */
#include "tcp_internal.h"

/* ---- Handshake (RFC 9293, section 3.5) ---- */

static bool simultaneous_open(const struct tcp_connection *c)
{
    return c->side[0].plain_syn && c->side[1].plain_syn;
}

static void check_complete(struct tcp_connection *c)
{
    if (c->syn != 0 && c->ack != 0 && c->side[0].syn_acked && c->side[1].syn_acked)
        c->complete = true;
}

static void take_syn_ack(struct tcp_connection *c, const struct segment *g)
{
    struct tcp_side *client = &c->side[c->client];
    bool acknowledges = g->has_ack && g->ack >= 1 && g->ack <= client->next;

    if (acknowledges)
        client->syn_acked = true;
    if (c->syn_ack == 0 || (acknowledges && !c->syn_ack_valid)) {
        c->syn_ack = g->p->number;
        c->syn_ack_valid = acknowledges;
        g->note->handshake = 2;
    }
    check_complete(c);
}

void tcp_take_syn(struct tcp_connection *c, const struct segment *g)
{
    bool client = g->side == c->client;

    if (!client && has_flag(g, TCP_ACK)) {
        take_syn_ack(c, g);
    } else if (client && !has_flag(g, TCP_ACK)) {
        if (c->syn == 0) {
            c->syn = g->p->number;
            g->note->handshake = 1;
        } else {
            tcp_rare_of(&c->side[g->side])->syn_retransmissions++;
        }
        check_complete(c);
    }
}

/* By number, not by flag alone: acknowledges the server's SYN and nothing it has not sent. */
void tcp_take_handshake_ack(struct tcp_connection *c, const struct segment *g)
{
    struct tcp_side *client = &c->side[c->client], *server = &c->side[c->client ^ 1];
    bool simultaneous = simultaneous_open(c);

    if (c->complete || !g->has_ack || has_flag(g, TCP_RST))
        return;
    if (g->side != c->client) {
        if (simultaneous && g->ack >= 1 && g->ack <= client->next)
            client->syn_acked = true;
        check_complete(c);
        return;
    }
    if (!server->syn_seen || g->ack < 1 || g->ack > server->next || c->ack != 0)
        return;
    if (!simultaneous && (has_flag(g, TCP_SYN) || !client->syn_acked || g->seq < 1 ||
                          !tcp_in_window(client, server, g->seq)))
        return;
    server->syn_acked = true;
    c->ack = g->p->number;
    g->note->handshake = 3;
    check_complete(c);
}

/* ---- Teardown (RFC 9293, section 3.6) ---- */

static bool both_fins_acknowledged(const struct tcp_connection *c)
{
    return c->side[0].fin_ack_packet != 0 && c->side[1].fin_ack_packet != 0;
}

static void note_fin_ack(struct tcp_connection *c, unsigned fin_side, uint64_t packet,
                         struct tcp_note *note)
{
    c->side[fin_side].fin_ack_packet = packet;
    note->teardown |= fin_side == c->first_fin ? STEP_FIRST_FIN_ACK : STEP_SECOND_FIN_ACK;
}

/* By number: what was never sent is not acknowledged (RFC 9293, section 3.10.7.4). */
static bool acknowledges_fin(const struct tcp_side *s, int64_t ack)
{
    return s->fin_seen && ack > s->fin_position && ack <= later_of(s->next, s->fin_position + 1);
}

void tcp_take_fin_ack(struct tcp_connection *c, const struct segment *g)
{
    struct tcp_side *peer = &c->side[g->side ^ 1];

    if (g->has_ack && peer->fin_ack_packet == 0 && acknowledges_fin(peer, g->ack))
        note_fin_ack(c, g->side ^ 1u, g->p->number, g->note);
}

void tcp_weigh_fins(struct tcp_connection *c, unsigned side)
{
    struct tcp_side *s = &c->side[side], *peer = &c->side[side ^ 1];

    s->fin_acks_peer = acknowledges_fin(peer, peer->acked_by_fin);
    peer->fin_acks_peer = peer->fin_seen && acknowledges_fin(s, s->acked_by_fin);
    /* It was sent first, if not captured first. That each acknowledges the other cannot be. */
    if (peer->fin_acks_peer && !s->fin_acks_peer)
        c->first_fin = (uint8_t)side;
    if (s->has_acked && acknowledges_fin(s, s->acked)) /* captured after its acknowledgement */
        s->fin_ack_packet = s->acked_packet;
}

/* Data behind a FIN cannot be: a FIN further on, while none is acknowledged, is the right one. */
static bool replaces_fin(const struct tcp_side *s, const struct tcp_side *peer, int64_t position)
{
    return s->fin_ack_packet == 0 && position > s->fin_position &&
           tcp_in_window(s, peer, position);
}

void tcp_take_fin(struct tcp_connection *c, const struct segment *g)
{
    struct tcp_side *s = &c->side[g->side], *peer = &c->side[g->side ^ 1];
    int64_t position = g->payload + g->p->payload_len;

    if (s->fin_seen && !replaces_fin(s, peer, position)) {
        if (position == s->fin_position)
            g->note->marks |= MARK_RETRANSMISSION;
        return;
    }
    s->fin_seen = true;
    s->fin_position = position;
    s->fin_packet = g->p->number;
    peer->acked_by_fin = g->has_ack ? g->ack : 0;
    g->note->teardown |= peer->fin_seen ? STEP_SECOND_FIN : STEP_FIRST_FIN;
    if (!s->claim.pending)
        s->next = later_of(s->next, position + 1);
    c->first_fin = (g->side ^ peer->fin_seen) & 1;
    tcp_weigh_fins(c, g->side);
}

void tcp_take_reset(struct tcp_connection *c, const struct segment *g)
{
    const struct tcp_side *s = &c->side[g->side], *peer = &c->side[g->side ^ 1];

    g->note->marks |= MARK_RESET;
    if (both_fins_acknowledged(c)) /* nothing is left to reset */
        return;
    if (c->reset == 0) {
        c->reset = g->p->number;
        c->reset_by = g->side & 1;
    }
    if (g->side != c->client && !s->syn_seen && peer->plain_syn && g->has_ack && g->ack >= 1 &&
        g->ack <= peer->next) {
        c->refused = true;
        g->note->marks |= MARK_REFUSED;
    }
}

bool tcp_has_ended(const struct tcp_connection *c)
{
    return c->reset != 0 || both_fins_acknowledged(c);
}

/* Both FINs without both acknowledgements, and no reset: closed by half as far as was seen. */
enum teardown_kind tcp_teardown_kind(const struct tcp_connection *c)
{
    if (c->reset != 0)
        return TEARDOWN_RESET;
    if (both_fins_acknowledged(c))
        return TEARDOWN_FIN;
    if (c->side[0].fin_seen || c->side[1].fin_seen)
        return TEARDOWN_HALF_CLOSED;
    return TEARDOWN_OPEN;
}

unsigned tcp_teardown_segments(const struct tcp_connection *c)
{
    const struct tcp_side *first = &c->side[c->first_fin], *second = &c->side[c->first_fin ^ 1];

    if (!first->fin_seen || !second->fin_seen)
        return 0;
    if (first->fin_ack_packet != 0 && first->fin_ack_packet < second->fin_packet)
        return 4;
    return second->fin_acks_peer ? 3 : 0;
}

bool tcp_simultaneous_close(const struct tcp_connection *c)
{
    return c->side[0].fin_seen && c->side[1].fin_seen && !c->side[0].fin_acks_peer &&
           !c->side[1].fin_acks_peer;
}

/* ---- States (RFC 9293, section 3.3.2) ---- */

/* Each transition of figure 5 that a FIN or its acknowledgement makes. */
static inline enum tcp_state closing_state(const struct tcp_side *s, bool peer_closed)
{
    bool acknowledged = s->fin_ack_packet != 0;

    if (!s->fin_seen)
        return TCP_CLOSE_WAIT;
    if (!peer_closed)
        return acknowledged ? TCP_FIN_WAIT_2 : TCP_FIN_WAIT_1;
    if (s->fin_acks_peer)
        return acknowledged ? TCP_CLOSED : TCP_LAST_ACK;
    return acknowledged ? TCP_TIME_WAIT : TCP_CLOSING;
}

/* Before any FIN. A passive side is known to be in SYN-RECEIVED once it answers; that it
 * listens is what a SYN hopes for. */
static inline enum tcp_state opening_state(const struct tcp_side *s, const struct tcp_side *peer)
{
    if (!s->syn_seen) /* no SYN of its own: it listens, or its SYN was not captured */
        return peer->plain_syn && !s->sent_past_syn ? TCP_LISTEN : TCP_ESTABLISHED;
    if ((s->syn_acked && peer->syn_seen) || s->sent_past_syn)
        return TCP_ESTABLISHED;
    if (s->plain_syn && !peer->plain_syn)
        return TCP_SYN_SENT;
    return TCP_SYN_RECEIVED;
}

static inline enum tcp_state state_of(const struct tcp_connection *c, unsigned side,
                                      bool peer_closed)
{
    const struct tcp_side *s = &c->side[side], *peer = &c->side[side ^ 1];

    if (c->reset != 0)
        return TCP_CLOSED;
    if (s->fin_seen || peer_closed)
        return closing_state(s, peer_closed);
    return opening_state(s, peer);
}

/* RFC 9293, section 3.10.7.4: what is out of order waits, and a FIN is the last in order. Bytes
 * that are acknowledged have arrived, recorded or not. */
static bool closed_in_order(const struct tcp_side *peer)
{
    int64_t from = peer->has_acked ? later_of(1, peer->acked) : 1;

    return peer->fin_seen &&
           (from >= peer->fin_position ||
            interval_holes(&peer->seen, from, peer->fin_position) == 0);
}

/* A FIN that does not acknowledge the other one, recorded before it, was sent before that one
 * arrived (RFC 9293, figure 13). It has arrived once it is acknowledged, and before anything
 * that its sender sends later, like the acknowledgement of this FIN. */
static bool still_under_way(const struct tcp_side *s, const struct tcp_side *peer)
{
    return s->fin_seen && !s->fin_acks_peer && peer->fin_packet < s->fin_packet &&
           peer->fin_ack_packet == 0 && s->fin_ack_packet == 0;
}

enum tcp_state tcp_state_of(const struct tcp_connection *c, unsigned side)
{
    const struct tcp_side *s = &c->side[side], *peer = &c->side[side ^ 1];

    return state_of(c, side, closed_in_order(peer) && !still_under_way(s, peer));
}

enum tcp_state tcp_state_in_order(const struct tcp_connection *c, unsigned side)
{
    return state_of(c, side, closed_in_order(&c->side[side ^ 1]));
}

bool tcp_fins_cross(const struct tcp_connection *c, unsigned side)
{
    const struct tcp_side *s = &c->side[side], *peer = &c->side[side ^ 1];

    return s->fin_seen && peer->fin_seen && !s->fin_acks_peer &&
           (peer->fin_ack_packet == 0 || peer->fin_ack_packet > s->fin_packet);
}

const char *tcp_state_name(enum tcp_state state)
{
    static const char *const names[] = {
        "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
        "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT"};

    return names[state];
}
