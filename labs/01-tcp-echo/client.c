/*
 * client - sends bytes to an echo server and prints those that come back.
 *
 * Run it:   ./client -m hello                    127.0.0.1, port 4321
 *           ./client -p 7 -m hello ::1
 *           ./client < FILE > COPY
 *           ./client                             type, Ctrl-D to end
 *
 * You see:  hello
 *
 * On the wire: stdin's bytes go out as they are, then our FIN ('no more from
 * me'). We go on reading until the server's FIN. RFC 862, RFC 9293.
 *
 * Sending and receiving take place at once. A client that first sent all and
 * then read would hang on a big stream: the server waits until its echo is
 * read, so it reads no more; we wait until it reads.
 *
 * net.c makes the connection.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

const char program[] = "client";

/*
 * One direction of the conversation: bytes that were read and are still to be
 * written. It is filled only when it is empty, so memory stays bounded. Its
 * size is PIPE_BUF, because that many bytes can be written without waiting
 * to a pipe that poll() calls writable.
 */
struct stream {
    const char *next;               /* the first byte still to be written */
    size_t len;                     /* how many there are from there */
    bool open;                      /* the source has not ended yet */
    char buffer[PIPE_BUF];
};

static void usage(void)
{
    fprintf(stderr, "usage: client [-p PORT] [-m MESSAGE] [HOST]\n");
    exit(2);
}

/* Takes in what a read() or recv() into the empty stream has returned. */
static void filled(struct stream *stream, ssize_t n, const char *source)
{
    /* STEP 16: more than 0 are bytes, 0 is the end of file. A signal (EINTR)
     * or nothing there yet (EAGAIN) is no error: poll() tells us again. */
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        die(source);                    /* such as a reset: ECONNRESET */
    if (n == 0)
        stream->open = false;
    if (n > 0) {
        stream->next = stream->buffer;
        stream->len = (size_t)n;
    }
    /* END STEP 16; goes on; stub:
    (void)n;
    (void)source;
    stream->open = false; */
}

/* Takes in what a write() or send() of the stream's bytes has returned. */
static void drained(struct stream *stream, ssize_t n, const char *target)
{
    /* STEP 17: perhaps only a part was taken. The rest stays for later. */
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        die(target);                    /* such as a full disk: ENOSPC */
    if (n > 0) {
        stream->next += n;
        stream->len -= (size_t)n;
    }
    /* END STEP 17; goes on; stub:
    (void)n;
    (void)target;
    stream->len = 0; */
}

/* Makes those calls that poll() has found ready. */
static void transfer(int conn_fd, const struct pollfd fds[4],
                     struct stream *up, struct stream *down)
{
    /* STEP 15: one call for each thing that can be done. MSG_DONTWAIT makes
     * send() take only what fits now: if it waited for a slow server, we
     * could not read its echo, and both would wait for ever. */
    ssize_t n;
    if (fds[0].revents != 0) {
        n = read(STDIN_FILENO, up->buffer, sizeof up->buffer);
        filled(up, n, "stdin");
    }
    if (fds[1].revents != 0) {
        n = send(conn_fd, up->next, up->len, MSG_DONTWAIT);
        if (n < 0 && errno == EPIPE) {  /* The server closed before. Drop */
            up->open = false;           /* the rest; recv() still gives   */
            n = (ssize_t)up->len;       /* what came, and then the end.   */
        }
        drained(up, n, "send");
    }
    if (fds[2].revents != 0) {
        n = recv(conn_fd, down->buffer, sizeof down->buffer, MSG_DONTWAIT);
        filled(down, n, "recv");
    }
    if (fds[3].revents != 0) {
        n = write(STDOUT_FILENO, down->next, down->len);
        drained(down, n, "stdout");
    }
    /* END STEP 15; stub:
    (void)conn_fd;
    (void)fds;
    (void)up;
    (void)filled;
    (void)drained;
    down->open = false; */
}

/* Moves the bytes both ways at once, until the server's end of file. */
static void exchange(int conn_fd, struct stream *up, struct stream *down)
{
    bool half_closed = false;

    while (down->open) {
        /* STEP 18: half-close, when the input has ended and all is sent. The
         * server gets our FIN, its end of file. We can still receive. */
        if (!up->open && up->len == 0 && !half_closed) {
            half_closed = true;
            if (shutdown(conn_fd, SHUT_WR) < 0 && errno != ENOTCONN)
                die("shutdown");        /* ENOTCONN: recv() will say why */
        }
        /* END STEP 18; silent; stub: (void)half_closed; */

        /* STEP 14: wait, without using the processor, for any of the four
         * things we could do now. poll() skips an fd of -1. */
        struct pollfd fds[4] = {
            { up->open && up->len == 0 ? STDIN_FILENO : -1, POLLIN, 0 },
            { up->len > 0 ? conn_fd : -1, POLLOUT, 0 },
            { down->len == 0 ? conn_fd : -1, POLLIN, 0 },
            { down->len > 0 ? STDOUT_FILENO : -1, POLLOUT, 0 },
        };
        while (poll(fds, 4, -1) < 0)
            if (errno != EINTR)
                die("poll");
        /* END STEP 14; stub:
        struct pollfd fds[4] = { 0 };
        break; */

        transfer(conn_fd, fds, up, down);
    }
}

/* Makes MESSAGE and a newline the whole input, in place of stdin. Returns the
 * memory that holds them, to be freed. */
static char *take_message(struct stream *up, const char *message)
{
    char *line = NULL;

    /* STEP 19: send the message of -m; the newline goes in the same send(). */
    size_t size = strlen(message) + 2;      /* with newline and NUL */
    line = malloc(size);
    if (line == NULL)
        die("malloc");
    snprintf(line, size, "%s\n", message);
    up->next = line;
    up->len = size - 1;
    up->open = false;
    /* END STEP 19; stub:
    (void)message;
    up->open = false; */

    return line;
}

int main(int argc, char *argv[])
{
    const char *host = "127.0.0.1", *port = "4321", *message = NULL;
    char *line = NULL;
    struct stream up = { .open = true }, down = { .open = true };
    int option;

    opterr = 0;                         /* our usage line says it all */
    while ((option = getopt(argc, argv, "m:p:")) != -1) {
        if (option == 'm')
            message = optarg;
        else if (option == 'p' && is_port(optarg))
            port = optarg;
        else
            usage();
    }
    if (optind < argc)
        host = argv[optind++];
    if (optind < argc)
        usage();
    keep_standard_fds();
    ignore_sigpipe();

    int conn_fd = connect_to(host, port);
    if (message != NULL)
        line = take_message(&up, message);
    exchange(conn_fd, &up, &down);
    if (close(conn_fd) < 0)
        die("close");
    free(line);
    return 0;
}
