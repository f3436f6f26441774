/*
 * What the TFTP servers here have in common: the command line, requests and their options, files
 * that the kernel finds beneath FOLDER (openat2). How transfers go on side by side is their own.
 */
#ifndef TFTP_SERVER_SETUP_H
#define TFTP_SERVER_SETUP_H

#include "tftp_setup.h"

#include <linux/openat2.h>
#include <sys/syscall.h>

/* What the command line says. */
static int folder_fd;
static bool may_write;

struct request {
    unsigned opcode;
    char *name, *mode;
    long long block, window, seconds, size;     /* of the options; -1: not asked for */
};

/* Returns the socket that requests come to, its start line printed. */
static inline int open_server(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "6666", *folder = ".";
    bool right = true;
    int fd = -1;

    for (int option; right && (option = getopt(argc, argv, "a:p:d:w")) != -1; )
        switch (option) {
        case 'a': address = optarg; break;
        case 'p': port = optarg; break;
        case 'd': folder = optarg; break;
        case 'w': may_write = true; break;
        default: right = false;
        }
    if (!right || optind < argc || !is_port(port)) {
        fprintf(stderr, "usage: %s [-a ADDRESS] [-p PORT] [-d FOLDER] [-w]\n", NAME);
        exit(2);
    }
    if ((folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        fail(folder);
    signal(SIGXFSZ, SIG_IGN);
    struct addrinfo *list = look_up(address, port, SOCK_DGRAM, AI_PASSIVE);
    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0)
            break;
        if (ai->ai_next == NULL)
            fail("bind");
        close(fd);
    }
    freeaddrinfo(list);
    print_start_line(fd);
    return fd;
}

/* A socket for one transfer, where MAIN_FD is, at a port of its own; or -1. */
static inline int open_transfer(int main_fd)
{
    union address own;
    socklen_t len = sizeof own;

    if (getsockname(main_fd, &own.any, &len) < 0)
        return -1;
    own.v4.sin_port = 0;
    int fd = socket(own.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, &own.any, len) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* -- Requests -------------------------------------------------------------- */

static inline void take_option(struct request *request, const char *name, const char *value)
{
    if (strcasecmp(name, "blksize") == 0)
        request->block = number_in(value, LEAST_BLOCK, MOST_BLOCK);
    else if (strcasecmp(name, "windowsize") == 0)
        request->window = number_in(value, 1, MOST_WINDOW);
    else if (strcasecmp(name, "timeout") == 0)
        request->seconds = number_in(value, 1, 255);
    else if (strcasecmp(name, "tsize") == 0)
        request->size = number_in(value, 0, LLONG_MAX);
}

/* Takes the LEN bytes of PACKET apart, which REQUEST then points into; false: it is none. */
static inline bool parse_request(struct request *request, char *packet, size_t len)
{
    char *at = packet + 2, *end = packet + len, *name, *value;

    *request = (struct request){ .block = -1, .window = -1, .seconds = -1, .size = -1 };
    if (len < 2)
        return false;
    request->opcode = get16(packet);
    if ((request->opcode != RRQ && request->opcode != WRQ)
        || (request->name = next_string(&at, end)) == NULL
        || (request->mode = next_string(&at, end)) == NULL)
        return false;
    while ((name = next_string(&at, end)) != NULL && (value = next_string(&at, end)) != NULL)
        take_option(request, name, value);
    return at == end;
}

/* Writes the OACK for the options there are; SIZE is the file's. Returns its length, or 0. */
static inline size_t make_oack(char *packet, size_t room, const struct request *request,
                               long long size)
{
    const struct { const char *name; long long asked, value; } options[] = {
        { "tsize", request->size, request->opcode == RRQ ? size : request->size },
        { "windowsize", request->window, request->window },
        { "timeout", request->seconds, request->seconds },
        { "blksize", request->block, request->block },
    };
    size_t len = 2;

    put16(packet, OACK);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].asked >= 0)
            len += (size_t)snprintf(packet + len, room - len, "%s%c%lld", options[i].name, '\0',
                                    options[i].value) + 1;
    return len > 2 ? len : 0;
}

/* -- Files ----------------------------------------------------------------- */

/* Opens NAME as seen from FOLDER, a leading / included; RESOLVE says what openat2() forbids. */
static inline int open_beneath(const char *name, int flags, uint64_t resolve)
{
    struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC, .resolve = resolve };

    return (int)syscall(SYS_openat2, folder_fd, name + strspn(name, "/"), &how, sizeof how);
}

/* A regular file, and its size at this moment; or -1. */
static inline int open_to_read(const char *name, uint64_t resolve, struct stat *status)
{
    int fd = open_beneath(name, O_RDONLY | O_NONBLOCK | O_NOCTTY, resolve);

    if (fd >= 0 && (fstat(fd, status) < 0 || !S_ISREG(status->st_mode))) {
        close(fd);
        errno = ENOENT;
        return -1;
    }
    return fd;
}

/* Where a new file NAME belongs: a descriptor of that folder, or -1; *BASE is its name there. */
static inline int open_parent(char *name, uint64_t resolve, const char **base)
{
    char *slash;

    name += strspn(name, "/");
    slash = strrchr(name, '/');
    *base = slash != NULL ? slash + 1 : name;
    if (**base == '\0' || strcmp(*base, ".") == 0 || strcmp(*base, "..") == 0) {
        errno = EISDIR;
        return -1;
    }
    if (slash == NULL)
        return open_beneath(".", O_PATH | O_DIRECTORY, resolve);
    *slash = '\0';
    int fd = open_beneath(name, O_PATH | O_DIRECTORY, resolve);
    *slash = '/';
    return fd;
}

/* A new file that has no name until it is whole (O_TMPFILE): the kernel removes what is not. */
struct saving {
    int fd, parent_fd;
    const char *base;
};

static inline void give_up_saving(struct saving *saving)
{
    close(saving->fd);
    close(saving->parent_fd);
}

static inline bool begin_saving(struct saving *saving, char *name)
{
    struct stat status;
    int why = EEXIST;

    saving->fd = -1;
    saving->parent_fd = open_parent(name, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, &saving->base);
    if (saving->parent_fd < 0)
        return false;
    if (fstatat(saving->parent_fd, saving->base, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        why = errno;
        if (why == ENOENT) {
            saving->fd = openat(saving->parent_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
            why = errno;
        }
    }
    if (saving->fd >= 0)
        return true;
    close(saving->parent_fd);
    errno = why;
    return false;
}

/* Gives it its name, if nobody else has that by now. */
static inline bool finish_saving(struct saving *saving)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/self/fd/%d", saving->fd);
    return linkat(AT_FDCWD, path, saving->parent_fd, saving->base, AT_SYMLINK_FOLLOW) == 0;
}

#endif
