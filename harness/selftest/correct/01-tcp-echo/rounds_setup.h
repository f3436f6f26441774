/*
 * What the prompt servers here have in common: their option, their end, saying goodbye.
 */
#ifndef ROUNDS_SETUP_H
#define ROUNDS_SETUP_H

#define PORT "55555"
#define OWN_OPTION "n:"
#include "server_setup.h"

#include <sys/select.h>

static unsigned rounds = 20;

static bool own_option(const char *argument)
{
    rounds = (unsigned)atoi(argument);
    return strlen(argument) > 0 && strspn(argument, "0123456789") == strlen(argument);
}

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static int open_prompt_listener(int argc, char *argv[])
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    return open_listener(argc, argv);
}

static void print_round(unsigned number, ssize_t n, ssize_t total)
{
    printf("round %u: %zd bytes, %zd in all\n", number, n, total);
    fflush(stdout);
}

/* Sends the FIN and waits for the client's, 5 seconds at most: select(2) counts them down. */
static void say_goodbye(int conn_fd)
{
    struct timeval left = { 5, 0 };
    char rest[5000];
    fd_set readable;

    shutdown(conn_fd, SHUT_WR);
    do {
        FD_ZERO(&readable);
        FD_SET(conn_fd, &readable);
    } while (select(conn_fd + 1, &readable, NULL, NULL, &left) > 0
             && read(conn_fd, rest, sizeof rest) > 0);
    close(conn_fd);
}

#endif
