/* fuzz_tcp.c - the tracker of connections, and what is told of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "fuzz.h"
#include "report.h"
#include "short_way.h"
#include "steps.h"

/* A connection must not be told otherwise because its numbers begin elsewhere: where they wrap,
 * or at one that a program may take for 'none'. */
static const uint32_t other_isn[][2] = {
    {0xfffffff0, 0}, {0x7ffffff8, 0xffffffff}, {0, 0x80000000}, {0xfffffffe, 0xffff8000}};

static void require(bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "this contradicts itself: %s\n", what);
    abort();
}

static void check_side(const struct tcp_side *s)
{
    const struct tcp_rare *rare = tcp_rare(s);

    require(s->segments <= s->packets, "segments <= packets");
    require(rare->duplicate_acks + rare->keep_alives <= 2 * s->packets,
            "more events than packets");
    require(rare->zero_windows <= s->packets, "zero_windows <= packets");
    require(rare->retransmitted_segments + rare->out_of_order_segments <= s->segments,
            "retransmitted + out of order <= segments");
    require(s->bytes <= s->segments * (uint64_t)UINT16_MAX, "bytes <= segments * largest");
}

static void check_connection(const struct tcp_connection *c)
{
    check_side(&c->side[0]);
    check_side(&c->side[1]);
    if (c->complete)
        require(c->syn != 0 && c->ack != 0, "a handshake without its packets");
    if (c->refused)
        require(c->reset != 0, "refused without a reset");
    if (tcp_teardown_kind(c) == TEARDOWN_FIN)
        require(c->side[0].fin_packet != 0 && c->side[1].fin_packet != 0 &&
                    c->side[0].fin_ack_packet != 0 && c->side[1].fin_ack_packet != 0,
                "closed without its packets");
}

/* ---- Two readings of the same packets ---- */

static bool is_isn(const struct field *f)
{
    return strstr(f->name, "_isn") != NULL;
}

static bool same(const struct field *f, const struct value *a, const struct value *b)
{
    if (a->is_null || b->is_null)
        return a->is_null && b->is_null;
    switch (f->type) {
    case FIELD_TRUTH:
        return a->truth == b->truth;
    case FIELD_TEXT:
    case FIELD_ADDRESS:
        return strcmp(a->text, b->text) == 0;
    case FIELD_SECONDS:
        return a->ns == b->ns;
    case FIELD_SIZES:
        return a->sizes->size_count == b->sizes->size_count;
    default:
        return a->count == b->count;
    }
}

/* `isn`: also the initial sequence numbers. */
static void compare(const struct trace *a, const struct trace *b, bool isn)
{
    require(flow_count(a->flows) == flow_count(b->flows), "so many connections");
    for (uint64_t id = 1; id <= flow_count(a->flows); id++) {
        struct subject one = {.trace = a, .flow = flow_by_id(a->flows, id)};
        struct subject two = {.trace = b, .flow = flow_by_id(b->flows, id)};
        const struct field_table *table = flow_fields(one.flow);

        for (size_t i = 0; i < table->count; i++) {
            const struct field *f = &table->fields[i];
            struct value v, w;

            if (is_isn(f) && !isn)
                continue;
            field_read(f, &one, &v);
            field_read(f, &two, &w);
            require(same(f, &v, &w), f->name);
        }
    }
}

/* What is told of each packet. */
struct noted {
    struct tcp_note notes[STEPS_MAX];
    enum tcp_state states[STEPS_MAX][2]; /* by side, behind the packet */
    size_t count;
};

static void take_note(void *context, const struct packet *packet, const struct flow_note *note)
{
    struct noted *noted = context;

    (void)packet;
    require(noted->count < STEPS_MAX, "packets that nobody sent");
    for (unsigned side = 0; side < 2; side++) {
        enum tcp_state *state = &noted->states[noted->count][side];

        *state = TCP_CLOSED;
        if (note->flow->protocol != IP_TCP)
            continue;
        *state = tcp_state_of(&note->flow->tcp, side);
        require(*state == tcp_state(&note->flow->tcp, side), "the state of a steady connection");
    }
    noted->notes[noted->count++] = note->tcp;
}

static void compare_notes(const struct noted *a, const struct noted *b)
{
    require(a->count == b->count, "so many packets");
    for (size_t i = 0; i < a->count; i++) {
        const struct tcp_note *n = &a->notes[i], *m = &b->notes[i];

        require(n->seq == m->seq && n->has_ack == m->has_ack && (!n->has_ack || n->ack == m->ack),
                "a packet's place");
        require(n->flags == m->flags && n->payload_len == m->payload_len, "a packet's data");
        require(n->window == m->window && n->window_scaled == m->window_scaled,
                "a packet's window");
        require(n->handshake == m->handshake && n->teardown == m->teardown &&
                    n->marks == m->marks,
                "what a packet means");
        require(memcmp(a->states[i], b->states[i], sizeof *a->states) == 0, "the ends' states");
    }
}

/* The tracker's short way leads where the long one does, and so do other numbers. */
static void compare_ways(const struct trace *first, const uint8_t *bytes, size_t size)
{
    static struct noted noted[2];
    struct steps_wish wish = {.plain = true};
    struct trace traces[2];

    memcpy(wish.isn, other_isn[*bytes % 4], sizeof wish.isn);

    for (int i = 0; i < 2; i++) {
        struct trace_listener listener = {.packet = take_note, .context = &noted[i]};

        noted[i].count = 0;
        wish.listener = &listener;
        short_way_open(i == 0);
        steps_follow(&traces[i], bytes, size, &wish);
    }
    short_way_open(true);
    compare(first, &traces[0], false);
    compare(&traces[0], &traces[1], true);
    compare_notes(&noted[0], &noted[1]);
    trace_free(&traces[0]);
    trace_free(&traces[1]);
}

/* ---- Few flows in memory ---- */

enum { FLOWS_AT_A_TIME = 4 };

static void tell_once(void *context, const struct trace *trace, const struct flow *flow)
{
    bool *told = context;

    (void)trace;
    require(flow->id <= STEPS_MAX && !told[flow->id], "a flow that is told twice");
    told[flow->id] = true;
    if (flow->protocol == IP_TCP)
        check_connection(&flow->tcp);
}

/* Each flow is told, once. */
static void follow_with_little_room(const uint8_t *bytes, size_t size)
{
    bool told[STEPS_MAX + 1] = {false};
    struct trace_listener listener = {
        .flow = tell_once, .context = told, .max_flows = FLOWS_AT_A_TIME};
    struct steps_wish wish = {.isn = {1, 2}, .listener = &listener};
    struct trace trace;

    steps_follow(&trace, bytes, size, &wish);
    for (uint64_t id = 1; id <= flow_count(trace.flows); id++)
        require(told[id], "a flow that is not told");
    trace_free(&trace);
}

void fuzz_tcp(const uint8_t *bytes, size_t size)
{
    struct steps_wish wish = {.isn = {1000, 2000000}, .plain = true};
    struct report report = {0};
    struct trace first;

    if (size == 0)
        return;
    steps_follow(&first, bytes, size, &wish);
    for (uint64_t id = 1; id <= flow_count(first.flows); id++)
        if (flow_by_id(first.flows, id)->protocol == IP_TCP)
            check_connection(&flow_by_id(first.flows, id)->tcp);
    compare_ways(&first, bytes, size);
    report.json = *bytes & 128;
    for (uint64_t id = 1; id <= flow_count(first.flows); id++)
        report_flow(&report, &first, flow_by_id(first.flows, id));
    report_trace(&report, &first);
    trace_free(&first);
    follow_with_little_room(bytes, size);
}
