/* retire.h - which flows are told before the end of a trace, so that memory holds what is open.
 *
 * Up to half of the limit none is: whatever comes late finds its flow. Above it, connections that
 * have ended are told and forgotten once they have been silent for 2 s, and for a quarter of the
 * limit of new flows; at the limit, without waiting for the 2 s. If that is not enough, others
 * follow, the silent ones first: what still comes of them will look like another flow, so that the
 * trace cannot be trusted. Nor can it where more comes of one that has ended: that is no flow's,
 * as it would begin one that never was (forgotten.h).
 *
 * Who looks on while packets are recorded would rather not wait for the end: of a stream, every
 * connection is told once it has ended and been silent for 2 s, in the order of that. Times are
 * the trace's: the same file is always told alike. */
#ifndef LABCAP_RETIRE_H
#define LABCAP_RETIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "bound.h"
#include "flow.h"

/* Held at a time; the memory of so many is below 64 MiB. */
enum { RETIRE_LIMIT = BOUND(65536, 32), RETIRE_MIN = 1024 };
enum { RETIRE_SILENCE_MS = 2000 };
#define RETIRE_USAGE "--max-flows: a number of at least 1024 is needed"

struct retiring {
    uint64_t limit;
    uint64_t look_at;      /* so many flows held */
    uint64_t silent_since; /* the packet at which all were looked at */
    uint64_t early;        /* told for want of room: more of them may come, */
    uint64_t first_early;  /* from this packet on; 0 none */
    /* Of a stream, a ring of `limit` connections that have ended: */
    uint32_t *ended;
    uint64_t first_ended, ended_count;
    int64_t due_ns; /* when the first of them may be told; INT64_MAX: there is none */
};

void retire_begin(struct retiring *r, uint64_t limit);
void retire_end(struct retiring *r);

/* Call it when this packet has begun a flow, and nobody uses one. Tells, in the order of their
 * ids, those that are due, and forgets them. */
void retire_look(struct retiring *r, struct flow_table *flows, const struct packet *packet,
                 flow_fn *tell, void *context);

/* Of a stream: call it behind each packet of this flow. */
void retire_queue(struct retiring *r, struct flow *flow);

/* Whether retire_ended() has to be asked at this time of the trace; INT64_MAX: after 2 s without
 * a packet. */
static inline bool retire_is_due(const struct retiring *r, int64_t now_ns)
{
    return r->ended_count > 0 && now_ns >= r->due_ns;
}

/* Tells those that are due, and forgets them. Call it when nobody uses a flow. */
void retire_ended(struct retiring *r, struct flow_table *flows, int64_t now_ns, flow_fn *tell,
                  void *context);

#endif
