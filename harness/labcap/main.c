/* main.c - labcap: records packets, tells what each connection did, draws it, checks it.
 *
 * Exit status of every command: 0 done, all expectations met; 1 an expectation not met; 2 usage;
 * 3 the trace cannot be trusted (unreadable, cut, packets lost), or output could not be
 * written. */
#include <stdio.h>
#include <string.h>

#include "annotate.h"
#include "capture.h"
#include "expect.h"
#include "ladder.h"
#include "messages.h"
#include "report.h"
#include "trace.h"
#include "usage.h"
#include "watch.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *help;
};

static const struct command commands[] = {
    {"record", cmd_record,
     "-i IFACE -w FILE [-s SNAPLEN] [-B MIB] [--ready-fd FD] [--until-eof] [FILTER]",
     "Captures live until SIGINT, SIGTERM or, with --until-eof, the end of its stdin."},
    {"flows", cmd_flows, "[--json] FILE|- [FILTER]",
     "Tells of each TCP connection and UDP flow in a row, or as a JSON object a line."},
    {"show", cmd_show,
     "FILE|- [FILTER] [-n ID] [--syscalls LOG]... [--all] [--merge] [--payload] [--json] "
     "[--ascii] [--color auto|always|never]",
     "Draws each connection as a ladder: client and server, a segment an arrow.\n"
     "--syscalls draws the calls of the programs beside, from logs of strace -f -yy -ttt -T;\n"
     "without --all, long runs of ordinary segments are counted in a row;\n"
     "--merge draws all connections in one ladder, in the order of time."},
    {"watch", cmd_watch,
     "-i IFACE [-s SNAPLEN] [--ascii] [--color auto|always|never] [--payload] [FILTER]",
     "Draws the ladder live, packet by packet, until SIGINT, SIGTERM or the end of its reader.\n"
     "Of each packet SNAPLEN bytes are looked at (1024). Needs CAP_NET_RAW, as `labcap record`\n"
     "does.\n"
     "Exit status: 0 every packet was shown; 2 usage; 3 packets were lost, or an error."},
    {"check", cmd_check, "FILE [FILTER] [-e FILE] [N:]KEY=VALUE|KEY>=VALUE|KEY<=VALUE...",
     "Compares each connection (or the one with id N) with expectations.\n"
     "KEY is a dotted name of `labcap flows --json`, or connections, udp_flows.\n"
     "Exit status: 0 all met, 1 one not met, 2 usage, 3 the trace cannot be trusted."},
    {"annotate", cmd_annotate, "FILE...",
     "Writes into pcapng files, as comments, what each packet does; Wireshark shows them.\n"
     "Nothing else is changed, and nothing at all if a file cannot be written whole.\n"
     "Exit status: 0 done, 2 usage, 3 a file could not be read or written, or tells of a\n"
     "trace that cannot be trusted."},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const struct command *find(const char *name)
{
    for (int i = 0; name != NULL && i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_usage(FILE *out, const struct command *command)
{
    if (command != NULL) {
        fprintf(out, "usage: labcap %s %s\n", command->name, command->arguments);
        return;
    }
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "%s labcap %s %s\n", i == 0 ? "usage:" : "      ", commands[i].name,
                commands[i].arguments);
}

int usage_help(const char *name)
{
    const struct command *command = find(name);

    print_usage(stdout, command);
    if (command != NULL)
        printf("%s\n", command->help);
    else
        puts("FILE is pcap or pcapng; FILTER is libpcap's language (man 7 pcap-filter).");
    return finish_output(EXIT_MET);
}

int usage_error(const char *name, const char *what)
{
    const struct command *command = find(name);

    if (what != NULL)
        message("labcap%s%s: %s", command != NULL ? " " : "",
                command != NULL ? command->name : "", what);
    print_usage(stderr, command);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static char name[] = "labcap";
    const struct command *command = argc > 1 ? find(argv[1]) : NULL;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return usage_help(NULL);
    if (argc == 1)
        return usage_error(NULL, NULL);
    if (command == NULL) {
        message("labcap: no command '%s'", argv[1]);
        return usage_error(NULL, NULL);
    }
    argv[1] = name; /* getopt's messages begin with it */
    return command->run(argc - 1, argv + 1);
}
