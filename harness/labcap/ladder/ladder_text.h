/* ladder_text.h - small texts for the ladder: spans of time, control bits, payload. */
#ifndef LABCAP_LADDER_TEXT_H
#define LABCAP_LADDER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPAN_TEXT_MAX = 24, FLAGS_TEXT_MAX = 40, NUMBER_TEXT_MAX = 28 };

/* A number in digits; with commas between the thousands. Each returns its length. */
size_t number_text(char text[NUMBER_TEXT_MAX], int64_t number);
size_t count_text(char text[NUMBER_TEXT_MAX], uint64_t count);

/* Three significant digits and a unit: "850 ns", "12.3 ms", "3.00 s". */
void span_text(char *text, size_t size, int64_t ns, bool utf8);

/* "SYN+ACK", "PSH+ACK"; "none" where no bit is set. */
void flags_text(char *text, size_t size, uint8_t flags);

/* Payload in quotes, as C would write it, at most `columns` wide; an ellipsis ends it where it
 * is cut or where `more` bytes were not kept. Nothing in it can control a terminal: what is not
 * printable is escaped, and so is every byte above 126 unless `utf8` and it belongs to a valid,
 * printable character. Returns the columns used. `size` 4 * columns + 1 is always enough. */
int payload_text(char *text, size_t size, const uint8_t *bytes, size_t count, bool more,
                 int columns, bool utf8);

/* A text of unknown origin, at most `columns` wide, so that nothing in it can control a terminal;
 * an ellipsis ends it where it is cut. Returns the columns used. */
int plain_text(char *text, size_t size, const char *from, int columns, bool utf8);

/* Puts what printf() would print behind `text`, in a buffer of `size` bytes; what has no room is
 * left out. */
void say(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The columns that a text takes; `utf8` says how to read it. */
int text_columns(const char *text, bool utf8);

#endif
