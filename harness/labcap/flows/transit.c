/* transit.c - see transit.h. */
#include "transit.h"

#include <stdlib.h>

#include "flow.h"
#include "memory.h"

struct transit *transit_of(struct flow *flow)
{
    size_t size = sizeof(struct transit);

    if (flow->protocol == IP_TCP)
        size += 2 * sizeof(struct tcp_connection);
    if (flow->transit == NULL)
        flow->transit = need(calloc(1, size));
    return flow->transit;
}

void transit_free(struct flow *flow)
{
    if (flow->transit != NULL && flow->protocol == IP_TCP) {
        tcp_free(&flow->transit->seen_by[0]);
        tcp_free(&flow->transit->seen_by[1]);
    }
    free(flow->transit);
    flow->transit = NULL;
}

struct seen_state transit_happens(struct flow *flow, unsigned end, unsigned sender,
                                  const struct packet *packet)
{
    struct tcp_connection *c = &transit_of(flow)->seen_by[end];
    bool knew_nothing = c->side[0].packets + c->side[1].packets == 0;
    enum tcp_state before = tcp_state_in_order(c, end), after;
    struct tcp_note unused;

    tcp_add(c, sender, packet, &unused);
    after = tcp_state_in_order(c, end);
    return (struct seen_state){.changed = knew_nothing || after != before, .state = after};
}

uint64_t transit_arrives(struct transit_side *side, uint64_t packet, int64_t took_ns)
{
    uint64_t latest = side->latest;

    if (side->arrived++ == 0 || took_ns > side->longest_ns)
        side->longest_ns = took_ns;
    if (packet > latest) {
        side->latest = packet;
        return 0;
    }
    transit_add(&side->reordered, packet, 1);
    return latest;
}

void transit_add(struct transit_count *count, uint64_t packet, uint64_t times)
{
    if (times > 0 && count->count == 0)
        count->first = packet;
    count->count += times;
}
