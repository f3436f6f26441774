/* calls_replay.c - the calls of all threads, one after the other. See calls_sockets.h. */
#include "calls_replay.h"

#include <stdlib.h>
#include <string.h>

#include "calls_tables.h"
#include "memory.h"

/* A call begins or ends. */
struct replay_event {
    int64_t time_ns;
    uint32_t call;
    bool ends;
};

static int compare_events(const void *left, const void *right)
{
    const struct replay_event *a = left, *b = right;

    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    if (a->call != b->call)
        return a->call < b->call ? -1 : 1;
    return (int)a->ends - (int)b->ends;
}

static bool makes_descriptor(uint8_t name)
{
    return name == NAME_SOCKET || name == NAME_ACCEPT || name == NAME_ACCEPT4 ||
           name == NAME_DUP || name == NAME_DUP2 || name == NAME_DUP3 || name == NAME_FCNTL ||
           name == NAME_GETSOCKNAME;
}

/* When the descriptor is there: before the thread's next call begins, even where the clock was
 * set meanwhile. */
static int64_t effect_ns(const struct traced_call *call)
{
    int64_t next = call->end_high_ns == INT64_MAX ? INT64_MAX
                                                  : call->end_high_ns - call->unit_ns + 1;
    int64_t ns = call->end_low_ns < next ? call->end_low_ns : next;

    if (call->duration_ns < 0 && next < INT64_MAX)
        ns = next;
    return ns > call->begin_ns ? ns : call->begin_ns;
}

static struct replay_event *make_events(const struct strace_log *log, size_t *count)
{
    struct replay_event *events = need(malloc((2 * log->call_count + 1) * sizeof *events));

    *count = 0;
    for (size_t i = 0; i < log->call_count; i++) {
        const struct traced_call *call = &log->calls[i];

        events[(*count)++] = (struct replay_event){call->begin_ns, (uint32_t)i, false};
        if (makes_descriptor(call->name) && call->result != NULL)
            events[(*count)++] = (struct replay_event){effect_ns(call), (uint32_t)i, true};
    }
    qsort(events, *count, sizeof *events, compare_events);
    return events;
}

void replay_run(struct replay *r, const struct strace_log *log)
{
    size_t count;
    struct replay_event *events = make_events(log, &count);

    r->log = log;
    r->thread_of = need(calloc(log->call_count + 1, sizeof *r->thread_of));
    for (size_t i = 0; i < count; i++) {
        uint32_t call = events[i].call;

        if (events[i].ends) {
            replay_call_ends(r, call);
            continue;
        }
        r->thread_of[call] = thread_of_call(r, call);
        replay_call_begins(r, call);
    }
    free(events);
}

void replay_free(struct replay *r)
{
    tables_free(r);
    free(r->touches);
    free(r->thread_of);
}
