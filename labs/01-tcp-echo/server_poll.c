/*
 * server_poll - TCP echo for many clients at once, all in one thread.
 *
 * Run it:   ./server_poll [-a ADDRESS] [-p PORT] (127.0.0.1, port 4321)
 *           ./client                             in several terminals
 *
 * You see and on the wire: as server_fork.
 *
 * New here: nothing waits but epoll_wait(), and it waits for all clients. No
 * other call may wait, or one client would keep the others waiting. So what
 * send() does not take is kept until there is room. Meanwhile nothing more is
 * read from that client: one that never reads costs one buffer, no more.
 *
 * poll(2) would do the same. It is told all descriptors in each call; epoll
 * is told only what changes, which counts when there are a thousand.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

const char program[] = "server_poll";

enum {
    BUFFER_SIZE = 16384,
    EVENTS = 64,                        /* taken from the kernel in one call */
    PAUSE = 1000                        /* ms without accept(), out of fds */
};

struct client {
    int fd;
    char *rest;                         /* what send() did not take, or NULL */
    size_t next, len;                   /* of it: still to be sent */
};

static int epoll_fd, listen_fd;
static bool listening;

/* Asks to be told of EVENTS on FD, as OWNER's. OPERATION as epoll_ctl(2). */
static int watch(int operation, int fd, unsigned events, void *owner)
{
    struct epoll_event event = { .events = events, .data.ptr = owner };

    return epoll_ctl(epoll_fd, operation, fd, &event);
}

/* The listener is watched, but not while we are out of descriptors: it would
 * be ready again and again. The clients wait in its queue. */
static void set_listening(bool wanted)
{
    if (wanted != listening
        && watch(EPOLL_CTL_MOD, listen_fd, wanted ? EPOLLIN : 0, NULL) < 0)
        die("epoll_ctl");
    listening = wanted;
}

static void drop(struct client *client)
{
    if (close(client->fd) < 0)          /* epoll forgets it, too */
        complain("close");
    free(client->rest);
    free(client);
    set_listening(true);                /* there is room for one again */
}

/* Takes the next client in. */
static void welcome(void)
{
    int conn_fd = accept_client(listen_fd);

    if (conn_fd < 0 && errno != EAGAIN) {
        complain("accept");
        set_listening(false);
    }
    if (conn_fd < 0)
        return;

    struct client *client = malloc(sizeof *client);
    if (client == NULL) {
        complain("malloc");             /* this client is turned away */
        close(conn_fd);
        return;
    }
    *client = (struct client){ .fd = conn_fd };

    /* STEP 26: have epoll tell when there is something to read from it. */
    if (watch(EPOLL_CTL_ADD, conn_fd, EPOLLIN, client) < 0) {
        complain("epoll_ctl");
        drop(client);
    }
    /* END STEP 26 */
}

/* Sends without waiting. Returns how much was taken, or -1 on error. */
static ssize_t send_some(int fd, const char *data, size_t len)
{
    ssize_t n = send(fd, data, len, MSG_DONTWAIT);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0)
        complain("send");
    return n;
}

/* Keeps, for later, what was not sent. Returns false if the client is lost. */
static bool keep(struct client *client, const char *data, size_t len)
{
    /* STEP 27: keep it in memory of the client's own. */
    client->rest = malloc(len);
    if (client->rest == NULL) {
        complain("malloc");
        return false;
    }
    memcpy(client->rest, data, len);
    client->next = 0;
    client->len = len;
    /* END STEP 27; stub:
    (void)data;
    (void)len;
    return true; */

    /* STEP 28: from now on ask when there is room, and only that: with more
     * to read, and nowhere to put it, epoll would wake us again and again. */
    if (watch(EPOLL_CTL_MOD, client->fd, EPOLLOUT, client) < 0) {
        complain("epoll_ctl");
        return false;
    }
    /* END STEP 28; silent; stub: (void)client; */

    return true;
}

/* Goes on with the rest. Returns false when the client is done with. */
static bool send_rest(struct client *client)
{
    ssize_t n = send_some(client->fd, client->rest + client->next,
                          client->len);

    if (n < 0)
        return false;
    client->next += (size_t)n;
    client->len -= (size_t)n;
    if (client->len > 0)
        return true;

    free(client->rest);
    client->rest = NULL;
    if (watch(EPOLL_CTL_MOD, client->fd, EPOLLIN, client) < 0) {
        complain("epoll_ctl");
        return false;
    }
    return true;
}

/* Sends back what has come. Returns false when the client is done with. */
static bool echo_some(struct client *client)
{
    static char buffer[BUFFER_SIZE];    /* for one call: all clients share it */
    ssize_t n = recv(client->fd, buffer, sizeof buffer, MSG_DONTWAIT);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n < 0)
        complain("recv");
    if (n <= 0)
        return false;                   /* a reset, or the end of file */

    ssize_t sent = send_some(client->fd, buffer, (size_t)n);
    if (sent < 0 || sent == n)
        return sent == n;
    return keep(client, buffer + sent, (size_t)(n - sent));
}

static void serve_all(void)
{
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll_fd, events, EVENTS,
                               listening ? -1 : PAUSE);

        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        if (count == 0)
            set_listening(true);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;

            if (client == NULL)
                welcome();
            else if (client->rest != NULL ? !send_rest(client)
                                          : !echo_some(client))
                drop(client);
        }
    }
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "4321";

    read_options(argc, argv, &address, &port);
    listen_fd = start_server(address, port);
    epoll_fd = epoll_create1(0);
    if (epoll_fd < 0)
        die("epoll_create1");

    /* STEP 25: have epoll tell when there is a client to accept; no other
     * descriptor has no owner. The listener must not make us wait either: a
     * client can leave between epoll_wait() and accept(). */
    if (fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0)
        die("O_NONBLOCK");
    if (watch(EPOLL_CTL_ADD, listen_fd, EPOLLIN, NULL) < 0)
        die("epoll_ctl");
    listening = true;
    /* END STEP 25; waits */

    serve_all();
}
