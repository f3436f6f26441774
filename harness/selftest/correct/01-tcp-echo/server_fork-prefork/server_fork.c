/*
 * Processes made in advance: some always wait in accept(), each serves one client and ends.
 * One that gets a client says so through a pipe, and the parent makes another.
 */
#include "server_setup.h"

#include <sys/prctl.h>

enum { SPARE = 4 };

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static void echo(int conn_fd)
{
    char buffer[5000];
    ssize_t n;

    while ((n = read(conn_fd, buffer, sizeof buffer)) > 0)
        for (ssize_t sent = 0, taken; sent < n; sent += taken)
            if ((taken = write(conn_fd, buffer + sent, (size_t)(n - sent))) < 0)
                return;
}

static void work(int listen_fd, int busy_fd, pid_t parent)
{
    int conn_fd;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    while ((conn_fd = wait_for_client(listen_fd)) < 0)
        continue;
    close(listen_fd);
    if (write(busy_fd, "", 1) == 1)
        echo(conn_fd);
    _exit(0);
}

int main(int argc, char *argv[])
{
    pid_t parent = getpid();
    int busy[2], missing = SPARE;
    char one;

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    signal(SIGCHLD, SIG_IGN);
    int listen_fd = open_listener(argc, argv);
    if (pipe(busy) < 0)
        fail("pipe");
    for (;;) {
        for (; missing > 0; missing--) {
            pid_t child = fork();
            if (child == 0)
                work(listen_fd, busy[1], parent);
            if (child > 0)
                continue;
            complain("fork");
            sleep(1);
            missing++;
        }
        if (read(busy[0], &one, 1) == 1)
            missing++;
    }
}
