/* tftp_port - see tftp_port.h. */
#define _GNU_SOURCE                     /* struct in6_pktinfo */
#include "tftp_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "net.h"

int open_port(const char *address, const char *port)
{
    struct sockaddr_storage own_addr;
    socklen_t len = sizeof own_addr;
    int fd = bind_to(address, port), yes = 1;

    if (getsockname(fd, (struct sockaddr *)&own_addr, &len) < 0)
        die("getsockname");

    /* Tell us of each packet where it was sent to, see ip(7) and ipv6(7). */
    if ((own_addr.ss_family == AF_INET
         ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes)
         : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes,
                      sizeof yes)) < 0)
        die("PKTINFO");
    return fd;
}

/* What recvmsg() tells beside the packet: our address, of the client's kind. */
static void note_own_addr(struct msghdr *message, struct asked *asked)
{
    struct sockaddr_in own4 = { .sin_family = AF_INET };
    struct sockaddr_in6 own6 = { .sin6_family = AF_INET6 };
    struct in_pktinfo info4;
    struct in6_pktinfo info6;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL;
         c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&info4, CMSG_DATA(c), sizeof info4);
            own4.sin_addr = info4.ipi_spec_dst;
        } else if (c->cmsg_level == IPPROTO_IPV6
                   && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&info6, CMSG_DATA(c), sizeof info6);
            own6.sin6_addr = info6.ipi6_addr;
            own6.sin6_scope_id = info6.ipi6_ifindex;
        }
    }
    memset(&asked->own_addr, 0, sizeof asked->own_addr);
    if (asked->client.ss_family == AF_INET)
        memcpy(&asked->own_addr, &own4, sizeof own4);
    else
        memcpy(&asked->own_addr, &own6, sizeof own6);
}

bool take_packet(int fd, struct asked *asked)
{
    union { struct cmsghdr align; char bytes[256]; } control;
    struct iovec part = { asked->packet.bytes, sizeof asked->packet.bytes };
    struct msghdr message = {
        .msg_name = &asked->client, .msg_namelen = sizeof asked->client,
        .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t n = recvmsg(fd, &message, 0);

    if (n < 0 && errno != EINTR) {
        complain("recvmsg");            /* the kernel has no memory, perhaps: */
        sleep(1);                       /* to ask again at once is no help */
    }
    if (n < 0)
        return false;
    asked->packet.len = (size_t)n;
    note_own_addr(&message, asked);
    return true;
}

void refuse_request(int fd, const struct asked *asked, enum error_code code,
                    const char *why)
{
    struct packet error;

    /* Two servers who answer each other's ERROR would never end. */
    if (opcode_of(&asked->packet) == ERROR)
        return;
    make_error(&error, code, why);

    /* Never waits. What cannot be sent (a sender may write any address on a
     * packet) is lost, and nobody's loss. */
    (void)sendto(fd, error.bytes, error.len, MSG_DONTWAIT,
                 (const struct sockaddr *)&asked->client,
                 addr_len(&asked->client));
}
