/* memory.h - allocation that succeeds or ends the program; memory that is fetched before its use.
 *
 * A trace that does not fit into memory cannot be judged: one line, and the exit status of a
 * trace that cannot be trusted. */
#ifndef LABCAP_MEMORY_H
#define LABCAP_MEMORY_H

#include <stdint.h>
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

enum { CACHE_LINE = 64 };

/* These octets will be needed soon: the processor may fetch them. Any address will do. */
static inline void prefetch(const void *memory, size_t size)
{
#pragma GCC unroll 16
    for (size_t at = 0; at < size; at += CACHE_LINE)
        __builtin_prefetch((const void *)((uintptr_t)memory + at), 1);
}

#endif
