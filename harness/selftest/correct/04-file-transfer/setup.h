/* What the programs here have in common: errors, ports, sockets, the start line. */
#ifndef SETUP_H
#define SETUP_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME program_invocation_short_name

_Noreturn static inline void refuse(const char *why)
{
    fprintf(stderr, "%s: %s\n", NAME, why);
    exit(1);
}

_Noreturn static inline void fail(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", NAME, what, strerror(errno));
    exit(1);
}

static inline bool is_port(const char *text)
{
    return strlen(text) > 0 && strlen(text) < 6 && strspn(text, "0123456789") == strlen(text)
        && atoi(text) < 65536;
}

/* The addresses of HOST and PORT; ends the program when there are none. */
static inline struct addrinfo *look_up(const char *host, const char *port, int socktype, int flags)
{
    struct addrinfo hints = { .ai_socktype = socktype, .ai_flags = flags }, *list;
    int error = getaddrinfo(host, port, &hints, &list);

    if (error != 0) {
        fprintf(stderr, "%s: %s: %s\n", NAME, host, gai_strerror(error));
        exit(1);
    }
    return list;
}

/* A socket of HOST and PORT for which BEGIN, bind() or connect(), succeeds. */
static inline int open_socket(const char *host, const char *port, int flags,
                              int (*begin)(int, const struct sockaddr *, socklen_t))
{
    struct addrinfo *list = look_up(host, port, SOCK_STREAM, flags);
    int fd = -1;

    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
        if (begin(fd, ai->ai_addr, ai->ai_addrlen) == 0)
            break;
        if (ai->ai_next == NULL) {
            fprintf(stderr, "%s: %s %s port %s: %s\n", NAME, begin == bind ? "bind" : "connect to",
                    host, port, strerror(errno));
            exit(1);
        }
        close(fd);
    }
    freeaddrinfo(list);
    return fd;
}

static inline void print_start_line(int listen_fd)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    char ip[NI_MAXHOST], port[NI_MAXSERV];

    if (getsockname(listen_fd, (struct sockaddr *)&own, &len) < 0
        || getnameinfo((struct sockaddr *)&own, len, ip, sizeof ip, port, sizeof port,
                       NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        fail("getsockname");
    printf("listening on %s port %s\n", ip, port);
    fflush(stdout);
}

/* All bytes, or false. */
static inline bool put(int fd, const void *data, size_t len)
{
    size_t done = 0;
    ssize_t n;

    for (; done < len; done += (size_t)n)
        if ((n = write(fd, (const char *)data + done, len - done)) < 0)
            return false;
    return true;
}

#endif
