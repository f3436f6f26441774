/* watch_screen.c - see watch_screen.h. */
#include "watch_screen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000 };

static ssize_t write_screen(void *cookie, const char *bytes, size_t size)
{
    struct watch_screen *screen = cookie;
    size_t done = 0;

    while (done < size && screen->error == 0) {
        size_t chunk = size - done < PIPE_BUF ? size - done : PIPE_BUF;
        ssize_t n = -1;

        if (stop_wait_for_room(screen->stop, screen->fd, PATIENCE_MS))
            n = write(screen->fd, bytes + done, chunk);
        else
            screen->error = errno;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            screen->error = errno;
    }
    return (ssize_t)done;
}

/* poll() promises one byte of room in a terminal, and a write of more would wait: for a reader
 * like that there is a descriptor that does not. Setting O_NONBLOCK on the one at hand would set
 * it for everybody who shares it. */
static int descriptor_without_waiting(void)
{
    struct stat status;
    int fd = -1;

    if (fstat(STDOUT_FILENO, &status) == 0 &&
        (S_ISFIFO(status.st_mode) || isatty(STDOUT_FILENO)))
        fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 ? fd : STDOUT_FILENO;
}

bool watch_screen_open(struct watch_screen *screen, struct stop *stop)
{
    const cookie_io_functions_t functions = {.write = write_screen};
    FILE *stream;

    stream = fopencookie(screen, "w", functions);
    if (stream == NULL)
        return false;
    *screen = (struct watch_screen){
        .stop = stop, .before = stdout, .fd = descriptor_without_waiting()};
    stdout = stream;
    return true;
}

void watch_screen_close(struct watch_screen *screen)
{
    fclose(stdout);
    stdout = screen->before;
    if (screen->fd != STDOUT_FILENO)
        close(screen->fd);
}

int watch_screen_fd(const struct watch_screen *screen)
{
    return screen->fd;
}

bool watch_screen_left(const struct watch_screen *screen)
{
    return screen->error == EPIPE || screen->error == EIO || screen->error == EINTR;
}
