/* flow_index.h - finds the latest flow between two ends.
 *
 * A hash table with open addressing, at most half full. Its hash is keyed with random numbers,
 * so that no file can be made of colliding flows; nothing it tells depends on the key. */
#ifndef LABCAP_FLOW_INDEX_H
#define LABCAP_FLOW_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

struct flow_index {
    uint64_t key[2];
    struct flow_slot *slots;
    size_t mask, used;
};

void flow_index_init(struct flow_index *index);
void flow_index_set(struct flow_index *index, struct flow_slot *slot, uint64_t hash,
                    struct flow *flow);

/* Removes the flow, which has this key; nothing if a later flow has taken its place. */
void flow_index_remove(struct flow_index *index, const struct flow_key *key,
                       const struct flow *flow);

void flow_index_free(struct flow_index *index);

/* True if the key is the flow's; *side is then the sender. */
bool flow_has_key(const struct flow *flow, const struct flow_key *key, unsigned *side);

/* The same for both directions. */
uint64_t flow_index_hash(const struct flow_index *index, const struct flow_key *key);

/* The slot of the key's flow (and *side, the sender), or the free one where it would go. Valid
 * until the next flow_index_set(). */
struct flow_slot *flow_index_find(const struct flow_index *index, const struct flow_key *key,
                                  uint64_t hash, unsigned *side);

#endif
