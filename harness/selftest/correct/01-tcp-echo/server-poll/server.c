/* All clients at once: poll() and non-blocking sockets; a pipe tells of the signal. */
#include "server_setup.h"

#include <fcntl.h>
#include <poll.h>

enum { CLIENTS = 200, ENDING = 0, LISTENER = 1, FIRST = 2 };

struct client {
    char buffer[1000];
    size_t start, end;
};

static struct pollfd fds[FIRST + CLIENTS];
static struct client clients[FIRST + CLIENTS];
static nfds_t used = FIRST;
static int signal_pipe[2];

static void note_signal(int number)
{
    char byte = (char)number;

    if (write(signal_pipe[1], &byte, 1) < 0)
        _exit(0);
}

/* Returns false when the client is done with. */
static bool move_bytes(int fd, struct client *c)
{
    ssize_t n;

    if (c->start == c->end) {
        n = recv(fd, c->buffer, sizeof c->buffer, 0);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        c->start = 0;
        c->end = (size_t)n;
    }
    n = send(fd, c->buffer + c->start, c->end - c->start, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->start += (size_t)n;
    return true;
}

int main(int argc, char *argv[])
{
    int fd, listen_fd;

    if (pipe(signal_pipe) < 0)
        fail("pipe");
    signal(SIGINT, note_signal);
    signal(SIGTERM, note_signal);
    listen_fd = open_listener(argc, argv);
    fcntl(listen_fd, F_SETFL, O_NONBLOCK);
    fds[ENDING] = (struct pollfd){ signal_pipe[0], POLLIN, 0 };

    for (;;) {
        fds[LISTENER] = (struct pollfd){ used < FIRST + CLIENTS ? listen_fd : -1, POLLIN, 0 };
        for (nfds_t i = FIRST; i < used; i++)
            fds[i].events = clients[i].start < clients[i].end ? POLLOUT : POLLIN;
        if (poll(fds, used, -1) < 0)
            continue;
        if (fds[ENDING].revents != 0)
            return 0;
        for (nfds_t i = FIRST; i < used; i++) {
            if (fds[i].revents == 0 || move_bytes(fds[i].fd, &clients[i]))
                continue;
            close(fds[i].fd);
            fds[i] = fds[--used];
            clients[i] = clients[used];
            i--;
        }
        if (fds[LISTENER].revents != 0 && (fd = accept_client(listen_fd, SOCK_NONBLOCK)) >= 0) {
            clients[used].start = clients[used].end = 0;
            fds[used++] = (struct pollfd){ fd, POLLIN, 0 };
        }
    }
}
