/* A thread for each client, which is given its descriptor in memory of its own and lets go. */
#include "server_setup.h"

#include <pthread.h>
#include <sys/uio.h>

static void stop(int number)
{
    (void)number;
    _exit(0);
}

/* Sends what was read in two parts at once, as a program with a header would. */
static bool send_all(int conn_fd, char *data, size_t len)
{
    while (len > 0) {
        size_t half = len / 2;
        struct iovec parts[2] = { { data, half }, { data + half, len - half } };
        ssize_t taken = writev(conn_fd, parts, 2);
        if (taken < 0)
            return false;
        data += taken;
        len -= (size_t)taken;
    }
    return true;
}

static void *serve(void *argument)
{
    int conn_fd = *(int *)argument;
    char buffer[7777];
    ssize_t n;

    free(argument);
    pthread_detach(pthread_self());
    while ((n = read(conn_fd, buffer, sizeof buffer)) > 0)
        if (!send_all(conn_fd, buffer, (size_t)n))
            break;
    close(conn_fd);
    return NULL;
}

int main(int argc, char *argv[])
{
    pthread_t thread;

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);
    for (;;) {
        int conn_fd = wait_for_client(listen_fd);
        if (conn_fd < 0)
            continue;
        int *argument = malloc(sizeof *argument);
        if (argument != NULL)
            *argument = conn_fd;
        if (argument == NULL || pthread_create(&thread, NULL, serve, argument) != 0) {
            free(argument);
            close(conn_fd);
        }
    }
}
