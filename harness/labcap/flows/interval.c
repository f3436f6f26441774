/* interval.c - see interval.h. */
#include "interval.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static struct interval *items(struct interval_set *set)
{
    return set->capacity > 0 ? set->heap : &set->one;
}

/* Index of the first interval that ends at or above `at`; count if there is none. */
static uint32_t first_ending_at(const struct interval_set *set, int64_t at)
{
    const struct interval *v = interval_items(set);
    uint32_t low = 0, high = set->count;

    if (high > 0 && v[high - 1].end < at)
        return high;
    if (high > 0 && v[high - 1].start <= at)
        return high - 1; /* the ordinary case: at the end of the stream */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (v[middle].end < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Returns true if it gave up a hole. */
static bool make_room(struct interval_set *set)
{
    struct interval *v = items(set);
    uint32_t capacity;

    if (set->count == INTERVAL_MAX) { /* give up the lowest hole */
        v[1].start = v[0].start;
        memmove(v, v + 1, (set->count - 1) * sizeof *v);
        set->count--;
        return true;
    }
    if (set->capacity == 0 ? set->count == 0 : set->count < set->capacity)
        return false;
    capacity = set->capacity == 0 ? 4 : set->capacity * 2;
    v = need(realloc(set->capacity == 0 ? NULL : set->heap, capacity * sizeof *v));
    if (set->capacity == 0)
        v[0] = set->one;
    set->heap = v;
    set->capacity = capacity;
    return false;
}

static bool insert(struct interval_set *set, int64_t start, int64_t end)
{
    struct interval *v;
    uint32_t at;
    bool gave_up;

    gave_up = make_room(set);
    v = items(set);
    at = first_ending_at(set, start);
    if (at < set->count && v[at].start <= end) { /* giving up a hole made them touch */
        if (end > v[at].end)
            v[at].end = end;
        return gave_up;
    }
    memmove(v + at + 1, v + at, (set->count - at) * sizeof *v);
    v[at].start = start;
    v[at].end = end;
    set->count++;
    return gave_up;
}

static uint64_t common(const struct interval *v, int64_t start, int64_t end)
{
    int64_t low = v->start > start ? v->start : start;
    int64_t high = v->end < end ? v->end : end;

    return high > low ? (uint64_t)(high - low) : 0;
}

struct interval_added interval_add(struct interval_set *set, int64_t start, int64_t end,
                                   int64_t limit)
{
    struct interval_added added = {0};
    struct interval *v = items(set);
    int64_t below = end < limit ? end : limit;
    uint32_t first, last;

    if (start >= end)
        return added;
    added.fresh = (uint64_t)(end - start);
    added.fresh_below = below > start ? (uint64_t)(below - start) : 0;
    first = last = first_ending_at(set, start);
    while (last < set->count && v[last].start <= end) {
        added.fresh -= common(&v[last], start, end);
        if (below > start)
            added.fresh_below -= common(&v[last], start, below);
        last++;
    }
    if (first == last) {
        added.gave_up = insert(set, start, end);
        return added;
    }
    if (start < v[first].start)
        v[first].start = start;
    v[first].end = v[last - 1].end > end ? v[last - 1].end : end;
    memmove(v + first + 1, v + last, (set->count - last) * sizeof *v);
    set->count -= last - first - 1;
    return added;
}

uint64_t interval_above(const struct interval_set *set, int64_t from)
{
    const struct interval *v = interval_items(set);
    uint64_t sum = 0;

    for (uint32_t i = set->count; i-- > 0 && v[i].end > from;)
        sum += (uint64_t)(v[i].end - (v[i].start > from ? v[i].start : from));
    return sum;
}

uint64_t interval_holes(const struct interval_set *set, int64_t from, int64_t to)
{
    const struct interval *v = interval_items(set);
    uint64_t holes = 0;
    uint32_t i = first_ending_at(set, from);

    while (from < to) {
        if (i == set->count || v[i].start >= to)
            return holes + 1;
        if (v[i].start > from)
            holes++;
        if (v[i].end > from)
            from = v[i].end;
        i++;
    }
    return holes;
}

int64_t interval_lowest(const struct interval_set *set, int64_t otherwise)
{
    return set->count > 0 ? interval_items(set)[0].start : otherwise;
}

int64_t interval_highest(const struct interval_set *set, int64_t otherwise)
{
    return set->count > 0 ? interval_items(set)[set->count - 1].end : otherwise;
}

uint64_t interval_cut_below(struct interval_set *set, int64_t at)
{
    struct interval *v = items(set);
    uint64_t taken = 0;
    uint32_t gone = 0;

    while (gone < set->count && v[gone].end <= at) {
        taken += (uint64_t)(v[gone].end - v[gone].start);
        gone++;
    }
    memmove(v, v + gone, (set->count - gone) * sizeof *v);
    set->count -= gone;
    if (set->count > 0 && v[0].start < at) {
        taken += (uint64_t)(at - v[0].start);
        v[0].start = at;
    }
    return taken;
}

void interval_shift(struct interval_set *set, int64_t distance)
{
    struct interval *v = items(set);

    for (uint32_t i = 0; i < set->count; i++) {
        v[i].start += distance;
        v[i].end += distance;
    }
}

void interval_free(struct interval_set *set)
{
    if (set->capacity > 0)
        free(set->heap);
    memset(set, 0, sizeof *set);
}
