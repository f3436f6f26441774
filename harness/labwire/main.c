/* labwire - a network that loses, doubles, delays, reorders and damages the packets you name.
 *
 *     labwire [--ready-fd FD] lo [RULE...]        between the programs of this network
 *     labwire [--ready-fd FD] link A B [RULE...]  between two interfaces, as a cable is
 *     labwire --check RULE...                     are the rules good?
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

static int usage(void)
{
    fputs("usage: labwire [--ready-fd FD] lo [RULE...]\n"
          "       labwire [--ready-fd FD] link INTERFACE INTERFACE [RULE...]\n"
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

/* Reads "--ready-fd FD". Returns how many arguments that took, or -1. */
static int read_ready_fd(struct relay_options *options, int argc, char **argv)
{
    char *end;
    long number;

    if (argc < 1 || strcmp(argv[0], "--ready-fd") != 0)
        return 0;
    if (argc < 2)
        return -1;
    number = strtol(argv[1], &end, 10);
    if (end == argv[1] || *end != '\0' || number < 0 || number > 1 << 20)
        return -1;
    options->ready_fd = (int)number;
    return 2;
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
    struct relay_options options = {.ready_fd = -1, .rules = &rules};
    bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
    int taken, at = 1, status = EXIT_USAGE;

    if (check) {
        at++;
    } else {
        if ((taken = read_ready_fd(&options, argc - at, argv + at)) < 0)
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
