/* ladder_strand.h - what the stages of a ladder know of one flow. */
#ifndef LABCAP_LADDER_STRAND_H
#define LABCAP_LADDER_STRAND_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "ladder_acks.h"
#include "ladder_rows.h"
#include "ladder_say.h"

/* What each packet needs comes first: up to `teller`. */
struct strand {
    struct flow *flow;
    struct rows rows; /* not used where all flows are merged */
    uint64_t packets, told; /* and ICMP about it; told or folded away */
    uint64_t latest;        /* the stream's packets when its latest one came */
    int64_t first_ns;
    uint64_t icmp;        /* of the packets */
    uint32_t fold_serial;
    uint8_t state[2];     /* of its latest segment */
    uint8_t shown[MARKS]; /* segments with each mark, as far as they are shown */
    bool data_begun;      /* an ordinary segment has come */
    bool begun;           /* its heading is written */
    bool counted;         /* that tells how many packets it has */
    bool told_outcome;
    bool later;           /* its ladder was finished before these rows came */
    bool three_step_teardown, teardown_decided;
    struct acks acks[2];
    struct teller teller;
    struct rows raw; /* what cannot be folded yet; not used where all flows are merged, either */
    int open[2];     /* calls that go on: client, server */
};

/* ICMP is about a flow, not of it. */
static inline uint64_t strand_packets(const struct strand *strand)
{
    return strand->packets - strand->icmp;
}

/* From its first row to the end of the flow, as far as it is known. */
static inline int64_t strand_duration(const struct strand *strand)
{
    int64_t duration;

    if (__builtin_sub_overflow(strand->flow->end_ns, strand->first_ns, &duration))
        return INT64_MAX;
    return duration > 0 ? duration : 0;
}

#endif
