/* Two threads: one sends, one prints; the process ends when both have. */
#include "setup.h"

#include <pthread.h>

static void carry(int from, int to, const char *source, const char *target)
{
    char buffer[8192];
    ssize_t n, taken;

    while ((n = read(from, buffer, sizeof buffer)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail(source);
        for (ssize_t done = 0; done < n; done += taken)
            if ((taken = write(to, buffer + done, (size_t)(n - done))) < 0) {
                if (errno != EINTR)
                    fail(target);
                taken = 0;
            }
    }
}

static void *print(void *conn_fd)
{
    carry(*(int *)conn_fd, STDOUT_FILENO, "recv", "stdout");
    fputs("peer closed\n", stderr);
    return NULL;
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv);
    pthread_t printer;

    if ((errno = pthread_create(&printer, NULL, print, &conn_fd)) != 0)
        fail("thread");
    carry(STDIN_FILENO, conn_fd, "stdin", "send");
    shutdown(conn_fd, SHUT_WR);
    pthread_join(printer, NULL);
    return 0;
}
