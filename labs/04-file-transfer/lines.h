/*
 * lines - what comes on the control connection, line by line.
 */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>

enum { LINE_SIZE = 4096 };              /* a longer one is thrown away */

struct lines {
    int fd;
    size_t next, end;                   /* what is received, but not taken */
    unsigned char input[2048];
};

/*
 * Takes the next line, without its CR LF. What cannot be a command becomes an
 * empty line: one that is too long, or has a NUL in it, which would end the
 * string early. False where there is none; at the end of file errno is 0 then.
 */
bool take_line(struct lines *lines, char line[LINE_SIZE]);

#endif
