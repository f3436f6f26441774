/* ladder_out.h - gathers what a ladder writes to stdout: a row is many small pieces. */
#ifndef LABCAP_LADDER_OUT_H
#define LABCAP_LADDER_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { OUT_SIZE = 64 * 1024, OUT_RUN = 32 };

/* For the functions below only. */
extern struct out_buffer {
    size_t used;
    char text[OUT_SIZE];
} out_buffer;

/* Writes all of it to stdout, which may keep it for a while. */
void out_write(void);

/* Writes all of it out of the program. Errors are stdout's: see finish_output(). */
void out_flush(void);

void out_much(const char *bytes, size_t count);

/* Makes room for `most` bytes and returns where they go. */
static inline char *out_room(size_t most)
{
    if (OUT_SIZE - out_buffer.used < most)
        out_write();
    return out_buffer.text + out_buffer.used;
}

static inline void out_bytes(const char *bytes, size_t count)
{
    if (count > OUT_SIZE) {
        out_much(bytes, count);
        return;
    }
    memcpy(out_room(count), bytes, count);
    out_buffer.used += count;
}

static inline void out_text(const char *text)
{
    out_bytes(text, strlen(text));
}

/* `count` bytes of an array. All of it is copied: a size that the compiler knows takes no time. */
#define OUT_SOME(array, count) out_some(array, sizeof(array), count)

static inline void out_some(const char *bytes, size_t size, size_t count)
{
    memcpy(out_room(size), bytes, size);
    out_buffer.used += count;
}

static inline void out_char(char c)
{
    *out_room(1) = c;
    out_buffer.used++;
}

static inline void out_line_end(void)
{
    out_char('\n');
}

/* `count` of them; none if it is negative. */
static inline void out_spaces(int count)
{
    for (; count > 0; count -= OUT_RUN) {
        memset(out_room(OUT_RUN), ' ', OUT_RUN);
        out_buffer.used += (size_t)(count < OUT_RUN ? count : OUT_RUN);
    }
}

void out_dashes(int count, bool utf8);

#endif
