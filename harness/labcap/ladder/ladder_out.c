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

const char out_dash_run[] = DASHES_8 DASHES_8;

void out_flush(void)
{
    if (out_buffer.used == 0)
        return;
    out_write();
    fflush(stdout);
}
