/* expect.c - expectations against a trace, and the command `check`. */
#include "expect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool compare(const struct expectation *e, const struct field *f, const struct value *v)
{
    const struct value *w = &e->wanted;
    int order;

    if (v->is_null || w->is_null)
        return v->is_null && w->is_null;
    switch (f->type) {
    case FIELD_TRUTH:
        return v->truth == w->truth;
    case FIELD_TEXT:
        return strcmp(v->text, w->text) == 0;
    case FIELD_ADDRESS:
        return strcmp(v->text, w->buffer) == 0;
    case FIELD_SECONDS:
        order = (v->ns > w->ns) - (v->ns < w->ns);
        break;
    default:
        order = (v->count > w->count) - (v->count < w->count);
    }
    return e->op == EXPECT_EQUAL      ? order == 0
           : e->op == EXPECT_AT_LEAST ? order >= 0
                                      : order <= 0;
}

static void print_value(const struct field *f, const struct value *v)
{
    if (v->is_null)
        fputs("null", stdout);
    else if (f->type == FIELD_TRUTH)
        fputs(v->truth ? "true" : "false", stdout);
    else if (f->type == FIELD_TEXT || f->type == FIELD_ADDRESS)
        fputs(v->text, stdout);
    else if (f->type == FIELD_SECONDS)
        printf("%.9f", (double)v->ns / 1e9);
    else
        printf("%" PRIu64, v->count);
}

/* The packets to look at: the one that decides, else all of the flow. */
static void print_packets(const struct field *f, const struct flow *flow)
{
    uint64_t packet = field_deciding_packet(f, flow);

    if (packet != 0)
        printf(" (packet %" PRIu64 ")", packet);
    else if (flow->first_packet == flow->last_packet)
        printf(" (packet %" PRIu64 ")", flow->first_packet);
    else
        printf(" (packets %" PRIu64 " to %" PRIu64 ")", flow->first_packet, flow->last_packet);
}

static bool check_capture(const struct expectation *e, const struct trace *trace)
{
    struct subject of = {.trace = trace};
    struct value v;

    field_read(e->capture, &of, &v);
    if (compare(e, e->capture, &v)) {
        printf("met: %s\n", e->shown);
        return true;
    }
    printf("NOT met: %s: was ", e->shown);
    print_value(e->capture, &v);
    putchar('\n');
    return false;
}

static const struct field *field_for(const struct expectation *e, const struct flow *flow)
{
    return flow->protocol == IP_TCP ? e->tcp : e->udp;
}

/* What `flow` contradicts; more flows may do so too. */
static void print_contradiction(const struct expectation *e, const struct trace *trace,
                                const struct flow *flow, uint64_t contradictions)
{
    const struct field *f = field_for(e, flow);
    struct subject of = {.trace = trace, .flow = flow};
    struct value v;

    field_read(f, &of, &v);
    printf("NOT met: %s: was ", e->shown);
    print_value(f, &v);
    if (flow_count(trace->flows) > 1)
        printf(" in flow %" PRIu32, flow->id);
    print_packets(f, flow);
    if (contradictions > 1)
        printf(", and %" PRIu64 " more flows differ", contradictions - 1);
    putchar('\n');
}

static bool nothing_to_check(const struct expectation *e, const struct trace *trace)
{
    const char *kind = e->tcp == NULL ? "UDP flow" : e->udp == NULL ? "TCP connection" : "flow";

    if (e->flow_id == 0)
        printf("NOT met: %s: there is no %s\n", e->shown, kind);
    else if (flow_by_id(trace->flows, e->flow_id) == NULL)
        printf("NOT met: %s: there is no flow %" PRIu64 "\n", e->shown, e->flow_id);
    else
        printf("NOT met: %s: flow %" PRIu64 " is no %s\n", e->shown, e->flow_id, kind);
    return false;
}

bool expect_check(const struct expectation *e, const struct trace *trace)
{
    uint64_t last = flow_count(trace->flows), id = 1, compared = 0, contradictions = 0;
    const struct flow *contradicting = NULL;

    if (e->capture != NULL)
        return check_capture(e, trace);
    if (e->flow_id != 0) {
        id = e->flow_id;
        last = e->flow_id <= last ? e->flow_id : 0;
    }
    for (; id <= last; id++) {
        struct subject of = {.trace = trace, .flow = flow_by_id(trace->flows, id)};
        const struct field *f = field_for(e, of.flow);
        struct value v;

        if (f == NULL)
            continue;
        field_read(f, &of, &v);
        compared++;
        if (!compare(e, f, &v) && contradictions++ == 0)
            contradicting = of.flow;
    }
    if (compared == 0)
        return nothing_to_check(e, trace);
    if (contradictions == 0)
        printf("met: %s\n", e->shown);
    else
        print_contradiction(e, trace, contradicting, contradictions);
    return contradictions == 0;
}
