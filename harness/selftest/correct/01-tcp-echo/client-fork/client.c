/* Two processes: the child sends, the parent receives, and learns of a reset. */
#include "client_setup.h"

#include <poll.h>
#include <sys/prctl.h>

static void child_failed(int number)
{
    (void)number;
    _exit(1);
}

/* The child. The error of a connection is told once: it is left to the parent's read(). */
static void send_stdin(int conn_fd, pid_t parent)
{
    struct pollfd ready = { conn_fd, POLLOUT, 0 };
    char buffer[2048];
    ssize_t n;

    while ((n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
        for (ssize_t sent = 0, taken; sent < n; sent += taken) {
            if (poll(&ready, 1, -1) < 0 || (ready.revents & POLLERR) != 0)
                _exit(0);
            taken = send(conn_fd, buffer + sent, (size_t)(n - sent), MSG_DONTWAIT);
            if (taken < 0 && errno == EAGAIN)
                taken = 0;
            if (taken < 0)
                _exit(0);
        }
    if (n < 0) {
        perror("client: stdin");
        kill(parent, SIGUSR1);
    }
    shutdown(conn_fd, SHUT_WR);     /* close() would not do: the parent has it open */
    _exit(0);
}

int main(int argc, char *argv[])
{
    char buffer[2048];
    int conn_fd = open_connection(argc, argv);
    pid_t parent = getpid();
    ssize_t n;

    signal(SIGUSR1, child_failed);
    signal(SIGCHLD, SIG_IGN);
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            send_stdin(conn_fd, parent);
        _exit(1);
    }
    while ((n = read(conn_fd, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, taken; done < n; done += taken)
            if ((taken = write(STDOUT_FILENO, buffer + done, (size_t)(n - done))) < 0)
                fail("stdout");
    if (n < 0)
        fail("read");
    return 0;                       /* which ends the child, too */
}
