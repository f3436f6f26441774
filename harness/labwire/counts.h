/* counts.h - how many packets of each key have been sent (passage.h). */
#ifndef LABWIRE_COUNTS_H
#define LABWIRE_COUNTS_H

#include <stddef.h>
#include <stdint.h>

struct counts {
    struct counts_slot {
        uint64_t key;
        uint64_t count; /* 0: the slot is free */
    } *slots;
    size_t size; /* a power of two */
    size_t used;
};

/* All zero bytes is an empty table. Returns how many there are of the key now. */
uint64_t counts_add(struct counts *counts, uint64_t key);

void counts_free(struct counts *counts);

#endif
