/* octets.c - see octets.h. */
#include "octets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

enum {
    KEPT = BOUND(64, 2) * 1024,  /* the beginning is kept until more than this is taken */
    AT_ONCE = BOUND(64, 1) * 1024 /* what is read stays in the cache until it is looked at */
};

/* ---- Mapped ---- */

/* The only one: a signal handler has no other way to it. */
static struct {
    uint8_t *begin, *end; /* NULL: there is none */
    volatile sig_atomic_t gone; /* some of it is no longer in the file */
    struct sigaction before;
} mapping;

/* SIGBUS: the file has shrunk, or cannot be read there. Zeros instead, to the mapping's end. (POSIX
 * allows no mmap() here; in Linux it is a bare system call.) */
static void put_zeros(int number, siginfo_t *info, void *context)
{
    uint8_t *at = info->si_addr;
    int error = errno;

    (void)number;
    (void)context;
    if (at >= mapping.begin && at < mapping.end) {
        at -= (size_t)(at - mapping.begin) % (size_t)sysconf(_SC_PAGESIZE);
        at = mmap(at, (size_t)(mapping.end - at), PROT_READ,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        mapping.gone = 1;
    } else {
        at = MAP_FAILED;
    }
    if (at == MAP_FAILED) /* the same again, for whoever took it before */
        sigaction(SIGBUS, &mapping.before, NULL);
    errno = error;
}

static bool map(struct octets *o, off_t from, off_t end)
{
    struct sigaction action = {.sa_sigaction = put_zeros, .sa_flags = SA_SIGINFO};
    uint8_t *begin;

    if (mapping.begin != NULL)
        return false;
    begin = mmap(NULL, (size_t)(end - from), PROT_READ, MAP_SHARED, o->fd, from);
    if (begin == MAP_FAILED)
        return false;
    o->mapped = (size_t)(end - from);
    o->mapped_from = from;
    mapping.begin = begin;
    mapping.end = begin + o->mapped;
    mapping.gone = 0;
    sigaction(SIGBUS, &action, &mapping.before);
    return true;
}

bool octets_map(struct octets *o, size_t least)
{
    off_t place = lseek(o->fd, 0, SEEK_CUR) - (off_t)(o->end - o->at), before;
    struct stat status;

    if (place < 0 || fstat(o->fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size - place < (off_t)least)
        return false;
    before = place % sysconf(_SC_PAGESIZE);
    if (!map(o, place - before, status.st_size))
        return false;
    if (o->leaving != NULL)
        o->leaving(o->leaving_context);
    free(o->buffer);
    o->buffer = mapping.begin;
    o->at = (size_t)before;
    o->end = o->mapped;
    o->moved = true;
    return true;
}

static bool reaches(const struct octets *o, size_t place)
{
    struct stat status;

    return fstat(o->fd, &status) == 0 && status.st_size >= o->mapped_from + (off_t)place;
}

/* Behind the file's end the rest of a page is zeros, without a signal: what is not zero is in the
 * file, and so is all before it. The kernel is asked only where zeros follow. */
bool octets_sound(const struct octets *o)
{
    uint64_t following = 0;

    if (o->end - o->at >= sizeof following)
        memcpy(&following, o->buffer + o->at, sizeof following);
    return (following != 0 || reaches(o, o->at)) && mapping.gone == 0;
}

size_t octets_place(const struct octets *o)
{
    return o->at;
}

static void unmap(struct octets *o)
{
    munmap(o->buffer, o->mapped);
    sigaction(SIGBUS, &mapping.before, NULL);
    mapping.begin = mapping.end = NULL;
    o->mapped = 0;
}

bool octets_unmap(struct octets *o, size_t place)
{
    bool reached = reaches(o, place);

    if (o->leaving != NULL)
        o->leaving(o->leaving_context);
    unmap(o);
    lseek(o->fd, o->mapped_from + (off_t)place, SEEK_SET);
    o->buffer = need(malloc(OCTETS_MAX));
    o->at = o->end = 0;
    return reached;
}

/* ---- Read ---- */

void octets_open(struct octets *o, int fd)
{
    *o = (struct octets){.fd = fd, .buffer = need(malloc(OCTETS_MAX))};
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a pipe refuses: no harm */
}

void octets_close(struct octets *o)
{
    if (o->mapped > 0)
        unmap(o);
    else
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
    if (n > OCTETS_MAX || o->mapped > 0)
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
