/* Reads into two buffers at once and answers from both, in small writes with TCP_NODELAY. */
#include "server_setup.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

enum { PIECE = 700 };

static void stop(int number)
{
    (void)number;
    _exit(0);
}

/* Cuts the first SKIP bytes off the vector, and all but PIECE bytes of the rest. */
static int rest_of(const struct iovec all[2], size_t skip, size_t total, struct iovec rest[2])
{
    int count = 0;
    size_t room = PIECE, left = total - skip;

    for (int i = 0; i < 2; i++) {
        size_t cut = skip < all[i].iov_len ? skip : all[i].iov_len;
        size_t len = all[i].iov_len - cut;
        skip -= cut;
        len = len < left ? len : left;
        len = len < room ? len : room;
        if (len == 0)
            continue;
        rest[count++] = (struct iovec){ (char *)all[i].iov_base + cut, len };
        left -= len;
        room -= len;
    }
    return count;
}

static void echo(int conn_fd)
{
    char head[13], tail[9000];
    struct iovec all[2] = { { head, sizeof head }, { tail, sizeof tail } }, rest[2];
    ssize_t n;

    while ((n = readv(conn_fd, all, 2)) > 0)
        for (size_t sent = 0; sent < (size_t)n; ) {
            ssize_t taken = writev(conn_fd, rest, rest_of(all, sent, (size_t)n, rest));
            if (taken < 0)
                return;
            sent += (size_t)taken;
        }
}

int main(int argc, char *argv[])
{
    int yes = 1;

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);
    for (;;) {
        int conn_fd = wait_for_client(listen_fd);
        if (conn_fd < 0)
            continue;
        setsockopt(conn_fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        echo(conn_fd);
        shutdown(conn_fd, SHUT_WR);
        close(conn_fd);
    }
}
