/* tcp.c - one packet at a time: whose it is, where it stands, what it acknowledges. */
#include "tcp.h"

#include <stdlib.h>
#include <string.h>

#include "tcp_internal.h"

/* Octets, the largest window that needs no option (RFC 9293, section 3.1). */
enum { NEAR = 65535 };
/* How long behind data of its connection a SYN can be recorded: what two queues differ by. */
static const uint64_t LATE_SYN_NS = 1000000000;

/* ---- Sequence numbers ---- */

/* A sequence number has no order by itself: the signed 32-bit difference to a number near it
 * has (RFC 9293, section 3.4). The highest position known is near it. */
int64_t tcp_position(const struct tcp_side *side, uint32_t seq)
{
    int64_t near = side->next;

    if (side->has_acked && side->acked > near + (1 << 30)) /* much was never captured */
        near = side->acked;
    return near + (int32_t)(seq - side->isn - (uint32_t)near);
}

static void set_base(struct tcp_side *s, uint32_t isn)
{
    s->based = true;
    s->isn = isn;
    s->next = 1;
}

/* What was counted from an assumed ISN, counted from the real one. */
static void move_places(struct tcp_side *s, struct tcp_side *peer, int32_t distance)
{
    interval_shift(&s->seen, distance);
    s->acked += distance;
    s->fin_position += distance;
    s->acked_by_fin += distance;
    if (s->claim.pending) {
        s->rare->claimed.start += distance;
        s->rare->claimed.end += distance;
    }
    peer->last_ack += distance;
}

/* A SYN tells the ISN. If another one was assumed, everything moves; what this puts below the
 * first octet of the stream is none of it. What was sent so far is known by what was seen of it,
 * not by the assumption. */
static void set_isn(struct tcp_side *s, struct tcp_side *peer, uint32_t isn)
{
    uint64_t below;

    if (s->based) {
        move_places(s, peer, (int32_t)(s->isn - isn));
        below = interval_cut_below(&s->seen, 1);
        s->bytes -= below < s->bytes ? below : s->bytes; /* holes that were given up are in it */
    }
    set_base(s, isn);
    s->next = later_of(interval_highest(&s->seen, 1), s->fin_seen ? s->fin_position + 1 : 1);
    s->syn_seen = true;
}

/* ---- Which connection, which role ---- */

static bool ended(const struct tcp_connection *c)
{
    return c->reset != 0 || (c->side[0].fin_seen && c->side[1].fin_seen);
}

/* A SYN recorded behind data of its own connection: where that began was assumed. So near below it
 * another connection's is one in 65,536 times; a sender that chooses the same ISN each time is not
 * so quick. */
static bool is_late_syn(const struct tcp_side *s, uint32_t isn, uint64_t idle_ns)
{
    return s->packets > 0 && !s->syn_seen && s->isn - isn <= NEAR && idle_ns <= LATE_SYN_NS;
}

bool tcp_starts_anew(const struct tcp_connection *c, unsigned side, const struct packet *p,
                     uint64_t idle_ns)
{
    const struct tcp_side *s = &c->side[side], *peer = &c->side[side ^ 1];
    bool other_isn = s->based && p->seq != s->isn, acknowledges = true;

    if (!(p->flags & TCP_SYN) || (p->flags & TCP_RST))
        return false;
    if (!(p->flags & TCP_ACK))
        return ended(c) || (other_isn && !is_late_syn(s, p->seq, idle_ns));
    /* A SYN+ACK that neither has the known ISN nor answers the known SYN: its own was missed. */
    if (peer->based) {
        int64_t ack = tcp_position(peer, p->ack);
        acknowledges = ack >= 0 && ack <= peer->next;
    }
    return ended(c) ? other_isn || !acknowledges : other_isn && !acknowledges;
}

static void set_client(struct tcp_connection *c, unsigned client)
{
    if (c->client != client) {
        c->client = (uint8_t)client;
        zeek_flip(&c->zeek);
    }
    c->client_known = true;
}

static void learn_roles(struct tcp_connection *c, unsigned side, const struct packet *p)
{
    if (!(p->flags & TCP_SYN) || (p->flags & TCP_RST))
        return;
    if (!(p->flags & TCP_ACK)) {
        if (!c->client_by_syn)
            set_client(c, side);
        c->client_by_syn = true;
    } else if (!c->client_known) {
        set_client(c, side ^ 1);
    }
}

void tcp_start(struct tcp_connection *c, const struct packet *p)
{
    c->side[0].window_scale = c->side[1].window_scale = -1;
    c->itself = memcmp(&p->source, &p->destination, sizeof p->source) == 0;
    learn_roles(c, 0, p);
}

/* ---- Which of two answers ---- */

/* A server that forgot the SYN answers its retransmission with another ISN. What it sent with the
 * ISN before is none of the stream. */
static void change_isn(struct tcp_connection *c, struct tcp_side *s, uint32_t isn, uint64_t packet)
{
    interval_free(&s->seen);
    s->bytes = 0;
    s->claim.pending = false;
    set_base(s, isn);
    c->syn_ack = packet;
}

/* The latest one is believed, */
static void replace_answer(struct tcp_connection *c, struct tcp_side *s, uint32_t isn)
{
    struct tcp_rare *rare = tcp_rare_of(s);

    if (rare->other_syn_ack == 0) { /* the first one, which most likely is the one that was taken */
        rare->other_syn_ack = c->syn_ack;
        rare->other_isn = s->isn;
    }
    change_isn(c, s, isn, 0);
}

/* until the first number behind either tells which one counts: what the other side acknowledges,
 * or, where that was not recorded, what the sender itself goes on with. */
static void choose_answer(struct tcp_connection *c, struct tcp_side *s, uint32_t number)
{
    const struct tcp_rare *rare = s->rare;

    if (rare == NULL || rare->other_syn_ack == 0 || s->has_acked || s->sent_past_syn)
        return;
    if (number - rare->other_isn - 1 < NEAR && number - s->isn - 1 >= NEAR)
        change_isn(c, s, rare->other_isn, rare->other_syn_ack);
}

static bool is_other_answer(const struct tcp_side *s, const struct packet *p)
{
    return p->seq != s->isn && !s->plain_syn && !s->has_acked && !s->sent_past_syn &&
           !s->fin_seen && (p->flags & TCP_ACK);
}

static void learn_bases(struct tcp_connection *c, unsigned side, const struct packet *p)
{
    struct tcp_side *s = &c->side[side], *peer = &c->side[side ^ 1];

    if (p->flags & TCP_RST) /* often answers with numbers of the other side's choice */
        return;
    if (p->flags & TCP_SYN) {
        if (!s->syn_seen)
            set_isn(s, peer, p->seq);
        else if (is_other_answer(s, p))
            replace_answer(c, s, p->seq);
        s->plain_syn |= !(p->flags & TCP_ACK);
        s->window_scale = p->window_scale;
    } else if (!s->based) {
        set_base(s, p->seq - 1);
    } else {
        choose_answer(c, s, p->seq);
    }
    if ((p->flags & TCP_ACK) && !peer->based)
        set_base(peer, p->ack - 1);
    else if (p->flags & TCP_ACK)
        choose_answer(c, peer, p->ack);
}

/* ---- Windows and acknowledgements ---- */

static void learn_window(struct tcp_connection *c, const struct segment *g)
{
    struct tcp_side *s = &c->side[g->side];
    const struct tcp_side *peer = &c->side[g->side ^ 1];
    bool scaling = s->window_scale >= 0 && peer->window_scale >= 0;

    if (has_flag(g, TCP_RST)) /* a reset advertises nothing */
        return;
    g->note->window_scaled = has_flag(g, TCP_SYN) || (s->syn_seen && peer->syn_seen);
    g->note->window = g->p->window;
    if (scaling && !has_flag(g, TCP_SYN)) /* RFC 7323: never in a SYN */
        g->note->window <<= s->window_scale;
    if (g->note->window > s->window_max)
        s->window_max = (uint32_t)g->note->window;
    if (g->p->window == 0) {
        tcp_rare_of(s)->zero_windows++;
        g->note->marks |= MARK_ZERO_WINDOW;
    } else if (g->has_ack && s->ack_sent && s->last_window == 0) {
        g->note->marks |= MARK_WINDOW_OPENS;
    }
}

static bool is_duplicate_ack(const struct tcp_side *s, const struct tcp_side *peer,
                             const struct segment *g)
{
    return g->p->payload_len == 0 && !has_flag(g, TCP_SYN | TCP_FIN | TCP_RST) && s->ack_sent &&
           g->ack == s->last_ack && g->p->window == s->last_window && g->p->window != 0 &&
           interval_highest(&peer->seen, INT64_MIN) > g->ack;
}

/* An answer to a SYN alone that acknowledges something else belongs to an older connection
 * (RFC 9293, section 3.10.7.3) and says nothing about this one. */
static bool is_acceptable(const struct tcp_side *s, const struct tcp_side *peer, int64_t ack)
{
    return s->syn_seen || !peer->plain_syn || peer->sent_past_syn ||
           (ack >= 1 && ack <= peer->next);
}

/* Returns how many holes in the other side's stream the acknowledgement reveals. */
static uint64_t learn_ack(struct tcp_connection *c, const struct segment *g)
{
    struct tcp_side *s = &c->side[g->side], *peer = &c->side[g->side ^ 1];
    int64_t from = peer->has_acked ? later_of(peer->acked, 1) : 1, to = g->ack;
    uint64_t holes;

    if (!g->has_ack || has_flag(g, TCP_RST) || !is_acceptable(s, peer, g->ack))
        return 0;
    if (!(g->note->marks & MARK_KEEP_ALIVE) && is_duplicate_ack(s, peer, g)) {
        tcp_rare_of(s)->duplicate_acks++;
        g->note->marks |= MARK_DUPLICATE_ACK;
    }
    s->ack_sent = true;
    s->last_ack = g->ack;
    s->last_window = g->p->window;
    tcp_claim_acknowledged(peer, g->ack);
    tcp_take_fin_ack(c, g);
    if (peer->has_acked && g->ack <= peer->acked)
        return 0;
    if (peer->fin_seen && to > peer->fin_position)
        to = peer->fin_position;
    holes = from < to ? interval_holes(&peer->seen, from, to) : 0;
    peer->has_acked = true;
    peer->acked = g->ack;
    peer->acked_packet = g->p->number;
    return holes;
}

/* ---- One packet ---- */

/* RFC 9293, section 3.8.4: a keep-alive repeats a number that is acknowledged already. */
static bool is_keep_alive(const struct tcp_side *s, const struct segment *g)
{
    return !has_flag(g, TCP_SYN | TCP_FIN | TCP_RST) && g->p->payload_len <= 1 &&
           g->seq == s->next - 1;
}

/* Some systems probe a closed window with a number that is acknowledged already: such a segment
 * is a keep-alive by its form and counts as one, but what it asks for is the window. A window
 * that opens is told of unasked, too: nothing shows that the probe brought it about. */
static void learn_questions(struct tcp_connection *c, const struct segment *g)
{
    struct tcp_side *s = &c->side[g->side], *peer = &c->side[g->side ^ 1];
    bool keep_alive = g->note->marks & MARK_KEEP_ALIVE;
    bool closed = peer->ack_sent && peer->last_window == 0;

    if (closed && (keep_alive || (g->p->payload_len == 1 && g->seq == s->next)))
        g->note->marks |= MARK_WINDOW_PROBE;
    if (peer->asks && !keep_alive && g->has_ack && g->p->payload_len == 0 &&
        !has_flag(g, TCP_SYN | TCP_FIN) && !(g->note->marks & MARK_WINDOW_OPENS))
        g->note->marks |= MARK_ANSWER;
    peer->asks = false;
    s->asks = g->note->marks & (MARK_KEEP_ALIVE | MARK_WINDOW_PROBE);
}

static void take_data(struct tcp_connection *c, const struct segment *g)
{
    if (g->note->marks & MARK_KEEP_ALIVE) {
        tcp_rare_of(&c->side[g->side])->keep_alives++;
        return;
    }
    g->note->payload_len = g->p->payload_len;
    if (g->p->payload_len > 0)
        tcp_take_payload(c, g);
}

static struct segment place(struct tcp_connection *c, unsigned side, const struct packet *p,
                            struct tcp_note *note)
{
    const struct tcp_side *s = &c->side[side], *peer = &c->side[side ^ 1];
    struct segment g = {.p = p, .side = side, .note = note};
    bool syn = p->flags & TCP_SYN;

    if (syn && p->seq == s->isn)
        g.seq = 0; /* also when the stream has wrapped since */
    else if (s->based)
        g.seq = tcp_position(s, p->seq);
    g.payload = g.seq + syn;
    g.has_ack = (p->flags & TCP_ACK) && peer->based;
    if (g.has_ack)
        g.ack = tcp_position(peer, p->ack);
    note->seq = g.seq;
    note->ack = g.ack;
    note->has_ack = g.has_ack;
    note->flags = p->flags;
    if (p->cut)
        note->marks |= MARK_CUT;
    return g;
}

static void tell_zeek(struct tcp_connection *c, const struct segment *g, uint64_t gaps)
{
    const struct packet *p = g->p;
    struct zeek_packet z = {.flags = p->flags,
                            .seq = p->seq,
                            .ack = p->ack,
                            .payload_len = p->payload_wire_len,
                            .zero_window = p->window == 0,
                            .gaps = gaps};

    if (!c->itself || g->side == 0) /* to Zeek, the other end is silent */
        zeek_add(&c->zeek, g->side, &z);
}

/* In a simultaneous open a side sends a SYN and then, with the same ISN, a SYN+ACK. */
static bool is_repeated_syn(const struct tcp_side *s, const struct packet *p)
{
    return (p->flags & TCP_SYN) && s->syn_seen && p->seq == s->isn &&
           s->plain_syn == !(p->flags & TCP_ACK);
}

void tcp_take_any(struct tcp_connection *c, unsigned side, const struct packet *p,
                  struct tcp_note *note)
{
    struct tcp_note of_the_other;
    struct tcp_side *s = &c->side[side];
    struct segment g;
    uint64_t gaps = 0;

    memset(note, 0, sizeof *note);
    learn_roles(c, side, p);
    if (is_repeated_syn(s, p))
        note->marks |= MARK_RETRANSMISSION;
    learn_bases(c, side, p);
    g = place(c, side, p, note);
    s->packets++;
    if (has_flag(&g, TCP_RST)) {
        tcp_take_reset(c, &g);
    } else {
        if (s->claim.pending)
            tcp_claim_sequence(c, side, g.seq);
        if (is_keep_alive(s, &g))
            note->marks |= MARK_KEEP_ALIVE;
        learn_window(c, &g);
        if (has_flag(&g, TCP_SYN))
            tcp_take_syn(c, &g);
        else
            s->sent_past_syn = true;
        gaps = learn_ack(c, &g);
        tcp_take_handshake_ack(c, &g);
        learn_questions(c, &g);
        take_data(c, &g);
        if (has_flag(&g, TCP_FIN))
            tcp_take_fin(c, &g);
    }
    tell_zeek(c, &g, gaps);
    if (c->itself && side == 0)
        tcp_take_any(c, 1, p, &of_the_other);
    c->steady = tcp_is_steady(c);
    c->ended = tcp_has_ended(c);
}

void tcp_finish(struct tcp_connection *c)
{
    tcp_finish_data(c, 0);
    tcp_finish_data(c, 1);
}

void tcp_free(struct tcp_connection *c)
{
    for (int i = 0; i < 2; i++) {
        interval_free(&c->side[i].seen);
        free(c->side[i].rare);
        c->side[i].rare = NULL;
    }
    zeek_free(&c->zeek);
}
