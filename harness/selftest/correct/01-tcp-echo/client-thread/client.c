/* Two threads: one for each direction. */
#include "client_setup.h"

#include <poll.h>
#include <pthread.h>

static int conn_fd;

/* The error of a connection is told once: it is left to main()'s recv(). */
static void *send_stdin(void *unused)
{
    struct pollfd ready = { conn_fd, POLLOUT, 0 };
    char buffer[4096];
    ssize_t n;

    (void)unused;
    while ((n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
        for (ssize_t sent = 0, taken; sent < n; sent += taken) {
            if (poll(&ready, 1, -1) < 0 || (ready.revents & POLLERR) != 0)
                return NULL;
            taken = send(conn_fd, buffer + sent, (size_t)(n - sent), MSG_DONTWAIT);
            if (taken < 0 && errno == EAGAIN)
                taken = 0;
            if (taken < 0)
                return NULL;            /* the server ends it: so will recv() */
        }
    if (n < 0)
        fail("stdin");
    shutdown(conn_fd, SHUT_WR);
    return NULL;
}

int main(int argc, char *argv[])
{
    char buffer[4096];
    pthread_t sender;
    ssize_t n;

    conn_fd = open_connection(argc, argv);
    if ((errno = pthread_create(&sender, NULL, send_stdin, NULL)) != 0)
        fail("thread");
    while ((n = recv(conn_fd, buffer, sizeof buffer, 0)) > 0)
        for (ssize_t done = 0, taken; done < n; done += taken)
            if ((taken = write(STDOUT_FILENO, buffer + done, (size_t)(n - done))) < 0)
                fail("stdout");
    if (n < 0)
        fail("recv");
    return 0;
}
