/* ladder_print.c - a ladder on the terminal. See ladder_sink.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ladder_out.h"
#include "ladder_sink.h"
#include "ladder_text.h"
#include "ladder_words.h"

enum { NS_PER_MS = 1000000, NAME_SIZE = 64, COUNT_SIZE = 96 };

/* The style for a row of this flow; where a call goes on, in *busy. */
static const struct style *lanes(const struct ladder_sink *sink, const struct strand *strand,
                                 struct style *busy)
{
    if (strand->open[0] <= 0 && strand->open[1] <= 0)
        return sink->style;
    *busy = *sink->style;
    busy->busy[0] = strand->open[0] > 0;
    busy->busy[1] = strand->open[1] > 0;
    return busy;
}

/* ---- Headings ---- */

static void name_flow(struct growing *g, const struct flow *flow)
{
    text_add(g, flow->protocol == IP_TCP ? "TCP connection " : "UDP flow ");
    text_add_number(g, flow->id);
}

/* "10 packets in 408 us" */
static void count_packets(struct growing *g, const struct strand *strand, bool utf8)
{
    struct span span;

    span_tell(&span, strand_duration(strand), utf8);
    text_add_number(g, (int64_t)strand_packets(strand));
    text_add(g, strand_packets(strand) == 1 ? " packet in " : " packets in ");
    text_add(g, span.text);
}

static void ends_of(const struct flow *flow, char client[ENDPOINT_TEXT_MAX],
                    char server[ENDPOINT_TEXT_MAX])
{
    unsigned side = flow_client(flow);

    endpoint_text(client, &flow->end[side], flow->ip_version);
    endpoint_text(server, &flow->end[side ^ 1], flow->ip_version);
}

static void print_flow(struct ladder_sink *sink, struct strand *strand)
{
    char client[ENDPOINT_TEXT_MAX], server[ENDPOINT_TEXT_MAX];
    char heading[NAME_SIZE], details[COUNT_SIZE];
    struct growing name = text_begin(heading, sizeof heading);
    struct growing count = text_begin(details, sizeof details);
    const struct style *style = sink->style;

    if (sink->any)
        out_line_end();
    sink->any = true;
    sink->paragraph = false;
    name_flow(&name, strand->flow);
    if (strand->later)
        text_add(&name, ", later");
    if (strand->counted)
        count_packets(&count, strand, style->utf8);
    ladder_heading(style, heading, details);
    out_line_end();
    ends_of(strand->flow, client, server);
    ladder_ends(style, client, server);
    if (*strand->teller.state[0] != '\0')
        ladder_states(style, strand->teller.state[0], strand->teller.state[1]);
}

/* A paragraph in the midst of merged rows has an empty line behind it, too. */
static void leave_paragraph(struct ladder_sink *sink)
{
    if (sink->paragraph)
        out_line_end();
    sink->paragraph = false;
}

static void print_resume(struct ladder_sink *sink, struct strand *strand)
{
    char heading[2 * ENDPOINT_TEXT_MAX + 32], client[ENDPOINT_TEXT_MAX], server[ENDPOINT_TEXT_MAX];
    struct growing g = text_begin(heading, sizeof heading);
    const struct style *style = sink->style;

    leave_paragraph(sink);
    ends_of(strand->flow, client, server);
    say(&g, "%" PRIu32 ": %s %s %s", strand->flow->id, client, style->utf8 ? "\u2194" : "<->",
        server);
    if (text_columns(heading, style->utf8) > style->width - 4) {
        g = text_begin(heading, sizeof heading);
        name_flow(&g, strand->flow);
    }
    ladder_heading(style, heading, "");
}

/* ---- Rows ---- */

static void print_payload(const struct style *style, const struct row *row, bool to_server)
{
    char text[4 * LADDER_WIDTH_MAX + 1];
    int columns = payload_text(text, sizeof text, row->payload, row->payload_kept,
                               row->payload_kept < row->segment.payload_len,
                               ladder_area(style) - 2, style->utf8);

    ladder_line(style, to_server, TONE_QUIET, text, columns);
}

static void print_segment(struct ladder_sink *sink, struct strand *strand, const struct row *row,
                          const struct ladder_row *words, int64_t gap_ns, const char *phase)
{
    struct style busy;
    const struct style *style = lanes(sink, strand, &busy);

    (void)gap_ns;
    if (phase != NULL)
        ladder_phase(style, phase);
    ladder_arrow(style, words);
    if (row->payload_kept > 0)
        print_payload(style, row, words->to_server);
}

/* EAGAIN, EINPROGRESS and EINTR are how calls say that all is well so far. */
static enum tone tone_of(const struct call_row *call)
{
    if (call->result != NULL && strncmp(call->result, "= -1", 4) == 0 &&
        strstr(call->result, "EAGAIN") == NULL && strstr(call->result, "EINPROGRESS") == NULL &&
        strstr(call->result, "EINTR") == NULL)
        return TONE_BAD;
    return call->weight == CALL_QUIET ? TONE_QUIET : TONE_CALL;
}

static void print_call(struct ladder_sink *sink, struct strand *strand,
                       const struct call_row *call, const char *const state[2])
{
    const char *text = call->part == CALL_END ? call->texts[2] : NULL;
    char after[SPAN_TEXT_MAX + 8] = "";
    struct span span;
    struct style style = *sink->style;
    struct ladder_call words = {
        .at_client = call->side == flow_client(strand->flow),
        .ends = call->part == CALL_END,
        .goes_on = call->part == CALL_BEGIN,
        .tone = tone_of(call),
        .process = call->process,
        .texts = {text ? text : call->texts[0], text ? text : call->texts[1], call->texts[2]},
        .result = call->result != NULL ? call->result : "",
        .after = after,
        .data = call->data,
        .data_kept = call->part != CALL_BEGIN ? call->data_kept : 0,
        .data_len = call->data_len,
        .note = call->note,
        .state = {state[0], state[1]}};

    style.busy[!words.at_client] = true;
    style.busy[words.at_client] = strand->open[words.at_client] > 0;
    if (call->part == CALL_END && call->duration_ns >= NS_PER_MS) {
        span_tell(&span, call->duration_ns, style.utf8);
        snprintf(after, sizeof after, "after %s", span.text);
    }
    ladder_call(&style, &words);
}

static void print_fold(struct ladder_sink *sink, struct strand *strand, const struct fold *fold,
                       int64_t gap_ns)
{
    char text[LADDER_NOTE_MAX * 2];
    struct span time = {0};

    (void)strand;
    if (fold->segments + fold->others > 0)
        span_tell(&time, gap_ns, sink->style->utf8);
    fold_text(text, sizeof text, fold);
    ladder_fold(sink->style, &time, text);
}

static void print_other(struct ladder_sink *sink, const struct other_packet *other, int64_t gap_ns)
{
    char text[160];
    struct span time = {0};

    if (sink->any)
        span_tell(&time, gap_ns, sink->style->utf8);
    leave_paragraph(sink);
    sink->any = true;
    other_packet_text(text, sizeof text, other, sink->style->utf8);
    ladder_across(sink->style, other->packet, &time, text);
}

static void print_outcome(struct ladder_sink *sink, struct strand *strand)
{
    char text[1280];
    struct growing g = text_begin(text, sizeof text);

    if (sink->merged) {
        name_flow(&g, strand->flow);
        text_add(&g, ": ");
    }
    if (!strand->counted) {
        count_packets(&g, strand, sink->style->utf8);
        text_add(&g, ". ");
    }
    tell_outcome(strand->flow, &g);
    if (sink->transits)
        tell_transit(strand->flow, &g);
    out_line_end();
    ladder_paragraph(sink->style, text);
    sink->paragraph = true;
}

const struct sink_kind ladder_print = {.flow = print_flow,
                                       .resume = print_resume,
                                       .segment = print_segment,
                                       .call = print_call,
                                       .fold = print_fold,
                                       .other = print_other,
                                       .outcome = print_outcome};
