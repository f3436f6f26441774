/* epoll and a non-blocking socket; a regular file, which epoll refuses, is always ready. */
#include "client_setup.h"

#include <fcntl.h>
#include <sys/epoll.h>

static char up[50000];
static size_t start, end;
static bool typing = true, sending = true;

static void read_stdin(void)
{
    ssize_t n = read(STDIN_FILENO, up, sizeof up);

    if (n < 0)
        fail("stdin");
    typing = n > 0;
    start = 0;
    end = (size_t)n;
}

static void send_some(int conn_fd)
{
    ssize_t n = send(conn_fd, up + start, end - start, 0);

    if (n < 0 && errno == EPIPE) {
        typing = sending = false;
        start = end;
    } else if (n < 0 && errno != EAGAIN)
        fail("send");
    start += n > 0 ? (size_t)n : 0;
}

/* Returns false at the server's end of file. */
static bool receive_all(int conn_fd)
{
    char down[30000];
    ssize_t n;

    while ((n = recv(conn_fd, down, sizeof down, 0)) > 0)
        for (ssize_t done = 0, taken; done < n; done += taken)
            if ((taken = write(STDOUT_FILENO, down + done, (size_t)(n - done))) < 0)
                fail("stdout");
    if (n < 0 && errno != EAGAIN)
        fail("recv");
    return n < 0;
}

/* Waits for FD, or no longer. Returns false where epoll does not take such a file. */
static bool watch(int epoll_fd, int fd, unsigned events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };

    if (events == 0)        /* without events it would still tell of a hang-up */
        return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL) == 0;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0
        || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    if (errno != EPERM)
        fail("epoll_ctl");
    return false;
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv), epoll_fd = epoll_create1(0);
    struct epoll_event event;

    fcntl(conn_fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        if (start < end || !typing)
            watch(epoll_fd, STDIN_FILENO, 0);
        else if (!watch(epoll_fd, STDIN_FILENO, EPOLLIN))
            read_stdin();
        if (!typing && sending && start == end) {
            shutdown(conn_fd, SHUT_WR);
            sending = false;
        }
        watch(epoll_fd, conn_fd, EPOLLIN | (start < end ? EPOLLOUT : 0));
        if (epoll_wait(epoll_fd, &event, 1, -1) < 1)
            continue;
        if (event.data.fd == STDIN_FILENO)
            read_stdin();
        else {
            if (start < end)
                send_some(conn_fd);
            if (!receive_all(conn_fd))
                return 0;
        }
    }
}
