/* epoll, edge-triggered: told once of what came, it reads until there is no more. */
#include "server_setup.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

static int signals(void)
{
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    return signalfd(-1, &ending, SFD_CLOEXEC);
}

/* Sends back everything that is there. To send may block: so no reply is lost here. */
static void drain(int fd)
{
    static char data[ROOM];
    struct sockaddr_storage from;

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, data, sizeof data, MSG_DONTWAIT,
                             (struct sockaddr *)&from, &len);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n >= 0 && sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
            complain("sendto");
    }
}

int main(int argc, char *argv[])
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC), signal_fd = signals();
    int fd = open_server(argc, argv, 0);
    struct epoll_event datagrams = { .events = EPOLLIN | EPOLLET, .data.fd = fd };
    struct epoll_event ending = { .events = EPOLLIN, .data.fd = signal_fd }, event;

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &datagrams) < 0
        || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &ending) < 0)
        fail("epoll_ctl");
    for (;;) {
        if (epoll_wait(epoll_fd, &event, 1, -1) <= 0)
            continue;
        if (event.data.fd == signal_fd)
            return 0;
        drain(fd);
    }
}
