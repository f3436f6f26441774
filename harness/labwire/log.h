/* log.h - what labwire tells on stdout, a line a packet. It never waits for its reader: a reader
 * that waits for a packet meanwhile would wait for ever. */
#ifndef LABWIRE_LOG_H
#define LABWIRE_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct log {
    char *text;
    size_t start, end, room;
    bool closed; /* nobody reads any more */
};

__attribute__((format(printf, 2, 3)))
void log_line(struct log *log, const char *format, ...);

/* Writes what the reader takes now. */
void log_write(struct log *log);

/* Writes all of it, however long that takes, and closes stdout: the reader has it all then. */
void log_finish(struct log *log);

bool log_waits(const struct log *log);

#endif
