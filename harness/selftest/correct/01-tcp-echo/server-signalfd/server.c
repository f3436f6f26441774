/* One client at a time, all in one epoll loop; the signals come as bytes of a signalfd. */
#include "server_setup.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

static int epoll_fd, signal_fd;

static void watch(int fd, int how, unsigned events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };

    if (epoll_ctl(epoll_fd, how, fd, &event) < 0)
        fail("epoll_ctl");
}

/* Waits for FD; ends the server if the signal comes first. */
static void wait_for(int fd, unsigned events)
{
    struct epoll_event event = { 0 };

    watch(fd, EPOLL_CTL_ADD, events);
    while (event.data.fd != fd) {
        if (epoll_wait(epoll_fd, &event, 1, -1) < 0) {
            if (errno != EINTR)
                fail("epoll_wait");
            event.data.fd = -1;
        } else if (event.data.fd == signal_fd)
            exit(0);
    }
    watch(fd, EPOLL_CTL_DEL, 0);
}

static void echo(int conn_fd)
{
    char buffer[3000];

    for (;;) {
        wait_for(conn_fd, EPOLLIN);
        ssize_t n = recv(conn_fd, buffer, sizeof buffer, 0), sent = 0;
        if (n <= 0)
            return;
        while (sent < n) {
            ssize_t taken = send(conn_fd, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL);
            if (taken < 0 && errno != EAGAIN)
                return;
            if (taken < 0)
                wait_for(conn_fd, EPOLLOUT);
            else
                sent += taken;
        }
    }
}

int main(int argc, char *argv[])
{
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    signal_fd = signalfd(-1, &ending, SFD_CLOEXEC);
    if (epoll_fd < 0 || signal_fd < 0)
        fail("signalfd");
    watch(signal_fd, EPOLL_CTL_ADD, EPOLLIN);

    int listen_fd = open_listener(argc, argv);
    for (;;) {
        wait_for(listen_fd, EPOLLIN);
        int conn_fd = accept_client(listen_fd, SOCK_NONBLOCK);
        if (conn_fd < 0)
            continue;
        echo(conn_fd);
        close(conn_fd);
    }
}
