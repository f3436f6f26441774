/* A child process for each client, which dies with its parent. */
#include "server_setup.h"

#include <sys/prctl.h>

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static void echo(int conn_fd)
{
    char buffer[4096];
    ssize_t n;

    while ((n = read(conn_fd, buffer, sizeof buffer)) > 0)
        for (ssize_t sent = 0, taken; sent < n; sent += taken)
            if ((taken = write(conn_fd, buffer + sent, (size_t)(n - sent))) < 0)
                return;
}

int main(int argc, char *argv[])
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    signal(SIGCHLD, SIG_IGN);               /* the kernel buries the children */
    int listen_fd = open_listener(argc, argv);
    pid_t parent = getpid();

    for (;;) {
        int conn_fd = wait_for_client(listen_fd);
        if (conn_fd < 0)
            continue;
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                _exit(0);
            close(listen_fd);
            echo(conn_fd);
            _exit(0);
        }
        if (child < 0)
            perror("server: fork");
        close(conn_fd);
    }
}
