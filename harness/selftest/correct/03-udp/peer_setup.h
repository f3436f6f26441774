/* What the peers here have in common: the command line, the socket, how a sender is called. */
#ifndef PEER_SETUP_H
#define PEER_SETUP_H

#include "setup.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Where the lines go. */
static struct sockaddr_storage other;
static socklen_t other_len;

_Noreturn static inline void usage(void)
{
    fprintf(stderr, "usage: %s -l LOCAL_PORT [-a ADDRESS] HOST PORT\n", NAME);
    exit(2);
}

/* A socket bound to the first of OWN's addresses that has the family of one of HIS; there the
 * lines will go. */
static inline int bind_for(const struct addrinfo *own, const struct addrinfo *his)
{
    errno = EAFNOSUPPORT;
    for (; own != NULL; own = own->ai_next)
        for (const struct addrinfo *to = his; to != NULL; to = to->ai_next) {
            if (to->ai_family != own->ai_family)
                continue;
            int fd = socket(own->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            if (fd >= 0 && bind(fd, own->ai_addr, own->ai_addrlen) == 0) {
                memcpy(&other, to->ai_addr, to->ai_addrlen);
                other_len = to->ai_addrlen;
                return fd;
            }
            int why = errno;
            close(fd);
            errno = why;
        }
    fail("bind");
}

/* What -a and -l say; HOST and PORT are at argv[optind] then. */
static void read_options(int argc, char *argv[], const char **address, const char **local_port)
{
    for (int option; (option = getopt(argc, argv, "a:l:")) != -1; ) {
        if (option == '?')
            usage();
        *(option == 'a' ? address : local_port) = optarg;
    }
    if (argc - optind != 2 || *local_port == NULL || !is_port(*local_port)
        || !is_port(argv[optind + 1]))
        usage();
}

/* Returns the socket that the command line asks for. */
static inline int open_peer(int argc, char *argv[])
{
    const char *address = NULL, *local_port = NULL;

    read_options(argc, argv, &address, &local_port);
    struct addrinfo *his = look_up(argv[optind], argv[optind + 1], AF_UNSPEC, 0);
    /* No name and no AI_PASSIVE: that is the loopback address. */
    struct addrinfo *own = look_up(address, local_port,
                                   address == NULL ? his->ai_family : AF_UNSPEC, 0);
    int fd = bind_for(own, his);
    freeaddrinfo(own);
    freeaddrinfo(his);
    return fd;
}

enum { NAME_ROOM = INET6_ADDRSTRLEN + 16 };

/* Writes `IP:PORT ` to TEXT, of NAME_ROOM bytes. Returns its length. */
static inline int name_sender(char *text, const struct sockaddr_storage *from)
{
    const struct sockaddr_in *in = (const void *)from;
    const struct sockaddr_in6 *in6 = (const void *)from;
    char ip[INET6_ADDRSTRLEN] = "";

    if (from->ss_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
        return snprintf(text, NAME_ROOM, "%s:%u ", ip, ntohs(in->sin_port));
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
    return snprintf(text, NAME_ROOM, "[%s]:%u ", ip, ntohs(in6->sin6_port));
}

static inline void send_line(int fd, const char *line, size_t len)
{
    if (sendto(fd, line, len, 0, (struct sockaddr *)&other, other_len) < 0)
        fail("sendto");
}

#endif
