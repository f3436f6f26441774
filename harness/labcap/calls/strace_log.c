/* strace_log.c - see strace_log.h. */
#include "strace_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "memory.h"
#include "strace_keep.h"
#include "strace_names.h"
#include "strace_pids.h"
#include "strace_text.h"
#include "strace_threads.h"

/* A line's beginning and end; between them only the middle of a long string can stand. */
enum { HEAD_MAX = BOUND(24 * 1024, 400), TAIL_MAX = BOUND(8 * 1024, 100) };

enum { RESULT_KEPT = BOUND(2 * 1024, 40) };

/* Stamps that are rounded more tell no order: whole seconds. */
enum { COARSEST_NS = 1000000 };

/* A file without a single line of strace's in so many bytes is none of its logs; a line of so many
 * is taken for two. */
enum { PATIENCE = BOUND(256 * 1024, 1000), LINE_MAX_BYTES = BOUND(64 * 1024 * 1024, 2000) };

/* ---- Lines to calls ---- */

struct log_reading {
    struct strace_log *log;
    struct traced_file file;
    uint32_t file_index, pid; /* pid: of a file of -ff */
    struct log_threads threads;
    uint64_t lines; /* that were read as lines of strace's, with or without a stamp */
    struct log_pids pids;
    bool stamps, relative, coarse;
    int64_t days_ns; /* since the midnight before the first stamp, of times of day */
    char line[HEAD_MAX + TAIL_MAX + 1];
    char joined[2 * (HEAD_MAX + TAIL_MAX)];
};

static struct traced_call *new_call(struct log_reading *r, const struct strace_line *line,
                                    enum traced_name name)
{
    struct strace_log *log = r->log;
    struct traced_call *call;

    if (log->call_count == CALLS_MAX || log->text_size >= TEXT_MAX) {
        r->file.too_long = true;
        return NULL;
    }
    if (log->call_count == log->call_capacity) {
        log->call_capacity = log->call_capacity > 0 ? log->call_capacity * 2 : 256;
        log->calls = need(reallocarray(log->calls, log->call_capacity, sizeof *log->calls));
    }
    call = &log->calls[log->call_count++];
    r->file.calls++;
    *call = (struct traced_call){.begin_ns = line->time_ns,
                                 .end_low_ns = line->time_ns,
                                 .end_high_ns = INT64_MAX,
                                 .duration_ns = -1,
                                 .arguments = "",
                                 .pid = line->pid,
                                 .file = r->file_index,
                                 .unit_ns = line->unit_ns,
                                 .name = (uint8_t)name};
    return call;
}

/* The latest moment that a stamp can mean. */
static int64_t latest_of(const struct strace_line *line)
{
    return line->time_ns + line->unit_ns - 1;
}

static void end_call(struct log_reading *r, struct traced_call *call,
                     const struct strace_line *line, struct span arguments)
{
    call->arguments = log_keep_arguments(r->log, arguments);
    call->duration_ns = line->duration_ns;
    if (line->duration_ns > 0)
        call->end_low_ns = call->begin_ns + line->duration_ns;
    if (line->kind == LINE_RESUMED)
        call->end_high_ns = latest_of(line);
    if (call->end_high_ns < call->end_low_ns)
        call->end_high_ns = call->end_low_ns; /* the clock was set */
    if (!span_starts(line->result, "?"))
        call->result = log_keep_text(r->log, line->result, RESULT_KEPT);
    else if (span_contains(line->result, "ERESTART"))
        call->result = "? interrupted";
}

static void take_whole(struct log_reading *r, struct log_thread *thread,
                       const struct strace_line *line)
{
    enum traced_name name = traced_find(line->name);
    struct traced_call *call;

    if (!traced_of_interest(name, line->arguments))
        return;
    call = new_call(r, line, name);
    if (call == NULL)
        return;
    end_call(r, call, line, line->arguments);
    thread->latest = (uint32_t)(call - r->log->calls);
}

static void take_unfinished(struct log_reading *r, struct log_thread *thread,
                            const struct strace_line *line)
{
    enum traced_name name = traced_find(line->name);
    struct traced_call *call;

    thread->open = DROPPED;
    thread->open_name = (uint8_t)name;
    if (!traced_of_interest(name, line->arguments))
        return;
    call = new_call(r, line, name);
    if (call == NULL)
        return;
    call->arguments = log_keep_arguments(r->log, line->arguments);
    thread->open = (uint32_t)(call - r->log->calls);
    thread->arguments = need(realloc(thread->arguments, line->arguments.length + 1));
    memcpy(thread->arguments, line->arguments.at, line->arguments.length);
    thread->arguments_length = line->arguments.length;
}

static void take_resumed(struct log_reading *r, struct log_thread *thread,
                         const struct strace_line *line)
{
    size_t begun = thread->arguments_length, more = line->arguments.length;
    uint32_t open = thread->open;

    thread->open = NO_CALL;
    if (open == NO_CALL || open == DROPPED || traced_find(line->name) != thread->open_name)
        return;
    if (begun + more > sizeof r->joined)
        more = sizeof r->joined - begun;
    memcpy(r->joined, thread->arguments, begun);
    memcpy(r->joined + begun, line->arguments.at, more);
    end_call(r, &r->log->calls[open], line, (struct span){r->joined, begun + more});
}

static void take_other(struct log_reading *r, struct log_thread *thread,
                       const struct strace_line *line)
{
    bool gone = line->kind == LINE_EXITED;
    struct traced_call *call = new_call(r, line, gone ? NAME_GONE : NAME_SIGNAL);

    if (call == NULL)
        return;
    call->arguments = log_keep_text(r->log, line->name, RESULT_KEPT);
    call->end_high_ns = call->begin_ns;
    call->result = "";
    if (gone)
        thread->latest = thread->open = NO_CALL;
}

/* A thread's call ends before the thread's next stamp. */
static void bound_latest(struct log_reading *r, struct log_thread *thread,
                         const struct strace_line *line)
{
    struct traced_call *call;

    if (thread->latest == NO_CALL)
        return;
    call = &r->log->calls[thread->latest];
    thread->latest = NO_CALL;
    call->end_high_ns = latest_of(line);
    if (call->end_high_ns < call->end_low_ns)
        call->end_high_ns = call->end_low_ns;
}

#define DAY_NS INT64_C(86400000000000)

/* A time of day that is hours before the one before it is of the next day. */
static void count_days(struct log_reading *r, struct strace_line *line)
{
    if (line->stamp != STAMP_DAY)
        return;
    if (r->file.last_ns >= 0 && line->time_ns + r->days_ns < r->file.last_ns - DAY_NS / 2)
        r->days_ns += DAY_NS;
    line->time_ns += r->days_ns;
}

static void note_stamp(struct traced_file *file, const struct strace_line *line)
{
    if (file->first_ns == INT64_MIN || line->time_ns < file->first_ns)
        file->first_ns = line->time_ns;
    if (line->time_ns > file->last_ns)
        file->last_ns = line->time_ns;
}

/* See log_pids_alone(): the lines before this one were of its process. */
static void note_pid(struct log_reading *r, struct strace_line *line)
{
    if (log_pids_alone(&r->pids, line)) {
        log_thread_rename(&r->threads, 0, line->pid);
        for (size_t i = 0; i < r->log->call_count; i++)
            if (r->log->calls[i].file == r->file_index && r->log->calls[i].pid == 0)
                r->log->calls[i].pid = line->pid;
    }
    if (line->pid == 0)
        line->pid = r->pids.alone != 0 ? r->pids.alone : r->pid;
}

static void take_line(struct log_reading *r, const char *text, size_t length)
{
    struct strace_line line;
    struct log_thread *thread;

    length = log_pids_message(&r->pids, text, length);
    if (!strace_line_parse(&line, text, length)) {
        r->file.unreadable++;
        return;
    }
    if (line.kind == LINE_ENDS && r->file.ends == NULL)
        r->file.ends = need(strndup(line.name.at, line.name.length));
    if (line.kind == LINE_OTHER && line.pid != 0)
        log_pids_attached(&r->pids, line.pid);
    if (line.kind == LINE_OTHER || line.kind == LINE_ENDS)
        return;
    r->lines++;
    r->relative = r->relative || line.stamp == STAMP_RELATIVE;
    if (line.stamp != STAMP_UNIX && line.stamp != STAMP_DAY)
        return;
    if (r->stamps && r->file.day != (line.stamp == STAMP_DAY))
        return;
    if (line.unit_ns > COARSEST_NS) {
        r->coarse = true;
        return;
    }
    r->stamps = true;
    r->file.day = line.stamp == STAMP_DAY;
    note_pid(r, &line);
    count_days(r, &line);
    note_stamp(&r->file, &line);
    thread = log_thread_of(&r->threads, line.pid);
    bound_latest(r, thread, &line);
    if (line.kind == LINE_CALL)
        take_whole(r, thread, &line);
    else if (line.kind == LINE_UNFINISHED)
        take_unfinished(r, thread, &line);
    else if (line.kind == LINE_RESUMED)
        take_resumed(r, thread, &line);
    else
        take_other(r, thread, &line);
}

/* ---- Files ---- */

/* Reads a line without its newline, made printable; of a longer one the beginning and the end.
 * Returns its length, -1 at the end of the file. */
static long read_line(FILE *file, char *line, uint64_t *bytes, bool *whole)
{
    size_t length = 0, tail = 0;
    int c;

    while ((c = getc_unlocked(file)) != EOF && c != '\n') {
        ++*bytes;
        if (length == HEAD_MAX + TAIL_MAX)
            line[HEAD_MAX + tail++ % TAIL_MAX] = c >= ' ' && c <= '~' ? (char)c : '?';
        else
            line[length++] = c >= ' ' && c <= '~' ? (char)c : '?';
        if (tail == LINE_MAX_BYTES)
            break;
    }
    if (c == EOF && length == 0)
        return -1;
    *whole = c == '\n';
    if (tail % TAIL_MAX > 0) { /* the ring's oldest byte comes first */
        char ring[TAIL_MAX];
        size_t oldest = tail % TAIL_MAX;

        memcpy(ring, line + HEAD_MAX, TAIL_MAX);
        memcpy(line + HEAD_MAX, ring + oldest, TAIL_MAX - oldest);
        memcpy(line + HEAD_MAX + TAIL_MAX - oldest, ring, oldest);
    }
    return (long)length;
}

static void read_lines(struct log_reading *r, FILE *file)
{
    uint64_t bytes = 0;
    bool whole = true;
    long length;

    while (!r->file.too_long && (r->lines > 0 || bytes < PATIENCE) &&
           (length = read_line(file, r->line, &bytes, &whole)) >= 0)
        if (length > 0)
            take_line(r, r->line, (size_t)length);
    r->file.cut = !whole;
}

/* "log.123" of -ff: the process, and how the names of its group begin. */
static size_t split_path(const char *path, uint32_t *pid)
{
    const char *dot = strrchr(path, '.');
    struct span digits = {dot != NULL ? dot + 1 : path, dot != NULL ? strlen(dot + 1) : 0};
    uint64_t number;

    *pid = 0;
    if (!span_number(&digits, &number) || digits.length > 0 || number > UINT32_MAX)
        return strlen(path);
    *pid = (uint32_t)number;
    return (size_t)(dot - path);
}

static uint32_t group_of(const struct strace_log *log, const char *path, uint32_t *pid)
{
    size_t length = split_path(path, pid);

    for (size_t i = 0; *pid != 0 && i < log->file_count; i++) {
        uint32_t other;

        if (split_path(log->files[i].path, &other) == length && other != 0 &&
            memcmp(log->files[i].path, path, length) == 0)
            return log->files[i].group;
    }
    return (uint32_t)log->file_count;
}

static bool complain(const struct log_reading *r, const char *path, int problem, char *error,
                     size_t size)
{
    if (problem != 0)
        snprintf(error, size, "%s: %s", path, strerror(problem));
    else if (r->lines == 0)
        snprintf(error, size, "%s: is no log of strace", path);
    else if (!r->stamps)
        snprintf(error, size,
                 "%s: has no %stime stamps; strace -f -yy -ttt -T -o FILE writes them", path,
                 r->relative ? "absolute " : r->coarse ? "exact " : "");
    else
        return true;
    return false;
}

static void add_file(struct strace_log *log, const struct traced_file *file)
{
    log->files = need(reallocarray(log->files, log->file_count + 1, sizeof *log->files));
    log->files[log->file_count++] = *file;
}

bool strace_log_read(struct strace_log *log, const char *path, char *error, size_t size)
{
    struct log_reading *r = need(calloc(1, sizeof *r));
    FILE *file = fopen(path, "re");
    int problem = file != NULL ? 0 : errno;
    bool good;

    r->log = log;
    r->file_index = (uint32_t)log->file_count;
    r->file.path = path;
    r->file.group = group_of(log, path, &r->pid);
    r->file.first_ns = r->file.last_ns = INT64_MIN;
    if (file != NULL) {
        errno = 0;
        read_lines(r, file);
        problem = ferror(file) && r->lines == 0 ? errno : 0;
        fclose(file);
    }
    good = complain(r, path, problem, error, size);
    if (good)
        add_file(log, &r->file);
    else
        free(r->file.ends);
    log_threads_free(&r->threads);
    free(r);
    return good;
}

void strace_log_free(struct strace_log *log)
{
    log_free_texts(log);
    for (size_t i = 0; i < log->file_count; i++)
        free(log->files[i].ends);
    free(log->files);
    free(log->calls);
}
