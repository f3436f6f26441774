/* A thread for each client; a receive timeout ends the wait for the client's end of file. */
#define PORT "8000"
#include "server_setup.h"

#include <pthread.h>
#include <sys/time.h>
#include <time.h>

static void stop(int number)
{
    (void)number;
    _exit(0);
}

/* Reads up to the end of file, 9 seconds at most. */
static void read_on(int conn_fd)
{
    struct timeval second = { 1, 0 };
    time_t end = time(NULL) + 9;
    char rest[10000];
    ssize_t n;

    setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    do
        n = recv(conn_fd, rest, sizeof rest, 0);
    while ((n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) && time(NULL) < end);
}

static void *serve(void *argument)
{
    int conn_fd = (int)(long)argument;
    char message[4096];
    ssize_t n = recv(conn_fd, message, sizeof message - 1, 0);

    if (n > 0) {
        if (message[n - 1] != '\n')
            message[n++] = '\n';
        flockfile(stdout);
        printf("received: ");
        fwrite(message, (size_t)n, 1, stdout);
        fflush(stdout);
        funlockfile(stdout);
        dprintf(conn_fd, "Hello, you are %s!\n", "connected");
    }
    shutdown(conn_fd, SHUT_WR);
    read_on(conn_fd);
    close(conn_fd);
    return NULL;
}

int main(int argc, char *argv[])
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);

    for (;;) {
        pthread_t thread;
        int conn_fd = wait_for_client(listen_fd);
        if (conn_fd < 0)
            continue;
        if ((errno = pthread_create(&thread, NULL, serve, (void *)(long)conn_fd)) == 0)
            pthread_detach(thread);
        else {
            complain("pthread_create");
            close(conn_fd);
        }
    }
}
