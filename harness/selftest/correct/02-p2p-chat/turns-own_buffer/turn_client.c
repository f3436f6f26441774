/* One buffer for each source: read() and recv() what is there, memchr() finds the lines. */
#include "setup.h"

struct source {
    int fd;
    const char *name;
    char *data;
    size_t used, size;
};

/* Returns the length of the next line, which is at source->data; 0 at the end of file. */
static size_t next_line(struct source *source)
{
    for (;;) {
        char *newline = source->used > 0 ? memchr(source->data, '\n', source->used) : NULL;
        if (newline != NULL)
            return (size_t)(newline - source->data) + 1;
        if (source->used == source->size) {
            source->size = source->size * 2 + 100;
            if ((source->data = realloc(source->data, source->size)) == NULL)
                fail("memory");
        }
        ssize_t n = read(source->fd, source->data + source->used, source->size - source->used);
        if (n < 0 && errno != EINTR)
            fail(source->name);
        if (n == 0)
            return source->used;
        source->used += n > 0 ? (size_t)n : 0;
    }
}

static void forget(struct source *source, size_t len)
{
    source->used -= len;
    memmove(source->data, source->data + len, source->used);
}

static void write_all(int fd, const char *next, size_t len, const char *what)
{
    while (len > 0) {
        ssize_t n = write(fd, next, len);
        if (n < 0 && errno != EINTR)
            fail(what);
        next += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* Returns whether the conversation goes on. */
static bool hear(struct source *peer)
{
    size_t len = next_line(peer);
    bool stop = is_server() && len == 5 && memcmp(peer->data, "stop\n", 5) == 0;

    write_all(STDOUT_FILENO, peer->data, len, "stdout");
    forget(peer, len);
    return len > 0 && !stop;
}

static bool speak(struct source *typed, int conn_fd)
{
    size_t len = next_line(typed);
    bool whole = len > 0 && typed->data[len - 1] == '\n';

    if (len == 0 || (!is_server() && len - whole == 4 && memcmp(typed->data, "exit", 4) == 0))
        return false;
    write_all(conn_fd, typed->data, len, "send");
    if (!whole)
        write_all(conn_fd, "\n", 1, "send");
    forget(typed, len);
    return true;
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv);
    struct source typed = { .fd = STDIN_FILENO, .name = "stdin" },
                  peer = { .fd = conn_fd, .name = "recv" };
    char rest[500];

    if (!is_server() || hear(&peer))
        while (speak(&typed, conn_fd) && hear(&peer))
            ;
    shutdown(conn_fd, SHUT_WR);
    while (read(conn_fd, rest, sizeof rest) > 0)
        ;
    return 0;
}
