/*
 * What the programs here have in common: everything before the first byte of the conversation.
 * One source makes both sides; the program's name says which it is, and at which port.
 */
#ifndef SETUP_H
#define SETUP_H

#define _GNU_SOURCE            /* program_invocation_short_name, ppoll() */

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

static inline void fail(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", NAME, what, strerror(errno));
    exit(1);
}

static inline bool is_server(void)
{
    return strstr(NAME, "server") != NULL;
}

static inline bool in_turns(void)
{
    return strncmp(NAME, "turn_", 5) == 0;
}

static void end_with_success(int number)
{
    (void)number;
    _exit(0);
}

static void usage(void)
{
    fprintf(stderr, "usage: %s %s\n", NAME,
            is_server() ? "[-a ADDRESS] [-p PORT]" : "[-p PORT] [HOST]");
    exit(2);
}

/* Returns the addresses of what the options say; its name and port for messages. */
static struct addrinfo *look_up(int argc, char *argv[], const char **host, const char **port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = is_server() ? AI_PASSIVE : 0 }, *list;
    int option, error;

    *host = "127.0.0.1";
    *port = in_turns() ? "2018" : "5188";
    while ((option = getopt(argc, argv, is_server() ? "a:p:" : "p:")) != -1) {
        if (option == '?')
            usage();
        *(option == 'a' ? host : port) = optarg;
    }
    if (!is_server() && optind < argc)
        *host = argv[optind++];
    if (optind < argc || strlen(*port) < 1 || strlen(*port) > 5
        || strspn(*port, "0123456789") != strlen(*port) || atoi(*port) > 65535)
        usage();
    if ((error = getaddrinfo(*host, *port, &hints, &list)) != 0) {
        fprintf(stderr, "%s: %s: %s\n", NAME, *host, gai_strerror(error));
        exit(1);
    }
    return list;
}

static bool join(int fd, const struct addrinfo *ai)
{
    int yes = 1;

    if (!is_server())
        return connect(fd, ai->ai_addr, ai->ai_addrlen) == 0;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0
        && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1) == 0;
}

static void tell(const char *what, const struct sockaddr_storage *addr, socklen_t len)
{
    char ip[NI_MAXHOST], port[NI_MAXSERV];

    if (getnameinfo((const struct sockaddr *)addr, len, ip, sizeof ip,
                    port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        printf("%s %s port %s\n", what, ip, port);
    fflush(stdout);
}

static int wait_for_peer(int listen_fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    int fd;

    if (getsockname(listen_fd, (struct sockaddr *)&addr, &len) < 0)
        fail("getsockname");
    tell("listening on", &addr, len);
    do {
        len = sizeof addr;
        fd = accept(listen_fd, (struct sockaddr *)&addr, &len);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0)
        fail("accept");
    if (!in_turns())
        tell("connection from", &addr, len);
    close(listen_fd);
    return fd;
}

/* Returns the connection that the options ask for. */
static int open_connection(int argc, char *argv[])
{
    const char *host, *port;
    struct addrinfo *list = look_up(argc, argv, &host, &port);
    int fd = -1, why = 0;

    signal(SIGPIPE, SIG_IGN);
    if (is_server()) {
        signal(SIGINT, end_with_success);
        signal(SIGTERM, end_with_success);
    }
    for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
        if (fd < 0 || join(fd, ai))
            continue;
        why = errno;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd < 0) {
        fprintf(stderr, "%s: %s to %s port %s: %s\n", NAME,
                is_server() ? "bind" : "connect", host, port, strerror(why));
        exit(1);
    }
    return is_server() ? wait_for_peer(fd) : fd;
}

#endif
