/* A thread for each client. */
#include "server_setup.h"

#include <pthread.h>
#include <stdint.h>

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static void *serve(void *argument)
{
    int conn_fd = (int)(intptr_t)argument;
    char buffer[8192];
    ssize_t n;

    while ((n = read(conn_fd, buffer, sizeof buffer)) > 0) {
        char *next = buffer;
        while (n > 0) {
            ssize_t taken = write(conn_fd, next, (size_t)n);
            if (taken < 0)
                goto done;
            next += taken;
            n -= taken;
        }
    }
done:
    close(conn_fd);
    return NULL;
}

int main(int argc, char *argv[])
{
    pthread_t thread;

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);
    for (int conn_fd; ; ) {
        if ((conn_fd = wait_for_client(listen_fd)) < 0)
            continue;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)conn_fd) != 0)
            close(conn_fd);
        else
            pthread_detach(thread);
    }
}
