/* tcp_data.c - payload of one direction: unique bytes, retransmissions, holes. */
#include <stdlib.h>

#include "memory.h"
#include "tcp_internal.h"

/* ---- What few sides have ---- */

const struct tcp_rare *tcp_rare(const struct tcp_side *s)
{
    static const struct tcp_rare nothing;

    return s->rare != NULL ? s->rare : &nothing;
}

struct tcp_rare *tcp_rare_of(struct tcp_side *s)
{
    if (s->rare == NULL)
        s->rare = need(calloc(1, sizeof *s->rare));
    return s->rare;
}

/* ---- Payload ---- */

/* Bytes that were not on the wire but that the IP length speaks of. Believed once the sender
 * goes on behind them or the receiver acknowledges them. */
static void make_claim(struct tcp_side *s, const struct segment *g, bool continues)
{
    s->claim.pending = true;
    s->claim.continues = continues;
    s->claim.fin = has_flag(g, TCP_FIN);
    tcp_rare_of(s)->claimed = (struct claimed_bytes){
        .length = g->p->payload_len,
        .start = g->payload + g->p->payload_wire_len,
        .end = g->payload + g->p->payload_len};
}

static void believe_claim(struct tcp_side *s)
{
    const struct claimed_bytes *claimed = &s->rare->claimed;

    s->bytes += interval_add(&s->seen, claimed->start, claimed->end, s->next).fresh;
    s->next = later_of(s->next, claimed->end + s->claim.fin);
    if (claimed->length > s->largest_segment)
        s->largest_segment = claimed->length;
    s->claim.pending = false;
}

static void reject_claim(struct tcp_connection *c, unsigned side)
{
    struct tcp_side *s = &c->side[side];

    s->claim.pending = false;
    if (s->claim.fin && s->fin_position == s->rare->claimed.end) {
        s->fin_position = s->rare->claimed.start;
        s->next = later_of(s->next, s->fin_position + 1);
        tcp_weigh_fins(c, side);
    }
}

void tcp_claim_sequence(struct tcp_connection *c, unsigned side, int64_t seq)
{
    struct tcp_side *s = &c->side[side];

    if (seq < s->rare->claimed.start)
        return;
    if (seq >= s->rare->claimed.end)
        believe_claim(s);
    else
        reject_claim(c, side);
}

void tcp_claim_acknowledged(struct tcp_side *s, int64_t ack)
{
    if (s->claim.pending && ack >= s->rare->claimed.end)
        believe_claim(s);
}

/* Counts by what is new: no clock takes part, so the same trace gives the same figures. */
static void classify(struct tcp_side *s, const struct segment *g, uint64_t length,
                     struct interval_added added)
{
    if (added.fresh == 0) {
        tcp_rare_of(s)->retransmitted_segments++;
        g->note->marks |= MARK_RETRANSMISSION;
    } else if (added.fresh < length) {
        g->note->marks |= MARK_PARTLY_NEW;
    }
    if (added.fresh_below > 0 && g->payload < s->next) {
        tcp_rare_of(s)->out_of_order_segments++;
        g->note->marks |= MARK_OUT_OF_ORDER;
    }
    if (added.fresh < length)
        tcp_rare_of(s)->retransmitted_bytes += length - added.fresh;
    s->bytes += added.fresh;
    g->note->gave_up_hole = added.gave_up;
}

bool tcp_in_window(const struct tcp_side *s, const struct tcp_side *peer, int64_t position)
{
    uint64_t window = peer->window_max > 65535 ? peer->window_max : 65535;
    int64_t base = s->has_acked ? later_of(s->acked, s->next) : s->next;

    return position <= base + (int64_t)window;
}

void tcp_take_payload(struct tcp_connection *c, const struct segment *g)
{
    struct tcp_side *s = &c->side[g->side];
    const struct tcp_side *peer = &c->side[g->side ^ 1];
    uint32_t length = g->p->payload_wire_len;
    int64_t end = g->payload + length, start = g->payload;
    bool continues = g->payload == s->next;

    if (g->p->cut && !tcp_in_window(s, peer, g->payload))
        return;
    s->segments++;
    if (length > s->largest_segment)
        s->largest_segment = length;
    if (s->syn_seen && start < 1) /* below ISN+1 nothing belongs to the stream */
        start = 1;
    if (length > 0)
        classify(s, g, length, interval_add(&s->seen, start, end, s->next));
    if (length < g->p->payload_len) {
        if (s->claim.pending)
            reject_claim(c, g->side);
        make_claim(s, g, continues);
    }
    s->next = later_of(s->next, end);
}

void tcp_finish_data(struct tcp_connection *c, unsigned side)
{
    struct tcp_side *s = &c->side[side];
    int64_t start = interval_lowest(&s->seen, 1), end = s->acked;
    uint64_t above, seen, space;

    if (s->claim.pending && s->claim.continues)
        believe_claim(s);
    else if (s->claim.pending)
        reject_claim(c, side);
    if (!s->has_acked)
        return;
    if (start > 1)
        start = 1;
    if (s->fin_seen && end > s->fin_position)
        end = s->fin_position;
    if (end <= start)
        return;
    above = interval_above(&s->seen, end); /* may include holes that were given up */
    seen = s->bytes > above ? s->bytes - above : 0;
    space = (uint64_t)(end - start);
    if (space > seen)
        tcp_rare_of(s)->missing_bytes = space - seen;
}
