/* replacement.h - a new content for a file: all of it takes the file's place, or nothing does.
 *
 * It is written into a second file in the same folder, which then takes the first one's name. */
#ifndef LABCAP_REPLACEMENT_H
#define LABCAP_REPLACEMENT_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

enum { REPLACEMENT_BUFFER = 64 * 1024 }; /* without one of its own glibc takes st_blksize */

struct replacement {
    const char *path; /* as it was given, for messages */
    char file[PATH_MAX], temporary[PATH_MAX + 16];
    struct stat status;
    FILE *in;  /* the old content */
    FILE *out; /* the new one; NULL: nothing is new so far */
    sigset_t signals_before;
    char in_buffer[REPLACEMENT_BUFFER], out_buffer[REPLACEMENT_BUFFER];
    char *error; /* one line without a newline, once something returned false */
    size_t error_size;
};

/* Opens the file, which must not have changed since stat() said `as_read`, and which nobody may
 * write to meanwhile. Whether it returns true or false: from here to replacement_close() signals
 * that would end the program wait. */
bool replacement_open(struct replacement *r, const char *path, const struct stat *as_read,
                      char *error, size_t error_size);

/* Begins the new content with the first `same` bytes of the old one. */
bool replacement_begin(struct replacement *r, uint64_t same);

bool replacement_write(struct replacement *r, const void *bytes, size_t size);

/* Overwrites bytes of the new content. */
bool replacement_patch(struct replacement *r, uint64_t at, const void *bytes, size_t size);

/* Puts the new content, if there is one, in the file's place; mode and, where that is allowed,
 * owner stay. */
bool replacement_commit(struct replacement *r);

/* Without replacement_commit() nothing has happened. */
void replacement_close(struct replacement *r);

/* "PATH: WHAT" is the error. Returns false. */
__attribute__((format(printf, 2, 3)))
bool replacement_fail(struct replacement *r, const char *format, ...);

#endif
