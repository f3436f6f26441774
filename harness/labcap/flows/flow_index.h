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

/* Without a branch: which of two ends it is, nobody can guess. */
static inline bool flow_same_end(const struct endpoint *a, const struct endpoint *b)
{
    uint64_t one[2], other[2];

    memcpy(one, a->address, sizeof one);
    memcpy(other, b->address, sizeof other);
    return ((one[0] ^ other[0]) | (one[1] ^ other[1]) | (uint64_t)(a->port ^ b->port)) == 0;
}

/* True if the key is the flow's; *side is then the sender. (Two octets of the key that are compared
 * one behind the other become one number, which waits until both are stored.) */
static inline bool flow_has_key(const struct flow *f, const struct flow_key *k, unsigned *side)
{
    if (f->protocol != k->protocol || f->vlan != k->vlan || f->ip_version != k->ip_version)
        return false;
    *side = !flow_same_end(&f->end[0], k->source);
    return flow_same_end(&f->end[*side], k->source) &&
           flow_same_end(&f->end[*side ^ 1], k->destination);
}

/* What differs most between ends: all of IPv4, the last octets of IPv6 and some of its first. */
static inline uint32_t flow_end_number(const struct endpoint *end)
{
    uint32_t first, last;

    memcpy(&first, end->address, sizeof first);
    memcpy(&last, end->address + sizeof end->address - sizeof last, sizeof last);
    return first + last + end->port;
}

/* The place of the latest flow of the key, and of others; the same for both directions. */
static inline struct flow *const *flow_recent(const struct flow_index *index,
                                               const struct flow_key *k)
{
    uint32_t ends = flow_end_number(k->source) + flow_end_number(k->destination);

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
