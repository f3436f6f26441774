/* select(2), whose sets have room for 1,024 descriptors; a client's number is its place. */
#include "server_setup.h"

#include <fcntl.h>
#include <sys/select.h>

static struct client {
    size_t start, end;
    char *buffer;
} clients[FD_SETSIZE];

enum { SIZE = 4096 };

static void stop(int number)
{
    (void)number;
    _exit(0);
}

/* Returns false when the client is done with. */
static bool serve(int fd)
{
    struct client *c = &clients[fd];
    ssize_t n;

    if (c->start == c->end) {
        n = recv(fd, c->buffer, SIZE, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        c->start = 0;
        c->end = (size_t)n;
    }
    n = send(fd, c->buffer + c->start, c->end - c->start, 0);
    if (n < 0)
        return errno == EAGAIN;
    c->start += (size_t)n;
    return true;
}

static bool welcome(int listen_fd)
{
    int fd = accept_client(listen_fd, SOCK_NONBLOCK);

    if (fd < 0)
        return errno == EAGAIN;
    if (fd >= FD_SETSIZE || (clients[fd].buffer = malloc(SIZE)) == NULL)
        close(fd);
    else
        clients[fd].start = clients[fd].end = 0;
    return true;
}

static void drop(int fd)
{
    close(fd);
    free(clients[fd].buffer);
    clients[fd].buffer = NULL;
}

int main(int argc, char *argv[])
{
    bool full = false;

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);
    fcntl(listen_fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        fd_set in, out;
        int last = full ? -1 : listen_fd;

        FD_ZERO(&in);
        FD_ZERO(&out);
        if (!full)
            FD_SET(listen_fd, &in);
        for (int fd = 0; fd < FD_SETSIZE; fd++) {
            if (clients[fd].buffer == NULL)
                continue;
            FD_SET(fd, clients[fd].start < clients[fd].end ? &out : &in);
            last = fd > last ? fd : last;
        }
        if (select(last + 1, &in, &out, NULL, NULL) < 0)
            continue;
        for (int fd = 0; fd <= last; fd++)
            if (clients[fd].buffer != NULL && (FD_ISSET(fd, &in) || FD_ISSET(fd, &out))
                && !serve(fd)) {
                drop(fd);
                full = false;
            }
        if (FD_ISSET(listen_fd, &in) && !welcome(listen_fd))
            full = true;
    }
}
