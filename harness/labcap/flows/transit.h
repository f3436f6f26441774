/* transit.h - what became of the packets of one flow on their way: for traces with two points.
 *
 * RFC 7680 (lost), RFC 5560 (duplicated), RFC 4737 (reordered). The units are packets of TCP and
 * datagrams of UDP; a fragmented datagram has arrived when all its fragments have.
 *
 * For TCP, each end has a connection of its own as it sees it: what it sent, and what arrived
 * there undamaged. Its state (RFC 9293) follows from that and from nothing else. */
#ifndef LABCAP_TRANSIT_H
#define LABCAP_TRANSIT_H

#include <stdbool.h>
#include <stdint.h>

#include "packet.h"
#include "tcp.h"

struct flow;

/* A number of packets, and the first of them (0 none). */
struct transit_count {
    uint64_t count, first;
};

/* What one side sent. */
struct transit_side {
    uint64_t sent, arrived;
    struct transit_count lost, duplicated, reordered, corrupted;
    uint64_t latest; /* the highest number of a packet that has arrived */
    int64_t longest_ns; /* from sent to arrived; valid if any arrived */
};

struct transit {
    struct transit_side side[2];
    struct tcp_connection seen_by[]; /* TCP: two, by side */
};

/* The state of one end of a connection, and whether what just happened changed it. */
struct seen_state {
    bool changed;
    enum tcp_state state;
};

/* The flow's transit, made if there is none. Exits when out of memory. */
struct transit *transit_of(struct flow *flow);
void transit_free(struct flow *flow);

/* An end of the connection sends a packet, or takes one from the other end. */
struct seen_state transit_happens(struct flow *flow, unsigned end, unsigned sender,
                                  const struct packet *packet);

/* A packet arrives for the first time. Returns the number of a packet sent later that arrived
 * before it, 0 if it is in order. */
uint64_t transit_arrives(struct transit_side *side, uint64_t packet, int64_t took_ns);

void transit_add(struct transit_count *count, uint64_t packet, uint64_t times);

#endif
