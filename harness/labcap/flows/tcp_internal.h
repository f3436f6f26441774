/* tcp_internal.h - what the parts of the TCP tracker share; for tcp*.c only. */
#ifndef LABCAP_TCP_INTERNAL_H
#define LABCAP_TCP_INTERNAL_H

#include "tcp.h"

/* The packet at hand, with its numbers as positions. */
struct segment {
    const struct packet *p;
    unsigned side; /* the sender */
    int64_t seq, ack;
    bool has_ack; /* the ACK bit is set and the other side's numbers are known */
    int64_t payload; /* position of the first payload octet */
    struct tcp_note *note;
};

/* ---- tcp_data.c: payload ---- */

/* Where there is some. */
void tcp_take_payload(struct tcp_connection *c, const struct segment *g);

/* Whether `s` may send at this position: not further on than the largest window it was offered.
 * 65,535 at least, and counted from what it has sent, as acknowledgements may be missing. */
bool tcp_in_window(const struct tcp_side *s, const struct tcp_side *peer, int64_t position);

/* Decides about a claim: the sender, which has one pending, is at `seq`; the other side has
 * acknowledged `ack`. */
void tcp_claim_sequence(struct tcp_connection *c, unsigned side, int64_t seq);
void tcp_claim_acknowledged(struct tcp_side *s, int64_t ack);

/* No more packets: settles a claim, counts missing bytes. */
void tcp_finish_data(struct tcp_connection *c, unsigned side);

/* ---- tcp_steady.c: most packets of most connections ---- */

/* Whether nothing is open, lost or asked: then tcp_take_steady() may take the next packet. */
bool tcp_is_steady(const struct tcp_connection *c);

/* ---- tcp_phases.c: handshake, teardown ---- */

void tcp_take_syn(struct tcp_connection *c, const struct segment *g);
void tcp_take_handshake_ack(struct tcp_connection *c, const struct segment *g);
void tcp_take_fin(struct tcp_connection *c, const struct segment *g);
/* The place of this side's FIN is known now, or another one: what acknowledges it. */
void tcp_weigh_fins(struct tcp_connection *c, unsigned side);
void tcp_take_fin_ack(struct tcp_connection *c, const struct segment *g);
void tcp_take_reset(struct tcp_connection *c, const struct segment *g);
bool tcp_has_ended(const struct tcp_connection *c);

static inline bool has_flag(const struct segment *g, unsigned flag)
{
    return (g->p->flags & flag) != 0;
}

static inline int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
