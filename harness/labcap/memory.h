/* memory.h - allocation that succeeds or ends the program.
 *
 * A trace that does not fit into memory cannot be judged: one line, and the exit status of a
 * trace that cannot be trusted. */
#ifndef LABCAP_MEMORY_H
#define LABCAP_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

/* need(malloc(size)): returns what it is given, unless that is NULL. */
static inline void *need(void *memory)
{
    if (memory == NULL) {
        fputs("labcap: out of memory\n", stderr);
        exit(3);
    }
    return memory;
}

#endif
