/*
 * What the clients here have in common: options and connection.
 * Copied beside each client.c; what differs is how the bytes are moved.
 */
#ifndef CLIENT_SETUP_H
#define CLIENT_SETUP_H

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
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    int conn_fd = -1, why = 0, error = getaddrinfo(host, port, &hints, &list);

    if (error != 0) {
        fprintf(stderr, "client: %s: %s\n", host, gai_strerror(error));
        exit(1);
    }
    for (struct addrinfo *ai = list; ai != NULL && conn_fd < 0; ai = ai->ai_next) {
        conn_fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
        if (conn_fd < 0 || connect(conn_fd, ai->ai_addr, ai->ai_addrlen) == 0)
            continue;
        why = errno;
        close(conn_fd);
        conn_fd = -1;
    }
    freeaddrinfo(list);
    if (conn_fd < 0) {
        fprintf(stderr, "client: connect to %s port %s: %s\n", host, port, strerror(why));
        exit(1);
    }
    return conn_fd;
}

/* Puts a file that holds MESSAGE and a newline in the place of stdin. */
static void type_message(const char *message)
{
    FILE *file = tmpfile();

    if (file == NULL || fprintf(file, "%s\n", message) < 0 || fflush(file) == EOF
        || dup2(fileno(file), STDIN_FILENO) < 0 || lseek(STDIN_FILENO, 0, SEEK_SET) < 0)
        fail("message");
    fclose(file);
}

/* Returns the connection that the options ask for; with -m, stdin is the message. */
static int open_connection(int argc, char *argv[])
{
    const char *host = "127.0.0.1", *port = "4321", *message = NULL;
    int option;
    bool right = true;

    while (right && (option = getopt(argc, argv, "p:m:")) != -1) {
        if (option == 'm')
            message = optarg;
        else
            port = optarg;
        right = option != '?';
    }
    if (optind < argc)
        host = argv[optind++];
    if (!right || optind < argc || strlen(port) < 1 || strlen(port) > 5
        || strspn(port, "0123456789") != strlen(port) || atoi(port) > 65535) {
        fprintf(stderr, "usage: client [-p PORT] [-m MESSAGE] [HOST]\n");
        exit(2);
    }
    signal(SIGPIPE, SIG_IGN);
    int conn_fd = connect_to(host, port);
    if (message != NULL)
        type_message(message);
    return conn_fd;
}

#endif
