/* calls_processes.c - processes and threads come and go. See calls_replay.h. */
#include <stdlib.h>
#include <string.h>

#include "calls_replay.h"
#include "calls_tables.h"
#include "memory.h"

/* "24766"; "3" and, in a comment, "24766 in strace's PID NS" where the program has a namespace of
 * its own: the number in the log. *sure: that is what it is. */
static bool made_pid(const struct traced_call *c, int64_t *pid, bool *sure)
{
    struct span s;

    if (!call_result(c, pid) || *pid <= 0)
        return false;
    s = (struct span){c->result, strlen(c->result)};
    *sure = span_contains(s, "in strace's PID NS") && span_find(&s, "/* ") &&
            span_integer(&s, pid);
    return *pid > 0 && *pid <= UINT32_MAX;
}

void replay_process_made(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    struct span arguments = call_arguments(c);
    uint32_t parent = r->thread_of[call];
    uint32_t socket = r->threads[parent].last_socket;
    int64_t pid;
    bool sure;

    if (!made_pid(c, &pid, &sure))
        return;
    thread_made(r, &(struct making){.call = call,
                                    .parent = parent,
                                    .pid = (uint32_t)pid,
                                    .sure = sure,
                                    .shares_files = span_contains(arguments, "CLONE_FILES"),
                                    .same_process = span_contains(arguments, "CLONE_THREAD")});
    if (socket != NO_SOCKET && !r->sockets[socket].closed)
        replay_touch(r, call, socket, TOUCH_OTHER);
}

/* The last part of a path, printable. */
static char *base_name(struct span quoted)
{
    uint8_t bytes[256];
    int64_t count = text_string(quoted, bytes, sizeof bytes - 1);
    char *name;

    bytes[count > 0 ? count : 0] = '\0';
    for (uint8_t *b = bytes; *b != '\0'; b++)
        if (*b < ' ' || *b > '~')
            *b = '?';
    name = strrchr((char *)bytes, '/');
    return need(strdup(name != NULL ? name + 1 : (char *)bytes));
}

/* What is executed; of an interpreter the script, if its first argument is one. */
static char *program_name(const struct traced_call *c)
{
    static const char *const interpreters[] = {"python", "perl", "ruby", "sh", "bash", "node"};
    char *name = base_name(call_argument(c, 0));
    struct span list = call_argument(c, 1), script;

    if (!span_take(&list, "["))
        return name;
    script = span_nth(list, 1);
    if (!span_starts(script, "\"") || span_starts(script, "\"-"))
        return name;
    for (size_t i = 0; i < sizeof interpreters / sizeof interpreters[0]; i++) {
        if (strncmp(name, interpreters[i], strlen(interpreters[i])) == 0) {
            free(name);
            return base_name(script);
        }
    }
    return name;
}

void replay_process_executes(struct replay *r, uint32_t call)
{
    int64_t result;

    if (!call_result(&r->log->calls[call], &result) || result != 0)
        return;
    replay_close_range(r, call, 0, FD_MAX, true);
    thread_executes(r, r->thread_of[call], program_name(&r->log->calls[call]));
}

void replay_thread_ends(struct replay *r, uint32_t call, bool all)
{
    struct traced_thread *thread = &r->threads[r->thread_of[call]];

    if (thread->gone || r->processes[thread->process].gone)
        return;
    thread->gone = true;
    thread->table->living--;
    if (all) {
        r->processes[thread->process].gone = true;
        thread->table->living = 0;
    }
    if (thread->table->living == 0)
        replay_close_range(r, call, 0, FD_MAX, false);
}

void replay_thread_gone(struct replay *r, uint32_t call)
{
    const char *how = r->log->calls[call].arguments;

    replay_thread_ends(r, call, strncmp(how, "killed", 6) == 0);
}
