/* SO_RCVTIMEO in place of a call that waits; what is left of the time is set anew before each
 * recv(). The socket of the line before is closed only when the next one is there. */
#include "client_setup.h"

#include <sys/time.h>

static int open_socket(const struct addrinfo *address)
{
    static int last_fd = -1;
    int fd = socket(address->ai_family, SOCK_DGRAM, 0);

    if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        fail("connect");
    if (last_fd >= 0)
        close(last_fd);
    return last_fd = fd;
}

/* Receives the next datagram. Returns its length, or -1. */
static ssize_t receive(int fd, char *data, size_t room, long left_ms)
{
    struct timeval left = { left_ms / 1000, left_ms % 1000 * 1000 };

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left) < 0)
        fail("SO_RCVTIMEO");
    return recv(fd, data, room, 0);
}

static enum outcome ask(const struct addrinfo *address, const char *line, size_t len)
{
    static char reply[ROOM];
    int fd = open_socket(address);

    for (long i = 0; i <= retries; i++) {
        long long end = now_ms() + patience_ms, left = patience_ms;
        if (send(fd, line, len, 0) < 0) {
            if (errno != ECONNREFUSED)
                fail("send");
            return REFUSED;
        }
        for (; left > 0; left = end - now_ms()) {
            ssize_t n = receive(fd, reply, sizeof reply, (long)left);
            if (n < 0 && errno == ECONNREFUSED)
                return REFUSED;
            if (n == (ssize_t)len && memcmp(reply, line, len) == 0)
                return ANSWERED;
        }
    }
    return SILENT;
}

/* The next line into LINE, of which no more than ROOM bytes are kept; -1 at the end. */
static ssize_t read_line(char *line)
{
    size_t len = 0;
    int c;

    while ((c = getchar()) != EOF && c != '\n')
        if (len < ROOM)
            line[len++] = (char)c;
    if (c == EOF && ferror(stdin))
        fail("stdin");
    return c == EOF && len == 0 ? -1 : (ssize_t)len;
}

int main(int argc, char *argv[])
{
    static char line[ROOM];
    const struct addrinfo *address = read_options(argc, argv);

    for (ssize_t len; (len = read_line(line)) >= 0; )
        talk(&address, line, (size_t)len);
    return 0;
}
