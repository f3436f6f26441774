/* What the servers here have in common: everything before the first datagram. */
#ifndef SERVER_SETUP_H
#define SERVER_SETUP_H

#include "setup.h"

/* How the signals end it is each program's own affair. */
static inline void end_with_success(int number)
{
    (void)number;
    _exit(0);
}

static void print_start_line(const struct sockaddr *addr, socklen_t len)
{
    char ip[NI_MAXHOST], port[NI_MAXSERV];

    if (getnameinfo(addr, len, ip, sizeof ip, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        printf("listening on %s port %s\n", ip, port);
    fflush(stdout);
}

/* The addresses that the options name. FAMILY and FLAGS as for look_up(). */
static struct addrinfo *own_addresses(int argc, char *argv[], int family, int flags)
{
    const char *address = "127.0.0.1", *port = "6000";
    bool right = true;

    for (int option; right && (option = getopt(argc, argv, "a:p:")) != -1; ) {
        if (option == 'a')
            address = optarg;
        else if (option == 'p')
            port = optarg;
        else
            right = false;
    }
    if (!right || optind < argc || !is_port(port)) {
        fprintf(stderr, "usage: %s [-a ADDRESS] [-p PORT]\n", NAME);
        exit(2);
    }
    return look_up(address, port, family, AI_PASSIVE | flags);
}

/* Returns a socket bound as the options say, its start line printed. TYPE adds flags to it. */
static inline int open_server(int argc, char *argv[], int type)
{
    struct addrinfo *list = own_addresses(argc, argv, AF_UNSPEC, 0);
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    int fd = -1;

    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        fd = socket(ai->ai_family, ai->ai_socktype | type, 0);
        if (fd >= 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0)
            break;
        if (ai->ai_next == NULL)
            fail("bind");
        close(fd);
    }
    freeaddrinfo(list);
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        fail("getsockname");
    print_start_line((struct sockaddr *)&addr, len);
    return fd;
}

#endif
