/* flow_index.c - see flow_index.h. */
#include "flow_index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bound.h"
#include "memory.h"

enum { FIRST_SLOTS = BOUND(1024, 16) };

static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_end(const struct flow_index *t, const struct endpoint *e)
{
    uint64_t halves[2];

    memcpy(halves, e->address, sizeof halves);
    return mix(mix(halves[0] ^ t->key[0], halves[1] ^ t->key[1]) ^ e->port,
               t->key[0] | 1);
}

uint64_t flow_index_hash(const struct flow_index *t, const struct flow_key *k)
{
    uint64_t ends = hash_end(t, k->source) + hash_end(t, k->destination);
    uint64_t rest = k->vlan << 12 ^ (uint64_t)k->protocol << 4 ^ k->ip_version;

    return mix(ends ^ t->key[1], rest ^ t->key[0] ^ 0x9e3779b97f4a7c15u);
}

struct flow_slot *flow_index_find(const struct flow_index *t, const struct flow_key *k,
                                  uint64_t hash, unsigned *side)
{
    size_t i = hash & t->mask;

    for (; t->slots[i].flow != NULL; i = (i + 1) & t->mask) {
        if (t->slots[i].hash == hash && flow_has_key(t->slots[i].flow, k, side))
            break;
    }
    return &t->slots[i];
}

static void grow(struct flow_index *t)
{
    size_t mask = t->mask * 2 + 1;
    struct flow_slot *slots = need(calloc(mask + 1, sizeof *slots));

    for (size_t i = 0; i <= t->mask; i++) {
        size_t at = t->slots[i].hash & mask;

        if (t->slots[i].flow == NULL)
            continue;
        while (slots[at].flow != NULL)
            at = (at + 1) & mask;
        slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->mask = mask;
}

void flow_index_set(struct flow_index *t, struct flow_slot *slot, uint64_t hash,
                    struct flow *flow)
{
    t->used += slot->flow == NULL;
    slot->hash = hash;
    slot->flow = flow;
    if (t->used * 2 > t->mask + 1)
        grow(t);
}

/* What stands behind a slot that becomes free moves up where it would not be found otherwise. */
void flow_index_remove(struct flow_index *t, const struct flow_key *k, uint64_t hash,
                       const struct flow *flow)
{
    unsigned side;
    size_t hole = (size_t)(flow_index_find(t, k, hash, &side) - t->slots);

    if (*flow_recent(t, k) == flow)
        flow_set_recent(t, k, NULL);
    if (t->slots[hole].flow != flow)
        return;
    for (size_t i = (hole + 1) & t->mask; t->slots[i].flow != NULL; i = (i + 1) & t->mask) {
        if (((i - t->slots[i].hash) & t->mask) < ((i - hole) & t->mask))
            continue;
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole].flow = NULL;
    t->used--;
}

void flow_index_init(struct flow_index *t)
{
    /* Where there is no randomness yet, an address will have to do. */
    if (getrandom(t->key, sizeof t->key, GRND_NONBLOCK) != (ssize_t)sizeof t->key)
        t->key[0] = (uintptr_t)t;
    t->used = 0;
    t->mask = FIRST_SLOTS - 1;
    t->slots = need(calloc(FIRST_SLOTS, sizeof *t->slots));
}

void flow_index_free(struct flow_index *t)
{
    free(t->slots);
    t->slots = NULL;
}
