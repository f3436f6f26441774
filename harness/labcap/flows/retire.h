/* retire.h - which flows are told before the end of a trace, so that memory holds what is open.
 *
 * Up to half of the limit none is: whatever comes late finds its flow. Above it, connections that
 * have ended are told and forgotten once they have been silent for 2 s, and for a quarter of the
 * limit of new flows; at the limit, without waiting for the 2 s. If that is not enough, others
 * follow, the silent ones first: what still comes of them will look like another flow, so that the
 * trace cannot be trusted. Nor can it where more comes of one that has ended: that is no flow's,
 * as it would begin one that never was (forgotten.h). Times are the trace's: the same file is always told alike. */
#ifndef LABCAP_RETIRE_H
#define LABCAP_RETIRE_H

#include <stdint.h>

#include "bound.h"
#include "flow.h"

/* Held at a time; the memory of so many is below 64 MiB. */
enum { RETIRE_LIMIT = BOUND(65536, 32), RETIRE_MIN = 1024 };
#define RETIRE_USAGE "--max-flows: a number of at least 1024 is needed"

struct retiring {
    uint64_t limit;
    uint64_t look_at;      /* so many flows held */
    uint64_t silent_since; /* the packet at which all were looked at */
    uint64_t early;        /* told for want of room: more of them may come, */
    uint64_t first_early;  /* from this packet on; 0 none */
};

void retire_begin(struct retiring *r, uint64_t limit);

/* Call it when this packet has begun a flow, and nobody uses one. Tells, in the order of their
 * ids, those that are due, and forgets them. */
void retire_look(struct retiring *r, struct flow_table *flows, const struct packet *packet,
                 flow_fn *tell, void *context);

#endif
