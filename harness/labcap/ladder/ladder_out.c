/* ladder_out.c - see ladder_out.h. */
#include "ladder_out.h"

#include <stdio.h>

struct out_buffer out_buffer;

void out_write(void)
{
    fwrite(out_buffer.text, 1, out_buffer.used, stdout);
    out_buffer.used = 0;
}

void out_much(const char *bytes, size_t count)
{
    out_write();
    fwrite(bytes, 1, count, stdout);
}

#define DASHES_8 "\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500"

void out_dashes(int count, bool utf8)
{
    static const char dashes[] = DASHES_8 DASHES_8 DASHES_8 DASHES_8;
    enum { DASH = sizeof "\u2500" - 1 };

    for (; count > 0; count -= OUT_RUN) {
        size_t run = (size_t)(count < OUT_RUN ? count : OUT_RUN);
        char *to = out_room(DASH * OUT_RUN);

        if (utf8)
            memcpy(to, dashes, DASH * OUT_RUN); /* all of them: a known number takes no time */
        else
            memset(to, '-', OUT_RUN);
        out_buffer.used += utf8 ? DASH * run : run;
    }
}

void out_flush(void)
{
    if (out_buffer.used == 0)
        return;
    out_write();
    fflush(stdout);
}
