/* points.h - traces with two points: every packet as it was sent, and again as it arrived.
 *
 * Such a trace begins with the wire's mark (points_is_mark()), and its arrivals carry tags
 * (passage.h). A recorder's filter may have left the mark out, and an export from a program that
 * shows packets does: then an arrival whose tag fits itself says the same, if it is among the
 * first UNDECIDED_MAX frames. Until that is decided, packets are remembered as if there were two
 * points; in other traces nothing is, so that they cost nothing.
 *
 * One pass is enough, standard input will do: what became of a packet is told when it is known. */
#ifndef LABCAP_POINTS_H
#define LABCAP_POINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bound.h"
#include "flow.h"
#include "packet.h"

enum { UNDECIDED_MAX = BOUND(64, 8) };

/* What is new about a packet or datagram that was sent before: `arrivals` is 0 when it has just
 * been sent (and will be lost, if nothing more is told of it). */
struct fate {
    struct flow *flow;
    uint64_t packet;   /* its number; of a datagram, its first fragment's */
    uint64_t arrivals; /* so far */
    uint64_t arrival;  /* the number of the frame that has arrived now; 0 with 0 arrivals */
    bool damaged;
    uint64_t after;     /* this packet was sent later and arrived before it; 0 none */
    int64_t transit_ns; /* until its first arrival */
    unsigned side;            /* whose state it is: the sender's with 0 arrivals, */
    struct seen_state state;  /* else the receiver's. TCP only */
};

typedef void fate_fn(void *context, const struct fate *fate);

enum frame_role {
    FRAME_PLAIN,  /* a packet of a trace with one point, or no packet at all */
    FRAME_SENT,   /* tell points_sent() */
    FRAME_ARRIVED /* tell points_arrived(); it is no packet of the flow table */
};

struct points;

/* `each` (NULL: not) is called with `context`. Exits when out of memory, as the others do. */
struct points *points_new(struct flow_table *flows, fate_fn *each, void *context);
void points_free(struct points *points);

/* True if the frame, from this MAC address and with PASSAGE_ETHERTYPE, is the wire's mark;
 * `payload` is what is behind the type. */
bool points_is_mark(const uint8_t *source, const uint8_t *payload, uint32_t captured);

/* The frame with this number is the wire's mark. */
void points_mark(struct points *points, uint64_t number);

/* A connection has ended. Where nothing has arrived until then there is but one point. Returns
 * false if there are two. */
bool points_after_an_end(struct points *points);

/* What any other frame is; `packet` is as packet_decode() left it, with number and time; `source`
 * the MAC address that sent it, or NULL. */
enum frame_role points_role(struct points *points, const struct packet *packet,
                            const uint8_t *source);

/* False if points_role() has nothing but FRAME_PLAIN to say, unless a mark comes. */
bool points_matter(const struct points *points);

/* A packet was sent; `note` is the flow table's, NULL for a packet that is not chosen. */
void points_sent(struct points *points, const struct packet *packet,
                 const struct flow_note *note);

/* A packet has arrived from this MAC address. `usable`: packet_decode() could read it. Returns
 * true if it counts: what was sent was chosen; of what was never sent, it is itself. */
bool points_arrived(struct points *points, const struct packet *packet, const uint8_t *source,
                    bool chosen, bool usable);

/* No more packets: what has not arrived is lost. */
void points_finish(struct points *points);

/* After points_finish(): whether there are two points, and the packet since which there are. */
bool points_two(const struct points *points, uint64_t *since);

/* Arrivals of TCP and UDP that were never sent, and the first one (0 none). */
uint64_t points_unmatched(const struct points *points, uint64_t *first);

#endif
