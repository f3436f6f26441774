#include "record_options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "messages.h"
#include "pcapng.h"
#include "trace.h"
#include "usage.h"

enum { RING_MIB_MAX = 2047 }; /* libpcap counts its bytes in an int */

static const char details[] =
    "\n"
    "Every packet that the kernel has seen by the stop is in FILE (pcapng, nanosecond stamps).\n"
    "FILTER is libpcap's language (man 7 pcap-filter).\n"
    "\n"
    "  -i IFACE       the network interface, such as lo\n"
    "  -w FILE        where to write; - is standard output\n"
    "  -s SNAPLEN     bytes kept of each packet, 1 to 262144 (262144)\n"
    "  -B MIB         size of the kernel's buffer (24; 64 where frames can be 64 KiB)\n"
    "  --ready-fd FD  write a newline to descriptor FD and close it, once not one later\n"
    "                 packet can be missed; without it, the line `ready` goes to stderr\n"
    "  --until-eof    stop at the end of standard input, too\n"
    "\n"
    "At the end, `N packets, M drops` on stderr. Needs CAP_NET_RAW: run it as root, inside\n"
    "`unshare -Urn`, or after `sudo setcap cap_net_raw+ep labcap`.\n"
    "\n"
    "Exit status: 0 every packet is recorded; 2 wrong usage; 3 the trace cannot be trusted\n"
    "(drops, the interface went away) or could not be recorded (no permission, full disk).\n";

int record_help(void)
{
    usage_help("record");
    fputs(details, stdout);
    return finish_output(EXIT_MET);
}

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
    case 'r':
        if (!parse_number(optarg, 0, INT_MAX, &o->ready_fd) || fcntl(o->ready_fd, F_GETFD) < 0)
            return wrong("--ready-fd: '%s' is not an open descriptor", optarg);
        return 0;
    case 'e':
        o->until_eof = true;
        return 0;
    default: /* getopt has said what is wrong */
        return usage_error("record", NULL);
    }
}

int record_options_parse(struct record_options *o, int argc, char **argv)
{
    static const struct option names[] = {
        { "ready-fd", required_argument, NULL, 'r' },
        { "until-eof", no_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    *o = (struct record_options){ .capture.snaplen = PCAPNG_SNAPLEN_MAX, .ready_fd = -1 };
    optind = 1;
    while ((option = next_option(argc, argv, "i:w:s:B:", names)) != -1) {
        int status;

        if (option == 'h')
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
