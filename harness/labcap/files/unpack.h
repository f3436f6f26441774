/* unpack.h - traces that gzip or zstd has packed, through these programs. */
#ifndef LABCAP_UNPACK_H
#define LABCAP_UNPACK_H

#include <stdbool.h>
#include <sys/types.h>

#include "octets.h"

struct unpacker {
    const char *program; /* NULL: nothing was packed */
    pid_t pid, feeder;   /* 0: none, or waited for */
    int fd;              /* what comes out; the caller reads it */
};

/* The program that unpacks what begins with these octets, which are looked at and not taken; NULL
 * if they are not packed. */
const char *unpack_program(struct octets *packed);

/* Of a file on a disk that is not open yet. */
bool unpack_file_is_packed(const char *path);

/* Starts `program` on what `packed` has yet to give. False with errno. */
bool unpack_begin(struct unpacker *u, const char *program, struct octets *packed);

/* After the last octet of u->fd was read: true if the program has unpacked all there was. */
bool unpack_succeeded(struct unpacker *u);

/* Ends what still runs, and closes u->fd. */
void unpack_end(struct unpacker *u);

#endif
