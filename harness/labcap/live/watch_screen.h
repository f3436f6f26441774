/* watch_screen.h - standard output, of a program that must end when it is told to.
 *
 * Whatever is printed to stdout afterwards waits for its reader only until the program is to
 * stop, and a moment longer. */
#ifndef LABCAP_WATCH_SCREEN_H
#define LABCAP_WATCH_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "stop.h"

struct watch_screen {
    struct stop *stop;
    FILE *before; /* stdout as it was */
    int fd;
    int error; /* errno of the write that failed; nothing is written any more */
};

/* From here to watch_screen_close() `stdout` writes through `screen`. Returns false on failure
 * (errno tells). */
bool watch_screen_open(struct watch_screen *screen, struct stop *stop);
void watch_screen_close(struct watch_screen *screen);

/* A descriptor for poll(), without events: it tells when the reader has gone. */
int watch_screen_fd(const struct watch_screen *screen);

/* The reader has gone, or takes nothing while the program is to end: not a failure. */
bool watch_screen_left(const struct watch_screen *screen);

#endif
