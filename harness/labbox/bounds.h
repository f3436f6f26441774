/*
 * bounds.h - what all processes of a sandbox may use together, and what they use.
 *
 * getrlimit(2) bounds each process alone. Called by pid 1 of a process namespace, whose
 * /proc shows all there are. Memory is what the processes have in memory besides their
 * code, what they share counted once; with it files in /tmp and /dev, which lie in memory,
 * System V segments that nobody has attached, and memfds that a process has open and not mapped.
 */
#ifndef BOUNDS_H
#define BOUNDS_H

#include <stdbool.h>
#include <stdint.h>

enum exceeded { NOTHING, TOO_MUCH_MEMORY, TOO_MANY_PROCESSES, TOO_MUCH_WORK, TOO_MANY_SESSIONS };

struct bounds { /* 0: no bound */
    int64_t memory;    /* bytes */
    int64_t processes; /* besides zombies */
    int64_t work;      /* seconds of processor time that more than CROWD threads may use */
    int64_t sessions;  /* that processes are in, at most MOST_SESSIONS */
    bool memfds;       /* there may be some: to be counted, at a system call a descriptor */
};

enum { CROWD = 64, MOST_SESSIONS = 256 };

struct crossing {
    enum exceeded what;
    int64_t seen; /* bytes, processes, seconds or sessions */
};

/* Whether the sandbox exceeds BOUNDS now. Takes a few system calls for each process. */
struct crossing bounds_crossed(const struct bounds *bounds);

#endif
