/* calls.c - see calls.h. */
#include "calls.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bound.h"
#include "calls_internal.h"
#include "memory.h"

enum { NS = 1000000000, BLOCK_SIZE = BOUND(256, 1) * 1024, LINE_SIZE = 512 };

#define DAY_NS (INT64_C(86400) * NS)

/* ---- Memory for texts ---- */

struct kept_block {
    struct kept_block *older;
    size_t used;
    char bytes[BLOCK_SIZE];
};

void *calls_keep(struct calls *c, const void *bytes, size_t size)
{
    void *kept;

    if (c->kept == NULL || BLOCK_SIZE - c->kept->used < size) {
        struct kept_block *block = need(malloc(sizeof *block));

        block->older = c->kept;
        block->used = 0;
        c->kept = block;
    }
    kept = c->kept->bytes + c->kept->used;
    memcpy(kept, bytes, size);
    c->kept->used += size;
    return kept;
}

const char *calls_text(struct calls *c, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof text)
        length = (int)sizeof text - 1;
    return calls_keep(c, text, (size_t)length + 1);
}

/* ---- Opening ---- */

/* Adds a sentence to what is told of the logs. */
__attribute__((format(printf, 2, 3)))
static void remark(struct calls *c, const char *format, ...)
{
    char text[LINE_SIZE], *all;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    all = need(malloc((c->remark != NULL ? strlen(c->remark) : 0) + strlen(text) + 3));
    sprintf(all, "%s%s%s", c->remark != NULL ? c->remark : "", c->remark != NULL ? "; " : "",
            text);
    free(c->remark);
    c->remark = all;
}

struct calls *calls_open(char *const *paths, size_t count, char *error, size_t size)
{
    struct calls *c = need(calloc(1, sizeof *c));
    char line[LINE_SIZE] = "no log is given";

    for (size_t i = 0; i < count; i++)
        if (!strace_log_read(&c->log, paths[i], line, sizeof line))
            remark(c, "%s", line);
    if (c->log.file_count > 0)
        return c;
    snprintf(error, size, "%s", line);
    calls_close(c);
    return NULL;
}

void calls_close(struct calls *c)
{
    if (c == NULL)
        return;
    while (c->kept != NULL) {
        struct kept_block *older = c->kept->older;

        free(c->kept);
        c->kept = older;
    }
    strace_log_free(&c->log);
    wire_free(&c->wire);
    replay_free(&c->replay);
    free(c->placed);
    free(c->touches);
    free(c->flow_first);
    free(c->rows);
    free(c->row_first);
    free(c->notes);
    free(c->touch_notes);
    free(c->remark);
    free(c);
}

void calls_packet(struct calls *c, const struct packet *packet, const struct flow_note *note)
{
    wire_add(&c->wire, packet, note);
}

void calls_fate(struct calls *c, const struct fate *fate)
{
    wire_fate(&c->wire, fate);
}

/* ---- Times ---- */

/* The midnight that stamps of day count from: here, on the day of the trace. */
static int64_t midnight_of(int64_t ns)
{
    time_t seconds = (time_t)(ns / NS);
    struct tm day;

    if (localtime_r(&seconds, &day) == NULL)
        return 0;
    return ((int64_t)seconds - (day.tm_hour * 60 + day.tm_min) * 60 - day.tm_sec) * NS;
}

static void shift(struct traced_call *call, int64_t ns)
{
    call->begin_ns += ns;
    call->end_low_ns += ns;
    if (call->end_high_ns != INT64_MAX)
        call->end_high_ns += ns;
}

static bool trace_times(const struct wire *w, int64_t *start, int64_t *end)
{
    if (w->count == 0)
        return false;
    *start = INT64_MAX;
    *end = INT64_MIN;
    for (size_t i = 0; i < w->count; i++) {
        if (w->packets[i].time_ns < *start)
            *start = w->packets[i].time_ns;
        if (w->packets[i].time_ns > *end)
            *end = w->packets[i].time_ns;
    }
    return true;
}

/* Gives times of day the day of the trace, or the one before: the log began before the trace
 * ended. */
static void set_day(struct calls *c, uint32_t file, int64_t start, int64_t end)
{
    struct traced_file *f = &c->log.files[file];
    int64_t midnight;

    midnight = midnight_of(start);
    if (midnight + f->first_ns > end + NS)
        midnight -= DAY_NS;
    for (size_t i = 0; i < c->log.call_count; i++)
        if (c->log.calls[i].file == file)
            shift(&c->log.calls[i], midnight);
    f->first_ns += midnight;
    f->last_ns += midnight;
}

/* The times of the logs are compared with the trace's. */
static void set_times(struct calls *c)
{
    int64_t start, end;

    for (uint32_t i = 0; i < c->log.file_count && trace_times(&c->wire, &start, &end); i++) {
        struct traced_file *f = &c->log.files[i];

        if (f->day)
            set_day(c, i, start, end);
        f->elsewhere = f->last_ns + NS < start || f->first_ns - NS > end;
    }
}

/* ---- Matching ---- */

/* Marks the files that have calls of the trace. */
static size_t count_used(const struct calls *c, bool *used)
{
    size_t count = 0;

    for (size_t i = 0; i < c->replay.touch_count; i++)
        if (c->replay.touches[i].flow != 0)
            used[c->log.calls[c->replay.touches[i].call].file] = true;
    for (size_t i = 0; i < c->log.file_count; i++)
        count += used[i];
    return count;
}

static void why_unused(const struct calls *c, const struct traced_file *f, char *text, size_t size)
{
    int64_t start, end;

    if (f->calls == 0)
        snprintf(text, size, "%s: has no call that is of interest here", f->path);
    else if (f->elsewhere && trace_times(&c->wire, &start, &end))
        snprintf(text, size, "%s: is of another time than the trace: it %s", f->path,
                 f->last_ns < start ? "ends before the trace begins"
                                    : "begins after the trace ends");
    else
        snprintf(text, size, "%s: no call in it touches a connection of the trace", f->path);
}

static void remark_files(struct calls *c, const bool *used)
{
    char text[LINE_SIZE];

    for (size_t i = 0; i < c->log.file_count; i++) {
        const struct traced_file *f = &c->log.files[i];

        if (!used[i] && f->group == i && c->log.file_count > 1 && f->calls > 0) {
            why_unused(c, f, text, sizeof text);
            remark(c, "%s", text);
        }
        if (f->too_long)
            remark(c, "%s: is too long: only its first %" PRIu32 " calls were read", f->path,
                   f->calls);
        else if (f->ends != NULL)
            remark(c, "%s: %.200s", f->path, f->ends);
        else if (f->cut)
            remark(c, "%s: was cut: its last line is not whole", f->path);
    }
    if (c->violations > 0)
        remark(c, "%" PRIu64 " call%s cannot be brought into an order with the packets: the log is "
               "of another run, or not all calls were traced", c->violations,
               c->violations == 1 ? "" : "s");
}

bool calls_match(struct calls *c, const struct flow_table *flows, char *error, size_t size)
{
    bool *used = need(calloc(c->log.file_count + 1, sizeof *used));
    bool matched;

    wire_finish(&c->wire, flows);
    set_times(c);
    replay_run(&c->replay, &c->log);
    calls_find_flows(c);
    matched = count_used(c, used) > 0;
    if (matched) {
        calls_find_causes(c);
        calls_place(c);
        calls_explain(c);
        calls_make_rows(c);
        remark_files(c, used);
    } else {
        why_unused(c, &c->log.files[0], error, size);
    }
    free(used);
    return matched;
}

/* ---- What is known ---- */

const struct call_row *calls_of(const struct calls *c, uint64_t flow_id, size_t *count)
{
    *count = 0;
    if (c->row_first == NULL || flow_id == 0 || flow_id > c->wire.flow_count)
        return NULL;
    *count = c->row_first[flow_id + 1] - c->row_first[flow_id];
    return *count > 0 ? c->rows + c->row_first[flow_id] : NULL;
}

/* Notes are in the order of flows, and of packets for each side: few, and asked for in turn. */
const char *calls_note(const struct calls *c, uint64_t flow_id, uint64_t packet)
{
    size_t low = 0, high = c->note_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c->notes[middle].flow < flow_id)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < c->note_count && c->notes[low].flow == flow_id; low++)
        if (c->notes[low].packet == packet)
            return c->notes[low].text;
    return NULL;
}

const char *calls_program(const struct calls *c, uint64_t flow_id, unsigned side)
{
    if (c->row_first == NULL || flow_id == 0 || flow_id > c->wire.flow_count)
        return "";
    for (size_t i = c->flow_first[flow_id]; i < c->flow_first[flow_id + 1]; i++) {
        const struct touch *t = &c->replay.touches[c->touches[i]];

        if (t->side == side && *c->replay.processes[t->process].program != '\0')
            return c->replay.processes[t->process].program;
    }
    return "";
}

const char *calls_remark(const struct calls *c)
{
    return c->remark;
}

uint64_t calls_violations(const struct calls *c)
{
    return c->violations;
}
