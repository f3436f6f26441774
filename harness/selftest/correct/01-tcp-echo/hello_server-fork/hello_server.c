/* A child process for each client; an alarm ends the one whose client never closes. */
#define PORT "8000"
#include "server_setup.h"

#include <sys/prctl.h>

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static void serve(int conn_fd)
{
    static const char answer[] = "Hello, you are connected!\n";
    char line[10 + 4095 + 1] = "received: ", *message = line + 10, rest[1000];
    ssize_t n = read(conn_fd, message, 4095);

    if (n > 0) {
        if (message[n - 1] != '\n')
            message[n++] = '\n';
        for (char *next = line; next < message + n; ) {
            ssize_t done = write(STDOUT_FILENO, next, (size_t)(message + n - next));
            if (done < 0)
                break;
            next += done;
        }
        if (write(conn_fd, answer, sizeof answer - 1) < 0)
            complain("write");
    }
    shutdown(conn_fd, SHUT_WR);
    alarm(10);
    while (read(conn_fd, rest, sizeof rest) > 0)
        ;
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
            serve(conn_fd);
            _exit(0);
        }
        if (child < 0)
            complain("fork");
        close(conn_fd);
    }
}
