/*
 * A process for each client and a table of them: SIGCHLD takes out those that have ended,
 * SIGTERM ends the rest.
 */
#include "server_setup.h"

#include <sys/prctl.h>
#include <sys/wait.h>

enum { CHILDREN = 4000 };

static volatile pid_t children[CHILDREN];
static sigset_t handled;

static void bury(int number)
{
    int saved = errno;
    pid_t pid;

    (void)number;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        for (int i = 0; i < CHILDREN; i++)
            if (children[i] == pid)
                children[i] = 0;
    errno = saved;
}

static void stop(int number)
{
    (void)number;
    for (int i = 0; i < CHILDREN; i++)
        if (children[i] > 0)
            kill(children[i], SIGKILL);
    while (wait(NULL) > 0)
        continue;
    _exit(0);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_mask = handled };

    if (sigaction(number, &action, NULL) < 0)
        fail("sigaction");
}

static void echo(int conn_fd)
{
    char buffer[8000];
    ssize_t n;

    while ((n = recv(conn_fd, buffer, sizeof buffer, 0)) > 0)
        for (ssize_t sent = 0, taken; sent < n; sent += taken)
            if ((taken = send(conn_fd, buffer + sent, (size_t)(n - sent), 0)) < 0)
                return;
}

/* The child; nobody but the kernel could tell it that the parent was killed. */
static void serve(int listen_fd, int conn_fd, pid_t parent)
{
    signal(SIGCHLD, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &handled, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
        close(listen_fd);
        echo(conn_fd);
    }
    _exit(0);
}

int main(int argc, char *argv[])
{
    pid_t parent = getpid();

    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGTERM);
    handle(SIGCHLD, bury);
    handle(SIGINT, stop);
    handle(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);

    for (;;) {
        int conn_fd = wait_for_client(listen_fd), slot = 0;
        if (conn_fd < 0)
            continue;
        sigprocmask(SIG_BLOCK, &handled, NULL);
        while (slot < CHILDREN && children[slot] != 0)
            slot++;
        pid_t child = slot < CHILDREN ? fork() : -1;
        if (child == 0)
            serve(listen_fd, conn_fd, parent);
        if (child > 0)
            children[slot] = child;
        sigprocmask(SIG_UNBLOCK, &handled, NULL);
        if (child < 0)
            complain("fork");
        close(conn_fd);
    }
}
