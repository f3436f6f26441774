/*
 * A process for each client, all in one process group that is ended as a whole. A parent
 * that was killed can do that no more: then a pipe that only it held ends for its children.
 */
#include "server_setup.h"

#include <fcntl.h>
#include <poll.h>

static void stop(int number)
{
    signal(number, SIG_IGN);
    kill(0, number);
    _exit(0);
}

/* Waits for EVENTS on the connection; ends when the parent has ended. */
static void wait_for(int conn_fd, short events, int lifeline)
{
    struct pollfd fds[2] = { { conn_fd, events, 0 }, { lifeline, POLLIN, 0 } };

    while (fds[0].revents == 0)
        if (poll(fds, 2, -1) > 0 && fds[1].revents != 0)
            _exit(0);
}

static void echo(int conn_fd, int lifeline)
{
    char buffer[2000];
    ssize_t n;

    for (;;) {
        wait_for(conn_fd, POLLIN, lifeline);
        if ((n = recv(conn_fd, buffer, sizeof buffer, 0)) <= 0)
            return;
        for (ssize_t sent = 0; sent < n; ) {
            wait_for(conn_fd, POLLOUT, lifeline);
            ssize_t taken = send(conn_fd, buffer + sent, (size_t)(n - sent), MSG_DONTWAIT);
            if (taken < 0 && errno != EAGAIN)
                return;
            sent += taken > 0 ? taken : 0;
        }
    }
}

int main(int argc, char *argv[])
{
    int lifeline[2];

    setpgid(0, 0);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    signal(SIGCHLD, SIG_IGN);
    int listen_fd = open_listener(argc, argv);
    if (pipe(lifeline) < 0)
        fail("pipe");
    for (;;) {
        int conn_fd = wait_for_client(listen_fd);
        if (conn_fd < 0)
            continue;
        pid_t child = fork();
        if (child == 0) {
            signal(SIGINT, SIG_DFL);
            signal(SIGTERM, SIG_DFL);
            close(lifeline[1]);
            close(listen_fd);
            echo(conn_fd, lifeline[0]);
            _exit(0);
        }
        if (child < 0)
            complain("fork");
        close(conn_fd);
    }
}
