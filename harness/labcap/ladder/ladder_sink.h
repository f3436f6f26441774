/* ladder_sink.h - where a ladder goes, in words: to the terminal, or as JSON. */
#ifndef LABCAP_LADDER_SINK_H
#define LABCAP_LADDER_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.h"
#include "ladder_draw.h"
#include "ladder_strand.h"

struct ladder_sink;

struct sink_kind {
    /* A flow's rows follow, for the first time; or once more, where flows are merged. */
    void (*flow)(struct ladder_sink *sink, struct strand *strand);
    void (*resume)(struct ladder_sink *sink, struct strand *strand);
    /* `phase` is NULL unless one begins with this packet. */
    void (*segment)(struct ladder_sink *sink, struct strand *strand, const struct row *row,
                    const struct ladder_row *words, int64_t gap_ns, const char *phase);
    void (*call)(struct ladder_sink *sink, struct strand *strand, const struct call_row *call,
                 const char *const state[2]);
    void (*fold)(struct ladder_sink *sink, struct strand *strand, const struct fold *fold,
                 int64_t gap_ns);
    void (*other)(struct ladder_sink *sink, const struct other_packet *other, int64_t gap_ns);
    void (*outcome)(struct ladder_sink *sink, struct strand *strand);
};

struct ladder_sink {
    const struct sink_kind *kind;
    const struct style *style;
    const struct calls *calls; /* NULL none */
    bool transits;             /* what became of the packets is told */
    bool merged, any;          /* `any`: something was written, */
    bool paragraph;            /* and a paragraph was the last of it */
};

/* Bytes of payload that a sink can use of a packet. */
enum { PAYLOAD_KEPT_MAX = 4 * LADDER_WIDTH_MAX };

extern const struct sink_kind ladder_print, ladder_json;

#endif
