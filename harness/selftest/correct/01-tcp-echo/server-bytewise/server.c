/* Reads one byte at a time, and answers when there is none or a small buffer is full. */
#include "server_setup.h"

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static bool send_all(int conn_fd, const char *next, size_t len)
{
    while (len > 0) {
        ssize_t taken = write(conn_fd, next, len);
        if (taken < 0)
            return false;
        next += taken;
        len -= (size_t)taken;
    }
    return true;
}

static void echo(int conn_fd)
{
    char buffer[333];
    size_t len = 0;

    for (;;) {
        ssize_t n = recv(conn_fd, buffer + len, 1, len > 0 ? MSG_DONTWAIT : 0);
        if (n == 1 && ++len < sizeof buffer)
            continue;
        if (n < 0 && errno != EAGAIN)
            return;
        if (!send_all(conn_fd, buffer, len) || n == 0)
            return;
        len = 0;
    }
}

int main(int argc, char *argv[])
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);

    for (;;) {
        int conn_fd = wait_for_client(listen_fd);
        if (conn_fd < 0)
            continue;
        echo(conn_fd);
        close(conn_fd);
    }
}
