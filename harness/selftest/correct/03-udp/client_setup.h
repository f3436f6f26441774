/*
 * What the clients here have in common: the command line, and which address of HOST is asked.
 * Each includes it and says how it asks: ask() below. How lines are read is its own affair, too.
 */
#ifndef CLIENT_SETUP_H
#define CLIENT_SETUP_H

#include "setup.h"

#include <time.h>

enum outcome { ANSWERED, SILENT, REFUSED };

/* Sends LINE to ADDRESS, at most 1 + retries times, and waits for its reply. */
static enum outcome ask(const struct addrinfo *address, const char *line, size_t len);

static const char *host = "127.0.0.1", *port = "6000";
static long patience_ms = 500, retries = 3;

static inline long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static inline bool take_option(int option)
{
    switch (option) {
    case 'p':
        port = optarg;
        return is_port(optarg);
    case 't':
        patience_ms = atol(optarg);
        return is_number(optarg, 1, 999999999);
    case 'r':
        retries = atol(optarg);
        return is_number(optarg, 0, 999999999);
    default:
        return false;
    }
}

/* Returns the addresses of the server that the command line names. */
static inline struct addrinfo *read_options(int argc, char *argv[])
{
    bool right = true;

    for (int option; right && (option = getopt(argc, argv, "p:t:r:")) != -1; )
        right = take_option(option);
    if (right && optind < argc)
        host = argv[optind++];
    if (!right || optind < argc) {
        fprintf(stderr, "usage: %s [-p PORT] [-t MILLISECONDS] [-r RETRIES] [HOST]\n", NAME);
        exit(2);
    }
    return look_up(host, port, AF_UNSPEC, 0);
}

static inline void print_reply(const char *line, size_t len)
{
    if (fwrite(line, 1, len, stdout) != len || putchar('\n') == EOF || fflush(stdout) == EOF)
        fail("stdout");
}

/* Has LINE answered by the first address, from *ADDRESS on, that does not refuse it. */
static inline void talk(const struct addrinfo **address, const char *line, size_t len)
{
    enum outcome outcome;

    if (len > LARGEST) {
        fprintf(stderr, "%s: line: more than %d bytes\n", NAME, LARGEST);
        exit(1);
    }
    while ((outcome = ask(*address, line, len)) == REFUSED && (*address)->ai_next != NULL)
        *address = (*address)->ai_next;
    if (outcome == ANSWERED) {
        print_reply(line, len);
        return;
    }
    fprintf(stderr, outcome == REFUSED ? "%s: %s port %s: Connection refused\n"
            : "%s: no reply from %s port %s\n", NAME, host, port);
    exit(1);
}

#endif
