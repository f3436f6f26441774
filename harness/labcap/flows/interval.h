/* interval.h - a set of stream positions, as sorted intervals.
 *
 * Which bytes of a stream have been seen: a retransmission adds nothing, a hole stays visible.
 * One interval, the ordinary case, needs no memory of its own.
 *
 * Limit: INTERVAL_MAX intervals. Beyond it the lowest hole is given up: it is closed without
 * its bytes having been seen, so that a late arrival there passes for a retransmission; who adds
 * is told.
 * That bounds both memory and the time of an insertion, whatever a file contains. */
#ifndef LABCAP_INTERVAL_H
#define LABCAP_INTERVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bound.h"

enum { INTERVAL_MAX = BOUND(1024, 6) };

struct interval {
    int64_t start, end; /* end is one past the last */
};

struct interval_set {
    uint32_t count;
    uint32_t capacity; /* of the heap; 0 while `one` is enough */
    union {
        struct interval one, *heap;
    };
};

/* All `count` of them. */
static inline const struct interval *interval_items(const struct interval_set *set)
{
    return set->capacity > 0 ? set->heap : &set->one;
}

struct interval_added {
    uint64_t fresh;       /* positions that were not in the set */
    uint64_t fresh_below; /* of these, the ones below the limit */
    bool gave_up;         /* the lowest hole, to make room */
};

/* Adds [start, end); an empty interval adds nothing. Exits when out of memory. */
struct interval_added interval_add(struct interval_set *set, int64_t start, int64_t end,
                                   int64_t limit);

/* Positions of the set in [from, infinity). */
uint64_t interval_above(const struct interval_set *set, int64_t from);

/* Maximal runs of positions in [from, to) that are not in the set. */
uint64_t interval_holes(const struct interval_set *set, int64_t from, int64_t to);

/* The lowest position of the set, or `otherwise` if it is empty. */
int64_t interval_lowest(const struct interval_set *set, int64_t otherwise);

/* One past the highest position of the set, or `otherwise` if it is empty. */
int64_t interval_highest(const struct interval_set *set, int64_t otherwise);

/* Takes out what lies below `at`. Returns how many positions were taken. */
uint64_t interval_cut_below(struct interval_set *set, int64_t at);

/* Moves every interval by `distance`. */
void interval_shift(struct interval_set *set, int64_t distance);

void interval_free(struct interval_set *set);

#endif
