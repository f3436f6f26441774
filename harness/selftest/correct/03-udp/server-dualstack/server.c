/* One socket for IPv4 and IPv6: every address it sees is one of IPv6, in form at least. */
#include "server_setup.h"

#include "dual_stack.h"

static int open_both(int argc, char *argv[])
{
    struct addrinfo *list = own_addresses(argc, argv, AF_INET6, BOTH_STACKS);
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    int fd = -1;

    for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next)
        fd = bind_both_stacks(ai);
    freeaddrinfo(list);
    if (fd < 0)
        fail("bind");
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        fail("getsockname");
    len = as_it_is(&addr);
    print_start_line((struct sockaddr *)&addr, len);
    return fd;
}

int main(int argc, char *argv[])
{
    static char data[ROOM];
    struct sockaddr_in6 from;

    signal(SIGINT, end_with_success);
    signal(SIGTERM, end_with_success);
    int fd = open_both(argc, argv);
    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &len);
        if (n >= 0 && sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
            complain("sendto");
    }
}
