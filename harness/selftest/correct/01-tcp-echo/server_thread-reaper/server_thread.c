/*
 * A thread for each client, and one more that joins those that have ended: each of them
 * sends its client's record through a pipe as its last act. SIGTERM is for sigwait() alone.
 */
#include "server_setup.h"

#include <pthread.h>

struct client {
    pthread_t thread;
    int conn_fd;
};

static int ended[2];

static void *serve(void *argument)
{
    struct client *client = argument;
    char buffer[3000];
    ssize_t n;

    while ((n = recv(client->conn_fd, buffer, sizeof buffer, 0)) > 0) {
        ssize_t sent = 0, taken = 0;
        for (; sent < n && taken >= 0; sent += taken)
            taken = send(client->conn_fd, buffer + sent, (size_t)(n - sent), 0);
        if (taken < 0)
            break;
    }
    close(client->conn_fd);
    if (write(ended[1], &client, sizeof client) < 0)
        complain("pipe");
    return NULL;
}

static void *reap(void *argument)
{
    struct client *client;

    (void)argument;
    while (read(ended[0], &client, sizeof client) == sizeof client) {
        pthread_join(client->thread, NULL);
        free(client);
    }
    return NULL;
}

static void *wait_for_signal(void *set)
{
    int number;

    sigwait(set, &number);
    _exit(0);
}

int main(int argc, char *argv[])
{
    static sigset_t set;
    pthread_attr_t small;
    pthread_t thread;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 1 << 18);
    if (pipe(ended) < 0 || pthread_create(&thread, &small, reap, NULL) != 0
        || pthread_create(&thread, &small, wait_for_signal, &set) != 0)
        fail("threads");
    int listen_fd = open_listener(argc, argv);

    for (;;) {
        int conn_fd = wait_for_client(listen_fd);
        struct client *client = conn_fd < 0 ? NULL : malloc(sizeof *client);
        if (client == NULL) {
            if (conn_fd >= 0)
                close(conn_fd);
            continue;
        }
        client->conn_fd = conn_fd;
        if (pthread_create(&client->thread, &small, serve, client) != 0) {
            close(conn_fd);
            free(client);
        }
    }
}
