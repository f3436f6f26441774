/* Sockets that are not connected: the sender of each datagram is compared with the server's
 * address, and IP_RECVERR has the refusals told. Lines by getline(), waiting by poll(). */
#include "client_setup.h"

#include <netinet/in.h>
#include <poll.h>

static bool same_address(const struct sockaddr_storage *from, const struct sockaddr *server)
{
    const struct sockaddr_in *a4 = (const void *)from, *b4 = (const void *)server;
    const struct sockaddr_in6 *a6 = (const void *)from, *b6 = (const void *)server;

    if (from->ss_family != server->sa_family)
        return false;
    if (server->sa_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a6->sin6_port == b6->sin6_port
        && memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
}

static int open_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM, 0), yes = 1;

    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &yes, sizeof yes);
    return fd;
}

/* Waits for the reply until the time is over. */
static enum outcome wait_for(int fd, const struct addrinfo *address, const char *line, size_t len)
{
    static char reply[ROOM];
    long long end = now_ms() + patience_ms;

    for (long long left; (left = end - now_ms()) > 0; ) {
        struct pollfd waited_for = { .fd = fd, .events = POLLIN };
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        if (poll(&waited_for, 1, (int)left) <= 0)
            continue;
        ssize_t n = recvfrom(fd, reply, sizeof reply, MSG_DONTWAIT,
                             (struct sockaddr *)&from, &from_len);
        if (n < 0 && errno == ECONNREFUSED)
            return REFUSED;
        if (n == (ssize_t)len && same_address(&from, address->ai_addr)
            && memcmp(reply, line, len) == 0)
            return ANSWERED;
    }
    return SILENT;
}

static enum outcome ask(const struct addrinfo *address, const char *line, size_t len)
{
    enum outcome outcome = SILENT;
    int fd = open_socket(address->ai_family);

    for (long i = 0; i <= retries && outcome == SILENT; i++) {
        ssize_t n = sendto(fd, line, len, 0, address->ai_addr, address->ai_addrlen);
        if (n < 0 && errno != ECONNREFUSED)
            fail("sendto");
        outcome = n < 0 ? REFUSED : wait_for(fd, address, line, len);
    }
    close(fd);
    return outcome;
}

int main(int argc, char *argv[])
{
    const struct addrinfo *address = read_options(argc, argv);
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    while ((len = getline(&line, &room, stdin)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        talk(&address, line, (size_t)len);
    }
    if (ferror(stdin))
        fail("stdin");
    return 0;
}
