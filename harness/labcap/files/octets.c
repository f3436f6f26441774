/* octets.c - see octets.h. */
#include "octets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "memory.h"

enum {
    KEPT = BOUND(64, 2) * 1024,  /* the beginning is kept until more than this is taken */
    AT_ONCE = BOUND(64, 1) * 1024 /* what is read stays in the cache until it is looked at */
};

void octets_open(struct octets *o, int fd)
{
    *o = (struct octets){.fd = fd, .buffer = need(malloc(OCTETS_MAX))};
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a pipe refuses: no harm */
}

void octets_close(struct octets *o)
{
    free(o->buffer);
    o->buffer = NULL;
}

/* Returns what read() does, but goes on after a signal. */
static ssize_t read_some(int fd, void *to, size_t most)
{
    ssize_t n;

    do
        n = read(fd, to, most);
    while (n < 0 && errno == EINTR);
    return n;
}

bool octets_fetch(struct octets *o, size_t n)
{
    if (n > OCTETS_MAX)
        return false;
    if (o->leaving != NULL)
        o->leaving(o->leaving_context);
    if (o->at > KEPT || OCTETS_MAX - o->at < n) {
        memmove(o->buffer, o->buffer + o->at, o->end - o->at);
        o->end -= o->at;
        o->at = 0;
        o->moved = true;
    }
    while (o->end - o->at < n) {
        size_t room = OCTETS_MAX - o->end, missing = n - (o->end - o->at);
        size_t most = missing < AT_ONCE ? AT_ONCE : missing;
        ssize_t got = read_some(o->fd, o->buffer + o->end, room < most ? room : most);

        if (got <= 0) {
            o->error = got < 0 ? errno : 0;
            return false;
        }
        o->end += (size_t)got;
    }
    return true;
}

static ssize_t read_cookie(void *cookie, char *to, size_t most)
{
    struct octets *o = cookie;
    size_t n;

    if (o->at == o->end && !octets_fetch(o, 1)) {
        errno = o->error;
        return o->error != 0 ? -1 : 0;
    }
    n = o->end - o->at < most ? o->end - o->at : most;
    memcpy(to, o->buffer + o->at, n);
    o->passing(o->context, o->buffer + o->at, n);
    o->at += n;
    return (ssize_t)n;
}

FILE *octets_stream(struct octets *o, octets_fn *passing, void *context)
{
    FILE *file = fopencookie(o, "r", (cookie_io_functions_t){.read = read_cookie});

    o->passing = passing;
    o->context = context;
    if (file != NULL)
        setvbuf(file, NULL, _IONBF, 0);
    return file;
}
