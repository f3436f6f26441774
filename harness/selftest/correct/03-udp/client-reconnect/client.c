/* One socket for each address, which for every line is connected anew: to dissolve the
 * association gives up the port, too, and so the replies that are still to come (connect(2)). */
#include "client_setup.h"

#include <poll.h>

/* Frees FD of its port and of all that came there, and connects it again, from another port. */
static void start_anew(int fd, const struct addrinfo *address)
{
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    char byte;

    if (connect(fd, &nobody, sizeof nobody) < 0)
        fail("disconnect");
    while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno == ECONNREFUSED)
        ;
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        fail("connect");
}

/* Returns a socket for ADDRESS, the same for the same. */
static int socket_for(const struct addrinfo *address)
{
    static const struct addrinfo *last;
    static int fd = -1;

    if (last != address) {
        close(fd);
        fd = socket(address->ai_family, SOCK_DGRAM, 0);
        last = address;
    }
    if (fd < 0)
        fail("socket");
    return fd;
}

static enum outcome refused(const char *call)
{
    if (errno != ECONNREFUSED)
        fail(call);
    return REFUSED;
}

static enum outcome ask(const struct addrinfo *address, const char *line, size_t len)
{
    static char reply[ROOM];
    struct pollfd server = { .fd = socket_for(address), .events = POLLIN };
    long long end = 0;
    long sent = 0;

    start_anew(server.fd, address);
    for (;;) {
        long long now = now_ms();
        if (now >= end) {
            if (sent++ > retries)
                return SILENT;
            if (send(server.fd, line, len, 0) < 0)
                return refused("send");
            end = now + patience_ms;
        }
        if (poll(&server, 1, (int)(end - now)) <= 0)
            continue;
        ssize_t n = recv(server.fd, reply, sizeof reply, MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return refused("recv");
        if (n == (ssize_t)len && memcmp(reply, line, len) == 0)
            return ANSWERED;
    }
}

int main(int argc, char *argv[])
{
    const struct addrinfo *address = read_options(argc, argv);
    char *line = NULL;
    size_t room = 0;

    for (ssize_t len; (len = getdelim(&line, &room, '\n', stdin)) >= 0; )
        talk(&address, line, (size_t)len - (line[len - 1] == '\n'));
    if (ferror(stdin))
        fail("stdin");
    free(line);
    return 0;
}
