/* octets.h - the octets of a file or a pipe, through one large buffer; or of a mapped file.
 *
 * What was read stays as it was. Mapping copies nothing and takes less time, but where the file
 * shrinks meanwhile, zeros are seen: whoever maps it asks octets_sound() before he believes what
 * he has seen. From the end of what is mapped on, and from where it is not sound, he reads: so what
 * was written meanwhile follows, and the file ends where it ends. */
#ifndef LABCAP_OCTETS_H
#define LABCAP_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "bound.h"

/* Of the buffer: the largest packet that libpcap reads, and room around it. */
enum { OCTETS_MAX = BOUND(384, 16) * 1024 };

typedef void octets_fn(void *context, const uint8_t *bytes, size_t size);

/* What octets_look() has shown goes away, and perhaps it takes a while until more comes. */
typedef void octets_leave_fn(void *context);

struct octets {
    int fd;
    uint8_t *buffer; /* or where the file is mapped */
    size_t at, end; /* what is there and not yet taken */
    size_t mapped;  /* octets; 0: the buffer is one */
    off_t mapped_from; /* their place in the file */
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

/* The octets that need no fetching; valid as long. */
static inline const uint8_t *octets_there(const struct octets *o, size_t *n)
{
    *n = o->end - o->at;
    return o->buffer + o->at;
}

/* Takes octets that octets_look() or octets_there() has shown. */
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

/* Maps what follows, from what was not taken yet on: a regular file with at least `least` octets
 * to come, one at a time. False where it is none, or cannot be mapped: nothing has changed. */
bool octets_map(struct octets *o, size_t least);

/* Mapped: whether what was shown so far is what the file holds. */
bool octets_sound(const struct octets *o);

/* Mapped: goes on by reading, from octets_place() as it was before. False if the file no longer
 * reaches there. */
size_t octets_place(const struct octets *o);
bool octets_unmap(struct octets *o, size_t place);

/* A stream that takes from the same place, and never more than it is asked for; `passing` is shown
 * what it takes. fclose() leaves the octets open. NULL with errno. */
FILE *octets_stream(struct octets *o, octets_fn *passing, void *context);

#endif
