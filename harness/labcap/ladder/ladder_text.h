/* ladder_text.h - small texts for the ladder: spans of time, control bits, payload. */
#ifndef LABCAP_LADDER_TEXT_H
#define LABCAP_LADDER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SPAN_TEXT_MAX = 22, FLAGS_TEXT_MAX = 40, NUMBER_TEXT_MAX = 32 };

/* A number in digits; with commas between the thousands. Each returns its length. */
size_t number_text(char text[NUMBER_TEXT_MAX], int64_t number);
size_t count_text(char text[NUMBER_TEXT_MAX], uint64_t count);

/* A length of time as text; all bits 0 is none. */
struct span {
    char text[SPAN_TEXT_MAX];
    uint8_t length, columns;
};

/* Three significant digits and a unit: "850 ns", "12.3 ms", "3.00 s". */
void span_tell(struct span *span, int64_t ns, bool utf8);

struct flags_text {
    char text[FLAGS_TEXT_MAX];
    size_t length; /* 0: not made yet */
};

/* For flags_text() only. */
extern struct flags_text flags_texts[256];
void flags_make(uint8_t flags);

/* "SYN+ACK", "PSH+ACK"; "none" where no bit is set. */
static inline const struct flags_text *flags_text(uint8_t flags)
{
    if (flags_texts[flags].length == 0)
        flags_make(flags);
    return &flags_texts[flags];
}

/* Payload in quotes, as C would write it, at most `columns` wide; an ellipsis ends it where it
 * is cut or where `more` bytes were not kept. Nothing in it can control a terminal: what is not
 * printable is escaped, and so is every byte above 126 unless `utf8` and it belongs to a valid,
 * printable character. Returns the columns used. `size` 4 * columns + 1 is always enough. */
int payload_text(char *text, size_t size, const uint8_t *bytes, size_t count, bool more,
                 int columns, bool utf8);

/* A text of unknown origin, at most `columns` wide, so that nothing in it can control a terminal;
 * an ellipsis ends it where it is cut. Returns the columns used. */
int plain_text(char *text, size_t size, const char *from, int columns, bool utf8);

/* A text that grows; what does not fit is left out. */
struct growing {
    char *text;
    size_t used, size;
};

/* An empty one, in `text`. */
static inline struct growing text_begin(char *text, size_t size)
{
    *text = '\0';
    return (struct growing){text, 0, size};
}

static inline void text_add_some(struct growing *growing, const char *text, size_t length)
{
    size_t room = growing->size - growing->used - 1;

    if (length > room)
        length = room;
    memcpy(growing->text + growing->used, text, length);
    growing->used += length;
    growing->text[growing->used] = '\0';
}

static inline void text_add(struct growing *growing, const char *text)
{
    text_add_some(growing, text, strlen(text));
}

void text_add_number(struct growing *growing, int64_t number);

/* Adds what printf() would print. */
void say(struct growing *growing, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The columns that a text takes, or `length` bytes of one; `utf8` says how to read it. Our own
 * texts hold no wide characters: one that is not a continuation takes a column. */
static inline int text_columns_of(const char *text, size_t length, bool utf8)
{
    int columns = (int)length;

    for (size_t i = 0; utf8 && i < length; i++)
        columns -= (text[i] & 0xc0) == 0x80;
    return columns;
}

static inline int text_columns(const char *text, bool utf8)
{
    return text_columns_of(text, strlen(text), utf8);
}

#endif
