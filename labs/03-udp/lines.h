/*
 * lines - stdin, line by line, for programs that send each line as one
 * datagram. It never waits for the rest of a line: the caller decides when
 * to read, and what else to wait for.
 */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "net.h"

/* A line without its newline. Not a string: NUL is a byte like any other. */
struct line {
    const char *text;
    size_t len;
};

/* What has been read of stdin. There is room for the longest line that fits
 * in a datagram, and its newline; so a line without end costs no memory. */
struct lines {
    char buffer[MAX_DATAGRAM + 1];
    size_t start, end;                  /* the bytes that were not taken yet */
    bool ended;                         /* stdin has no more */
};

/* Takes the next line, if all of it is there; a last line needs no newline.
 * It stays valid until read_more(). Ends the program if it is too long. */
bool take_line(struct lines *lines, struct line *line);

/* Makes one read() of stdin. Ends the program on error. */
void read_more(struct lines *lines);

#endif
