/* fail.h - how labwire gives up: one line on stderr, and an exit status that says why.
 *
 * A relay that cannot go on must end: a test that went on without it would blame a program for
 * what the network did. */
#ifndef LABWIRE_FAIL_H
#define LABWIRE_FAIL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_FAILED = 1, /* it could not be started, or could not go on */
    EXIT_USAGE = 2,
    EXIT_LOST = 3    /* labwire itself lost a packet that no rule told it to lose */
};

/* The call or the thing that failed, and errno. Any thread may call it. */
_Noreturn void fail_errno(const char *what);

_Noreturn void fail(int status, const char *why);

/* need(malloc(size)): returns what it is given, unless that is NULL. */
static inline void *need(void *memory)
{
    if (memory == NULL)
        fail(EXIT_FAILED, "out of memory");
    return memory;
}

#endif
