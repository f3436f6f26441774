/* stop.c - see stop.h. */
#include "stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

bool stop_open(struct stop *stop)
{
    sigset_t set;
    struct sigaction hangup;

    *stop = (struct stop){.fd = -1};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGWINCH);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&set, SIGHUP); /* nohup keeps working */
    sigprocmask(SIG_BLOCK, &set, NULL);
    stop->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return stop->fd >= 0;
}

void stop_take(struct stop *stop)
{
    struct signalfd_siginfo info;

    while (read(stop->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGWINCH)
            stop->resized = true;
        else
            stop->count++;
    }
}

bool stop_wait_for_room(struct stop *stop, int fd, int patience_ms)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT}, {.fd = stop->fd, .events = POLLIN}};

    while (fds[0].revents == 0) {
        int ready = stop->count > 1 ? 0 : poll(fds, 2, stop->count > 0 ? patience_ms : -1);

        if (ready == 0) {
            errno = EINTR;
            return false;
        }
        if (ready < 0 && errno != EINTR)
            return false;
        if (fds[1].revents)
            stop_take(stop);
    }
    return true;
}
