/* trace.c - see trace.h. */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "fragment.h"
#include "memory.h"
#include "passage.h"
#include "reader.h"
#include "trace_internal.h"

/* Octets: to map fewer takes longer than to read them. */
enum { MAPPED_MIN = BOUND(1 << 20, 256) };

/* Octets from a packet to those of the file that the processor is to fetch meanwhile. */
enum { FETCHED_AHEAD = 2048 };

static inline void count(struct trace *t, enum decode_result result, uint64_t number)
{
    switch (result) {
    case DECODE_OK:
        t->decoded++;
        break;
    case DECODE_NOT_IP:
        t->not_ip++;
        break;
    case DECODE_FRAGMENT:
        if (t->fragment++ == 0)
            t->first_fragment = number;
        break;
    case DECODE_CUT:
        if (t->cut++ == 0)
            t->first_cut = number;
        break;
    case DECODE_MALFORMED:
    case DECODE_RESULTS:
        t->malformed++;
        break;
    }
}

static void tell_flow(void *context, struct flow *flow)
{
    const struct reading *r = context;

    r->listener.flow(r->listener.context, r->trace, flow);
}

/* In a trace with two points flows stay: what arrives leads to them. */
static void make_room(struct reading *r, const struct packet *packet)
{
    if (r->listener.flow != NULL && !r->watching)
        retire_look(&r->retiring, r->trace->flows, packet, tell_flow, r);
}

/* A packet as it was sent. note->flow is NULL if the flow table cannot use it. */
static void take_packet(struct reading *r, const struct packet *packet,
                        enum decode_result result, struct flow_note *note)
{
    struct trace *t = r->trace;

    t->packets++;
    if (result != DECODE_OK && !packet->cut) {
        count(t, result, packet->number);
        memset(note, 0, sizeof *note);
        return;
    }
    if (flow_table_add(t->flows, packet, note))
        count(t, result, packet->number);
    else
        t->duplicates++;
    if (r->listener.packet != NULL && note->flow != NULL)
        r->listener.packet(r->listener.context, packet, note);
    if (r->listener.other != NULL && note->flow == NULL)
        r->listener.other(r->listener.context, packet);
    if (r->listener.datagram != NULL && note->whole)
        r->listener.datagram(r->listener.context, note->datagram->first_packet,
                             note->datagram->pieces);
    if (r->streams && note->flow != NULL)
        retire_queue(&r->retiring, note->flow);
    if (note->first && note->flow != NULL)
        make_room(r, packet);
}

static void watch(struct reading *r, bool matter)
{
    if (matter != r->watching && r->listener.points != NULL)
        r->listener.points(r->listener.context, matter);
    r->watching = matter;
}

/* In a trace with two points flows stay, here too. */
void trace_tell_ended(struct reading *r, int64_t now_ns)
{
    if (!retire_is_due(&r->retiring, now_ns) || !points_after_an_end(r->points))
        return;
    watch(r, false);
    retire_ended(&r->retiring, r->trace->flows, now_ns, tell_flow, r);
}

/* In a trace that has, or may have, two points. */
static void take_at_a_point(struct reading *r, const struct packet *packet,
                            const struct reader_frame *frame, enum decode_result result)
{
    const uint8_t *source = packet_link_source(r->link_type, frame->bytes, frame->captured);
    enum frame_role role = points_role(r->points, packet, source);
    struct flow_note note;

    watch(r, points_matter(r->points));
    if (role == FRAME_ARRIVED) {
        if (points_arrived(r->points, packet, source, frame->chosen, result == DECODE_OK)) {
            r->trace->packets++;
            r->trace->arrivals++;
        }
        return;
    }
    if (frame->chosen)
        take_packet(r, packet, result, &note);
    if (role == FRAME_SENT)
        points_sent(r->points, packet, frame->chosen ? &note : NULL);
}

/* Asked of every frame of every trace: the type comes first. */
static inline bool is_mark(const struct reading *r, const struct reader_frame *f)
{
    if (f->captured < r->type_end || get_be16(f->bytes + r->type_end - 2) != PASSAGE_ETHERTYPE ||
        f->captured < r->header)
        return false;
    return points_is_mark(packet_link_source(r->link_type, f->bytes, f->captured),
                          f->bytes + r->header, f->captured - r->header);
}

static void decode(const struct reading *r, const struct reader_frame *frame, struct decoded *d)
{
    d->result = packet_decode(&d->packet, r->link_type, frame->bytes, frame->captured,
                              frame->wire_len);
    d->packet.number = frame->number;
    d->packet.time_ns = frame->time_ns;
}

void trace_take_waiting(void *context)
{
    struct reading *r = context;
    struct flow_note note;

    for (unsigned i = 0; r->listener.expect != NULL && i < r->waiting_count; i++)
        if (r->waiting[i].flow != NULL)
            r->listener.expect(r->listener.context, r->waiting[i].flow);
    for (unsigned i = 0; i < r->waiting_count; i++) {
        take_packet(r, &r->waiting[i].packet, r->waiting[i].result, &note);
        trace_tell_ended(r, r->waiting[i].packet.time_ns);
    }
    r->waiting_count = 0;
}

static inline void keep_waiting(struct reading *r, const struct reader_frame *frame)
{
    struct decoded *d = &r->waiting[r->waiting_count++];

    decode(r, frame, d);
    d->flow = flow_table_prefetch(r->trace->flows, &d->packet);
}

static void take_later(struct reading *r, const struct reader_frame *frame)
{
    keep_waiting(r, frame);
    if (r->waiting_count == TRACE_AHEAD)
        trace_take_waiting(r);
}

/* With a packet that was not chosen. */
static void pass_time(struct reading *r, int64_t now_ns)
{
    if (!r->streams)
        return;
    trace_take_waiting(r);
    trace_tell_ended(r, now_ns);
}

void trace_take(struct reading *r, const struct reader_frame *frame)
{
    struct decoded now;
    struct flow_note note;

    if (is_mark(r, frame)) {
        trace_take_waiting(r);
        points_mark(r->points, frame->number);
        r->trace->marks += frame->chosen;
        watch(r, true);
    }
    if (!frame->chosen && !r->watching) {
        pass_time(r, frame->time_ns);
        return;
    }
    if (r->looks_ahead && !r->watching) {
        take_later(r, frame);
        return;
    }
    decode(r, frame, &now);
    if (r->watching)
        take_at_a_point(r, &now.packet, frame, now.result);
    else
        take_packet(r, &now.packet, now.result, &note);
    trace_tell_ended(r, now.packet.time_ns);
}

static inline void fetch_ahead(const uint8_t *packet)
{
    uintptr_t at = (uintptr_t)packet + FETCHED_AHEAD; /* behind the mapping's end it does no harm */

    __builtin_prefetch((const void *)at);
    __builtin_prefetch((const void *)(at + CACHE_LINE));
}

void trace_take_mapped(struct reading *r, struct reader *reader)
{
    struct reader_place taken;
    struct reader_frame frame;
    bool more;

    if (!reader_map(reader, MAPPED_MIN))
        return;
    taken = reader_place(reader);
    do {
        more = reader_next_mapped(reader, &frame);
        if (more && is_mark(r, &frame))
            break;
        if (more) {
            fetch_ahead(frame.bytes);
            if (frame.chosen)
                keep_waiting(r, &frame);
            if (r->waiting_count < TRACE_AHEAD)
                continue;
        }
        if (!reader_sound(reader))
            break;
        trace_take_waiting(r);
        taken = reader_place(reader);
    } while (more);
    r->waiting_count = 0; /* they are read again */
    reader_unmap(reader, taken);
}

struct reading *trace_begin(struct trace *trace, const char *name, int link_type,
                            const struct trace_listener *listener)
{
    struct reading *r = need(calloc(1, sizeof *r));

    *trace = (struct trace){.file = name, .flows = flow_table_new()};
    if (listener != NULL)
        r->listener = *listener;
    r->trace = trace;
    trace->max_flows = r->listener.max_flows > 0 ? r->listener.max_flows : RETIRE_LIMIT;
    retire_begin(&r->retiring, trace->max_flows);
    flow_table_limit(trace->flows, trace->max_flows);
    r->points = points_new(trace->flows, r->listener.fate, r->listener.context);
    r->watching = points_matter(r->points);
    r->link_type = link_type;
    r->type_end = UINT32_MAX;
    if (packet_link_type_at(link_type, &r->type_end, &r->header))
        r->type_end += 2;
    return r;
}

void trace_settle(struct reading *r)
{
    struct trace *t = r->trace;

    trace_take_waiting(r);
    if (r->listener.flow == NULL)
        flow_table_finish(t->flows);
    points_finish(r->points);
    t->two_points = points_two(r->points, &t->points_from);
    t->early = r->retiring.early;
    t->first_early = r->retiring.first_early;
    t->left_out = flow_table_left_out(t->flows);
    t->late = flow_table_late(t->flows, &t->first_late);
    t->gave_up = flow_table_gave_up(t->flows, &t->first_gave_up);
    t->unmatched = points_unmatched(r->points, &t->first_unmatched);
    if (r->listener.flow != NULL)
        flow_table_tell(t->flows, tell_flow, r);
}

/* Fragments whose first one never came belong to no flow: they are counted as left out. */
static void count_orphans(struct trace *t)
{
    uint64_t orphans = flow_table_orphans(t->flows);

    t->decoded -= orphans < t->decoded ? orphans : t->decoded;
    t->fragment += orphans;
}

void trace_free_reading(struct reading *r)
{
    count_orphans(r->trace);
    points_free(r->points);
    retire_end(&r->retiring);
    free(r);
}

void trace_end(struct reading *r)
{
    trace_settle(r);
    trace_free_reading(r);
}
