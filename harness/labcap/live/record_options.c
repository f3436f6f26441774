#include "record_options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "operands.h"
#include "pcapng.h"
#include "trace.h"
#include "usage.h"

enum { RING_MIB_MAX = 2047 }; /* libpcap counts its bytes in an int */

__attribute__((format(printf, 1, 2)))
static int wrong(const char *format, ...)
{
    char what[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return usage_error("record", what);
}

static bool parse_number(const char *text, int min, int max, int *number)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || end == text || *end || *text == ' ' || value < min || value > max)
        return false;
    *number = (int)value;
    return true;
}

bool option_snaplen(const char *text, int *snaplen)
{
    return parse_number(text, 1, PCAPNG_SNAPLEN_MAX, snaplen);
}

/* Returns 0; or an exit status, with what is wrong already said. */
static int take_option(struct record_options *o, int option)
{
    switch (option) {
    case 'i':
        o->capture.interface = optarg;
        return 0;
    case 'w':
        o->file = optarg;
        return 0;
    case 's':
        if (!option_snaplen(optarg, &o->capture.snaplen))
            return wrong("-s: '%s' is not a number from 1 to %d", optarg, PCAPNG_SNAPLEN_MAX);
        return 0;
    case 'B':
        if (!parse_number(optarg, 1, RING_MIB_MAX, &o->capture.ring_mib))
            return wrong("-B: '%s' is not a number from 1 to %d", optarg, RING_MIB_MAX);
        return 0;
    case OPTION_READY_FD:
        if (!parse_number(optarg, 0, INT_MAX, &o->ready_fd) || fcntl(o->ready_fd, F_GETFD) < 0)
            return wrong("--ready-fd: '%s' is not an open descriptor", optarg);
        return 0;
    case OPTION_UNTIL_EOF:
        o->until_eof = true;
        return 0;
    default: /* getopt has said what is wrong */
        return usage_error("record", NULL);
    }
}

int record_options_parse(struct record_options *o, int argc, char **argv)
{
    int option;

    *o = (struct record_options){ .capture.snaplen = PCAPNG_SNAPLEN_MAX, .ready_fd = -1 };
    optind = 1;
    while ((option = usage_option("record", argc, argv)) != -1) {
        int status;

        if (option == OPTION_HELP)
            return -1;
        status = take_option(o, option);
        if (status != 0)
            return status;
    }
    if (!o->capture.interface || !*o->capture.interface)
        return wrong("which interface? (-i IFACE)");
    if (!o->file || !*o->file)
        return wrong("where to write? (-w FILE)");
    o->filter = join_words(argv + optind, argc - optind);
    o->capture.filter = o->filter;
    return 0;
}
