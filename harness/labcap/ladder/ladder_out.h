/* ladder_out.h - gathers what a ladder writes to stdout: a row is many small pieces. */
#ifndef LABCAP_LADDER_OUT_H
#define LABCAP_LADDER_OUT_H

#include <stdbool.h>
#include <stddef.h>

void out_bytes(const char *bytes, size_t count);
void out_text(const char *text);
void out_char(char c);
void out_line_end(void);

/* `count` of them; none if it is negative. */
void out_spaces(int count);
void out_dashes(int count, bool utf8);

/* Writes all of it to stdout. Errors are stdout's: see finish_output(). */
void out_flush(void);

#endif
