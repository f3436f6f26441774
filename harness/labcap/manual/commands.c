/* commands.c - see commands.h. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#define FILTER_OPTION                                                                            \
    {OPTION_FILTER, "filter", "FILTER", COMPLETE_NOTHING, false, false,                          \
     "Look only at packets that FILTER chooses. Every other word is a FILE then, whatever its "  \
     "name."}
#define ASCII_OPTION                                                                             \
    {OPTION_ASCII, "ascii", NULL, COMPLETE_NOTHING, false, false,                                \
     "Draw with ASCII characters only; without it that is done where the locale is not UTF-8."}
#define COLOR_OPTION                                                                             \
    {OPTION_COLOR, "color", "auto|always|never", COMPLETE_CHOICE, false, false,                  \
     "When to use color; auto, on a terminal, unless said."}
#define PAYLOAD_OPTION                                                                           \
    {OPTION_PAYLOAD, "payload", NULL, COMPLETE_NOTHING, false, false,                            \
     "Show the bytes of each segment, too."}
#define MAX_FLOWS_OPTION(beyond)                                                                 \
    {OPTION_MAX_FLOWS, "max-flows", "N", COMPLETE_NOTHING, false, false,                         \
     "How many connections and UDP flows to have in memory at a time, 1024 or more; 65536 "      \
     "unless said. " beyond}
#define TOLD_EARLIER                                                                             \
    "When half of them are, those that have ended are told, not in their order, and forgotten. " \
    "When all are, so are the ones that were silent the longest, and the exit status is 3."
#define LEFT_OUT "Packets of later ones are left out, and the exit status is 3."
#define INTERFACE_OPTION                                                                         \
    {'i', NULL, "IFACE", COMPLETE_INTERFACE, true, false, "The network interface, such as lo."}

#define FILES                                                                                    \
    "FILE is pcap or pcapng, also packed by gzip or zstd; - is standard input. Further words "   \
    "that end in .pcap, .pcapng or .cap are FILEs, too. What follows is FILTER, in libpcap's "   \
    "language (man 7 pcap-filter)."

#define USAGE_STATUS "wrong usage"
#define READ_STATUSES                                                                            \
    {"every packet was read", NULL, USAGE_STATUS,                                                \
     "the trace cannot be trusted, or something could not be read or written"}

static const struct command_option record_options[] = {
    INTERFACE_OPTION,
    {'w', NULL, "FILE", COMPLETE_FILE, true, false, "Where to write; - is standard output."},
    {'s', NULL, "SNAPLEN", COMPLETE_NOTHING, false, false,
     "How many bytes of each packet to keep, from 1 to 262144; 262144 unless said."},
    {'B', NULL, "MIB", COMPLETE_NOTHING, false, false,
     "The size of the kernel's buffer in MiB; unless said 24, or 64 where frames can be 64 KiB."},
    {OPTION_READY_FD, "ready-fd", "FD", COMPLETE_NOTHING, false, false,
     "Write a newline to descriptor FD and close it, once not one later packet can be missed. "
     "Without it, the line `ready` goes to standard error."},
    {OPTION_UNTIL_EOF, "until-eof", NULL, COMPLETE_NOTHING, false, false,
     "Stop at the end of standard input, too."},
    {0},
};

static const struct command_option flows_options[] = {
    {OPTION_JSON, "json", NULL, COMPLETE_NOTHING, false, false,
     "Print a JSON object a line, and one of type capture at the end of each FILE."},
    MAX_FLOWS_OPTION(TOLD_EARLIER),
    FILTER_OPTION,
    {0},
};

static const struct command_option show_options[] = {
    {'n', NULL, "ID", COMPLETE_NOTHING, false, false,
     "Draw only the connection of that number, as `labcap flows` counts them."},
    {OPTION_SYSCALLS, "syscalls", "LOG", COMPLETE_FILE, false, true,
     "Draw the calls of the programs beside, from a log of `strace -f -yy -ttt -T`. Only with "
     "one FILE."},
    {OPTION_SYSCALLS_BESIDE, "syscalls-beside", NULL, COMPLETE_NOTHING, false, false,
     "The same for each FILE with the log that stands beside it, of its name with the ending "
     ".calls: t.calls for t.pcapng. Where there is none, no calls are drawn."},
    {OPTION_ALL, "all", NULL, COMPLETE_NOTHING, false, false,
     "Draw every segment; without it, long runs of ordinary ones are counted in a row."},
    {OPTION_MERGE, "merge", NULL, COMPLETE_NOTHING, false, false,
     "Draw all connections of a FILE in one ladder, in the order of time."},
    PAYLOAD_OPTION,
    {OPTION_JSON, "json", NULL, COMPLETE_NOTHING, false, false,
     "Print what would be drawn as JSON, an object a line."},
    {OPTION_ROWS, "rows", "N", COMPLETE_NOTHING, false, false,
     "Of a FILE's connections behind the first N rows tell only the beginning and the outcome. "
     "Only with --json, and without --merge."},
    ASCII_OPTION,
    COLOR_OPTION,
    MAX_FLOWS_OPTION(LEFT_OUT),
    FILTER_OPTION,
    {0},
};

static const struct command_option watch_options[] = {
    INTERFACE_OPTION,
    {'s', NULL, "SNAPLEN", COMPLETE_NOTHING, false, false,
     "How many bytes of each packet to look at, from 1 to 262144; 1024 unless said."},
    ASCII_OPTION,
    COLOR_OPTION,
    PAYLOAD_OPTION,
    {0},
};

static const struct command_option check_options[] = {
    {'e', NULL, "FILE", COMPLETE_FILE, false, true,
     "Read expectations from FILE, too, one a line; # begins a comment."},
    {OPTION_JSON, "json", NULL, COMPLETE_NOTHING, false, false,
     "Print first what `labcap flows --json` prints."},
    MAX_FLOWS_OPTION(TOLD_EARLIER),
    FILTER_OPTION,
    {0},
};

static const struct command_option annotate_options[] = {MAX_FLOWS_OPTION(LEFT_OUT), {0}};

const struct command commands[] = {
    {"record", "[FILTER]", "Records live packets into a file.",
     "Captures until SIGINT, SIGTERM or, if asked, the end of standard input. Every packet that "
     "the kernel has seen by then is in FILE (pcapng, nanosecond stamps). At the end says "
     "`N packets, M drops` on standard error.\n"
     "Needs CAP_NET_RAW: run it as root, inside `unshare -Urn`, or after "
     "`sudo setcap cap_net_raw+ep labcap`. FILTER is libpcap's language (man 7 pcap-filter).",
     record_options,
     {"every packet is recorded", NULL, USAGE_STATUS,
      "the trace cannot be trusted (drops, the interface went away) or could not be recorded (no "
      "permission, full disk)"}},
    {"flows", "FILE... [FILTER]", "Tells what each TCP connection and UDP flow did.",
     "Prints a row for each: who opened it, how it opened and closed, the bytes of each "
     "direction and Zeek's conn_state.\n"
     "Of packets that come through a pipe, as from `labcap record -w -`, each connection is told "
     "once it has ended and nothing has come of it for two seconds; what comes later is only "
     "counted, and the exit status is 3. All others are told at the end.\n" FILES,
     flows_options, READ_STATUSES},
    {"show", "FILE... [FILTER]", "Draws each connection as a ladder.",
     "Client and server are columns, and each segment is an arrow, with its flags, its relative "
     "numbers, its length and the TCP states of both sides.\n" FILES,
     show_options, READ_STATUSES},
    {"watch", "[FILTER]", "Draws the ladder live, packet by packet.",
     "Goes on until SIGINT, SIGTERM or the end of its reader. Needs CAP_NET_RAW, as "
     "`labcap record` does. FILTER is libpcap's language (man 7 pcap-filter).",
     watch_options,
     {"every packet was shown", NULL, USAGE_STATUS, "packets were lost, or an error"}},
    {"check", "FILE... [FILTER] [N:]KEY=VALUE|KEY>=VALUE|KEY<=VALUE...",
     "Compares connections with expectations.",
     "Prints a line for each expectation: met, or not and what was seen. KEY is a dotted name "
     "of `labcap flows --json` (not sizes, a list), connections or udp_flows. Without N it is "
     "about every connection that FILTER leaves, with N about the one of that number.\n" FILES,
     check_options,
     {"all are met", "one is not met", "wrong usage, an unknown KEY",
      "the trace cannot be trusted, or something could not be read or written"}},
    {"annotate", "FILE...", "Writes into pcapng files what each packet does.",
     "It stands there as comments, which Wireshark shows. Nothing else is changed, and nothing "
     "at all if a file cannot be written whole.",
     annotate_options,
     {"done", NULL, USAGE_STATUS,
      "a file could not be read or written, or tells of a trace that cannot be trusted"}},
    {0},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; name != NULL && c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

const char *option_flag(const struct command_option *option)
{
    static char text[64];

    if (option->name != NULL)
        snprintf(text, sizeof text, "--%s", option->name);
    else
        snprintf(text, sizeof text, "-%c", (char)option->key);
    return text;
}
