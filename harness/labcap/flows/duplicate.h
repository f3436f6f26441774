/* duplicate.h - packets that were recorded twice.
 *
 * `-i any` and bridges give the same packet more than once: the same IP id, not 0, sequence,
 * flags and length within a millisecond. Copies come close together, so a small table of the
 * latest packets finds them. It is indexed without a key: the same trace always gives the same
 * figures, and a collision costs a copy that is not found, never time. */
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
    uint32_t seq, length;
    uint16_t ip_id;
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

/* The processor may fetch what is_duplicate() will look at. */
void duplicate_prefetch(const struct duplicate_table *table, const struct packet *packet);

/* True if the packet, sent by `side` of the flow, is a copy; remembers it if not. */
bool is_duplicate(struct duplicate_table *table, uint32_t flow_id, unsigned side,
                  const struct packet *packet);

#endif
