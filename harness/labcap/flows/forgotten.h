/* forgotten.h - which connections have ended and were forgotten, lately: what still comes of them
 * begins no new one.
 *
 * Their hashes, in two halves: when one is full, the other is emptied and filled. So the latest
 * FORGOTTEN_HALF are known, up to twice as many, the same ones whatever the hashes are. */
#ifndef LABCAP_FORGOTTEN_H
#define LABCAP_FORGOTTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bound.h"

enum { FORGOTTEN_HALF = BOUND(32768, 8), FORGOTTEN_SLOTS = 2 * FORGOTTEN_HALF };

struct forgotten {
    uint64_t *halves[2]; /* of FORGOTTEN_SLOTS each, 0 is free; NULL while nothing is forgotten */
    size_t count;        /* in the first one, which is being filled */
};

/* The processor may fetch what forgotten_add() will look at. */
static inline void forgotten_prefetch(const struct forgotten *forgotten, uint64_t hash)
{
    if (forgotten->halves[0] != NULL)
        __builtin_prefetch(&forgotten->halves[0][hash % FORGOTTEN_SLOTS], 1);
}

/* At first all bytes are 0. Exits when out of memory. */
void forgotten_add(struct forgotten *f, uint64_t hash);
bool forgotten_has(const struct forgotten *f, uint64_t hash);
void forgotten_free(struct forgotten *f);

#endif
