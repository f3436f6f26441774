/* calls_tables.h - threads and their descriptors, for the replay in calls_sockets.c. */
#ifndef LABCAP_CALLS_TABLES_H
#define LABCAP_CALLS_TABLES_H

#include "bound.h"
#include "calls_sockets.h"

/* Larger descriptors are not followed. */
enum { FD_MAX = BOUND(65536, 256) };

/* In all tables together. A log that needs more is no real one: descriptors are then forgotten. */
enum { ENTRIES_MAX = BOUND(4 * 1024 * 1024, 1024) };

struct fd_entry {
    uint32_t socket; /* NO_SOCKET: none */
    bool close_on_exec;
};

struct fd_table {
    uint32_t users;  /* threads */
    uint32_t living; /* of them */
    uint32_t size;
    struct fd_entry *entries; /* by descriptor */
};

/* The thread of a call: the living one with this pid; else one that was made and not seen since;
 * else a new one, of an unknown process. The indexes of threads, processes and sockets stay;
 * pointers only until the next one is made. */
uint32_t thread_of_call(struct replay *r, uint32_t call);

/* How a thread was made, by this call of its parent. */
struct making {
    uint32_t call, parent, pid;
    bool sure;         /* that is its pid in the log, not in a namespace of its own */
    bool shares_files; /* descriptors */
    bool same_process;
};
void thread_made(struct replay *r, const struct making *how);

/* The thread's process executes another program, whose name it takes over. */
void thread_executes(struct replay *r, uint32_t thread, char *program);

uint32_t socket_new(struct replay *r);

uint32_t fd_get(const struct replay *r, uint32_t thread, int64_t fd);
/* Puts a socket there; returns the one that was there and has no descriptor any more. */
uint32_t fd_put(struct replay *r, uint32_t thread, int64_t fd, uint32_t socket, bool on_exec);
/* The descriptor is closed: see fd_put(). */
uint32_t fd_clear(struct replay *r, uint32_t thread, int64_t fd);

bool fd_closes_on_exec(const struct replay *r, uint32_t thread, int64_t fd);
/* execve closes the descriptor, or does not. */
void fd_close_on_exec(struct replay *r, uint32_t thread, int64_t fd, bool on_exec);

void tables_free(struct replay *r);

#endif
