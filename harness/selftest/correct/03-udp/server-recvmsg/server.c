/* recvmsg() and sendmsg(): a reply leaves from the very address that the request came to. */
#include "server_setup.h"

#include <netinet/in.h>

/* Asks the kernel for each datagram's destination (ip(7), ipv6(7)). */
static void ask_for_destinations(int fd)
{
    int yes = 1;

    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes);
}

/* The destination of what was received becomes the source of what is sent. */
static void turn_around(struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    struct in_pktinfo info;

    if (header == NULL) {
        message->msg_control = NULL;
        message->msg_controllen = 0;
    } else if (header->cmsg_type == IP_PKTINFO) {
        memcpy(&info, CMSG_DATA(header), sizeof info);
        info.ipi_spec_dst = info.ipi_addr;
        info.ipi_ifindex = 0;
        memcpy(CMSG_DATA(header), &info, sizeof info);
    }
}

int main(int argc, char *argv[])
{
    static char data[ROOM];
    struct sockaddr_storage from;
    union {
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
        struct cmsghdr aligned;
    } control;

    signal(SIGINT, end_with_success);
    signal(SIGTERM, end_with_success);
    int fd = open_server(argc, argv, 0);
    ask_for_destinations(fd);
    for (;;) {
        struct iovec piece = { data, sizeof data };
        struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from,
                                  .msg_iov = &piece, .msg_iovlen = 1,
                                  .msg_control = &control, .msg_controllen = sizeof control };
        ssize_t n = recvmsg(fd, &message, 0);
        if (n < 0)
            continue;
        piece.iov_len = (size_t)n;
        turn_around(&message);
        if (sendmsg(fd, &message, 0) < 0)
            complain("sendmsg");
    }
}
