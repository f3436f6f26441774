/* flow.h - the table of flows: every packet finds its TCP connection or UDP flow here.
 *
 * Flows are numbered from 1 in the order of their first packets and never move; they go away with
 * flow_table_forget() and flow_table_free() only, so a struct flow pointer may be kept. Memory
 * grows with the number of flows only; per-flow lists are bounded (INTERVAL_MAX, SIZES_MAX).
 *
 * Use: flow_table_new(), flow_table_add() for each packet in file order, flow_table_finish()
 * once, then read the flows. trace.h does all that for a file. */
#ifndef LABCAP_FLOW_H
#define LABCAP_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bound.h"
#include "packet.h"
#include "tcp.h"
#include "transit.h"

struct fragmented;

/* Sizes of datagrams are listed up to this many in each direction; counts go on. */
enum { SIZES_MAX = BOUND(100000, 6) };

/* One direction of a UDP flow, by its sender. */
struct udp_side {
    uint64_t datagrams, bytes, incomplete;
    int32_t *sizes; /* in file order; SIZE_PENDING until all fragments are seen */
    uint32_t size_count, size_capacity;
    uint32_t pending; /* datagrams that wait for fragments */
};

enum { SIZE_PENDING = -1 };

/* An ICMP destination unreachable (ICMP type 3, ICMPv6 type 1) that quotes the flow. */
struct unreachable {
    uint64_t packet; /* number; 0 none seen. The first one is kept. */
    uint8_t type, code;
    uint8_t side; /* whose packet could not be delivered */
};

struct flow {
    uint8_t protocol;   /* IP_TCP or IP_UDP */
    uint8_t ip_version; /* 4 or 6 */
    bool due;           /* the owner's: it is to be told and forgotten */
    bool queued;        /* the owner's: it has ended, and waits for that */
    uint32_t id;
    uint64_t vlan;
    struct endpoint end[2]; /* by side; side 0 sent the first packet */
    uint64_t last_packet, first_packet;
    int64_t end_ns, start_ns; /* of the latest packet, of the first one */
    struct unreachable unreachable;
    struct transit *transit; /* NULL where the trace has one point */
    union {
        struct tcp_connection tcp;
        struct udp_side udp[2]; /* the client is side 0 */
    };
};

/* What flow_table_add() learned from one packet. `flow` is NULL for a packet of no flow (ICMP
 * about unknown flows, other protocols, later fragments); of the rest only `datagram` and `whole`
 * are then valid. */
struct flow_note {
    struct flow *flow;
    struct fragmented *datagram; /* of a fragment, until the next packet; else NULL */
    bool whole;     /* this was the fragment that was missing */
    uint8_t side;   /* the sender: index of flow->end */
    bool to_server; /* by what is known so far; see flow_client() */
    bool first;     /* the flow's first packet */
    /* TCP: all of it. UDP and MARK_UNREACHABLE: marks and payload_len. */
    struct tcp_note tcp;
};

struct flow_table;

/* Exits when out of memory, as everything that adds to the table does. */
struct flow_table *flow_table_new(void);
void flow_table_free(struct flow_table *table);

/* How many flows may be held at a time; no limit unless said. A packet that would begin one more
 * belongs to no flow, and is counted as left out. */
void flow_table_limit(struct flow_table *table, size_t limit);
uint64_t flow_table_left_out(const struct flow_table *table);

/* Packets of connections that had ended and were forgotten before, and the number of the first one.
 * They belong to no flow. */
uint64_t flow_table_late(const struct flow_table *table, uint64_t *first);

/* Packets that came above more holes in their direction than are remembered (interval.h), and the
 * number of the first one. */
uint64_t flow_table_gave_up(const struct flow_table *table, uint64_t *first);

/* The packet will be added soon: the processor may fetch what that takes. Returns its flow if that
 * is known without a search, and perhaps another one; else NULL. */
const struct flow *flow_table_prefetch(const struct flow_table *table,
                                       const struct packet *packet);

/* Takes the next packet that packet_decode() could use. Returns false if it is a duplicate of the
 * capture, which counts for nothing. */
bool flow_table_add(struct flow_table *table, const struct packet *packet,
                    struct flow_note *note);

/* What is known of packets' transits is no longer true: the trace has one point (so far). */
void flow_table_forget_transits(struct flow_table *table);

/* No more packets. */
void flow_table_finish(struct flow_table *table);

typedef void flow_fn(void *context, struct flow *flow);

/* No more packets: tells the flows, in the order of ids, and frees each behind its call. */
void flow_table_tell(struct flow_table *table, flow_fn *tell, void *context);

/* No more packets of this flow. Then it may be told, and forgotten. */
void flow_table_finish_flow(struct flow_table *table, struct flow *flow);

/* Packets that were fragments without a first one (after flow_table_finish() only). */
uint64_t flow_table_orphans(const struct flow_table *table);

/* Frees a flow: it keeps its id, and hardly a byte of memory. What still comes of a connection that
 * has ended is late (flow_table_late()); other packets of its ends belong to a new flow. Only where
 * nobody else keeps pointers to flows, as traces with two points do. */
void flow_table_forget(struct flow_table *table, struct flow *flow);

/* This flow will be forgotten soon: the processor may fetch what that takes. */
void flow_table_prefetch_forget(const struct flow_table *table, const struct flow *flow);

/* All that there have been, and those that are not forgotten. */
size_t flow_count(const struct flow_table *table);
uint64_t flow_count_of(const struct flow_table *table, uint8_t protocol);
size_t flow_held(const struct flow_table *table);

/* The flow with this id (1 to flow_count); NULL if there is none, or it is forgotten. */
struct flow *flow_by_id(const struct flow_table *table, uint64_t id);

/* The next flow that is not forgotten, in the order of ids; NULL after the last. *at is 0 at
 * first. Flows that it has given may be forgotten meanwhile. */
struct flow *flow_next(const struct flow_table *table, size_t *at);

/* The processor may fetch the flow that flow_next() would give with `at`, if it is a connection. */
void flow_prefetch_next(const struct flow_table *table, size_t at);

/* The client's side, 0 or 1. */
static inline unsigned flow_client(const struct flow *flow)
{
    return flow->protocol == IP_TCP ? flow->tcp.client : 0;
}

#endif
