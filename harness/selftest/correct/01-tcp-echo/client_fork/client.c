/* Two processes: the child sends, the parent receives. */
#include "client_setup.h"

#include <sys/prctl.h>
#include <sys/wait.h>

/* The child. Its exit status tells of an error that it has printed. */
static void send_stdin(int conn_fd)
{
    char buffer[2048];
    ssize_t n;

    while ((n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
        for (ssize_t sent = 0, taken; sent < n; sent += taken) {
            taken = write(conn_fd, buffer + sent, (size_t)(n - sent));
            if (taken < 0 && errno == EPIPE)
                _exit(0);
            if (taken < 0)
                fail("write");
        }
    if (n < 0)
        fail("stdin");
    shutdown(conn_fd, SHUT_WR);     /* close() would not do: the parent has it open */
    _exit(0);
}

int main(int argc, char *argv[])
{
    char buffer[2048];
    int conn_fd = open_connection(argc, argv), status;
    pid_t parent = getpid(), child = fork();
    ssize_t n;

    if (child < 0)
        fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            send_stdin(conn_fd);
        _exit(1);
    }
    while ((n = read(conn_fd, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, taken; done < n; done += taken)
            if ((taken = write(STDOUT_FILENO, buffer + done, (size_t)(n - done))) < 0)
                fail("stdout");
    if (n < 0)
        fail("read");
    kill(child, SIGKILL);
    if (waitpid(child, &status, 0) == child && WIFEXITED(status))
        return WEXITSTATUS(status);
    return 0;
}
