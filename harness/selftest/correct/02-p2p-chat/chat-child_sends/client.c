/* Two processes, the other way round: the child sends, the parent prints. */
#include "setup.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static void carry(int from, int to, const char *source, const char *target)
{
    char buffer[4096];
    ssize_t n, taken;

    while ((n = read(from, buffer, sizeof buffer)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail(source);
        for (ssize_t done = 0; done < n; done += taken)
            while ((taken = write(to, buffer + done, (size_t)(n - done))) < 0)
                if (errno != EINTR)
                    fail(target);
    }
}

static void child(int conn_fd, pid_t parent)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    carry(STDIN_FILENO, conn_fd, "stdin", "send");
    shutdown(conn_fd, SHUT_WR);
    _exit(0);
}

static void end_with_child(int number)
{
    int status;

    (void)number;
    if (waitpid(-1, &status, WNOHANG) > 0 && status != 0)
        _exit(1);
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv), status = 0;
    pid_t parent = getpid(), sender;

    signal(SIGCHLD, end_with_child);
    if ((sender = fork()) < 0)
        fail("fork");
    if (sender == 0)
        child(conn_fd, parent);
    carry(conn_fd, STDOUT_FILENO, "recv", "stdout");
    fputs("peer closed\n", stderr);
    signal(SIGCHLD, SIG_DFL);
    while (waitpid(sender, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0 : 1;
}
