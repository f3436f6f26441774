/* stop.h - how a program that goes on for ever is ended: by signals, read from a descriptor.
 *
 * There is no race with poll(), and they are seen however busy the program is. */
#ifndef LABCAP_STOP_H
#define LABCAP_STOP_H

#include <stdbool.h>

struct stop {
    int fd;    /* readable when a signal waits */
    int count; /* SIGINT, SIGTERM and SIGHUP so far */
    bool resized; /* SIGWINCH; whoever sees it sets it back */
};

/* From here on they are taken by stop_take() only. SIGHUP stays ignored if it was; SIGPIPE and
 * SIGXFSZ are ignored, as write() tells. Returns false on failure (errno tells). */
bool stop_open(struct stop *stop);

/* Counts the signals that wait. */
void stop_take(struct stop *stop);

/* Waits until poll() promises that `fd` takes some bytes. A reader that takes nothing must not
 * keep the program from ending: the second signal ends the wait, and so does the first one
 * after `patience_ms` (-1: it does not). Returns false, with errno, then and on failure. */
bool stop_wait_for_room(struct stop *stop, int fd, int patience_ms);

#endif
