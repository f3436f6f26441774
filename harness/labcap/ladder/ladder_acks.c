/* ladder_acks.c - see ladder_acks.h. */
#include "ladder_acks.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { OUTSTANDING_MAX = 128 };

static struct outstanding *at(const struct acks *a, uint32_t index)
{
    return &a->list[a->begin + index];
}

/* The first one that ends at or behind `end`; a->count if there is none. */
static uint32_t find(const struct acks *a, int64_t end)
{
    uint32_t low = 0, high = a->count;

    if (high > 0 && at(a, high - 1)->end < end) /* as it mostly is */
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (at(a, middle)->end < end)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void make_room(struct acks *a)
{
    if (a->begin + a->count < a->capacity)
        return;
    if (a->begin > a->capacity / 2) {
        memmove(a->list, at(a, 0), a->count * sizeof *a->list);
        a->begin = 0;
        return;
    }
    if (a->capacity == 0) {
        a->list = a->few;
        a->capacity = ACKS_FEW;
        return;
    }
    a->capacity *= 2;
    if (a->list == a->few) {
        a->list = need(malloc(a->capacity * sizeof *a->list));
        memcpy(a->list, a->few, sizeof a->few);
    } else {
        a->list = need(reallocarray(a->list, a->capacity, sizeof *a->list));
    }
}

void acks_sent(struct acks *a, int64_t end, uint64_t packet)
{
    uint32_t index = find(a, end);

    if (index < a->count && at(a, index)->end == end) { /* once more */
        at(a, index)->first = at(a, index)->last = packet;
        return;
    }
    if (a->count == OUTSTANDING_MAX) {
        struct outstanding *latest = at(a, a->count - 1);

        latest->end = end > latest->end ? end : latest->end;
        latest->last = packet;
        return;
    }
    make_room(a);
    if (index < a->count)
        memmove(at(a, index) + 1, at(a, index), (a->count - index) * sizeof *a->list);
    *at(a, index) = (struct outstanding){end, packet, packet};
    a->count++;
}

void acks_acknowledged(struct acks *a, int64_t ack, struct segment_record *s)
{
    uint32_t before = a->count;

    while (a->count > 0 && at(a, 0)->end <= ack) {
        const struct outstanding *o = at(a, 0);

        if (s->acks_first == 0 || o->first < s->acks_first)
            s->acks_first = o->first;
        if (o->last > s->acks_last)
            s->acks_last = o->last;
        s->acks_more |= o->first != o->last || before - a->count == 2;
        a->begin++;
        a->count--;
    }
    if (a->count == 0)
        a->begin = 0;
}

void acks_free(struct acks sides[2])
{
    for (int i = 0; i < 2; i++)
        if (sides[i].list != sides[i].few)
            free(sides[i].list);
}
