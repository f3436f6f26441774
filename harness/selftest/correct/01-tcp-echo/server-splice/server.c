/* No byte is ever in this program: the kernel moves them from the socket to a pipe and back. */
#include "server_setup.h"

#include <fcntl.h>

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static void echo(int conn_fd, const int hose[2])
{
    ssize_t n, sent;

    while ((n = splice(conn_fd, NULL, hose[1], NULL, 1 << 16, SPLICE_F_MOVE)) > 0)
        for (; n > 0; n -= sent)
            if ((sent = splice(hose[0], NULL, conn_fd, NULL, (size_t)n, SPLICE_F_MOVE)) < 0)
                return;
}

int main(int argc, char *argv[])
{
    int hose[2];

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);
    for (;;) {
        int conn_fd = wait_for_client(listen_fd);
        if (conn_fd < 0)
            continue;
        if (pipe(hose) == 0) {
            echo(conn_fd, hose);
            close(hose[0]);
            close(hose[1]);
        }
        close(conn_fd);
    }
}
