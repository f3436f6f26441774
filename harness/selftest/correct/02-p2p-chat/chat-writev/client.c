/* Ring buffers, filled by readv() and drained by writev(), the socket non-blocking. */
#include "setup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>

enum { SIZE = 3000 };

struct ring {
    char data[SIZE];
    size_t first, used;
    bool open;
};

/* Describes LEN bytes of the ring from START on, in one or two pieces; returns how many. */
static int pieces(struct ring *ring, size_t start, size_t len, struct iovec piece[2])
{
    size_t before_end = SIZE - start % SIZE;

    piece[0].iov_base = ring->data + start % SIZE;
    piece[0].iov_len = len < before_end ? len : before_end;
    piece[1].iov_base = ring->data;
    piece[1].iov_len = len - piece[0].iov_len;
    return piece[1].iov_len > 0 ? 2 : 1;
}

static bool transient(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void take(struct ring *ring, int fd, const char *what)
{
    struct iovec piece[2];
    int count = pieces(ring, ring->first + ring->used, SIZE - ring->used, piece);
    ssize_t n = readv(fd, piece, count);

    if (n < 0 && !transient())
        fail(what);
    if (n == 0)
        ring->open = false;
    ring->used += n > 0 ? (size_t)n : 0;
}

static void give(struct ring *ring, int fd, const char *what)
{
    struct iovec piece[2];
    int count = pieces(ring, ring->first, ring->used, piece);
    ssize_t n = writev(fd, piece, count);

    if (n < 0 && !transient())
        fail(what);
    if (n > 0) {
        ring->first = (ring->first + (size_t)n) % SIZE;
        ring->used -= (size_t)n;
    }
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv);
    struct ring out = { .open = true }, in = { .open = true };
    bool fin_sent = false, told = false;

    fcntl(conn_fd, F_SETFL, O_NONBLOCK);
    while (!fin_sent || !told) {
        struct pollfd fds[] = {
            { out.open && out.used < SIZE ? STDIN_FILENO : -1, POLLIN, 0 },
            { out.used > 0 ? conn_fd : -1, POLLOUT, 0 },
            { in.open && in.used < SIZE ? conn_fd : -1, POLLIN, 0 },
            { in.used > 0 ? STDOUT_FILENO : -1, POLLOUT, 0 },
        };
        if (poll(fds, 4, -1) < 0)
            continue;
        if (fds[2].revents != 0)
            take(&in, conn_fd, "recv");
        if (fds[0].revents != 0)
            take(&out, STDIN_FILENO, "stdin");
        if (fds[1].revents != 0)
            give(&out, conn_fd, "send");
        if (fds[3].revents != 0)
            give(&in, STDOUT_FILENO, "stdout");
        if (!out.open && out.used == 0 && !fin_sent) {
            fin_sent = true;
            shutdown(conn_fd, SHUT_WR);
        }
        if (!in.open && in.used == 0 && !told) {
            told = true;
            fputs("peer closed\n", stderr);
        }
    }
    return 0;
}
