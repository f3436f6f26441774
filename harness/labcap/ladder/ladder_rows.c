/* ladder_rows.c - see ladder_rows.h. */
#include "ladder_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "ladder_strand.h"
#include "ladder_text.h"
#include "memory.h"

/* ---- Rows ---- */

enum { CHUNK = BOUND(64, 4) };

struct row *rows_recycled;

_Static_assert(sizeof(struct row) == 2 * CACHE_LINE, "a row lies in as few lines as it can");

void rows_make(void)
{
    struct row *rows = need(aligned_alloc(CACHE_LINE, CHUNK * sizeof *rows)); /* for good */

    memset(rows, 0, CHUNK * sizeof *rows);
    for (size_t i = 0; i < CHUNK; i++) {
        rows[i].next = rows_recycled;
        rows_recycled = &rows[i];
    }
}

void row_free(struct row *row)
{
    if (row->payload != NULL)
        free(row->payload);
    if (row->kind == ROW_FOLD)
        free(row->fold);
    row->next = rows_recycled;
    rows_recycled = row;
}

/* ---- Folding ---- */

static void fold_segment(struct fold *fold, const struct row *row)
{
    const struct segment_record *s = &row->segment;
    struct strand *strand = row->strand;

    if (fold->others + fold->segments++ == 0)
        fold->first_packet = s->packet;
    fold->last_packet = s->packet;
    fold->last_ns = s->time_ns;
    fold->bytes[s->side != flow_client(strand->flow)] += s->payload_len;
    for (unsigned marks = s->marks; marks != 0; marks &= marks - 1)
        fold->marks[__builtin_ctz(marks)]++;
    if (strand->fold_serial != fold->serial)
        fold->flows++;
    strand->fold_serial = fold->serial;
    strand->told++;
    if (strand->flow->protocol == IP_TCP)
        fold->tcp = true;
    else
        fold->udp = true;
}

static void fold_call(struct fold *fold, const struct row *row)
{
    unsigned server = row->call->side != flow_client(row->strand->flow);

    fold->calls += row->call->part != CALL_END;
    row->strand->open[server] += row->call->part == CALL_BEGIN;
    row->strand->open[server] -= row->call->part == CALL_END;
}

static void fold_other(struct fold *fold, const struct row *row)
{
    if (fold->segments + fold->others++ == 0)
        fold->first_packet = row->other.packet;
    fold->last_packet = row->other.packet;
    fold->last_ns = row->other.time_ns;
}

static void fold_in(struct fold *fold, const struct row *row)
{
    if (row->kind == ROW_SEGMENT)
        fold_segment(fold, row);
    else if (row->kind == ROW_CALL)
        fold_call(fold, row);
    else
        fold_other(fold, row);
}

/* Makes the held row one that stands for many; for itself so far. */
static void begin_fold(struct rows *rows, const struct fold_limits *limits)
{
    static uint32_t serial;
    struct row *row = rows->held;
    struct fold *fold = need(calloc(1, sizeof *fold));

    fold->serial = ++serial;
    fold->tail = limits->tail;
    fold_in(fold, row);
    free(row->payload);
    row->payload = NULL;
    row->wait = WAIT_NOTHING;
    row->kind = ROW_FOLD;
    row->fold = fold;
    rows->fold = row;
    rows->unfolded--;
}

void rows_fold_rest(struct rows *rows)
{
    struct fold *fold = rows->fold->fold;
    struct row *row = rows->fold->next;

    for (; rows->unfolded > fold->tail; rows->unfolded--) {
        struct row *next = row->next;

        fold_in(fold, row);
        row_free(row);
        row = next;
    }
    rows->fold->next = row;
}

void rows_fold(struct rows *rows, const struct fold_limits *limits)
{
    if (rows->fold == NULL)
        begin_fold(rows, limits);
    rows_fold_rest(rows);
}

/* ---- The list ---- */

struct row *rows_first(const struct rows *rows)
{
    return rows->first != rows->held ? rows->first : NULL;
}

struct row *rows_take(struct rows *rows)
{
    struct row *row = rows->first;

    rows->first = row->next;
    prefetch(rows->first, sizeof *rows->first);
    if (rows->first == NULL)
        rows->last = NULL;
    return row;
}

/* ---- In words ---- */

struct words {
    char *text;
    size_t used, size;
};

/* ", 589,824 bytes to the server" */
static void say_count(struct words *w, const char *before, uint64_t count, const char *one,
                      const char *many)
{
    char number[NUMBER_TEXT_MAX];

    count_text(number, count);
    if (w->used < w->size)
        w->used += (size_t)snprintf(w->text + w->used, w->size - w->used, "%s%s %s",
                                    w->used > 0 ? before : "", number, count == 1 ? one : many);
}

static void say_segments(struct words *w, const struct fold *fold)
{
    if (fold->tcp && fold->udp)
        say_count(w, "", fold->segments, "packet", "packets");
    else if (fold->udp)
        say_count(w, "", fold->segments, "datagram", "datagrams");
    else
        say_count(w, "", fold->segments, "segment", "segments");
    if (fold->flows > 1)
        say_count(w, " of ", fold->flows, "connection", fold->udp ? "flows" : "connections");
    if (fold->bytes[0] > 0)
        say_count(w, ", ", fold->bytes[0], "byte to the server", "bytes to the server");
    if (fold->bytes[1] > 0)
        say_count(w, ", ", fold->bytes[1], "byte to the client", "bytes to the client");
}

static void say_marks(struct words *w, const struct fold *fold)
{
    static const struct {
        uint32_t mark;
        const char *one, *many;
    } names[] = {{MARK_RETRANSMISSION, "retransmission", "retransmissions"},
                 {MARK_PARTLY_NEW, "partly retransmitted", "partly retransmitted"},
                 {MARK_OUT_OF_ORDER, "out of order", "out of order"},
                 {MARK_DUPLICATE_ACK, "duplicate ACK", "duplicate ACKs"},
                 {MARK_KEEP_ALIVE, "keep-alive", "keep-alives"},
                 {MARK_WINDOW_PROBE, "window probe", "window probes"},
                 {MARK_ZERO_WINDOW, "zero window", "zero windows"},
                 {MARK_RESET, "reset", "resets"},
                 {MARK_UNREACHABLE, "answered by ICMP", "answered by ICMP"},
                 {MARK_CUT, "longer than the wire", "longer than the wire"},
                 {MARK_LOST, "lost", "lost"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t count = fold->marks[__builtin_ctz(names[i].mark)];

        if (count > 0)
            say_count(w, ", ", count, names[i].one, names[i].many);
    }
}

void fold_text(char *text, size_t size, const struct fold *fold)
{
    struct words w = {text, 0, size};

    *text = '\0';
    if (fold->segments > 0)
        say_segments(&w, fold);
    say_marks(&w, fold);
    if (fold->others > 0)
        say_count(&w, ", ", fold->others, "ICMP message", "ICMP messages");
    if (fold->calls > 0)
        say_count(&w, "; ", fold->calls, "call", "calls");
}
