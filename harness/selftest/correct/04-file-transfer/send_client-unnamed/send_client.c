/* A file without a name (O_TMPFILE) until it is whole: the kernel removes what is not. poll(). */
#include "send_setup.h"

#include <poll.h>

enum { MOST = 255 };

/* What there is, at least a byte; 0 at the end of file. */
static size_t take(int conn_fd, char *part, size_t size)
{
    for (;;) {
        struct pollfd wait = { conn_fd, POLLIN, 0 };
        poll(&wait, 1, -1);
        ssize_t n = recv(conn_fd, part, size, MSG_DONTWAIT);
        if (n >= 0)
            return (size_t)n;
        if (errno != EAGAIN && errno != EINTR)
            fail("recv");
    }
}

static void give_name(int fd, const char *name)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0)
        return;
    if (errno != EEXIST || unlink(name) < 0
        || linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0)
        fail(name);
}

int main(int argc, char *argv[])
{
    const char *name;
    char part[20000], line[MOST + 1];
    size_t n, len = 0;
    int conn_fd = open_connection(argc, argv, &name), fd = open(".", O_TMPFILE | O_WRONLY, 0644);
    bool named = false;

    if (fd < 0)
        fail(".");
    while ((n = take(conn_fd, part, sizeof part)) > 0) {
        char *begin = part;
        for (; !named && begin < part + n; begin++) {
            if (len > MOST)
                refuse("a line that is no name");
            named = *begin == '\n';
            line[len++] = named ? '\0' : *begin;
        }
        if (!put(fd, begin, n - (size_t)(begin - part)))
            fail("write");
    }
    if (!named)
        refuse("no line came");
    if (name == NULL && !is_own_name(line))
        refuse("a path is no name");
    give_name(fd, name != NULL ? name : line);
    return 0;
}
