/*
 * echo_ev - the echo server on libev, written as its users would for speed.
 *
 *     echo_ev [-p PORT]
 *
 * Everybody's bytes pass through one buffer: they are written back before anything
 * else is read. What the kernel does not take then is kept for its client alone, who
 * is not read from until it is written.
 */
#include "common.h"

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    ev_io io; /* first, so that libev's pointers to it are also ours */
    char *rest;
    size_t len, written;
};

static char buffer[65536];

static void drop(struct ev_loop *loop, struct client *client)
{
    ev_io_stop(loop, &client->io);
    close(client->io.fd);
    free(client->rest);
    free(client);
}

/* Waits for EVENTS only from now on, and calls CALLBACK then. */
static void wait_for(struct ev_loop *loop, struct client *client, int events,
                     void (*callback)(struct ev_loop *, ev_io *, int))
{
    ev_io_stop(loop, &client->io);
    ev_io_init(&client->io, callback, client->io.fd, events);
    ev_io_start(loop, &client->io);
}

/* Like send(), but 0 when nothing can be taken now. */
static ssize_t write_some(int fd, const char *data, size_t len)
{
    ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events);

static void on_writable(struct ev_loop *loop, ev_io *io, int events)
{
    struct client *client = (struct client *)io;
    ssize_t n = write_some(io->fd, client->rest + client->written,
                           client->len - client->written);

    (void)events;
    if (n < 0) {
        drop(loop, client);
        return;
    }
    client->written += (size_t)n;
    if (client->written < client->len)
        return;
    free(client->rest);
    client->rest = NULL;
    wait_for(loop, client, EV_READ, on_readable);
}

/* Writes the LEN bytes at REST as the client takes them, before it is read from again. */
static void write_later(struct ev_loop *loop, struct client *client, const char *rest,
                        size_t len)
{
    client->rest = memcpy(allocate(len), rest, len);
    client->len = len;
    client->written = 0;
    wait_for(loop, client, EV_WRITE, on_writable);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct client *client = (struct client *)io;
    ssize_t n = recv(io->fd, buffer, sizeof buffer, 0);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    ssize_t written = n > 0 ? write_some(io->fd, buffer, (size_t)n) : -1;
    if (written < 0)
        drop(loop, client); /* end of file or an error */
    else if (written < n)
        write_later(loop, client, buffer + written, (size_t)(n - written));
}

static void on_connection(struct ev_loop *loop, ev_io *listener, int events)
{
    int fd;

    (void)events;
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = allocate(sizeof *client);
        client->rest = NULL;
        ev_io_init(&client->io, on_readable, fd, EV_READ);
        ev_io_start(loop, &client->io);
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        die("accept");
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static int open_listener(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
        die("socket");
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("bind");
    if (listen(fd, SOMAXCONN) < 0)
        die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(0);
    int port = server_port(argc, argv);
    ev_io listener;
    ev_signal terminate;

    ev_signal_init(&terminate, on_signal, SIGTERM);
    ev_signal_start(loop, &terminate);
    ev_io_init(&listener, on_connection, open_listener(port), EV_READ);
    ev_io_start(loop, &listener);
    printf("listening on 127.0.0.1 port %d\n", port);
    fflush(stdout);
    ev_run(loop, 0);
    return 0;
}
