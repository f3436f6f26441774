/* ladder_out.c - see ladder_out.h. */
#include "ladder_out.h"

#include <stdio.h>
#include <string.h>

enum { BUFFER_SIZE = 64 * 1024, RUN = 32 };

static char buffer[BUFFER_SIZE];
static size_t used;

static void write_out(void)
{
    fwrite(buffer, 1, used, stdout);
    used = 0;
}

void out_bytes(const char *bytes, size_t count)
{
    while (count > BUFFER_SIZE - used) {
        size_t part = BUFFER_SIZE - used;

        memcpy(buffer + used, bytes, part);
        used = BUFFER_SIZE;
        write_out();
        bytes += part;
        count -= part;
    }
    memcpy(buffer + used, bytes, count);
    used += count;
}

void out_text(const char *text)
{
    out_bytes(text, strlen(text));
}

void out_char(char c)
{
    if (used == BUFFER_SIZE)
        write_out();
    buffer[used++] = c;
}

void out_line_end(void)
{
    out_char('\n');
}

#define DASHES_8 "\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500"

/* `run` holds RUN characters of `size` bytes. */
static void repeat(const char *run, size_t size, int count)
{
    for (; count > RUN; count -= RUN)
        out_bytes(run, RUN * size);
    if (count > 0)
        out_bytes(run, (size_t)count * size);
}

void out_spaces(int count)
{
    repeat("                                ", 1, count);
}

void out_dashes(int count, bool utf8)
{
    if (utf8)
        repeat(DASHES_8 DASHES_8 DASHES_8 DASHES_8, sizeof "\u2500" - 1, count);
    else
        repeat("--------------------------------", 1, count);
}

void out_flush(void)
{
    if (used == 0)
        return;
    write_out();
    fflush(stdout);
}
