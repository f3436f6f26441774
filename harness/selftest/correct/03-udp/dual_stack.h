/*
 * IPv6 sockets that serve IPv4, too: there 127.0.0.1 is ::ffff:127.0.0.1 (RFC 4291, 2.5.5.2).
 * To be included behind the program's own setup.
 */
#ifndef DUAL_STACK_H
#define DUAL_STACK_H

#include "setup.h"

#include <netinet/in.h>

/* A hint for getaddrinfo(): IPv4 addresses as well, all in the form of IPv6. */
enum { BOTH_STACKS = AI_V4MAPPED | AI_ALL };

static inline bool is_ipv4(const struct sockaddr *addr)
{
    return IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

/* Returns a socket bound to AI, or -1. */
static inline int bind_both_stacks(const struct addrinfo *ai)
{
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), no = 0;

    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) < 0)
        fail("socket");
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* What has the form of IPv6 only becomes the IPv4 address it is. Returns its length. */
static inline socklen_t as_it_is(struct sockaddr_storage *addr)
{
    struct sockaddr_in6 long_form;
    struct sockaddr_in *short_form = (void *)addr;

    memcpy(&long_form, addr, sizeof long_form);
    if (!is_ipv4((struct sockaddr *)addr))
        return sizeof long_form;
    short_form->sin_family = AF_INET;
    short_form->sin_port = long_form.sin6_port;
    memcpy(&short_form->sin_addr, &long_form.sin6_addr.s6_addr[12], sizeof short_form->sin_addr);
    return sizeof *short_form;
}

#endif
