/* ladder_out.h - gathers what a ladder writes to stdout: a row is many small pieces. */
#ifndef LABCAP_LADDER_OUT_H
#define LABCAP_LADDER_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { OUT_SIZE = 64 * 1024, OUT_RUN = 16 };

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

static inline void out_char(char c)
{
    *out_room(1) = c;
    out_buffer.used++;
}

static inline void out_line_end(void)
{
    out_char('\n');
}

/* What was written into the room ends here. */
static inline void out_until(const char *end)
{
    out_buffer.used = (size_t)(end - out_buffer.text);
}

/* These write `count` of them, none if it is negative, and return the end. They need room for
 * OUT_RUN more: a size that the compiler knows takes no time. */
static inline char *write_spaces(char *to, int count)
{
    for (int done = 0; done < count; done += OUT_RUN)
        memset(to + done, ' ', OUT_RUN);
    return count > 0 ? to + count : to;
}

/* The same for up to 2 * OUT_RUN of them, as there are beside a short text. */
static inline char *write_few_spaces(char *to, int count)
{
    memset(to, ' ', 2 * OUT_RUN);
    return count > 0 ? to + count : to;
}

enum { OUT_DASH = sizeof "\u2500" - 1 };

extern const char out_dash_run[OUT_DASH * OUT_RUN + 1];

static inline char *write_dashes(char *to, int count, bool utf8)
{
    int size = utf8 ? OUT_DASH : 1;

    for (int done = 0; done < count; done += OUT_RUN)
        if (utf8)
            memcpy(to + done * OUT_DASH, out_dash_run, OUT_DASH * OUT_RUN);
        else
            memset(to + done, '-', OUT_RUN);
    return count > 0 ? to + count * size : to;
}

static inline void out_spaces(int count)
{
    if (count > 0)
        out_until(write_spaces(out_room((size_t)count + OUT_RUN), count));
}

static inline void out_dashes(int count, bool utf8)
{
    if (count > 0)
        out_until(write_dashes(out_room(OUT_DASH * ((size_t)count + OUT_RUN)), count, utf8));
}

#endif
