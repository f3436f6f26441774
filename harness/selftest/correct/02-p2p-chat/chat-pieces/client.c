/* Reads of an odd size, and many small writes: two threads. */
#include "setup.h"

#include <pthread.h>

enum { READ_SIZE = 997, WRITE_SIZE = 61 };

static void write_in_pieces(int fd, const char *next, size_t len, const char *what)
{
    while (len > 0) {
        ssize_t n = write(fd, next, len < WRITE_SIZE ? len : WRITE_SIZE);
        if (n < 0)
            fail(what);
        next += n;
        len -= (size_t)n;
    }
}

static void *speak(void *conn_fd)
{
    char buffer[READ_SIZE];
    ssize_t n;

    while ((n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
        write_in_pieces(*(int *)conn_fd, buffer, (size_t)n, "send");
    if (n < 0)
        fail("stdin");
    shutdown(*(int *)conn_fd, SHUT_WR);
    return NULL;
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv);
    char buffer[READ_SIZE];
    pthread_t speaker;
    ssize_t n;

    if ((errno = pthread_create(&speaker, NULL, speak, &conn_fd)) != 0)
        fail("thread");
    while ((n = read(conn_fd, buffer, sizeof buffer)) > 0)
        write_in_pieces(STDOUT_FILENO, buffer, (size_t)n, "stdout");
    if (n < 0)
        fail("recv");
    fputs("peer closed\n", stderr);
    pthread_join(speaker, NULL);
    return 0;
}
