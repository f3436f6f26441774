/* loopback.h - makes the loopback of a new network namespace look like a wire. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

/*
 * Brings lo up with MTU 1500 and without segment offloads, so that each segment is
 * recorded as it would travel. Returns NULL, or what could not be done, with errno.
 */
const char *loopback_up(void);

#endif
