/*
 * poll(2) with a table that grows, and a ring of bytes for each client: it is read into
 * while there is room and written from while there is something, so both can go on at once.
 */
#include "server_setup.h"

#include <poll.h>
#include <fcntl.h>
#include <sys/uio.h>

enum { RING = 10000, LISTENER = 0, FIRST = 1 };

struct client {
    size_t start, len;
    bool ended;                     /* the client's end of file has been read */
    char ring[RING];
};

static struct pollfd *fds;
static struct client **clients;     /* beside fds */
static size_t used = FIRST, room;
static bool full;                   /* no descriptor is left for another client */

static void stop(int number)
{
    (void)number;
    _exit(0);
}

/* The COUNT bytes of the ring from AT on, in at most two parts. */
static int span(struct client *c, size_t at, size_t count, struct iovec parts[2])
{
    size_t before_end = RING - at < count ? RING - at : count;

    parts[0] = (struct iovec){ c->ring + at, before_end };
    parts[1] = (struct iovec){ c->ring, count - before_end };
    return count > before_end ? 2 : 1;
}

/* Both return false when the client is done with. */
static bool take_in(int fd, struct client *c)
{
    struct iovec parts[2];
    ssize_t n = readv(fd, parts, span(c, (c->start + c->len) % RING, RING - c->len, parts));

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->len += (size_t)n;
    c->ended |= n == 0;
    return true;
}

static bool give_back(int fd, struct client *c)
{
    struct iovec parts[2];
    ssize_t n = writev(fd, parts, span(c, c->start, c->len, parts));

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->start = (c->start + (size_t)n) % RING;
    c->len -= (size_t)n;
    return true;
}

static bool serve(struct pollfd *ready, struct client *c)
{
    if (!c->ended && c->len < RING && !take_in(ready->fd, c))
        return false;
    if (c->len > 0 && !give_back(ready->fd, c))
        return false;
    ready->events = (short)((!c->ended && c->len < RING ? POLLIN : 0) | (c->len > 0 ? POLLOUT : 0));
    return !c->ended || c->len > 0;
}

static void welcome(int listen_fd)
{
    int fd = accept_client(listen_fd, SOCK_NONBLOCK);

    full = fd < 0 && (errno == EMFILE || errno == ENFILE);
    if (fd < 0)
        return;
    if (used == room) {
        room *= 2;
        fds = realloc(fds, room * sizeof *fds);
        clients = realloc(clients, room * sizeof *clients);
    }
    struct client *c = fds != NULL && clients != NULL ? calloc(1, sizeof *c) : NULL;
    if (c == NULL)
        fail("memory");
    fds[used] = (struct pollfd){ fd, POLLIN, 0 };
    clients[used++] = c;
}

static void drop(size_t i)
{
    close(fds[i].fd);
    free(clients[i]);
    fds[i] = fds[--used];
    clients[i] = clients[used];
    full = false;
}

int main(int argc, char *argv[])
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    room = 16;
    fds = calloc(room, sizeof *fds);
    clients = calloc(room, sizeof *clients);
    if (fds == NULL || clients == NULL)
        fail("memory");
    int listen_fd = open_listener(argc, argv);
    fcntl(listen_fd, F_SETFL, O_NONBLOCK);

    for (;;) {
        fds[LISTENER] = (struct pollfd){ full ? -1 : listen_fd, POLLIN, 0 };
        if (poll(fds, used, -1) < 0)
            continue;
        for (size_t i = FIRST; i < used; i++)
            while (i < used && fds[i].revents != 0) {
                fds[i].revents = 0;
                if (!serve(&fds[i], clients[i]))
                    drop(i);            /* the last one has taken its place */
            }
        if (fds[LISTENER].revents != 0)
            welcome(listen_fd);
    }
}
