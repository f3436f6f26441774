/*
 * What the servers here have in common: everything before the first byte.
 * Each includes it; what differs is how they wait, read and write.
 */
#ifndef SERVER_SETUP_H
#define SERVER_SETUP_H

#define _GNU_SOURCE            /* accept4(), program_invocation_short_name */

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A program at another port defines PORT before it includes this; one with an option of its
 * own defines OWN_OPTION, as getopt(3) wants it, and own_option(), which takes its argument. */
#ifndef PORT
#define PORT "4321"
#endif
#ifdef OWN_OPTION
static bool own_option(const char *argument);
#else
#define OWN_OPTION ""
#define own_option(argument) false
#endif

static inline void complain(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
}

static inline void fail(const char *what)
{
    complain(what);
    exit(1);
}

static void print_address(const char *what, const struct sockaddr_storage *addr,
                          socklen_t len)
{
    char ip[NI_MAXHOST], port[NI_MAXSERV];

    if (getnameinfo((const struct sockaddr *)addr, len, ip, sizeof ip,
                    port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        printf("%s %s port %s\n", what, ip + (strncmp(ip, "::ffff:", 7) == 0 ? 7 : 0), port);
    fflush(stdout);
}

static struct addrinfo *look_up(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = PORT;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
    int option, error;
    bool right = true;

    while (right && (option = getopt(argc, argv, "a:p:" OWN_OPTION)) != -1) {
        if (option == 'a')
            address = optarg;
        else if (option == 'p')
            port = optarg;
        else
            right = option != '?' && own_option(optarg);
    }
    if (!right || optind < argc || strlen(port) < 1 || strlen(port) > 5
        || strspn(port, "0123456789") != strlen(port) || atoi(port) > 65535) {
        fprintf(stderr, "usage: %s [-a ADDRESS] [-p PORT]\n", program_invocation_short_name);
        exit(2);
    }
    if ((error = getaddrinfo(address, port, &hints, &list)) != 0) {
        fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, address,
                gai_strerror(error));
        exit(1);
    }
    return list;
}

/* Returns a listening socket as the options say, its start line printed. */
static int open_listener(int argc, char *argv[])
{
    struct addrinfo *list = look_up(argc, argv);
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    int listen_fd = -1, yes = 1;

    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        listen_fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, 0);
        if (listen_fd >= 0
            && setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0
            && bind(listen_fd, ai->ai_addr, ai->ai_addrlen) == 0
            && listen(listen_fd, 128) == 0)
            break;
        if (ai->ai_next == NULL)
            fail("listen");
        close(listen_fd);
    }
    freeaddrinfo(list);
    if (getsockname(listen_fd, (struct sockaddr *)&addr, &len) < 0)
        fail("getsockname");
    print_address("listening on", &addr, len);
    signal(SIGPIPE, SIG_IGN);
    return listen_fd;
}

/* The next client, its line printed, or -1. FLAGS as in accept4(2). */
static int accept_client(int listen_fd, int flags)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int conn_fd;

    do {
        len = sizeof addr;
        conn_fd = accept4(listen_fd, (struct sockaddr *)&addr, &len, flags);
    } while (conn_fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (conn_fd >= 0)
        print_address("connection from", &addr, len);
    return conn_fd;
}

/* The same for a server with nothing else to do; -1 after a pause. */
static inline int wait_for_client(int listen_fd)
{
    int conn_fd = accept_client(listen_fd, 0);

    if (conn_fd < 0) {
        complain("accept");
        sleep(1);
    }
    return conn_fd;
}

#endif
