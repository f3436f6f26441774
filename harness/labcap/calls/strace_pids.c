/* strace_pids.c - see strace_pids.h. */
#include "strace_pids.h"

#include <string.h>

#include "strace_text.h"

void log_pids_attached(struct log_pids *p, uint32_t pid)
{
    p->attached[p->attached_count++ % ATTACHED_MAX] = pid;
}

static bool is_new(const struct log_pids *p, uint32_t pid)
{
    for (size_t i = 0; i < p->attached_count && i < ATTACHED_MAX; i++)
        if (p->attached[i] == pid)
            return true;
    return false;
}

size_t log_pids_message(struct log_pids *p, const char *text, size_t length)
{
    static const char message[] = "strace: Process ";
    const char *at = memmem(text, length, message, sizeof message - 1);
    struct span whole = {text, length};
    struct strace_line line;

    if (at == NULL || at == text || !span_cut_end(&whole, " attached"))
        return length;
    strace_line_parse(&line, at, length - (size_t)(at - text));
    log_pids_attached(p, line.pid);
    return (size_t)(at - text);
}

bool log_pids_alone(struct log_pids *p, const struct strace_line *line)
{
    if (!line->bracket || p->alone != 0 || is_new(p, line->pid))
        return false;
    p->alone = line->pid;
    return true;
}
