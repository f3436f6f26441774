/*
 * lines - what the two sides of a conversation in turns have in common. A
 * line ends with its newline; TCP knows nothing of lines.
 */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stdio.h>

struct line {
    char *text;                         /* not a string: NULs are bytes */
    size_t len, size;
};

/* Reads the next line, of any length. Returns false at the end of file; ends
 * the program on error, which WHAT names. */
bool read_line(FILE *source, const char *what, struct line *line);

void print_line(const struct line *line);
void send_line(int conn_fd, struct line *line);

/* The line is WORD, and nothing else. */
bool is_word(const struct line *line, const char *word);

/* Ends the conversation from our side and waits a while for the other's. */
void hang_up(int conn_fd);

#endif
