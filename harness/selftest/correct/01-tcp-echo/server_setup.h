/*
 * What the servers here have in common: everything before the first byte.
 * Copied beside each server.c; what differs is how it waits, reads and writes.
 */
#ifndef SERVER_SETUP_H
#define SERVER_SETUP_H

#define _GNU_SOURCE            /* accept4() */

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void print_address(const char *what, const struct sockaddr_storage *addr,
                          socklen_t len)
{
    char ip[NI_MAXHOST], port[NI_MAXSERV];

    if (getnameinfo((const struct sockaddr *)addr, len, ip, sizeof ip,
                    port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        printf("%s %s port %s\n", what, ip, port);
    fflush(stdout);
}

static struct addrinfo *look_up(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "4321";
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
    int option, error;
    bool right = true;

    while (right && (option = getopt(argc, argv, "a:p:")) != -1) {
        if (option == 'a')
            address = optarg;
        else
            port = optarg;
        right = option != '?';
    }
    if (!right || optind < argc || strlen(port) < 1 || strlen(port) > 5
        || strspn(port, "0123456789") != strlen(port) || atoi(port) > 65535) {
        fprintf(stderr, "usage: server [-a ADDRESS] [-p PORT]\n");
        exit(2);
    }
    if ((error = getaddrinfo(address, port, &hints, &list)) != 0) {
        fprintf(stderr, "server: %s: %s\n", address, gai_strerror(error));
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

/* The next client, its line printed; -1 when there is none. FLAGS as in accept4(2). */
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
    else if (errno != EAGAIN) {
        perror("server: accept");
        sleep(1);
    }
    return conn_fd;
}

#endif
