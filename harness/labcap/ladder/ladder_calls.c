/* ladder_calls.c - see ladder_calls.h. */
#include "ladder_calls.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_place(const void *left, const void *right)
{
    const struct listed_call *a = left, *b = right;
    int order = compare(a->call->after_packet, b->call->after_packet);

    if (order == 0 && a->time_ns != b->time_ns)
        order = a->time_ns < b->time_ns ? -1 : 1;
    return order != 0 ? order : compare(a->index, b->index);
}

static int by_call(const void *left, const void *right)
{
    const struct listed_call *a = left, *b = right;
    int order = compare(a->call->call, b->call->call);

    if (order == 0)
        order = compare(a->call->part, b->call->part);
    return order != 0 ? order : by_place(left, right);
}

static void add_flow(struct call_list *to, struct strand *strand, const struct call_row *rows,
                     size_t count)
{
    to->list = need(reallocarray(to->list, to->count + count, sizeof *to->list));
    for (size_t i = 0; i < count; i++) {
        struct listed_call *l = &to->list[to->count];

        *l = (struct listed_call){&rows[i], strand, rows[i].time_ns, to->count};
        if (i > 0 && rows[i].after_packet == rows[i - 1].after_packet &&
            l->time_ns < l[-1].time_ns)
            l->time_ns = l[-1].time_ns;
        to->count++;
    }
}

static void drop_repeated(struct call_list *of)
{
    size_t kept = 0;

    qsort(of->list, of->count, sizeof *of->list, by_call);
    for (size_t i = 0; i < of->count; i++) {
        const struct call_row *call = of->list[i].call;

        if (kept > 0 && call->call == of->list[kept - 1].call->call &&
            call->part == of->list[kept - 1].call->part)
            continue;
        of->list[kept++] = of->list[i];
    }
    of->count = kept;
}

struct call_list list_calls(const struct calls *calls, struct strand *const *strands,
                            uint64_t from, uint64_t to)
{
    struct call_list all = {0};

    for (uint64_t id = from; calls != NULL && id <= to; id++) {
        size_t count = 0;
        const struct call_row *rows = strands[id] != NULL ? calls_of(calls, id, &count) : NULL;

        if (count > 0)
            add_flow(&all, strands[id], rows, count);
    }
    if (from == to || all.count == 0)
        return all;
    drop_repeated(&all);
    qsort(all.list, all.count, sizeof *all.list, by_place);
    return all;
}
