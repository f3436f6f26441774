/* tcp_steady.c - the short way for what most packets are: data in order, or its acknowledgement,
 * between two sides that are established and of which everything was seen.
 *
 * Nothing here is a rule of its own: each line is what is left of the long way (tcp_take_any())
 * under these conditions. */
#include <string.h>

#include "tcp_internal.h"

/* All was seen from its first octet to the next one. */
static bool is_gapless(const struct tcp_side *s)
{
    const struct interval_set *seen = &s->seen;

    if (seen->count == 0)
        return s->next == 1;
    return seen->capacity == 0 && seen->one.start == 1 && seen->one.end == s->next;
}

static bool is_steady_side(const struct tcp_side *s)
{
    return s->syn_seen && s->syn_acked && !s->fin_seen && s->ack_sent && s->last_window != 0 &&
           !s->asks && s->has_acked && s->acked <= s->next && !s->claim.pending &&
           is_gapless(s);
}

bool tcp_is_steady(const struct tcp_connection *c)
{
    return c->complete && c->reset == 0 && is_steady_side(&c->side[0]) &&
           is_steady_side(&c->side[1]) && c->zeek.side[0].state == ZEEK_ESTABLISHED &&
           c->zeek.side[1].state == ZEEK_ESTABLISHED;
}

static void extend(struct tcp_side *s, uint32_t length)
{
    if (s->seen.count == 0) {
        s->seen.one.start = 1;
        s->seen.count = 1;
    }
    s->next += length;
    s->seen.one.end = s->next;
    s->segments++;
    s->bytes += length;
    if (length > s->largest_segment)
        s->largest_segment = length;
}

static bool repeats_ack(const struct tcp_side *s, const struct tcp_side *peer,
                        const struct packet *p, int64_t ack)
{
    return p->payload_len == 0 && ack == s->last_ack && p->window == s->last_window &&
           peer->seen.count > 0 && peer->seen.one.end > ack;
}

bool tcp_take_steady(struct tcp_connection *c, unsigned side, const struct packet *p,
                     struct tcp_note *note)
{
    struct tcp_side *s = &c->side[side], *peer = &c->side[side ^ 1];
    int64_t ack;

    if ((p->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) != TCP_ACK || p->cut ||
        p->window == 0 || p->seq != s->isn + (uint32_t)s->next)
        return false;
    ack = peer->next + (int32_t)(p->ack - peer->isn - (uint32_t)peer->next);
    if (ack < 1 || ack > peer->next || !zeek_take_ordinary(&c->zeek, side, p->seq, p->payload_len))
        return false;
    *note = (struct tcp_note){.seq = s->next,
                              .ack = ack,
                              .has_ack = true,
                              .flags = p->flags,
                              .payload_len = p->payload_len,
                              .window = p->window,
                              .window_scaled = true};
    if (s->window_scale >= 0 && peer->window_scale >= 0)
        note->window <<= s->window_scale;
    s->packets++;
    s->sent_past_syn = true;
    if (note->window > s->window_max)
        s->window_max = (uint32_t)note->window;
    if (repeats_ack(s, peer, p, ack)) {
        tcp_rare_of(s)->duplicate_acks++;
        note->marks = MARK_DUPLICATE_ACK;
    }
    s->last_ack = ack;
    s->last_window = p->window;
    if (ack > peer->acked) {
        peer->acked = ack;
        peer->acked_packet = p->number;
    }
    if (p->payload_len > 0)
        extend(s, p->payload_len);
    return true;
}
