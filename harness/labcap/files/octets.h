/* octets.h - the octets of a file or a pipe, through one large buffer.
 *
 * Reading into a buffer that stays in the processor's cache costs less than mapping the file
 * does: no page is touched for the first time, and a file that shrinks meanwhile ends earlier,
 * where a mapped one would raise SIGBUS. */
#ifndef LABCAP_OCTETS_H
#define LABCAP_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bound.h"

/* Of the buffer: the largest packet that libpcap reads, and room around it. */
enum { OCTETS_MAX = BOUND(384, 16) * 1024 };

typedef void octets_fn(void *context, const uint8_t *bytes, size_t size);

/* What octets_look() has shown goes away, and perhaps it takes a while until more comes. */
typedef void octets_leave_fn(void *context);

struct octets {
    int fd;
    uint8_t *buffer;
    size_t at, end; /* what was read and not yet taken */
    bool moved;     /* the buffer no longer begins with the file's first octet */
    int error;      /* errno of the last octets_fetch() that failed; 0: the file ends there */
    octets_fn *passing; /* through the stream */
    void *context;
    octets_leave_fn *leaving; /* NULL nobody asks */
    void *leaving_context;
};

/* `fd` stays the caller's. Exits when out of memory. */
void octets_open(struct octets *o, int fd);
void octets_close(struct octets *o);

/* Reads on until `n` octets wait. False if fewer follow, or `n` is above OCTETS_MAX, or the file
 * cannot be read. */
bool octets_fetch(struct octets *o, size_t n);

/* The next `n` octets, or NULL if octets_fetch() fails. Valid until the next call. */
static inline const uint8_t *octets_look(struct octets *o, size_t n)
{
    if (o->end - o->at < n && !octets_fetch(o, n))
        return NULL;
    return o->buffer + o->at;
}

/* Takes octets that octets_look() has shown. */
static inline void octets_take(struct octets *o, size_t n)
{
    o->at += n;
}

/* The octets taken so far, or NULL if some are gone. */
static inline const uint8_t *octets_taken(const struct octets *o, size_t *n)
{
    *n = o->at;
    return o->moved ? NULL : o->buffer;
}

/* True if octets were read and not yet taken. */
static inline bool octets_wait(const struct octets *o)
{
    return o->at < o->end;
}

/* A stream that takes from the same place, and never more than it is asked for; `passing` is shown
 * what it takes. fclose() leaves the octets open. NULL with errno. */
FILE *octets_stream(struct octets *o, octets_fn *passing, void *context);

#endif
