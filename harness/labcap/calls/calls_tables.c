/* calls_tables.c - see calls_tables.h. */
#include "calls_tables.h"

#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "memory.h"

/* Threads that were made and never seen to do anything: the latest ones are remembered. */
enum { UNSEEN_MAX = BOUND(256, 3) };

struct id_slot {
    uint32_t thread; /* index + 1; 0 free */
};

/* ---- Threads ---- */

static struct id_slot *find_slot(const struct replay *r, uint32_t group, uint32_t pid)
{
    uint64_t hash = ((uint64_t)group << 32 | pid) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & (r->by_pid_size - 1);

    for (;; at = (at + 1) & (r->by_pid_size - 1)) {
        struct id_slot *slot = &r->by_pid[at];

        if (slot->thread == 0 || (r->threads[slot->thread - 1].group == group &&
                                  r->threads[slot->thread - 1].pid == pid))
            return slot;
    }
}

static void grow_slots(struct replay *r)
{
    if ((r->thread_count + 1) * 2 < r->by_pid_size)
        return;
    free(r->by_pid);
    r->by_pid_size = r->by_pid_size > 0 ? r->by_pid_size * 2 : 64;
    r->by_pid = need(calloc(r->by_pid_size, sizeof *r->by_pid));
    for (size_t i = 0; i < r->thread_count; i++) /* of one pid, the latest thread stays */
        if (r->threads[i].named)
            find_slot(r, r->threads[i].group, r->threads[i].pid)->thread = (uint32_t)i + 1;
}

static uint32_t new_process(struct replay *r, char *program)
{
    if (r->process_count == r->process_capacity) {
        r->process_capacity = r->process_capacity > 0 ? r->process_capacity * 2 : 16;
        r->processes = need(reallocarray(r->processes, r->process_capacity, sizeof *r->processes));
    }
    r->processes[r->process_count] =
        (struct traced_process){.program = program,
                                .leader = (uint32_t)r->thread_count,
                                .forked_of = (uint32_t)r->process_count};
    return (uint32_t)r->process_count++;
}

/* From now on the pid is this thread's. */
static void name_thread(struct replay *r, uint32_t thread, uint32_t pid)
{
    r->threads[thread].pid = pid;
    r->threads[thread].named = true;
    find_slot(r, r->threads[thread].group, pid)->thread = thread + 1;
}

static uint32_t new_thread(struct replay *r, uint32_t group, uint32_t process,
                           struct fd_table *table)
{
    if (r->thread_count == r->thread_capacity) {
        r->thread_capacity = r->thread_capacity > 0 ? r->thread_capacity * 2 : 16;
        r->threads = need(reallocarray(r->threads, r->thread_capacity, sizeof *r->threads));
    }
    grow_slots(r);
    table->users++;
    table->living++;
    r->threads[r->thread_count] = (struct traced_thread){.group = group,
                                                         .process = process,
                                                         .table = table,
                                                         .last_socket = NO_SOCKET};
    return (uint32_t)r->thread_count++;
}

static struct fd_table *new_table(void)
{
    return need(calloc(1, sizeof(struct fd_table)));
}

static struct fd_table *copy_table(struct replay *r, const struct fd_table *from)
{
    struct fd_table *table = new_table();

    if (r->entries + from->size > ENTRIES_MAX || from->size == 0)
        return table;
    r->entries += from->size;
    table->size = from->size;
    table->entries = need(malloc(from->size * sizeof *table->entries));
    memcpy(table->entries, from->entries, from->size * sizeof *table->entries);
    for (uint32_t fd = 0; fd < table->size; fd++)
        if (table->entries[fd].socket != NO_SOCKET)
            r->sockets[table->entries[fd].socket].references++;
    return table;
}

/* The living thread with this pid, or NULL. */
static const struct id_slot *living(struct replay *r, uint32_t group, uint32_t pid)
{
    const struct id_slot *slot;
    const struct traced_thread *thread;

    grow_slots(r);
    slot = find_slot(r, group, pid);
    if (slot->thread == 0)
        return NULL;
    thread = &r->threads[slot->thread - 1];
    return thread->gone || r->processes[thread->process].gone ? NULL : slot;
}

/* The thread that may be the one with this new pid, whose first call is `call`: made with it; else
 * (its parent has another number for it) of the program whose log this is, which stands in one
 * piece, and of those the one that was made first. Returns its place among the unseen;
 * unseen_count if there is none. */
static size_t find_unseen(const struct replay *r, uint32_t group, uint32_t pid, uint32_t call)
{
    bool executes = r->log->calls[call].name == NAME_EXECVE;
    size_t found = r->unseen_count;

    for (size_t i = 0; i < r->unseen_count; i++) {
        const struct traced_thread *thread = &r->threads[r->unseen[i]];

        if (thread->group != group || thread->made_by > call)
            continue;
        if (thread->pid == pid)
            return i;
        if (executes || thread->sure)
            continue;
        if (found == r->unseen_count ||
            thread->parent_from > r->threads[r->unseen[found]].parent_from)
            found = i;
    }
    return found;
}

static void forget_unseen(struct replay *r, size_t at)
{
    r->unseen_count--;
    memmove(r->unseen + at, r->unseen + at + 1, (r->unseen_count - at) * sizeof *r->unseen);
}

uint32_t thread_of_call(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    uint32_t group = r->log->files[c->file].group, thread;
    const struct id_slot *slot = living(r, group, c->pid);
    size_t unseen;

    if (slot != NULL)
        return slot->thread - 1;
    unseen = find_unseen(r, group, c->pid, call);
    if (unseen < r->unseen_count) {
        thread = r->unseen[unseen];
        forget_unseen(r, unseen);
    } else {
        thread = new_thread(r, group, new_process(r, need(strdup(""))), new_table());
    }
    r->threads[thread].from = call;
    name_thread(r, thread, c->pid);
    return thread;
}

void thread_made(struct replay *r, const struct making *how)
{
    const struct traced_thread *parent = &r->threads[how->parent];
    uint32_t group = parent->group, process = parent->process, from = parent->from, child;
    uint32_t last_socket = parent->last_socket;
    struct fd_table *table = parent->table;

    if (!how->shares_files)
        table = copy_table(r, table);
    if (!how->same_process) {
        uint32_t of = process;

        process = new_process(r, need(strdup(r->processes[of].program)));
        r->processes[process].forked_of = of;
    }
    child = new_thread(r, group, process, table);
    r->threads[child].last_socket = last_socket;
    r->threads[child].pid = how->pid;
    r->threads[child].sure = how->sure;
    r->threads[child].made_by = how->call;
    r->threads[child].parent_from = from;
    if (r->unseen == NULL)
        r->unseen = need(malloc(UNSEEN_MAX * sizeof *r->unseen));
    if (r->unseen_count == UNSEEN_MAX)
        forget_unseen(r, 0);
    r->unseen[r->unseen_count++] = child;
}

void thread_executes(struct replay *r, uint32_t thread, char *program)
{
    uint32_t before = r->threads[thread].process, after = new_process(r, program);

    r->processes[after].leader = thread;
    if (r->processes[before].forked_of != before)
        r->processes[after].forked_of = r->processes[before].forked_of;
    r->threads[thread].process = after;
}

/* ---- Descriptors ---- */

uint32_t socket_new(struct replay *r)
{
    if (r->socket_count == r->socket_capacity) {
        r->socket_capacity = r->socket_capacity > 0 ? r->socket_capacity * 2 : 64;
        r->sockets = need(reallocarray(r->sockets, r->socket_capacity, sizeof *r->sockets));
    }
    memset(&r->sockets[r->socket_count], 0, sizeof *r->sockets);
    r->sockets[r->socket_count].listener = NO_SOCKET;
    r->sockets[r->socket_count].to_ns = INT64_MAX;
    return (uint32_t)r->socket_count++;
}

static struct fd_entry *entry_of(const struct replay *r, uint32_t thread, int64_t fd)
{
    const struct fd_table *table = r->threads[thread].table;

    return fd >= 0 && fd < table->size ? &table->entries[fd] : NULL;
}

uint32_t fd_get(const struct replay *r, uint32_t thread, int64_t fd)
{
    const struct fd_entry *entry = entry_of(r, thread, fd);

    return entry != NULL ? entry->socket : NO_SOCKET;
}

uint32_t fd_clear(struct replay *r, uint32_t thread, int64_t fd)
{
    struct fd_entry *entry = entry_of(r, thread, fd);
    uint32_t socket;

    if (entry == NULL || entry->socket == NO_SOCKET)
        return NO_SOCKET;
    socket = entry->socket;
    entry->socket = NO_SOCKET;
    return --r->sockets[socket].references == 0 ? socket : NO_SOCKET;
}

/* False if there is no room for this descriptor. */
static bool widen(struct replay *r, struct fd_table *table, uint32_t fd)
{
    uint32_t size = table->size > 0 ? table->size : 16;

    if (fd < table->size)
        return true;
    while (size <= fd)
        size *= 2;
    if (r->entries + size - table->size > ENTRIES_MAX)
        return false;
    r->entries += size - table->size;
    table->entries = need(reallocarray(table->entries, size, sizeof *table->entries));
    for (uint32_t i = table->size; i < size; i++)
        table->entries[i] = (struct fd_entry){NO_SOCKET, false};
    table->size = size;
    return true;
}

uint32_t fd_put(struct replay *r, uint32_t thread, int64_t fd, uint32_t socket, bool on_exec)
{
    uint32_t before;

    if (fd < 0 || fd >= FD_MAX)
        return NO_SOCKET;
    if (socket == NO_SOCKET || !widen(r, r->threads[thread].table, (uint32_t)fd))
        return fd_clear(r, thread, fd);
    r->sockets[socket].references++; /* first: it may be there already */
    before = fd_clear(r, thread, fd);
    r->threads[thread].table->entries[fd] = (struct fd_entry){socket, on_exec};
    return before;
}

bool fd_closes_on_exec(const struct replay *r, uint32_t thread, int64_t fd)
{
    const struct fd_entry *entry = entry_of(r, thread, fd);

    return entry != NULL && entry->close_on_exec;
}

void fd_close_on_exec(struct replay *r, uint32_t thread, int64_t fd, bool on_exec)
{
    struct fd_entry *entry = entry_of(r, thread, fd);

    if (entry != NULL)
        entry->close_on_exec = on_exec;
}

void tables_free(struct replay *r)
{
    for (size_t i = 0; i < r->thread_count; i++) {
        struct fd_table *table = r->threads[i].table;

        if (--table->users > 0)
            continue;
        free(table->entries);
        free(table);
    }
    for (size_t i = 0; i < r->process_count; i++)
        free(r->processes[i].program);
    for (size_t i = 0; i < r->socket_count; i++)
        free(r->sockets[i].watched);
    free(r->by_pid);
    free(r->unseen);
    free(r->threads);
    free(r->processes);
    free(r->sockets);
}
