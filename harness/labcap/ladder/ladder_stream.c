/* ladder_stream.c - see ladder_stream.h. */
#include "ladder_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "fragment.h"
#include "ladder_out.h"
#include "ladder_stream_internal.h"
#include "memory.h"

enum { PACKETS_AT_ONCE = BOUND(64, 8) }; /* then what was drawn is written */

/* Calls make a run longer than its packets are. */
static const struct fold_limits packets_only = {.head = 10, .tail = 6, .folded = 24};
static const struct fold_limits with_calls = {.head = 16, .tail = 10, .folded = 24};

struct ladder_stream *ladder_stream_new(const struct ladder_wish *wish)
{
    struct ladder_stream *s = need(calloc(1, sizeof *s));

    s->wish = *wish;
    s->sink = (struct ladder_sink){.kind = wish->json ? &ladder_json : &ladder_print,
                                   .style = wish->style,
                                   .merged = wish->merged};
    s->limits = wish->all ? NULL : wish->calls != NULL ? &with_calls : &packets_only;
    s->keep = true;
    s->turn = 1;
    s->points_from = UINT64_MAX;
    return s;
}

struct ladder_stream *ladder_stream_live(const struct style *style, bool payload)
{
    struct ladder_wish wish = {
        .style = style, .payload = payload, .all = true, .merged = true};
    struct ladder_stream *s = ladder_stream_new(&wish);

    s->live = true;
    s->keep = false;
    return s;
}

/* ---- Strands ---- */

static struct strand *strand_of(struct ladder_stream *s, struct flow *flow)
{
    uint64_t id = flow->id;

    if (id >= s->strand_capacity) {
        size_t larger = s->strand_capacity * 2 > id ? s->strand_capacity * 2 : id + 64;

        s->strands = need(reallocarray(s->strands, larger, sizeof(struct strand *)));
        memset(s->strands + s->strand_capacity, 0,
               (larger - s->strand_capacity) * sizeof(struct strand *));
        s->strand_capacity = larger;
    }
    if (s->strands[id] == NULL) {
        s->strands[id] = need(calloc(1, sizeof(struct strand)));
        s->strands[id]->flow = flow;
        s->strands[id]->later = id < s->turn;
    }
    if (id > s->highest)
        s->highest = id;
    return s->strands[id];
}

void ladder_stream_expect(const struct ladder_stream *s, const struct flow *flow)
{
    if (flow->id < s->strand_capacity)
        prefetch(s->strands[flow->id], offsetof(struct strand, teller));
}

/* ---- Keeping a packet ---- */

static void keep_payload(struct row *row, const struct packet *packet)
{
    size_t count = packet->payload_captured;

    if (count == 0 || row->segment.payload_len == 0 || (row->segment.marks & MARK_UNREACHABLE))
        return;
    if (count > PAYLOAD_KEPT_MAX)
        count = PAYLOAD_KEPT_MAX;
    row->payload = need(malloc(count));
    memcpy(row->payload, packet->payload, count);
    row->payload_kept = (uint16_t)count;
}

static void remember_kept(struct ladder_stream *s, struct row *row)
{
    if (s->kept_count == s->kept_capacity) {
        s->kept_capacity = s->kept_capacity > 0 ? s->kept_capacity * 2 : 64;
        s->kept = need(reallocarray(s->kept, s->kept_capacity, sizeof(struct row *)));
    }
    s->kept[s->kept_count++] = row;
}

/* Where the next one is remembered: who lacks fragments for ever makes room last. */
static struct fragmented_row *fragmented_place(struct ladder_stream *s)
{
    for (unsigned i = 0; i < FRAGMENTED_MAX; i++)
        if (s->fragmented[i].strand == NULL)
            return &s->fragmented[i];
    return &s->fragmented[s->next_fragmented++ % FRAGMENTED_MAX];
}

static inline enum row_wait wait_of(struct ladder_stream *s, struct strand *strand,
                                    const struct segment_record *segment,
                                    const struct flow_note *note)
{
    if (s->live)
        return WAIT_NOTHING;
    if (segment->incomplete) {
        *fragmented_place(s) = (struct fragmented_row){segment->packet, strand};
        return WAIT_FRAGMENTS;
    }
    if (note->tcp.handshake == 1 && note->first)
        return WAIT_ANSWER;
    return (note->tcp.teardown & STEP_FIRST_FIN) && !strand->teardown_decided ? WAIT_TEARDOWN
                                                                             : WAIT_NOTHING;
}

static void learn_teardown(struct strand *strand, uint8_t steps)
{
    const uint8_t both = STEP_FIRST_FIN_ACK | STEP_SECOND_FIN;

    strand->teardown_decided |= (steps & both) != 0;
    strand->three_step_teardown |= (steps & both) == both;
}

static struct row *keep_segment(struct ladder_stream *s, struct strand *strand,
                                const struct packet *packet, const struct flow_note *note)
{
    struct row *row = row_new(strand);

    row->kind = ROW_SEGMENT;
    segment_keep(&row->segment, packet, note);
    if (strand->flow->protocol == IP_TCP)
        acks_take(strand->acks, &row->segment);
    if (s->wish.payload || s->wish.json)
        keep_payload(row, packet);
    learn_teardown(strand, note->tcp.teardown);
    row->wait = (uint8_t)wait_of(s, strand, &row->segment, note);
    row->segment.incomplete &= !s->live;
    if (strand->packets++ == 0)
        strand->first_ns = packet->time_ns;
    strand->icmp += (note->tcp.marks & MARK_UNREACHABLE) != 0;
    strand->latest = s->packets;
    row->order = (uint32_t)(s->wish.merged ? s->packets : strand->packets);
    s->last_packet = packet->number;
    return row;
}

static inline void take(struct ladder_stream *s, struct row *row)
{
    static const struct fold_limits *const none;
    struct rows *raw = s->wish.merged ? &s->raw : &row->strand->raw;

    if (!s->keep) {
        turn_feed(s, row);
        return;
    }
    rows_append(raw, row, false, none);
    if (row->kind == ROW_SEGMENT)
        remember_kept(s, row);
}

static void take_other(struct ladder_stream *s, const struct packet *packet)
{
    struct other_packet other;
    struct row *row;

    if (s->wish.only != 0 || !other_packet_keep(&other, packet))
        return;
    s->others[other.kind]++;
    if (!s->wish.merged)
        return;
    row = row_new(NULL);
    row->kind = ROW_OTHER;
    row->other = other;
    row->order = (uint32_t)s->packets;
    s->last_packet = packet->number;
    take(s, row);
}

void ladder_stream_packet(struct ladder_stream *s, const struct packet *packet,
                          const struct flow_note *note)
{
    struct flow *flow = note->flow;

    s->packets++;
    if (flow == NULL)
        take_other(s, packet);
    else if ((s->wish.only == 0 || s->wish.only == flow->id) &&
             !(note->tcp.marks & MARK_DUPLICATE))
        take(s, keep_segment(s, strand_of(s, flow), packet, note));
    if (s->packets % PACKETS_AT_ONCE == 0) {
        turn_advance(s);
        if (!s->live)
            out_flush();
    }
}

/* ---- What is told of it later ---- */

static struct row *find_kept(struct ladder_stream *s, uint64_t packet)
{
    size_t low = 0, high = s->kept_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->kept[middle]->segment.packet < packet)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->kept_count && s->kept[low]->segment.packet == packet ? s->kept[low] : NULL;
}

/* Among the rows that wait, if it still does. */
static struct row *find_fragmented(struct ladder_stream *s, uint64_t packet)
{
    for (unsigned i = 0; i < FRAGMENTED_MAX; i++) {
        struct strand *strand = s->fragmented[i].strand;
        struct row *row;

        if (strand == NULL || s->fragmented[i].packet != packet)
            continue;
        s->fragmented[i].strand = NULL;
        row = s->wish.merged ? s->rows.first : strand->rows.first;
        while (row != NULL && (row->kind != ROW_SEGMENT || row->segment.packet != packet))
            row = row->next;
        return row;
    }
    return NULL;
}

void ladder_stream_datagram(struct ladder_stream *s, uint64_t packet, uint64_t fragments)
{
    struct row *row = find_fragmented(s, packet);

    if (s->keep)
        row = find_kept(s, packet);
    if (row == NULL)
        return;
    segment_whole(&row->segment, fragments);
    row->wait = WAIT_NOTHING;
}

void ladder_stream_fate(struct ladder_stream *s, const struct fate *fate)
{
    struct row *row = s->keep ? find_kept(s, fate->packet) : NULL;

    if (row != NULL)
        segment_fate(&row->segment, fate);
}

void ladder_stream_points(struct ladder_stream *s, bool two)
{
    s->sink.transits = two;
    if (s->live)
        return;
    if (two)
        s->keep = true;
    else if (s->wish.calls == NULL)
        turn_release(s);
}

/* ---- The end ---- */

uint64_t ladder_stream_last(const struct ladder_stream *s, bool *drawn)
{
    *drawn = s->sink.any;
    return s->last_packet;
}

void ladder_stream_flush(struct ladder_stream *s)
{
    (void)s;
    out_flush();
}

void ladder_stream_end(struct ladder_stream *s, const struct calls *calls, uint64_t points_from)
{
    s->sink.calls = calls;
    if (calls == NULL && s->limits != NULL)
        s->limits = &packets_only;
    s->points_from = points_from;
    s->sink.transits = points_from != UINT64_MAX;
    turn_finish(s);
}

/* ICMP beside the flows; where they are merged it stands among them. */
static void tell_others(const struct ladder_stream *s)
{
    char text[512], besides[560];

    other_packets_text(text, sizeof text, s->others);
    if (*text == '\0' || s->wish.merged || s->wish.json)
        return;
    if (s->sink.any)
        out_line_end();
    snprintf(besides, sizeof besides, "%s: %s.", s->sink.any ? "Besides" : "Of no flow", text);
    ladder_paragraph(s->sink.style, besides);
}

bool ladder_stream_finish(struct ladder_stream *s)
{
    bool any = s->sink.any;

    if (!s->ending)
        turn_finish(s);
    tell_others(s);
    out_flush();
    for (uint64_t id = 1; id <= s->highest; id++)
        if (s->strands[id] != NULL)
            strand_free(s->strands[id]);
    free(s->strands);
    free(s->kept);
    free(s);
    return any;
}
