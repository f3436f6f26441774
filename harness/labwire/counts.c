/* counts.c - a hash table with open addressing; the keys are hashes already. */
#include "counts.h"

#include <stdlib.h>

#include "fail.h"

enum { FIRST_SIZE = 1024 };

static struct counts_slot *find(const struct counts *counts, uint64_t key)
{
    size_t mask = counts->size - 1, i = (size_t)(key ^ key >> 32) & mask;

    while (counts->slots[i].count > 0 && counts->slots[i].key != key)
        i = (i + 1) & mask;
    return &counts->slots[i];
}

static void grow(struct counts *counts)
{
    struct counts old = *counts;

    counts->size = old.size ? old.size * 2 : FIRST_SIZE;
    counts->slots = need(calloc(counts->size, sizeof *counts->slots));
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].count > 0)
            *find(counts, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

uint64_t counts_add(struct counts *counts, uint64_t key)
{
    struct counts_slot *slot;

    if (counts->used >= counts->size / 2)
        grow(counts);
    slot = find(counts, key);
    if (slot->count == 0) {
        slot->key = key;
        counts->used++;
    }
    return ++slot->count;
}

void counts_free(struct counts *counts)
{
    free(counts->slots);
}
