/* packet_internal.h - what the layers of the decoder share; for packet.c, ip.c, transport.c. */
#ifndef LABCAP_PACKET_INTERNAL_H
#define LABCAP_PACKET_INTERNAL_H

#include "packet.h"

/* What is left of a frame: bytes captured at `p`, and how many were on the wire. */
struct rest {
    const uint8_t *p;
    uint32_t captured, wire;
};

/* The reason why fewer than `need` bytes are there. */
static inline enum decode_result missing(const struct rest *r, uint32_t need)
{
    return r->wire < need ? DECODE_MALFORMED : DECODE_CUT;
}

static inline void skip(struct rest *r, uint32_t n)
{
    r->p += n;
    r->captured -= n;
    r->wire -= n;
}

enum decode_result decode_ipv4(struct packet *pk, struct rest r);
enum decode_result decode_ipv6(struct packet *pk, struct rest r);

/* Walks IPv6 extension headers, pk->protocol being the first one's; *length and *r are what is left
 * behind them. Sets pk->protocol, and what a fragment header tells. */
enum decode_result skip_extensions(struct packet *pk, struct rest *r, uint32_t *length);

/* Of the window scale option (RFC 7323) among these options of TCP; -1 without it. */
int8_t find_window_scale(const uint8_t *options, uint32_t length);

/* `r` begins behind the IP headers; `length` is the IP payload by the IP header. */
enum decode_result decode_transport(struct packet *pk, struct rest r, uint32_t length);

#endif
