/*
 * epoll, told once of each change: all is done that can be done, until a call says that it
 * would have to wait. The signals come as bytes of a signalfd.
 */
#include "server_setup.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

struct client {
    int fd;
    size_t start, end;
    char buffer[6000];
};

static int epoll_fd, listen_fd;
static struct client listener, signals;     /* only their addresses count */

static bool watch(int fd, unsigned events, struct client *owner)
{
    struct epoll_event event = { .events = events | EPOLLET, .data.ptr = owner };

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool would_wait(void)
{
    return errno == EAGAIN;
}

/* Returns false when the client is done with. */
static bool serve(struct client *c)
{
    for (;;) {
        while (c->start < c->end) {
            ssize_t n = send(c->fd, c->buffer + c->start, c->end - c->start, 0);
            if (n < 0)
                return would_wait();
            c->start += (size_t)n;
        }
        ssize_t n = recv(c->fd, c->buffer, sizeof c->buffer, 0);
        if (n <= 0)
            return n < 0 && would_wait();
        c->start = 0;
        c->end = (size_t)n;
    }
}

static void welcome_all(void)
{
    int fd;

    while ((fd = accept_client(listen_fd, SOCK_NONBLOCK)) >= 0) {
        struct client *c = calloc(1, sizeof *c);
        if (c != NULL)
            c->fd = fd;
        if (c == NULL || !watch(fd, EPOLLIN | EPOLLOUT, c)) {
            close(fd);
            free(c);
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
    int signal_fd = signalfd(-1, &ending, SFD_CLOEXEC);
    listen_fd = open_listener(argc, argv);
    fcntl(listen_fd, F_SETFL, O_NONBLOCK);
    if (!watch(signal_fd, EPOLLIN, &signals) || !watch(listen_fd, EPOLLIN, &listener))
        fail("epoll_ctl");

    for (;;) {
        struct epoll_event events[64];
        bool dropped = false, more = false;
        int count = epoll_wait(epoll_fd, events, 64, -1);

        for (int i = 0; i < count; i++) {
            struct client *c = events[i].data.ptr;
            if (c == &signals)
                return 0;
            if (c == &listener)
                more = true;
            else if (!serve(c)) {
                close(c->fd);
                free(c);
                dropped = true;
            }
        }
        if (more || dropped)            /* who waits for a descriptor is not told of twice */
            welcome_all();
    }
}
