/* strace_pids.h - pids as strace tells them on a terminal: in brackets, and only while there are
 * several threads. */
#ifndef LABCAP_STRACE_PIDS_H
#define LABCAP_STRACE_PIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bound.h"
#include "strace_line.h"

enum { ATTACHED_MAX = BOUND(64, 3) };

struct log_pids {
    uint32_t alone; /* whose the lines without a pid are, once it is known; 0 */
    uint32_t attached[ATTACHED_MAX]; /* pids that strace has said are new, the latest ones */
    size_t attached_count;
};

/* strace has said that this pid is new. */
void log_pids_attached(struct log_pids *pids, uint32_t pid);

/* That can stand in the middle of a call's line, whose rest then comes as a line of its own.
 * Returns the length of what is before it; the line's if there is nothing of that. */
size_t log_pids_message(struct log_pids *pids, const char *text, size_t length);

/* True if the line has the first pid in brackets that is not new: it is that of all the lines that
 * had none, now pids->alone. */
bool log_pids_alone(struct log_pids *pids, const struct strace_line *line);

#endif
