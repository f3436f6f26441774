/* pselect(): the signals are let in only while it waits, and set a flag. */
#include "server_setup.h"

#include <sys/select.h>

static volatile sig_atomic_t over;

static void note(int number)
{
    (void)number;
    over = 1;
}

static void keep_signals_out(sigset_t *before)
{
    struct sigaction action = { .sa_handler = note };
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, before);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void echo_one(int fd)
{
    static char data[ROOM];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

    if (n >= 0 && sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
        complain("sendto");
}

int main(int argc, char *argv[])
{
    sigset_t before;
    fd_set readable;

    keep_signals_out(&before);
    int fd = open_server(argc, argv, 0);
    while (!over) {
        FD_ZERO(&readable);
        FD_SET(fd, &readable);
        if (pselect(fd + 1, &readable, NULL, NULL, NULL, &before) > 0)
            echo_one(fd);
    }
    close(fd);
    return 0;
}
