/* Some threads at one socket: the kernel gives each datagram to one of them. */
#include "server_setup.h"

#include <pthread.h>
#include <stdint.h>

enum { THREADS = 3 };

static void *serve(void *socket_fd)
{
    int fd = (int)(intptr_t)socket_fd;
    char *data = malloc(ROOM);
    struct sockaddr_storage from;

    if (data == NULL)
        fail("memory");
    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, data, ROOM, 0, (struct sockaddr *)&from, &len);
        if (n >= 0 && sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
            complain("sendto");
    }
    return NULL;
}

int main(int argc, char *argv[])
{
    pthread_t thread;

    signal(SIGINT, end_with_success);
    signal(SIGTERM, end_with_success);
    int fd = open_server(argc, argv, SOCK_CLOEXEC);
    for (int i = 1; i < THREADS; i++)
        if ((errno = pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) != 0)
            fail("thread");
    serve((void *)(intptr_t)fd);
}
