/* strace_threads.h - the threads of a log while it is read: which call each of them is in. */
#ifndef LABCAP_STRACE_THREADS_H
#define LABCAP_STRACE_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NO_CALL = UINT32_MAX, DROPPED = UINT32_MAX - 1 };

struct log_thread {
    uint32_t pid;
    bool used;
    uint32_t open;   /* the call that has begun, or DROPPED */
    uint32_t latest; /* the last one that has ended, for its end is before the next stamp */
    uint8_t open_name;
    char *arguments; /* of the open call, so far */
    size_t arguments_length;
};

struct log_threads {
    struct log_thread *slots; /* a hash table, at most half full */
    size_t size, count;
};

/* The thread with this pid, a new one if need be; valid until the next one is made. */
struct log_thread *log_thread_of(struct log_threads *threads, uint32_t pid);

/* What is known of the thread with pid `from` is of the one with `to`. */
void log_thread_rename(struct log_threads *threads, uint32_t from, uint32_t to);

void log_threads_free(struct log_threads *threads);

#endif
