/* Some processes at one socket, made before the first datagram; their parent takes the signals. */
#include "server_setup.h"

#include <sys/prctl.h>
#include <sys/wait.h>

enum { WORKERS = 3 };

_Noreturn static void serve(int fd)
{
    static char data[ROOM];
    struct sockaddr_storage from;

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &len);
        if (n >= 0 && sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
            complain("sendto");
    }
}

/* A worker has the parent's signals blocked, and ends by the one that cannot be. */
static pid_t start_worker(int fd, pid_t parent)
{
    pid_t pid = fork();

    if (pid < 0)
        fail("fork");
    if (pid > 0)
        return pid;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    serve(fd);
}

int main(int argc, char *argv[])
{
    pid_t workers[WORKERS];
    sigset_t ending;
    int number;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    int fd = open_server(argc, argv, 0);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(fd, getpid());
    sigwait(&ending, &number);
    for (int i = 0; i < WORKERS; i++)
        kill(workers[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    return 0;
}
