/* poll(2), reads of a single byte and many small writes. */
#include "server_setup.h"

#include <fcntl.h>
#include <poll.h>

enum { CLIENTS = 4000, FIRST = 1, SIZE = 3333, PIECE = 555 };

struct client {
    size_t start, end;
    char buffer[SIZE];
};

static struct pollfd fds[FIRST + CLIENTS];
static struct client *clients[FIRST + CLIENTS];
static nfds_t used = FIRST;

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static bool later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Both return false when the client is done with. */
static bool take_in(int fd, struct client *c)
{
    ssize_t n = 1;

    for (c->start = c->end = 0; c->end < SIZE && n == 1; c->end += n == 1)
        n = read(fd, c->buffer + c->end, 1);
    return c->end > 0 || (n < 0 && later());    /* an end of file is there again */
}

static bool give_back(int fd, struct client *c)
{
    while (c->start < c->end) {
        size_t len = c->end - c->start;
        ssize_t n = write(fd, c->buffer + c->start, len < PIECE ? len : PIECE);
        if (n < 0)
            return later();
        c->start += (size_t)n;
    }
    return true;
}

static bool serve(int fd, struct client *c)
{
    if (c->start == c->end && !take_in(fd, c))
        return false;
    return give_back(fd, c);
}

static bool welcome(int listen_fd)
{
    int fd = accept_client(listen_fd, SOCK_NONBLOCK);

    if (fd < 0)
        return later();
    if (used == FIRST + CLIENTS || (clients[used] = calloc(1, sizeof **clients)) == NULL)
        close(fd);
    else
        fds[used++] = (struct pollfd){ fd, POLLIN, 0 };
    return true;
}

int main(int argc, char *argv[])
{
    bool full = false;

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);
    fcntl(listen_fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        fds[0] = (struct pollfd){ full ? -1 : listen_fd, POLLIN, 0 };
        for (nfds_t i = FIRST; i < used; i++)
            fds[i].events = clients[i]->start < clients[i]->end ? POLLOUT : POLLIN;
        if (poll(fds, used, -1) < 0)
            continue;
        for (nfds_t i = used; i-- > FIRST; ) {
            if (fds[i].revents == 0 || serve(fds[i].fd, clients[i]))
                continue;
            close(fds[i].fd);
            free(clients[i]);
            fds[i] = fds[--used];
            clients[i] = clients[used];
            full = false;
        }
        if (fds[0].revents != 0)
            full = !welcome(listen_fd);
    }
}
