/* calls_wire.h - what the calls are matched against: the packets of the trace, small, and where
 * in them a moment lies; and flows found by their ends. */
#ifndef LABCAP_CALLS_WIRE_H
#define LABCAP_CALLS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "packet.h"
#include "points.h"
#include "strace_text.h"

struct wire_packet {
    uint64_t number;
    int64_t time_ns;
    int64_t arrival_ns; /* INT64_MAX: it never arrived. In a trace with one point, time_ns */
    int64_t seq, ack;   /* relative, as tcp_note's */
    uint32_t flow, length;
    uint32_t marks;
    uint32_t head;   /* wire_head() of the payload; 0 not known. UDP only */
    uint16_t copies; /* times that it arrived */
    uint8_t side, flags;
};

/* A flow by one of its ends: see wire_flows(). */
struct wire_end {
    uint64_t key;
    uint32_t flow;
    uint8_t side; /* the end that is local */
};

struct wire {
    struct wire_packet *packets;
    size_t count, capacity;
    int64_t *latest;    /* the highest stamp up to each packet */
    uint32_t *of_flow;  /* indexes of packets, flow after flow */
    size_t *flow_first; /* by id: where the flow begins there; one more at the end */
    const struct flow_table *flows;
    size_t flow_count;
    struct wire_end *ends; /* sorted by key and flow */
    size_t end_count;
    bool two_points; /* something has arrived: before that, nobody knows whether there are two */
    int64_t unit_ns; /* stamps are rounded down to multiples of this */
};

/* A number for how a payload of this length begins: equal for equal ones, never 0. 0 where too
 * little of it is known. */
uint32_t wire_head(const uint8_t *bytes, size_t known, size_t length);

/* As the trace is read. */
void wire_add(struct wire *wire, const struct packet *packet, const struct flow_note *note);
void wire_fate(struct wire *wire, const struct fate *fate);

/* No more packets. `flows` is used until wire_free(). */
void wire_finish(struct wire *wire, const struct flow_table *flows);
void wire_free(struct wire *wire);

/* How many packets, from the first one, were certainly on the wire before this moment. */
size_t wire_position(const struct wire *wire, int64_t time_ns);

/* The indexes of a flow's packets. */
const uint32_t *wire_of_flow(const struct wire *wire, uint32_t flow, size_t *count);

/* Brings indexes of packets into the order of their arrivals, which is not always that of the
 * file. */
void wire_sort_arrivals(const struct wire *wire, uint32_t *packets, size_t count);

/* The index of the packet with this number; wire->count if there is none. */
size_t wire_find(const struct wire *wire, uint64_t number);

/* A moment before all others that a trace can have. */
#define WIRE_EVER (INT64_MIN / 2)

/* Which flows are looked for. Of an address that is not known, ip_version is 0. */
struct wire_query {
    uint8_t protocol;
    struct text_address local, remote; /* at least one port is needed */
    int64_t from_ns, to_ns;            /* the flow's first packet lies here */
};

/* The flows that fit, in order, one after the other: *at is 0 before the first. Returns false at
 * the end. */
bool wire_flows(const struct wire *wire, const struct wire_query *query, size_t *at,
                struct flow **flow, unsigned *side);

/* As wire_flows(), the last one that fits. */
bool wire_last_flow(const struct wire *wire, const struct wire_query *query, struct flow **flow,
                    unsigned *side);

#endif
