/* loopback.h - makes a new network namespace a host of its own. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

/*
 * Brings lo up as interface_up() does, and sets what would make traces differ from one
 * machine to the next. Returns NULL, or what could not be done, with errno.
 */
const char *loopback_up(void);

#endif
