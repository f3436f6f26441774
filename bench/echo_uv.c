/*
 * echo_uv - the echo server on libuv, written as its users would for speed.
 *
 *     echo_uv [-p PORT]
 *
 * Everybody's bytes pass through one buffer: they are written back before anything
 * else is read. What the kernel does not take then is kept for its client alone, who
 * is not read from until it is written.
 */
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

struct client {
    uv_tcp_t socket; /* first, so that libuv's pointers to it are also ours */
    uv_write_t write;
    char *rest;
};

static char buffer[65536];

/* libuv tells errors by results of its own: negative errno values. */
static void check(int result, const char *what)
{
    if (result < 0) {
        errno = -result;
        die(what);
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *given)
{
    (void)handle;
    (void)suggested;
    *given = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *read);

static void on_written(uv_write_t *write, int status)
{
    struct client *client = (struct client *)write->handle;

    free(client->rest);
    if (status < 0 || uv_read_start(write->handle, give_buffer, on_read) < 0)
        uv_close((uv_handle_t *)client, on_closed);
}

/* Writes the LEN bytes at REST as the client takes them, before it is read from again. */
static void write_later(struct client *client, const char *rest, size_t len)
{
    uv_stream_t *stream = (uv_stream_t *)&client->socket;
    uv_buf_t kept = uv_buf_init(allocate(len), (unsigned)len);

    client->rest = memcpy(kept.base, rest, len);
    uv_read_stop(stream);
    check(uv_write(&client->write, stream, &kept, 1, on_written), "uv_write");
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *read)
{
    if (n == 0)
        return; /* nothing to read after all */
    uv_buf_t echo = uv_buf_init(read->base, n > 0 ? (unsigned)n : 0);
    ssize_t written = n > 0 ? uv_try_write(stream, &echo, 1) : n;

    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0)
        uv_close((uv_handle_t *)stream, on_closed); /* end of file or an error */
    else if (written < n)
        write_later((struct client *)stream, buffer + written, (size_t)(n - written));
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client = allocate(sizeof *client);
    uv_stream_t *stream = (uv_stream_t *)&client->socket;

    check(status, "accept");
    check(uv_tcp_init(listener->loop, &client->socket), "uv_tcp_init");
    check(uv_accept(listener, stream), "uv_accept");
    check(uv_read_start(stream, give_buffer, on_read), "uv_read_start");
}

static void on_signal(uv_signal_t *watcher, int number)
{
    (void)number;
    uv_stop(watcher->loop);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    int port = server_port(argc, argv);
    struct sockaddr_in addr;
    uv_tcp_t listener;
    uv_signal_t terminate;

    signal(SIGPIPE, SIG_IGN);
    check(uv_signal_init(loop, &terminate), "uv_signal_init");
    check(uv_signal_start(&terminate, on_signal, SIGTERM), "uv_signal_start");
    check(uv_ip4_addr("127.0.0.1", port, &addr), "uv_ip4_addr");
    check(uv_tcp_init(loop, &listener), "uv_tcp_init");
    check(uv_tcp_bind(&listener, (struct sockaddr *)&addr, 0), "bind");
    check(uv_listen((uv_stream_t *)&listener, SOMAXCONN, on_connection), "listen");
    printf("listening on 127.0.0.1 port %d\n", port);
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
    return 0;
}
