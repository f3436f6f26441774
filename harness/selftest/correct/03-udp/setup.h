/*
 * What the programs here have in common: errors, numbers on the command line, names.
 * Each includes it through server_setup.h, client_setup.h or peer_setup.h.
 */
#ifndef SETUP_H
#define SETUP_H

#define _GNU_SOURCE            /* recvmmsg(), program_invocation_short_name */

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME program_invocation_short_name

enum { LARGEST = 65507, ROOM = LARGEST + 1 };

static inline void complain(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", NAME, what, strerror(errno));
}

_Noreturn static inline void fail(const char *what)
{
    complain(what);
    exit(1);
}

/* Whether TEXT is a number of digits only, from LEAST to MOST. */
static inline bool is_number(const char *text, long least, long most)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && digits < 10 && text[digits] == '\0'
        && atol(text) >= least && atol(text) <= most;
}

static inline bool is_port(const char *text)
{
    return is_number(text, 0, 65535);
}

/* The addresses of HOST; ends the program when there are none. FLAGS and FAMILY as its hints. */
static inline struct addrinfo *look_up(const char *host, const char *port, int family, int flags)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM,
                              .ai_flags = flags }, *list;
    int error = getaddrinfo(host, port, &hints, &list);

    if (error != 0) {
        fprintf(stderr, "%s: %s: %s\n", NAME, host, gai_strerror(error));
        exit(1);
    }
    return list;
}

#endif
