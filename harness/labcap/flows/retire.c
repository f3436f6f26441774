/* retire.c - see retire.h. */
#include "retire.h"

#include <stdlib.h>

#include "memory.h"

static const int64_t silence_ns = RETIRE_SILENCE_MS * (int64_t)1000000;

/* Whether a flow, of which this is the latest packet of the trace, is due. */
typedef bool due_fn(const struct flow *f, const struct packet *now);

static bool has_ended(const struct flow *f, const struct packet *now)
{
    (void)now;
    return f->protocol == IP_TCP && f->tcp.ended;
}

static bool ended_long_ago(const struct flow *f, const struct packet *now)
{
    int64_t since;

    return has_ended(f, now) &&
           (__builtin_sub_overflow(now->time_ns, f->end_ns, &since) || since >= silence_ns);
}

static bool any(const struct flow *f, const struct packet *now)
{
    (void)f;
    (void)now;
    return true;
}

/* Marks flows with no packet after `since`, until no more than `enough` are left. Returns how
 * many were marked. */
static uint64_t mark(struct flow_table *flows, const struct packet *now, due_fn *due,
                     uint64_t since, uint64_t left, uint64_t enough)
{
    uint64_t marked = 0;
    size_t at = 0;
    struct flow *f;

    while (left - marked > enough && (f = flow_next(flows, &at)) != NULL) {
        if (f->due || f->last_packet > since || !due(f, now))
            continue;
        f->due = true;
        marked++;
    }
    return marked;
}

static void tell_last(struct flow_table *flows, struct flow *f, flow_fn *tell, void *context)
{
    flow_table_finish_flow(flows, f);
    tell(context, f);
    flow_table_forget(flows, f);
}

static void tell_marked(struct flow_table *flows, flow_fn *tell, void *context)
{
    size_t at = 0;
    struct flow *f;

    while ((f = flow_next(flows, &at)) != NULL) {
        flow_prefetch_next(flows, at);
        if (!f->due)
            continue;
        flow_table_prefetch_forget(flows, f);
        tell_last(flows, f, tell, context);
    }
}

void retire_begin(struct retiring *r, uint64_t limit)
{
    *r = (struct retiring){.limit = limit, .look_at = limit / 2};
}

void retire_end(struct retiring *r)
{
    free(r->ended);
}

void retire_look(struct retiring *r, struct flow_table *flows, const struct packet *packet,
                 flow_fn *tell, void *context)
{
    uint64_t left = flow_held(flows), half = r->limit / 2, early;

    if (left < r->look_at)
        return;
    if (left < r->limit) {
        left -= mark(flows, packet, ended_long_ago, r->silent_since, left, 0);
    } else {
        left -= mark(flows, packet, has_ended, r->silent_since, left, 0);
        early = mark(flows, packet, any, r->silent_since, left, half);
        early += mark(flows, packet, any, UINT64_MAX, left - early, half);
        if (early > 0 && r->early == 0)
            r->first_early = packet->number;
        r->early += early;
        left -= early;
    }
    tell_marked(flows, tell, context);
    r->silent_since = packet->number;
    r->look_at = left + r->limit / 4;
    if (r->look_at < half)
        r->look_at = half;
    if (r->look_at > r->limit)
        r->look_at = r->limit;
}

/* ---- A stream ---- */

static void put(struct retiring *r, const struct flow *f)
{
    if (r->ended_count == 0)
        r->due_ns = f->end_ns + silence_ns;
    r->ended[(r->first_ended + r->ended_count++) % r->limit] = f->id;
}

/* Returns NULL if that one has been told meanwhile. */
static struct flow *take_first(struct retiring *r, const struct flow_table *flows)
{
    uint32_t id = r->ended[r->first_ended];

    r->first_ended = (r->first_ended + 1) % r->limit;
    r->ended_count--;
    return flow_by_id(flows, id);
}

/* Where there is no place it waits for the end, as in a file. */
void retire_queue(struct retiring *r, struct flow *f)
{
    if (f->queued || f->protocol != IP_TCP || !f->tcp.ended)
        return;
    if (r->ended == NULL)
        r->ended = need(calloc(r->limit, sizeof *r->ended));
    if (r->ended_count == r->limit)
        return;
    f->queued = true;
    put(r, f);
}

/* Of one that more has come of meanwhile the 2 s begin again, behind the others. */
void retire_ended(struct retiring *r, struct flow_table *flows, int64_t now_ns, flow_fn *tell,
                  void *context)
{
    for (uint64_t left = r->ended_count; left > 0 && now_ns >= r->due_ns; left--) {
        struct flow *f = take_first(r, flows);

        if (f != NULL && now_ns - silence_ns >= f->end_ns)
            tell_last(flows, f, tell, context);
        else if (f != NULL)
            put(r, f);
        f = r->ended_count > 0 ? flow_by_id(flows, r->ended[r->first_ended]) : NULL;
        if (f != NULL)
            r->due_ns = f->end_ns + silence_ns;
    }
}
