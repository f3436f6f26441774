/* ladder_stream_internal.h - what the parts of a ladder_stream share: ladder_stream.c takes the
 * packets, ladder_turn.c decides what is drawn when, ladder_tell.c puts a row into words. */
#ifndef LABCAP_LADDER_STREAM_INTERNAL_H
#define LABCAP_LADDER_STREAM_INTERNAL_H

#include "ladder_icmp.h"
#include "ladder_rows.h"
#include "ladder_sink.h"
#include "ladder_strand.h"
#include "ladder_stream.h"

enum { FRAGMENTED_MAX = 16 };

/* A datagram whose fragments are still coming. */
struct fragmented_row {
    uint64_t packet;
    struct strand *strand;
};

struct ladder_stream {
    struct ladder_sink sink;
    struct ladder_wish wish;
    bool live;
    bool keep;   /* nothing can be told before the end: fates or calls may come */
    bool ending; /* no more packets */
    const struct fold_limits *limits; /* NULL: nothing is folded */

    struct strand **strands; /* by flow id; NULL where nothing is kept */
    size_t strand_capacity;
    uint64_t highest;  /* flow id so far */
    uint64_t turn;     /* the flow that is drawn, or will be next */
    uint64_t packets, last_packet;
    uint64_t rows_told;
    uint64_t points_from;

    struct rows rows, raw; /* where all flows are merged */
    struct strand *latest; /* merged: of the row before */
    int64_t latest_ns;
    bool started;

    struct row **kept; /* while `keep`: the segments by packet number */
    size_t kept_count, kept_capacity;
    struct fragmented_row fragmented[FRAGMENTED_MAX];
    unsigned next_fragmented;
    uint64_t others[ICMP_KINDS];
};

/* ---- ladder_turn.c ---- */

/* Puts a row into its list, and draws what can be drawn. */
void turn_feed(struct ladder_stream *stream, struct row *row);

/* A packet has come: perhaps it is the turn of another flow, or of a heading. */
void turn_advance(struct ladder_stream *stream);

/* What was kept can be folded and drawn from now on. */
void turn_release(struct ladder_stream *stream);

/* Draws all that is left, with the calls. */
void turn_finish(struct ladder_stream *stream);

void strand_free(struct strand *strand);

/* ---- ladder_tell.c ---- */

void tell_row(struct ladder_stream *stream, struct row *row);

/* The heading of a flow, unless it is written; the sentences at its end. */
void tell_beginning(struct ladder_stream *stream, struct strand *strand);
void tell_ending(struct ladder_stream *stream, struct strand *strand);

/* Nothing is to be expected of the connection any more. */
bool is_over(const struct flow *flow);

#endif
