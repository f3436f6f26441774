/* flow_index.h - finds the latest flow between two ends.
 *
 * A hash table with open addressing, at most half full. Its hash is keyed with random numbers,
 * so that no file can be made of colliding flows; nothing it tells depends on the key. */
#ifndef LABCAP_FLOW_INDEX_H
#define LABCAP_FLOW_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bound.h"
#include "flow.h"

/* The two ends, the VLAN tags and the protocol, as a packet or a quotation gives them. */
struct flow_key {
    uint8_t protocol, ip_version;
    uint64_t vlan;
    const struct endpoint *source, *destination;
};

/* The latest flow of a key; NULL marks a free slot. */
struct flow_slot {
    uint64_t hash;
    struct flow *flow;
};

/* The flows of the latest packets, to be found without a look at the table: by a cheap number that
 * many keys may share. */
enum { FLOW_RECENT = BOUND(4096, 64) };

struct flow_index {
    uint64_t key[2];
    struct flow_slot *slots;
    size_t mask, used;
    struct flow *recent[FLOW_RECENT];
};

/* All its bytes are 0. */
void flow_index_init(struct flow_index *index);
void flow_index_set(struct flow_index *index, struct flow_slot *slot, uint64_t hash,
                    struct flow *flow);

/* Removes the flow, which has this key; nothing if a later flow has taken its place. */
void flow_index_remove(struct flow_index *index, const struct flow_key *key, uint64_t hash,
                       const struct flow *flow);

void flow_index_free(struct flow_index *index);

static inline bool flow_same_end(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && memcmp(a->address, b->address, sizeof a->address) == 0;
}

/* True if the key is the flow's; *side is then the sender. */
static inline bool flow_has_key(const struct flow *f, const struct flow_key *k, unsigned *side)
{
    if (f->protocol != k->protocol || f->ip_version != k->ip_version || f->vlan != k->vlan)
        return false;
    *side = !flow_same_end(&f->end[0], k->source);
    return (*side == 0 || flow_same_end(&f->end[1], k->source)) &&
           flow_same_end(&f->end[*side ^ 1], k->destination);
}

/* The place of the latest flow of the key, and of others; the same for both directions. */
static inline struct flow *const *flow_recent(const struct flow_index *index,
                                               const struct flow_key *k)
{
    const struct endpoint *a = k->source, *b = k->destination;
    uint32_t ends = (uint32_t)a->port + b->port, last[2];

    memcpy(&last[0], a->address + (k->ip_version == 4 ? 0 : 12), sizeof last[0]);
    memcpy(&last[1], b->address + (k->ip_version == 4 ? 0 : 12), sizeof last[1]);
    ends += last[0] + last[1];
    return &index->recent[(ends * 2654435761u >> 16) % FLOW_RECENT];
}

static inline void flow_set_recent(struct flow_index *index, const struct flow_key *k,
                                   struct flow *flow)
{
    index->recent[flow_recent(index, k) - index->recent] = flow;
}

/* The same for both directions. */
uint64_t flow_index_hash(const struct flow_index *index, const struct flow_key *key);

static inline void flow_index_prefetch(const struct flow_index *index, uint64_t hash)
{
    __builtin_prefetch(&index->slots[hash & index->mask]);
}

/* The slot of the key's flow (and *side, the sender), or the free one where it would go. Valid
 * until the next flow_index_set(). */
struct flow_slot *flow_index_find(const struct flow_index *index, const struct flow_key *key,
                                  uint64_t hash, unsigned *side);

#endif
