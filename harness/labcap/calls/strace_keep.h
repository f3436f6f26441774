/* strace_keep.h - the texts of a log's calls, as far as they are kept. */
#ifndef LABCAP_STRACE_KEEP_H
#define LABCAP_STRACE_KEEP_H

#include "strace_log.h"

/* The arguments, long strings cut as strace itself cuts them. */
const char *log_keep_arguments(struct strace_log *log, struct span arguments);

const char *log_keep_text(struct strace_log *log, struct span text, size_t most);

void log_free_texts(struct strace_log *log);

#endif
