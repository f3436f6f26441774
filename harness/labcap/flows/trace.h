/* trace.h - a whole file: read, decoded, followed.
 *
 * The one loop that `flows`, `check` and `show` share. A caller that wants to see the packets
 * as they come passes a function. */
#ifndef LABCAP_TRACE_H
#define LABCAP_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "packet.h"
#include "points.h"
#include "retire.h"

/* Exit statuses of every command. */
enum { EXIT_MET = 0, EXIT_NOT_MET = 1, EXIT_USAGE = 2, EXIT_UNTRUSTED = 3 };

/* packets = decoded + the skipped ones + arrivals, all after the filter. */
struct trace {
    const char *file;
    uint64_t packets, decoded;
    uint64_t not_ip, fragment, cut, malformed, duplicates;
    bool two_points;      /* packets stand in it as they were sent, and again as they arrived: */
    uint64_t points_from; /* those after this one */
    uint64_t arrivals;
    uint64_t unmatched, first_unmatched; /* arrivals of what was never sent; its number */
    uint64_t marks; /* of the wire between the points; they are in not_ip */
    uint64_t drops;
    bool complete; /* the file was read to its end */
    uint64_t first_cut, first_fragment; /* packet numbers; 0 none */
    uint64_t max_flows;   /* in memory at a time */
    uint64_t early, first_early; /* flows told for want of room, and from which packet on */
    uint64_t left_out;    /* packets of flows that there was no room for */
    uint64_t late, first_late; /* packets of connections that had been told as ended */
    uint64_t gave_up, first_gave_up; /* packets above too many holes in their direction */
    struct flow_table *flows;
};

/* Called for each packet that the filter leaves and that belongs to a flow, in file order, after
 * the flow has learned from it. `packet` and its payload are valid during the call only;
 * note->flow until trace_free(). */
typedef void trace_packet_fn(void *context, const struct packet *packet,
                             const struct flow_note *note);

/* Called when the last missing fragment of a datagram has been seen: `packet` is the number of
 * its first fragment, which trace_packet_fn was called with. */
typedef void trace_datagram_fn(void *context, uint64_t packet, uint64_t fragments);

/* Called for each packet that the filter leaves and that could be read, but belongs to no flow. */
typedef void trace_other_fn(void *context, const struct packet *packet);

/* Called when it is decided that the trace has one point, and should it turn out to have two all
 * the same. Until the first call it may have two. */
typedef void trace_points_fn(void *context, bool two);

/* Called once for each flow of a file, when no more is expected of it: at the end, in the order of
 * their ids; some before, where there are very many (retire.h). `flow` is valid during the call
 * only. Who does not ask for flows finds them all in the table. */
typedef void trace_flow_fn(void *context, const struct trace *trace, const struct flow *flow);

/* A packet of this flow will probably be told of soon: the processor may fetch what that takes. */
typedef void trace_expect_fn(void *context, const struct flow *flow);

/* Who wants to see packets as they come; each may be NULL. */
struct trace_listener {
    trace_packet_fn *packet;
    trace_datagram_fn *datagram;
    fate_fn *fate; /* in a trace that may have two points, after `packet` */
    void *context;
    trace_other_fn *other;
    trace_points_fn *points;
    trace_flow_fn *flow;
    trace_expect_fn *expect;
    bool no_octets;     /* `packet` and `other` do not look at packet->ip and packet->payload */
    uint64_t max_flows; /* at a time (retire.h); 0: RETIRE_LIMIT */
    bool as_they_end; /* `flow` of a stream need not wait for its end, and prints to stdout */
};

/* Reads `path` ("-" is standard input), applies `filter` (NULL: none) to what was sent: an
 * arrival is chosen with its packet. Tells `listener` (NULL: nobody).
 * What is wrong goes to stderr, one line each, prefixed by "labcap: ".
 * Returns EXIT_MET; EXIT_USAGE for a bad filter (nothing was read, *trace is empty, its flows
 * NULL); EXIT_UNTRUSTED when the file could not be opened (flows NULL), or was cut, tells of
 * drops, or has packets that are cut or TCP in IP fragments, or that arrived and were never
 * sent, or more flows at a time than there is room for, or packets of connections that had been
 * told as ended, or too many holes at a time in one direction of a connection (then *trace holds
 * what could be read). */
int trace_read(struct trace *trace, const char *path, const char *filter,
               const struct trace_listener *listener);
void trace_free(struct trace *trace);

/* The same for packets that are not in a file: one call for each, and an end. `name` is what
 * trace->file will be. Nothing is said on stderr. */
struct reading;
struct reader_frame;

struct reading *trace_begin(struct trace *trace, const char *name, int link_type,
                            const struct trace_listener *listener);
void trace_take(struct reading *reading, const struct reader_frame *frame);
void trace_end(struct reading *reading); /* frees the reading, not the trace */

/* Flushes stdout. Returns `status`, or EXIT_UNTRUSTED after a line on stderr if something could
 * not be written (a full disk). The last call of every command. */
int finish_output(int status);

#endif
