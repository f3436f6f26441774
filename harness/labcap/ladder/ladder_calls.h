/* ladder_calls.h - the calls of one flow, or of all, in the order in which they are drawn. */
#ifndef LABCAP_LADDER_CALLS_H
#define LABCAP_LADDER_CALLS_H

#include <stddef.h>
#include <stdint.h>

#include "calls.h"
#include "ladder_strand.h"

struct listed_call {
    const struct call_row *call;
    struct strand *strand;
    int64_t time_ns; /* as sorted: within a flow never back */
    size_t index;
};

struct call_list {
    struct listed_call *list; /* of malloc() */
    size_t count;
};

/* The calls of the flows `from` to `to` that have a strand; none if `calls` is NULL. One that
 * several of them have stands with the first. */
struct call_list list_calls(const struct calls *calls, struct strand *const *strands,
                            uint64_t from, uint64_t to);

#endif
