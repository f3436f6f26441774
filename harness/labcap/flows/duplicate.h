/* duplicate.h - packets that were recorded twice.
 *
 * `-i any` and bridges give the same packet more than once: the same IP id, not 0, sequence,
 * flags and length within a millisecond. Some systems number all packets alike: what else the
 * sender chose must be the same, too, acknowledgement and window. Copies come close together, so a
 * small table of the latest packets finds them. It is indexed without a key: the same trace always
 * gives the same figures, and a collision costs a copy that is not found, never time. */
#ifndef LABCAP_DUPLICATE_H
#define LABCAP_DUPLICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bound.h"
#include "packet.h"

enum { RECENT_SLOTS = BOUND(8192, 256), DUPLICATE_NS = 1000000 };

struct recent_packet {
    int64_t time_ns;
    uint32_t flow_id; /* from 1; 0 is a free slot */
    uint32_t seq, ack, length;
    uint16_t ip_id, window;
    uint8_t flags, side;
};

struct duplicate_table {
    struct recent_packet slots[RECENT_SLOTS];
};

/* Nanoseconds between two stamps, which may be any numbers. */
static inline uint64_t time_distance(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

/* UDP has no sequence numbers; its checksum takes their place. */
static inline uint32_t duplicate_number(const struct packet *p)
{
    return p->protocol == IP_TCP ? p->seq : p->checksum;
}

static inline uint32_t duplicate_slot(const struct packet *p)
{
    return (p->ip_id ^ (duplicate_number(p) * 2654435761u >> 16)) % RECENT_SLOTS;
}

/* The processor may fetch what is_duplicate() will look at. */
static inline void duplicate_prefetch(const struct duplicate_table *table,
                                      const struct packet *packet)
{
    __builtin_prefetch(&table->slots[duplicate_slot(packet)]);
}

/* True if the packet, sent by `side` of the flow, is a copy; remembers it if not. */
static inline bool is_duplicate(struct duplicate_table *table, uint32_t flow_id, unsigned side,
                                const struct packet *packet)
{
    const struct packet *p = packet;
    uint32_t seq = duplicate_number(p);
    struct recent_packet *r = &table->slots[duplicate_slot(p)];

    if (p->ip_id == 0 || (p->protocol == IP_UDP && seq == 0))
        return false;
    if (r->flow_id == flow_id && r->side == side && r->ip_id == p->ip_id && r->seq == seq &&
        r->flags == p->flags && r->length == p->payload_len && r->ack == p->ack &&
        r->window == p->window &&
        time_distance(p->time_ns, r->time_ns) <= DUPLICATE_NS)
        return true;
    r->time_ns = p->time_ns;
    r->flow_id = flow_id;
    r->seq = seq;
    r->ack = p->ack;
    r->window = p->window;
    r->length = p->payload_len;
    r->ip_id = p->ip_id;
    r->flags = p->flags;
    r->side = (uint8_t)side;
    return false;
}

#endif
