/* ladder_turn.c - what is drawn when. See ladder_stream_internal.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ladder_calls.h"
#include "ladder_ordinary.h"
#include "ladder_out.h"
#include "ladder_stream_internal.h"
#include "memory.h"

enum {
    WAIT_PACKETS = 1024,  /* so long a row waits for what would complete it */
    QUIET_PACKETS = 1024, /* so long nothing must come for a closed connection to be over */
    OWN_PACKETS = 256,    /* a flow of more is drawn before its end is known, */
    ANY_PACKETS = 2048,   /* and so is one that is behind by more of them */
    OUTCOMES_MAX = 8      /* at the end of a live ladder */
};

/* ---- Drawing ---- */

static uint64_t clock_of(const struct ladder_stream *s, const struct strand *strand)
{
    return s->wish.merged || strand == NULL ? s->packets : strand->packets;
}

static bool is_blocked(const struct ladder_stream *s, const struct row *row)
{
    const struct strand *strand = row->strand;

    if (row->wait == WAIT_NOTHING || s->ending ||
        (uint32_t)clock_of(s, strand) - row->order > WAIT_PACKETS ||
        s->packets - strand->latest > ANY_PACKETS)
        return false;
    if (row->wait == WAIT_ANSWER)
        return strand->flow->tcp.syn_ack == 0 && strand->flow->tcp.reset == 0;
    return row->wait == WAIT_FRAGMENTS || !strand->teardown_decided;
}

static void drain(struct ladder_stream *s, struct rows *rows)
{
    struct row *row;

    if (s->wish.merged && rows->fold != NULL) /* how many are told is asked of each flow */
        rows_fold_rest(rows);
    while ((row = rows_first(rows)) != NULL && !is_blocked(s, row)) {
        rows_take(rows);
        tell_row(s, row);
        row_free(row);
    }
}

void turn_feed(struct ladder_stream *s, struct row *row)
{
    struct strand *strand = row->strand;
    struct rows *rows = s->wish.merged ? &s->rows : &strand->rows;
    bool ordinary = row_is_ordinary(row, s->points_from, s->wish.merged);

    rows_append(rows, row, ordinary, s->limits);
    if (s->ending || (s->wish.merged && !s->wish.json) ||
        (!s->wish.merged && strand->begun && strand->flow->id == s->turn))
        drain(s, rows);
}

/* ---- The flows in turn ---- */

void strand_free(struct strand *strand)
{
    struct rows *lists[] = {&strand->rows, &strand->raw};

    for (size_t i = 0; i < 2; i++) {
        rows_settle(lists[i]);
        while (lists[i]->first != NULL)
            row_free(rows_take(lists[i]));
    }
    acks_free(strand->acks);
    free(strand);
}

/* Its rows are not wanted, for there were enough before it. */
static bool is_left_out(const struct ladder_stream *s, const struct strand *strand)
{
    return s->wish.rows > 0 && s->rows_told >= s->wish.rows && !strand->begun;
}

/* Two strands behind this one it is time to ask for what is known of it, one behind it for what
 * that leads to: mostly they were told of long ago. */
static void prefetch_behind(const struct ladder_stream *s, uint64_t id)
{
    const struct strand *next = id < s->highest ? s->strands[id + 1] : NULL;

    if (next != NULL) {
        prefetch(next->flow, offsetof(struct flow, tcp) + sizeof next->flow->tcp);
        prefetch(next->rows.first, sizeof *next->rows.first);
    }
    if (s->highest - id > 1)
        prefetch(s->strands[id + 2], sizeof *next);
}

/* All that is kept of it, and its end. */
static void draw_rest(struct ladder_stream *s, struct strand *strand)
{
    uint64_t id = strand->flow->id;

    prefetch_behind(s, id);
    rows_settle(&strand->rows);
    if (is_left_out(s, strand))
        tell_beginning(s, strand);
    else
        drain(s, &strand->rows);
    tell_ending(s, strand);
    strand_free(strand);
    s->strands[id] = NULL;
}

static bool is_finished(const struct ladder_stream *s, const struct strand *strand)
{
    return is_over(strand->flow) && s->packets - strand->latest > QUIET_PACKETS;
}

static bool is_time_to_begin(const struct ladder_stream *s, const struct strand *strand)
{
    const struct row *first = rows_first(&strand->rows);

    return !s->wish.json && first != NULL && !is_blocked(s, first) &&
           (strand->packets > OWN_PACKETS || s->packets - strand->latest > ANY_PACKETS);
}

void turn_advance(struct ladder_stream *s)
{
    if (s->keep || s->wish.merged)
        return;
    for (; s->turn <= s->highest; s->turn++) {
        struct strand *strand = s->strands[s->turn];

        if (strand == NULL)
            continue;
        if (is_finished(s, strand)) {
            strand->counted |= !strand->begun;
            draw_rest(s, strand);
            continue;
        }
        if (!strand->begun && is_time_to_begin(s, strand)) {
            tell_beginning(s, strand);
            drain(s, &strand->rows);
        }
        return;
    }
}

/* ---- What was kept ---- */

/* Feeds the rows of a list, and each call where it belongs. */
static void replay(struct ladder_stream *s, struct rows *raw, const struct call_list *calls)
{
    size_t next = 0;

    while (raw->first != NULL || next < calls->count) {
        const struct listed_call *call = next < calls->count ? &calls->list[next] : NULL;
        struct row *row = raw->first;

        if (call != NULL && (row == NULL || call->call->after_packet < row_packet(row))) {
            row = row_new(call->strand);
            row->kind = ROW_CALL;
            row->call = call->call;
            row->order = 0;
            next++;
        } else {
            rows_take(raw);
        }
        turn_feed(s, row);
    }
}

void turn_release(struct ladder_stream *s)
{
    static const struct call_list none = {0};

    s->keep = false;
    free(s->kept);
    s->kept = NULL;
    s->kept_count = s->kept_capacity = 0;
    if (s->wish.merged)
        replay(s, &s->raw, &none);
    for (uint64_t id = s->turn; id <= s->highest; id++)
        if (s->strands[id] != NULL)
            replay(s, &s->strands[id]->raw, &none);
}

/* ---- The end ---- */

/* A live ladder ends when somebody has seen enough, perhaps of a flood: the outcome of a few
 * flows, and how many more there were. */
static void end_flows(struct ladder_stream *s)
{
    uint64_t told = 0, left = 0;
    char text[64];

    for (uint64_t id = 1; id <= s->highest; id++) {
        struct strand *strand = s->strands[id];

        if (strand == NULL || strand->told_outcome)
            continue;
        if (s->live && told == OUTCOMES_MAX) {
            left++;
            continue;
        }
        tell_ending(s, strand);
        told++;
    }
    if (left == 0)
        return;
    snprintf(text, sizeof text, "And %" PRIu64 " more flow%s.", left, left == 1 ? "" : "s");
    out_line_end();
    ladder_paragraph(s->sink.style, text);
}

static void finish_merged(struct ladder_stream *s)
{
    struct call_list calls = list_calls(s->sink.calls, s->strands, 1, s->highest);

    replay(s, &s->raw, &calls);
    rows_settle(&s->rows);
    drain(s, &s->rows);
    end_flows(s);
    free(calls.list);
}

static void finish_flow(struct ladder_stream *s, uint64_t id)
{
    struct strand *strand = s->strands[id];
    struct call_list calls;

    if (strand == NULL)
        return;
    if (!is_left_out(s, strand)) {
        drain(s, &strand->rows);
        calls = list_calls(s->sink.calls, s->strands, id, id);
        replay(s, &strand->raw, &calls);
        free(calls.list);
    }
    draw_rest(s, strand);
}

void turn_finish(struct ladder_stream *s)
{
    uint64_t turn = s->turn;

    s->ending = true;
    if (s->wish.merged) {
        finish_merged(s);
        return;
    }
    for (s->turn = turn; s->turn <= s->highest; s->turn++)
        finish_flow(s, s->turn);
    for (uint64_t id = 1; id < turn && id <= s->highest; id++)
        finish_flow(s, id); /* what came after their ends */
}
