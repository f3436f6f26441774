/* One process, one thread: a poll() loop, no call of which ever waits. */
#include "setup.h"

#include <limits.h>
#include <poll.h>

/* One direction; it is filled when it is empty. PIPE_BUF bytes never wait in a pipe that
 * poll() calls writable. */
struct way {
    char data[PIPE_BUF];
    size_t start, end;
    bool open;
};

static bool pending(const struct way *way)
{
    return way->start < way->end;
}

static void fill(struct way *way, ssize_t n, const char *what)
{
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        fail(what);
    if (n == 0)
        way->open = false;
    way->start = 0;
    way->end = n > 0 ? (size_t)n : 0;
}

static void drain(struct way *way, ssize_t n, const char *what)
{
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        fail(what);
    way->start += n > 0 ? (size_t)n : 0;
}

static void step(int conn_fd, struct way *out, struct way *in)
{
    struct pollfd fds[] = {
        { out->open && !pending(out) ? STDIN_FILENO : -1, POLLIN, 0 },
        { pending(out) || in->open ? conn_fd : -1, 0, 0 },
        { pending(in) ? STDOUT_FILENO : -1, POLLOUT, 0 },
    };

    fds[1].events = (short)((pending(out) ? POLLOUT : 0)
                            | (in->open && !pending(in) ? POLLIN : 0));
    if (fds[1].events == 0)
        fds[1].fd = -1;
    if (poll(fds, 3, -1) < 0)
        return;
    if (fds[0].revents != 0)
        fill(out, read(STDIN_FILENO, out->data, sizeof out->data), "stdin");
    else if (fds[1].revents != 0 && pending(out))
        drain(out, send(conn_fd, out->data + out->start, out->end - out->start,
                        MSG_DONTWAIT), "send");
    if (fds[2].revents != 0)
        drain(in, write(STDOUT_FILENO, in->data + in->start, in->end - in->start), "stdout");
    else if (fds[1].revents != 0 && in->open && !pending(in))
        fill(in, recv(conn_fd, in->data, sizeof in->data, MSG_DONTWAIT), "recv");
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv);
    struct way out = { .open = true }, in = { .open = true };
    bool said_all = false, heard_all = false;

    while (!said_all || !heard_all) {
        step(conn_fd, &out, &in);
        if (!out.open && !pending(&out) && !said_all) {
            said_all = true;
            shutdown(conn_fd, SHUT_WR);
        }
        if (!in.open && !pending(&in) && !heard_all) {
            heard_all = true;
            fputs("peer closed\n", stderr);
        }
    }
    return 0;
}
