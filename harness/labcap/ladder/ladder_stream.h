/* ladder_stream.h - ladders drawn while the packets come.
 *
 * Packets go through a chain: kept until it is their turn; a SYN until its answer tells whether
 * somebody listened, a first FIN until the teardown shows whether it takes three segments or four;
 * folded where there are many of a kind; told in words; drawn. Of the flows of a trace the first
 * is drawn as it comes, the others wait for their turn in a few rows each. A live stream leaves out
 * all but the last two steps: each packet is drawn as it is given. */
#ifndef LABCAP_LADDER_STREAM_H
#define LABCAP_LADDER_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.h"
#include "flow.h"
#include "ladder_draw.h"
#include "packet.h"
#include "points.h"

struct ladder_stream;

/* What is drawn of a trace, and how. */
struct ladder_wish {
    const struct style *style; /* looked at for each row: its owner may change it in between */
    struct calls *calls;       /* NULL none; used until the end, not closed */
    uint64_t only;             /* flow id; 0: all */
    uint64_t rows;             /* flows behind so many rows are told without any; 0: none is */
    bool payload, all /* nothing is folded */, merged /* in the order of time */, json;
};

/* All flows in the order of time, at once. Exits when out of memory, as the others do. */
struct ladder_stream *ladder_stream_live(const struct style *style, bool payload);

/* A trace that is read to its end. */
struct ladder_stream *ladder_stream_new(const struct ladder_wish *wish);

/* A packet of this flow is next, or soon: the processor may fetch what it takes. */
void ladder_stream_expect(const struct ladder_stream *stream, const struct flow *flow);

/* The next packet of the trace, after the flow table has learned from it. note->flow may be NULL:
 * ICMP about no flow of the table is told too, anything else is left out. */
void ladder_stream_packet(struct ladder_stream *stream, const struct packet *packet,
                          const struct flow_note *note);

/* What a trace_listener is told besides. A live stream does not draw what became of a packet; that
 * there are two points it must know to sum it up. */
void ladder_stream_datagram(struct ladder_stream *stream, uint64_t packet, uint64_t fragments);
void ladder_stream_fate(struct ladder_stream *stream, const struct fate *fate);
void ladder_stream_points(struct ladder_stream *stream, bool two);

/* The number of the last packet that was kept, 0 none; whether anything was drawn of it. */
uint64_t ladder_stream_last(const struct ladder_stream *stream, bool *drawn);

/* Writes what was drawn to stdout: when no further packet waits. */
void ladder_stream_flush(struct ladder_stream *stream);

/* No more packets: draws what is left of a trace. `calls` as in the wish, NULL if they turned out
 * not to belong to it; packets after `points_from` are told with their fates (UINT64_MAX: none). */
void ladder_stream_end(struct ladder_stream *stream, const struct calls *calls,
                       uint64_t points_from);

/* Tells the outcome of what is still open, writes all to stdout and frees the stream. Returns
 * whether any flow was drawn. */
bool ladder_stream_finish(struct ladder_stream *stream);

#endif
