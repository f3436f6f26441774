/* forgotten.c - see forgotten.h. */
#include "forgotten.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* The place of the hash, or the free one where it would go: half of them are free. */
static uint64_t *find(uint64_t *slots, uint64_t hash)
{
    size_t i = hash % FORGOTTEN_SLOTS;

    while (slots[i] != 0 && slots[i] != hash)
        i = (i + 1) % FORGOTTEN_SLOTS;
    return &slots[i];
}

void forgotten_add(struct forgotten *f, uint64_t hash)
{
    uint64_t *slot;

    for (int i = 0; i < 2 && f->halves[1] == NULL; i++)
        f->halves[i] = need(calloc(FORGOTTEN_SLOTS, sizeof *f->halves[i]));
    slot = find(f->halves[0], hash);
    if (*slot == hash)
        return;
    *slot = hash;
    if (++f->count == FORGOTTEN_HALF) {
        uint64_t *full = f->halves[0];

        f->halves[0] = f->halves[1];
        f->halves[1] = full;
        memset(f->halves[0], 0, FORGOTTEN_SLOTS * sizeof *f->halves[0]);
        f->count = 0;
    }
}

bool forgotten_has(const struct forgotten *f, uint64_t hash)
{
    return f->halves[1] != NULL && (*find(f->halves[0], hash) == hash ||
                                    *find(f->halves[1], hash) == hash);
}

void forgotten_free(struct forgotten *f)
{
    free(f->halves[0]);
    free(f->halves[1]);
}
