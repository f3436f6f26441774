/* Tells all that it does on stderr, where it harms nobody; ppoll() and getline(). */
#include "client_setup.h"

#include <poll.h>
#include <stdarg.h>

__attribute__((format(printf, 1, 2)))
static void tell(const char *form, ...)
{
    va_list rest;

    fprintf(stderr, "%s: ", NAME);
    va_start(rest, form);
    vfprintf(stderr, form, rest);
    va_end(rest);
    fputc('\n', stderr);
}

/* Takes what has come, and says what it thinks of it. */
static enum outcome look_at(int fd, const char *line, size_t len)
{
    static char got[ROOM];
    ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT | MSG_TRUNC);

    if (n < 0 && errno == ECONNREFUSED) {
        tell("nobody is there");
        return REFUSED;
    }
    if (n == (ssize_t)len && memcmp(got, line, len) == 0) {
        tell("the reply, %zd bytes", n);
        return ANSWERED;
    }
    if (n >= 0)
        tell("not the reply: %zd bytes", n);
    return SILENT;
}

static enum outcome wait_for_reply(int fd, const char *line, size_t len)
{
    struct pollfd wanted = { .fd = fd, .events = POLLIN };
    enum outcome outcome = SILENT;
    long long end = now_ms() + patience_ms + 1;

    for (long long left; outcome == SILENT && (left = end - now_ms()) > 0; ) {
        struct timespec time = { left / 1000, left % 1000 * 1000000 };
        if (ppoll(&wanted, 1, &time, NULL) > 0)
            outcome = look_at(fd, line, len);
    }
    return outcome;
}

static enum outcome ask(const struct addrinfo *address, const char *line, size_t len)
{
    enum outcome outcome = SILENT;
    int fd = socket(address->ai_family, SOCK_DGRAM, 0);

    if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        fail("connect");
    for (long i = 0; i <= retries && outcome == SILENT; i++) {
        tell("sending %zu bytes, the %ld. time", len, i + 1);
        if (send(fd, line, len, 0) >= 0)
            outcome = wait_for_reply(fd, line, len);
        else if (errno == ECONNREFUSED)
            outcome = REFUSED;
        else
            fail("send");
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

    setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    tell("asking %s port %s", host, port);
    while ((len = getline(&line, &room, stdin)) > 0)
        talk(&address, line, (size_t)(len - (line[len - 1] == '\n')));
    if (ferror(stdin))
        fail("stdin");
    tell("no more lines");
    free(line);
    return 0;
}
