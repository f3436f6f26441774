/* strace_threads.c - see strace_threads.h. */
#include "strace_threads.h"

#include <stdlib.h>

#include "memory.h"

static struct log_thread *find_slot(const struct log_threads *t, uint32_t pid)
{
    size_t at = (pid * UINT32_C(2654435769)) & (t->size - 1);

    while (t->slots[at].used && t->slots[at].pid != pid)
        at = (at + 1) & (t->size - 1);
    return &t->slots[at];
}

struct log_thread *log_thread_of(struct log_threads *t, uint32_t pid)
{
    struct log_thread *thread;

    if (t->count * 2 >= t->size) {
        struct log_threads larger = {.size = t->size > 0 ? t->size * 2 : 64};

        larger.slots = need(calloc(larger.size, sizeof *larger.slots));
        larger.count = t->count;
        for (size_t i = 0; i < t->size; i++)
            if (t->slots[i].used)
                *find_slot(&larger, t->slots[i].pid) = t->slots[i];
        free(t->slots);
        *t = larger;
    }
    thread = find_slot(t, pid);
    if (!thread->used) {
        t->count++;
        *thread = (struct log_thread){
            .pid = pid, .used = true, .open = NO_CALL, .latest = NO_CALL};
    }
    return thread;
}

void log_thread_rename(struct log_threads *t, uint32_t from, uint32_t to)
{
    struct log_thread known = *log_thread_of(t, from);

    *log_thread_of(t, from) =
        (struct log_thread){.pid = from, .used = true, .open = NO_CALL, .latest = NO_CALL};
    free(log_thread_of(t, to)->arguments);
    known.pid = to;
    *log_thread_of(t, to) = known;
}

void log_threads_free(struct log_threads *t)
{
    for (size_t i = 0; i < t->size; i++)
        free(t->slots[i].arguments);
    free(t->slots);
}
