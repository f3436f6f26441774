/* calls_rows.c - the rows of each flow's ladder. See calls.h.
 *
 * A call has one row, at its beginning, unless it waited for the other side: then its end is a
 * row too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "calls_internal.h"
#include "memory.h"

struct row_maker {
    struct calls *c;
    const struct flow *flow;
    const uint32_t *packets;
    size_t packet_count;
    uint64_t *rank; /* by call: its number in the order of time, from 1 */
    struct call_row *rows;
    size_t count, capacity;
};

/* ---- One or two rows ---- */

/* The first of the flow's packets behind so many packets of the trace. */
static size_t packet_behind(const struct row_maker *m, size_t at)
{
    size_t low = 0, high = m->packet_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->packets[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Something that the other side did lies between the two places; `any`: something of the flow. */
static bool happens(const struct row_maker *m, size_t from, size_t to, uint8_t side, bool any)
{
    const uint8_t told = TCP_SYN | TCP_FIN | TCP_RST;

    for (size_t i = packet_behind(m, from); i < m->packet_count && m->packets[i] < to; i++) {
        const struct wire_packet *p = &m->c->wire.packets[m->packets[i]];

        if (any || (p->side != side && (p->length > 0 || (p->flags & told))))
            return true;
    }
    return false;
}

static bool sends(const struct calls *c, const struct touch *t)
{
    uint8_t name = touch_call(c, t)->name;

    return t->kind == TOUCH_SEND || name == NAME_WRITE || name == NAME_WRITEV;
}

/* Sending and closing leave the work to the kernel, unless there is no room for the data. */
enum { AT_ONCE_NS = 1000000, BUSY_NS = 10 * AT_ONCE_NS };

/* There was no room for the data, or SO_LINGER is set: packets went by meanwhile, or it took
 * longer than a busy machine explains. */
static bool blocked(const struct row_maker *m, const struct touch *t)
{
    const struct traced_call *call = touch_call(m->c, t);
    const struct placed *placed = &m->c->placed[t->call];

    if (t->kind == TOUCH_WAIT || t->kind == TOUCH_STANDARD)
        return call->duration_ns >= BUSY_NS; /* for something that is no packet */
    if ((!sends(m->c, t) && call->name != NAME_CLOSE && call->name != NAME_SHUTDOWN) ||
        call->duration_ns < AT_ONCE_NS)
        return false;
    return call->duration_ns >= BUSY_NS ||
           happens(m, placed->begin_at, placed->end_at, t->side, true);
}

static bool waited(const struct row_maker *m, const struct touch *t)
{
    const struct placed *placed = &m->c->placed[t->call];
    const struct traced_call *call = touch_call(m->c, t);
    bool gives = t->kind == TOUCH_SEND || t->kind == TOUCH_CLOSE || t->kind == TOUCH_SETUP ||
                 t->kind == TOUCH_OTHER || sends(m->c, t) || call_failed(call, "EINPROGRESS");

    if (placed->caused)
        return placed->cause_at > placed->begin_at;
    if (blocked(m, t) || call_failed(call, "EINTR") ||
        (call->result != NULL && *call->result == '?'))
        return true;
    if (gives && call->duration_ns < AT_ONCE_NS)
        return false;
    return happens(m, placed->begin_at, placed->end_at, t->side, !gives);
}

static enum call_weight weight_of(const struct calls *c, const struct touch *t)
{
    const struct traced_call *call = touch_call(c, t);

    if (t->kind == TOUCH_WAIT || t->kind == TOUCH_OTHER || t->kind == TOUCH_STANDARD ||
        call_failed(call, "EAGAIN") || call_failed(call, "EINTR"))
        return CALL_QUIET;
    return CALL_MAIN;
}

static void add_row(struct row_maker *m, const struct call_row *like, enum call_part part,
                    size_t at, int64_t ns)
{
    struct call_row *row;

    if (m->count == m->capacity) {
        m->capacity = m->capacity > 0 ? m->capacity * 2 : 256;
        m->rows = need(reallocarray(m->rows, m->capacity, sizeof *m->rows));
    }
    row = &m->rows[m->count++];
    *row = *like;
    row->part = part;
    row->after_packet = at > 0 ? m->c->wire.packets[at - 1].number : 0;
    row->time_ns = ns;
    if (part != CALL_BEGIN)
        return;
    row->result = NULL;
    row->note = "";
}

/* A call that made no end and none is awaited: the process, or the thread, is no more. */
static bool is_last(const struct traced_call *call)
{
    return call->name == NAME_EXIT || call->name == NAME_EXIT_GROUP || call->name == NAME_GONE ||
           call->name == NAME_SIGNAL;
}

static void drop_data(struct call_row *row)
{
    row->data = NULL;
    row->data_len = row->data_kept = 0;
}

static void make_rows_of(struct row_maker *m, uint32_t index)
{
    struct calls *c = m->c;
    const struct touch *t = &c->replay.touches[index];
    const struct traced_call *call = touch_call(c, t);
    const struct placed *placed = &c->placed[t->call];
    struct call_row row = {.call = m->rank[t->call],
                           .duration_ns = call->duration_ns,
                           .side = t->side,
                           .weight = weight_of(c, t),
                           .pid = call->pid,
                           .process = "",
                           .note = c->touch_notes[index] != NULL ? c->touch_notes[index] : ""};

    calls_write_row(c, t, &row);
    if (call->result == NULL && !is_last(call)) {
        add_row(m, &row, CALL_BEGIN, placed->begin_at, placed->begin_ns);
    } else if (is_last(call) || !waited(m, t)) {
        add_row(m, &row, CALL_WHOLE, placed->begin_at, placed->begin_ns);
    } else {
        add_row(m, &row, CALL_BEGIN, placed->begin_at, placed->begin_ns);
        add_row(m, &row, CALL_END, placed->end_at, placed->end_ns);
        /* What was sent is told where it begins, what was received where it ends. */
        drop_data(&m->rows[m->count - (sends(c, t) ? 1 : 2)]);
    }
}

/* ---- Who called ---- */

/* Threads of one side, in the order of their first rows. More are not told apart. */
enum { TOLD_APART = BOUND(64, 2) };

struct callers {
    uint32_t threads[TOLD_APART], processes[TOLD_APART];
    const char *names[TOLD_APART];
    size_t count;
};

static size_t find_caller(struct callers *s, const struct calls *c, const struct touch *t)
{
    uint32_t thread = c->replay.thread_of[t->call];
    size_t i = 0;

    while (i < s->count && (s->threads[i] != thread || s->processes[i] != t->process))
        i++;
    if (i < s->count || i == TOLD_APART)
        return i;
    s->threads[i] = thread;
    s->processes[i] = t->process;
    s->names[i] = "";
    s->count++;
    return i;
}

/* "" for a process's first thread, "child", "thread". */
static const char *kind_of(const struct callers *s, const struct calls *c, size_t i)
{
    const struct traced_process *process = &c->replay.processes[s->processes[i]];

    if (process->leader != s->threads[i])
        return "thread";
    return process->forked_of != s->processes[i] ? "child" : "";
}

static const char *program_of(const struct callers *s, const struct calls *c, size_t i)
{
    return c->replay.processes[s->processes[i]].program;
}

static bool alike(const struct callers *s, const struct calls *c, size_t i, size_t j)
{
    return strcmp(kind_of(s, c, i), kind_of(s, c, j)) == 0 &&
           strcmp(program_of(s, c, i), program_of(s, c, j)) == 0;
}

/* "" for the first thread, "child", "thread 2"; with the program's name in front where there are
 * several programs. */
static void name_callers(struct callers *s, struct calls *c)
{
    bool several = false;

    for (size_t i = 1; i < s->count; i++)
        several = several || strcmp(program_of(s, c, i), program_of(s, c, 0)) != 0;
    for (size_t i = 0; i < s->count; i++) {
        const char *kind = kind_of(s, c, i);
        unsigned before = 0, all = 0;

        for (size_t j = 0; j < s->count; j++) {
            all += alike(s, c, i, j);
            before += j < i && alike(s, c, i, j);
        }
        s->names[i] = kind;
        if (several)
            s->names[i] = calls_text(c, "%.20s%s%s", program_of(s, c, i),
                                     *kind != '\0' ? " " : "", kind);
        if (all > 1 && *s->names[i] != '\0')
            s->names[i] = calls_text(c, "%s %u", s->names[i], before + 1);
    }
}

/* ---- A flow ---- */

static int compare_rows(const void *left, const void *right)
{
    const struct call_row *a = left, *b = right;

    if (a->after_packet != b->after_packet)
        return a->after_packet < b->after_packet ? -1 : 1;
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    if (a->call != b->call)
        return a->call < b->call ? -1 : 1;
    return (int)a->part - (int)b->part;
}

static void make_flow(struct row_maker *m)
{
    struct calls *c = m->c;
    const uint32_t *touches = c->touches + c->flow_first[m->flow->id];
    size_t count = c->flow_first[m->flow->id + 1] - c->flow_first[m->flow->id];
    size_t first = m->count;
    struct callers sides[2] = {0};

    for (size_t i = 0; i < count; i++)
        find_caller(&sides[c->replay.touches[touches[i]].side], c, &c->replay.touches[touches[i]]);
    name_callers(&sides[0], c);
    name_callers(&sides[1], c);
    for (size_t i = 0; i < count; i++) {
        const struct touch *t = &c->replay.touches[touches[i]];
        size_t row = m->count, caller = find_caller(&sides[t->side], c, t);

        if (i > 0 && c->replay.touches[touches[i - 1]].call == t->call &&
            c->replay.touches[touches[i - 1]].side == t->side)
            continue; /* two descriptors of one socket */
        make_rows_of(m, touches[i]);
        for (; row < m->count && caller < TOLD_APART; row++)
            m->rows[row].process = sides[t->side].names[caller];
    }
    if (m->count > first)
        qsort(m->rows + first, m->count - first, sizeof *m->rows, compare_rows);
}

static const struct placed *sorting; /* qsort() passes no context */

static int compare_calls(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    if (sorting[a].begin_ns != sorting[b].begin_ns)
        return sorting[a].begin_ns < sorting[b].begin_ns ? -1 : 1;
    return a < b ? -1 : 1;
}

static uint64_t *rank_calls(const struct calls *c)
{
    size_t count = c->log.call_count;
    uint64_t *rank = need(calloc(count + 1, sizeof *rank));
    uint32_t *order = need(malloc((count + 1) * sizeof *order));

    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    sorting = c->placed;
    qsort(order, count, sizeof *order, compare_calls);
    for (size_t i = 0; i < count; i++)
        rank[order[i]] = i + 1;
    free(order);
    return rank;
}

void calls_make_rows(struct calls *c)
{
    struct row_maker m = {.c = c, .rank = rank_calls(c)};

    c->row_first = need(calloc(c->wire.flow_count + 2, sizeof *c->row_first));
    for (uint32_t id = 1; id <= c->wire.flow_count; id++) {
        c->row_first[id] = m.count;
        m.flow = flow_by_id(c->wire.flows, id);
        m.packets = wire_of_flow(&c->wire, id, &m.packet_count);
        make_flow(&m);
    }
    c->row_first[c->wire.flow_count + 1] = m.count;
    c->rows = m.rows;
    free(m.rank);
}
