/*
 * What the programs here that send one file have in common: options, the file, goodbyes.
 * Copied beside each; what differs is how the file is moved, and kept.
 */
#ifndef SEND_SETUP_H
#define SEND_SETUP_H

#include "setup.h"

#define PORT "6666"

/* -- Servers --------------------------------------------------------------- */

struct offer {
    int listen_fd, file_fd;
    const char *name;       /* the file's base name */
};

/* What the arguments say: a listening socket and an open file. */
static inline struct offer open_offer(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = PORT;
    struct stat status;
    int option;
    bool right = true;

    while (right && (option = getopt(argc, argv, "a:p:")) != -1) {
        if (option == 'a')
            address = optarg;
        else
            port = optarg;
        right = option != '?';
    }
    if (!right || !is_port(port) || optind != argc - 1) {
        fprintf(stderr, "usage: send_server [-a ADDRESS] [-p PORT] FILE\n");
        exit(2);
    }
    if (stat(argv[optind], &status) < 0)
        fail(argv[optind]);
    if (!S_ISREG(status.st_mode))
        refuse("not a file");
    struct offer offer = { .file_fd = open(argv[optind], O_RDONLY),
                           .name = basename(argv[optind]) };
    if (offer.file_fd < 0)
        fail(argv[optind]);
    signal(SIGPIPE, SIG_IGN);
    offer.listen_fd = open_socket(address, port, AI_PASSIVE, bind);
    if (listen(offer.listen_fd, 128) < 0)
        fail("listen");
    print_start_line(offer.listen_fd);
    return offer;
}

/* The FIN first, then all that the client may still say. */
static inline void say_goodbye(int conn_fd)
{
    struct timeval patience = { 5, 0 };
    char rest[512];

    setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    shutdown(conn_fd, SHUT_WR);
    while (read(conn_fd, rest, sizeof rest) > 0)
        ;
    close(conn_fd);
}

/* -- Clients --------------------------------------------------------------- */

/* The connection that the arguments ask for; *OWN_NAME is what -o says, if it does. */
static inline int open_connection(int argc, char *argv[], const char **own_name)
{
    const char *host = "127.0.0.1", *port = PORT;
    int option;
    bool right = true;

    *own_name = NULL;
    while (right && (option = getopt(argc, argv, "p:o:")) != -1) {
        if (option == 'o')
            *own_name = optarg;
        else
            port = optarg;
        right = option != '?';
    }
    if (optind < argc)
        host = argv[optind++];
    if (!right || !is_port(port) || optind < argc) {
        fprintf(stderr, "usage: send_client [-p PORT] [-o NAME] [HOST]\n");
        exit(2);
    }
    return open_socket(host, port, 0, connect);
}

/* Whether a file in this folder can have this NAME. */
static inline bool is_own_name(const char *name)
{
    return *name != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0
        && strcmp(name, "..") != 0;
}

#endif
