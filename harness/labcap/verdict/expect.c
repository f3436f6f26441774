/* expect.c - expectations against a trace. */
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

static void value_text(char *text, size_t size, const struct field *f, const struct value *v)
{
    if (v->is_null)
        snprintf(text, size, "null");
    else if (f->type == FIELD_TRUTH)
        snprintf(text, size, "%s", v->truth ? "true" : "false");
    else if (f->type == FIELD_TEXT || f->type == FIELD_ADDRESS)
        snprintf(text, size, "%s", v->text);
    else if (f->type == FIELD_SECONDS)
        snprintf(text, size, "%.9f", (double)v->ns / 1e9);
    else
        snprintf(text, size, "%" PRIu64, v->count);
}

static bool check_capture(const struct expectation *e, const struct trace *trace)
{
    struct subject of = {.trace = trace};
    struct value v;
    char seen[EXPECT_SEEN_MAX];

    field_read(e->capture, &of, &v);
    if (compare(e, e->capture, &v)) {
        printf("met: %s\n", e->shown);
        return true;
    }
    value_text(seen, sizeof seen, e->capture, &v);
    printf("NOT met: %s: was %s\n", e->shown, seen);
    return false;
}

static const struct field *field_for(const struct expectation *e, const struct flow *flow)
{
    return flow->protocol == IP_TCP ? e->tcp : e->udp;
}

void expect_begin(struct expectation *e)
{
    e->found = (struct expect_found){0};
}

/* The packets to look at: the one that decides, else all of the flow. */
static void note_contradiction(struct expect_found *found, const struct field *f,
                               const struct flow *flow, const struct value *v)
{
    uint64_t packet = field_deciding_packet(f, flow);

    found->flow_id = flow->id;
    value_text(found->seen, sizeof found->seen, f, v);
    found->packets[0] = packet != 0 ? packet : flow->first_packet;
    found->packets[1] = packet != 0 ? packet : flow->last_packet;
}

void expect_flow(struct expectation *e, const struct trace *trace, const struct flow *flow)
{
    const struct field *f = field_for(e, flow);
    struct subject of = {.trace = trace, .flow = flow};
    struct expect_found *found = &e->found;
    struct value v;

    if (e->capture != NULL || (e->flow_id != 0 && e->flow_id != flow->id))
        return;
    found->other_kind = f == NULL;
    if (f == NULL)
        return;
    field_read(f, &of, &v);
    found->compared++;
    if (compare(e, f, &v))
        return;
    if (found->contradictions++ == 0 || flow->id < found->flow_id)
        note_contradiction(found, f, flow, &v);
}

static void print_contradiction(const struct expectation *e, const struct trace *trace)
{
    const struct expect_found *found = &e->found;

    printf("NOT met: %s: was %s", e->shown, found->seen);
    if (flow_count(trace->flows) > 1)
        printf(" in flow %" PRIu64, found->flow_id);
    if (found->packets[0] == found->packets[1])
        printf(" (packet %" PRIu64 ")", found->packets[0]);
    else
        printf(" (packets %" PRIu64 " to %" PRIu64 ")", found->packets[0], found->packets[1]);
    if (found->contradictions > 1)
        printf(", and %" PRIu64 " more flows differ", found->contradictions - 1);
    putchar('\n');
}

static void print_nothing_compared(const struct expectation *e)
{
    const char *kind = e->tcp == NULL ? "UDP flow" : e->udp == NULL ? "TCP connection" : "flow";

    if (e->flow_id == 0)
        printf("NOT met: %s: there is no %s\n", e->shown, kind);
    else if (e->found.other_kind)
        printf("NOT met: %s: flow %" PRIu64 " is no %s\n", e->shown, e->flow_id, kind);
    else
        printf("NOT met: %s: there is no flow %" PRIu64 "\n", e->shown, e->flow_id);
}

bool expect_tell(const struct expectation *e, const struct trace *trace)
{
    if (e->capture != NULL)
        return check_capture(e, trace);
    if (e->found.compared == 0)
        print_nothing_compared(e);
    else if (e->found.contradictions == 0)
        printf("met: %s\n", e->shown);
    else
        print_contradiction(e, trace);
    return e->found.compared > 0 && e->found.contradictions == 0;
}
