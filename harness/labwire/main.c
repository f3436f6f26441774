/* labwire - a network that loses, doubles, delays, reorders and damages the packets you name.
 *
 *     labwire [OPTION...] lo [RULE...]        between the programs of this network
 *     labwire [OPTION...] link A B [RULE...]  between two interfaces, as a cable is
 *     labwire --check RULE...                 are the rules good?
 *
 * --ready-fd FD   gets a newline once every packet passes here; without it stderr gets `ready`
 * -B MIB          memory in which packets wait to be taken, each way; 24 hold 14,000 of 1,500 bytes
 *
 * In place of RULE... a '-' has them read from stdin, one a line, up to an empty line: so the
 * network can be made while its rules are still unknown.
 * It stands in the way of every packet. What arrives bears a mark of its own (passage.h), so
 * that a trace shows both what was sent and what arrived.
 *
 * stdout   a line for each packet that a rule changes:
 *              RULE ACTION ORDINAL PROTOCOL SOURCE > DESTINATION PAYLOAD-LENGTH
 * stdin    (a pipe or a socket) a line `settle` is answered on stdout by `settled N` once
 *          nothing is on its way any more; N frames have arrived since. Its end, or SIGTERM or
 *          SIGINT, ends labwire in the same way: delayed packets arrive when they are due, then
 *          those that are held for reordering. After that nothing arrives.
 * exit     0; 1 it could not do its work; 2 usage; 3 it lost a packet that no rule meant */
#include <stdbool.h>

#include "fail.h"
#include "relay.h"

enum { RING_MIB = 24, RING_MIB_MAX = 1024 };

static int usage(void)
{
    fputs("usage: labwire [--ready-fd FD] [-B MIB] lo [RULE...]\n"
          "       labwire [--ready-fd FD] [-B MIB] link INTERFACE INTERFACE [RULE...]\n"
          "       labwire --check RULE...\n"
          "RULE... or, from lines of stdin up to an empty one, -\n"
          "RULE: ACTION KIND [from PORT] [to PORT] WHICH, one argument each\n"
          "  ACTION  drop, duplicate, delay MILLISECONDS, reorder, corrupt\n"
          "  KIND    packet, tcp, udp, icmp, syn, syn-ack, fin, rst, data, ack\n"
          "  WHICH   N, N,N,..., every N, all, random PERCENT seed N\n", stderr);
    return EXIT_USAGE;
}

/* A lone "-": they will be on stdin. */
static bool read_rules(struct relay_options *options, int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "-") == 0) {
        options->rules_on_stdin = true;
        return true;
    }
    for (int i = 0; i < argc; i++)
        if (!rules_add(options->rules, argv[i]))
            return false;
    return true;
}

/* Reads a number from LEAST to MOST. */
static bool read_number(const char *text, long least, long most, long *number)
{
    char *end;

    *number = strtol(text, &end, 10);
    return end != text && *end == '\0' && *number >= least && *number <= most;
}

/* Reads "--ready-fd FD" and "-B MIB". Returns how many arguments that took, or -1. */
static int read_options(struct relay_options *options, int argc, char **argv)
{
    int taken = 0;
    long number;

    for (; taken < argc && argv[taken][0] == '-' && argv[taken][1] != '\0'; taken += 2) {
        if (taken + 1 == argc)
            return -1;
        if (strcmp(argv[taken], "--ready-fd") == 0 &&
            read_number(argv[taken + 1], 0, 1 << 20, &number))
            options->ready_fd = (int)number;
        else if (strcmp(argv[taken], "-B") == 0 &&
                 read_number(argv[taken + 1], 1, RING_MIB_MAX, &number))
            options->ring_bytes = (size_t)number << 20;
        else
            return -1;
    }
    return taken;
}

/* Reads which interfaces. Returns how many arguments that took, or -1. */
static int read_interfaces(struct relay_options *options, int argc, char **argv)
{
    if (argc >= 1 && strcmp(argv[0], "lo") == 0) {
        options->interfaces[0] = options->interfaces[1] = "lo";
        return 1;
    }
    if (argc >= 3 && strcmp(argv[0], "link") == 0) {
        options->interfaces[0] = argv[1];
        options->interfaces[1] = argv[2];
        options->link = true;
        return 3;
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct rules rules = {0};
    struct relay_options options = {
        .ready_fd = -1, .rules = &rules, .ring_bytes = (size_t)RING_MIB << 20};
    bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
    int taken, at = 1, status = EXIT_USAGE;

    if (check) {
        at++;
    } else {
        if ((taken = read_options(&options, argc - at, argv + at)) < 0)
            return usage();
        at += taken;
        if ((taken = read_interfaces(&options, argc - at, argv + at)) < 0)
            return usage();
        at += taken;
    }
    if (read_rules(&options, argc - at, argv + at) &&
        !(check && options.rules_on_stdin && !rules_read(&rules)))
        status = check ? EXIT_SUCCESS : relay_run(&options);
    rules_free(&rules);
    return status;
}
