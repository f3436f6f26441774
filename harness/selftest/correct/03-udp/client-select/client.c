/* select() for the reply, read() into a buffer of its own for the lines. */
#include "client_setup.h"

#include <sys/select.h>

static char buffer[1 << 17];
static size_t used;

/* Whether FD can be read before the time is over. */
static bool comes_before(int fd, long long end)
{
    for (long long left; (left = end - now_ms()) > 0; ) {
        struct timeval time = { left / 1000, left % 1000 * 1000 };
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(fd, &readable);
        if (select(fd + 1, &readable, NULL, NULL, &time) > 0)
            return true;
    }
    return false;
}

static enum outcome try_once(int fd, const char *line, size_t len)
{
    static char reply[ROOM];
    long long end = now_ms() + patience_ms;

    if (send(fd, line, len, 0) < 0)
        return errno == ECONNREFUSED ? REFUSED : (fail("send"), SILENT);
    while (comes_before(fd, end)) {
        ssize_t n = recv(fd, reply, sizeof reply, MSG_DONTWAIT);
        if (n == (ssize_t)len && memcmp(reply, line, len) == 0)
            return ANSWERED;
        if (n < 0 && errno == ECONNREFUSED)
            return REFUSED;
    }
    return SILENT;
}

static enum outcome ask(const struct addrinfo *address, const char *line, size_t len)
{
    enum outcome outcome = SILENT;
    int fd = socket(address->ai_family, SOCK_DGRAM, 0);

    if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        fail("connect");
    for (long left = retries; outcome == SILENT && left >= 0; left--)
        outcome = try_once(fd, line, len);
    close(fd);
    return outcome;
}

/* Reads more of stdin; false at its end. A line that does not fit is talk()'s to refuse. */
static bool read_more(const struct addrinfo **address)
{
    if (used > LARGEST)
        talk(address, buffer, used);
    ssize_t n = read(STDIN_FILENO, buffer + used, sizeof buffer - used);
    if (n < 0 && errno != EINTR)
        fail("stdin");
    used += n > 0 ? (size_t)n : 0;
    return n != 0;
}

int main(int argc, char *argv[])
{
    const struct addrinfo *address = read_options(argc, argv);

    while (read_more(&address)) {
        char *start = buffer, *end;
        while ((end = memchr(start, '\n', (size_t)(buffer + used - start))) != NULL) {
            talk(&address, start, (size_t)(end - start));
            start = end + 1;
        }
        used -= (size_t)(start - buffer);
        memmove(buffer, start, used);
    }
    if (used > 0)
        talk(&address, buffer, used);
    return 0;
}
