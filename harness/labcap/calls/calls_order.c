/* calls_order.c - places the calls among the packets. See calls_internal.h.
 *
 * A thread does one thing after the other, so that each call begins behind the end of the one
 * before it. Stamps place a call as early as they allow; causes push it on. */
#include <stdlib.h>

#include "calls_internal.h"
#include "memory.h"

struct thread_end {
    size_t at;
    int64_t ns;
};

static bool later(int64_t *a, int64_t b)
{
    if (b <= *a)
        return false;
    *a = b;
    return true;
}

/* When a process was killed is not known, only when strace heard of it: before it sent its last
 * packets. */
static void place_gone(struct calls *c, struct placed *placed, const struct thread_end *before)
{
    if (placed->first_at == NOWHERE || placed->first_at - 1 < before->at)
        return;
    placed->begin_at = placed->end_at = placed->first_at - 1;
    placed->begin_ns = placed->end_ns = c->wire.packets[placed->first_at - 1].time_ns;
}

static void place(struct calls *c, uint32_t call, struct thread_end *before)
{
    const struct traced_call *traced = &c->log.calls[call];
    struct placed *placed = &c->placed[call];

    placed->begin_ns = placed->end_ns = traced->begin_ns;
    later(&placed->begin_ns, before->ns);
    placed->begin_at = wire_position(&c->wire, traced->begin_ns);
    if (placed->begin_at < before->at)
        placed->begin_at = before->at;
    if (placed->first_at != NOWHERE && placed->begin_at >= placed->first_at &&
        traced->name != NAME_GONE) {
        c->violations++; /* what it sent came before something that it came after */
        placed->begin_at = placed->first_at - 1;
    }
    placed->end_ns = traced->end_low_ns;
    later(&placed->end_ns, placed->begin_ns);
    later(&placed->end_ns, placed->cause_ns);
    placed->end_at = wire_position(&c->wire, placed->end_ns);
    if (placed->end_at < placed->cause_at)
        placed->end_at = placed->cause_at;
    if (placed->end_at < placed->begin_at)
        placed->end_at = placed->begin_at;
    if (traced->name == NAME_GONE)
        place_gone(c, placed, before);
    *before = (struct thread_end){placed->end_at, placed->end_ns};
}

static int64_t *sorting; /* qsort() passes no context */

static int compare_calls(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    if (sorting[a] != sorting[b])
        return sorting[a] < sorting[b] ? -1 : 1;
    return a < b ? -1 : 1;
}

void calls_place(struct calls *c)
{
    size_t count = c->log.call_count;
    uint32_t *order = need(malloc((count + 1) * sizeof *order));
    struct thread_end *ends = need(calloc(c->replay.thread_count + 1, sizeof *ends));

    sorting = need(malloc((count + 1) * sizeof *sorting));
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
        sorting[i] = c->log.calls[i].begin_ns;
    }
    qsort(order, count, sizeof *order, compare_calls);
    for (size_t i = 0; i < count; i++)
        place(c, order[i], &ends[c->replay.thread_of[order[i]]]);
    free(sorting);
    free(order);
    free(ends);
}
