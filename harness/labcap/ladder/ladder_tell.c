/* ladder_tell.c - a row in words, for the sink. See ladder_stream_internal.h. */
#include <string.h>

#include "ladder_stream_internal.h"
#include "ladder_text.h"

bool is_over(const struct flow *flow)
{
    enum teardown_kind kind;

    if (flow->protocol != IP_TCP || flow->tcp.side[0].claim.pending ||
        flow->tcp.side[1].claim.pending)
        return false;
    kind = tcp_teardown_kind(&flow->tcp);
    return kind == TEARDOWN_FIN || kind == TEARDOWN_RESET;
}

/* ---- Beginning and end of a flow ---- */

static bool is_listen(const struct strand *strand, const struct call_row *call)
{
    return strcmp(call->name, "listen") == 0 && call->side != flow_client(strand->flow) &&
           call->part != CALL_BEGIN && call->result != NULL && strcmp(call->result, "= 0") == 0;
}

/* The call that made the server listen is drawn before the first packet: it is then that the state
 * changes. */
static bool listens_later(const struct ladder_stream *s, const struct strand *strand)
{
    size_t count = 0;
    const struct call_row *calls =
        s->sink.calls != NULL ? calls_of(s->sink.calls, strand->flow->id, &count) : NULL;

    for (size_t i = 0; i < count && calls[i].after_packet < strand->flow->first_packet; i++)
        if (is_listen(strand, &calls[i]))
            return true;
    return false;
}

void tell_beginning(struct ladder_stream *s, struct strand *strand)
{
    struct teller *t = &strand->teller;

    if (strand->begun) {
        if (s->wish.merged && s->latest != strand)
            s->sink.kind->resume(&s->sink, strand);
        s->latest = strand;
        return;
    }
    strand->begun = true;
    strand->counted |= s->ending;
    teller_start(t, strand->flow, strand->three_step_teardown, s->points_from);
    if (strand->later) {
        t->state[0] = t->state[1] = "";
        t->phase = PHASE_TEARDOWN;
        t->closing_steps = 4;
    } else if (strcmp(t->state[1], tcp_state_name(TCP_LISTEN)) == 0 && listens_later(s, strand)) {
        t->state[1] = tcp_state_name(TCP_CLOSED);
    }
    s->sink.kind->flow(&s->sink, strand);
    s->latest = strand;
}

void tell_ending(struct ladder_stream *s, struct strand *strand)
{
    if (strand->told_outcome)
        return;
    strand->told_outcome = true;
    if (is_over(strand->flow)) /* else the end of the trace does it */
        tcp_finish(&strand->flow->tcp);
    s->sink.kind->outcome(&s->sink, strand);
    s->latest = NULL;
}

/* ---- Rows ---- */

/* The reason for a reset says that it is one. */
static void add_reason(struct ladder_row *words, const char *reason)
{
    if (strcmp(words->note, "reset") == 0)
        words->note[0] = '\0';
    tell_note(words->note, reason);
}

/* The time since the row before: of this flow, or of all where they are merged. */
static void join_time(struct ladder_stream *s, struct teller *t)
{
    if (!s->wish.merged)
        return;
    t->started = s->started;
    t->last_ns = s->latest_ns;
}

static void leave_time(struct ladder_stream *s, int64_t time_ns)
{
    s->started = true;
    s->latest_ns = time_ns;
}

static void tell_segment(struct ladder_stream *s, struct strand *strand, struct row *row)
{
    struct teller *t = &strand->teller;
    struct ladder_row words;
    const char *phase, *note = NULL;
    int64_t before;

    join_time(s, t);
    before = t->last_ns;
    t->points_from = s->points_from;
    t->three_step_teardown = strand->three_step_teardown;
    t->undecided_teardown = !strand->teardown_decided && !s->ending;
    row->segment.so_far = !s->ending;
    teller_row(t, &row->segment, s->sink.style->utf8, &words, &phase);
    if (s->sink.calls != NULL)
        note = calls_note(s->sink.calls, strand->flow->id, row->segment.packet);
    if (note != NULL)
        add_reason(&words, note);
    s->sink.kind->segment(&s->sink, strand, row, &words, row->segment.time_ns - before, phase);
    leave_time(s, row->segment.time_ns);
    strand->told++;
}

static void tell_call(struct ladder_stream *s, struct strand *strand, const struct call_row *call)
{
    unsigned server = call->side != flow_client(strand->flow);
    const char *state[2] = {"", ""};

    if (is_listen(strand, call) && strand->told == 0 && s->sink.calls != NULL &&
        strcmp(strand->teller.state[1], tcp_state_name(TCP_CLOSED)) == 0 &&
        strand->flow->tcp.syn_ack != 0)
        state[1] = strand->teller.state[1] = tcp_state_name(TCP_LISTEN);
    strand->open[server] += call->part == CALL_BEGIN;
    s->sink.kind->call(&s->sink, strand, call, state);
    strand->open[server] -= call->part == CALL_END && strand->open[server] > 0;
}

static void tell_fold(struct ladder_stream *s, struct row *row)
{
    const struct fold *fold = row->fold;
    struct strand *strand = fold->flows <= 1 ? row->strand : NULL;
    int64_t *last = s->wish.merged ? &s->latest_ns : &strand->teller.last_ns;
    int64_t gap = 0;

    if (strand != NULL)
        tell_beginning(s, strand);
    else
        s->latest = NULL;
    if (fold->segments + fold->others > 0) {
        gap = fold->last_ns - *last;
        *last = fold->last_ns;
    }
    s->sink.kind->fold(&s->sink, strand, fold, gap);
}

void tell_row(struct ladder_stream *s, struct row *row)
{
    struct strand *strand = row->strand;

    s->rows_told++;
    if (row->kind == ROW_OTHER) {
        s->sink.kind->other(&s->sink, &row->other, row->other.time_ns - s->latest_ns);
        leave_time(s, row->other.time_ns);
        s->latest = NULL;
        return;
    }
    if (row->kind == ROW_FOLD) {
        tell_fold(s, row);
        return;
    }
    tell_beginning(s, strand);
    if (row->kind == ROW_CALL)
        tell_call(s, strand, row->call);
    else
        tell_segment(s, strand, row);
    if (s->wish.merged && s->wish.calls == NULL && strand->told == strand->packets &&
        is_over(strand->flow))
        tell_ending(s, strand);
}
