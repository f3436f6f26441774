/* net - see net.h. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/time.h>
#include <unistd.h>

/* -- Messages, command line ---------------------------------------------- */

void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = '?';
}

void complain(const char *what)
{
    int why = errno;
    char label[1024];

    snprintf(label, sizeof label, "%s", what);
    make_printable(label);
    fprintf(stderr, "%s: %s: %s\n", program, label, strerror(why));
}

void die(const char *what)
{
    complain(what);
    exit(1);
}

/* strtoul() alone would also take " 80", "+80", "-1" and "80x". */
bool is_number(const char *text, unsigned long most)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0'
        && strtoul(text, NULL, 10) <= most;
}

bool is_port(const char *text)
{
    return is_number(text, 65535);
}

/*
 * Fills the descriptors 0, 1 and 2 that our caller left closed. Otherwise a
 * socket or a file would get such a number, and what we print would go there.
 * So a closed stdin is an empty one, and a closed stdout cannot be written to.
 */
void keep_standard_fds(void)
{
    int fd = open("/dev/null", O_RDONLY);

    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDONLY);
    if (fd < 0)
        die("/dev/null");
    close(fd);
}

/* To send to a closed connection raises SIGPIPE, which would end us without
 * a word; when it is ignored, send() fails with EPIPE instead. */
void ignore_sigpipe(void)
{
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        die("SIGPIPE");
}

long long now(void)
{
    struct timespec time;

    if (clock_gettime(CLOCK_MONOTONIC, &time) < 0)
        die("clock_gettime");
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* -- Addresses ------------------------------------------------------------ */

/* getaddrinfo(), or the end of the program. */
static struct addrinfo *look_up(const char *name, const char *port,
                                int socktype, int flags)
{
    struct addrinfo *list = NULL;
    struct addrinfo hints = { .ai_family = AF_UNSPEC,   /* IPv4 or IPv6 */
                              .ai_socktype = socktype,
                              .ai_flags = AI_NUMERICSERV | flags };
    int error = getaddrinfo(name, port, &hints, &list);

    if (error != 0) {
        fprintf(stderr, "%s: %s: %s\n", program, name,
                error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        exit(1);
    }
    return list;
}

struct addrinfo *addresses_of(const char *host, const char *port,
                              int socktype)
{
    return look_up(host, port, socktype, 0);
}

socklen_t addr_len(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                      : sizeof(struct sockaddr_in6);
}

/* Where the port is; the cast is the socket API's own way. */
static in_port_t *port_in(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET
        ? &((struct sockaddr_in *)addr)->sin_port
        : &((struct sockaddr_in6 *)addr)->sin6_port;
}

unsigned port_of(const struct sockaddr_storage *addr)
{
    return ntohs(*port_in(addr));
}

void set_port(struct sockaddr_storage *addr, unsigned port)
{
    *port_in(addr) = htons((in_port_t)port);
}

bool is_same_host(const struct sockaddr_storage *a,
                  const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr)
        && a6->sin6_scope_id == b6->sin6_scope_id;
}

void unmap(struct sockaddr_storage *addr)
{
    struct sockaddr_in6 mapped;
    struct sockaddr_in plain = { .sin_family = AF_INET };

    memcpy(&mapped, addr, sizeof mapped);
    if (addr->ss_family != AF_INET6
        || !IN6_IS_ADDR_V4MAPPED(&mapped.sin6_addr))
        return;
    plain.sin_port = mapped.sin6_port;
    memcpy(&plain.sin_addr, &mapped.sin6_addr.s6_addr[12],
           sizeof plain.sin_addr);
    memset(addr, 0, sizeof *addr);
    memcpy(addr, &plain, sizeof plain);
}

/* Numbers only: to ask for a host's name could take seconds. */
bool describe(const struct sockaddr_storage *addr, struct endpoint *endpoint)
{
    struct sockaddr_storage plain = *addr;

    unmap(&plain);
    int error = getnameinfo((struct sockaddr *)&plain, addr_len(&plain),
                            endpoint->ip, sizeof endpoint->ip,
                            endpoint->port, sizeof endpoint->port,
                            NI_NUMERICHOST | NI_NUMERICSERV);
    if (error != 0)
        fprintf(stderr, "%s: getnameinfo: %s\n", program, gai_strerror(error));
    return error == 0;
}

/* -- Sockets -------------------------------------------------------------- */

/* With TCP the last run's connections stay in TIME-WAIT and would keep the
 * port taken. With UDP nothing stays, and SO_REUSEADDR would let a second
 * program take our port. */
static int bind_socket(int fd, const struct addrinfo *ai)
{
    int yes = 1;

    if (ai->ai_socktype == SOCK_STREAM
        && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
        die("SO_REUSEADDR");
    return bind(fd, ai->ai_addr, ai->ai_addrlen);
}

static int connect_socket(int fd, const struct addrinfo *ai)
{
    return connect(fd, ai->ai_addr, ai->ai_addrlen);
}

/* Returns a socket for the first address of the list where BEGIN succeeds,
 * and frees the list. Where none does: says what was tried, that is the end
 * of the program. */
static int first_of(struct addrinfo *list,
                    int (*begin)(int fd, const struct addrinfo *ai),
                    const char *what, const char *name, const char *port)
{
    int fd = -1, why = 0;

    for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
        if (fd >= 0 && begin(fd, ai) == 0)
            break;
        why = errno;                    /* close() may change errno */
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd < 0) {
        fprintf(stderr, "%s: %s %s port %s: %s\n",
                program, what, name, port, strerror(why));
        exit(1);
    }
    return fd;
}

int listen_on(const char *address, const char *port)
{
    int listen_fd = first_of(look_up(address, port, SOCK_STREAM, AI_PASSIVE),
                             bind_socket, "bind to", address, port);

    if (listen(listen_fd, SOMAXCONN) < 0)
        die("listen");
    return listen_fd;
}

int bind_to(const char *address, const char *port)
{
    return first_of(look_up(address, port, SOCK_DGRAM, AI_PASSIVE),
                    bind_socket, "bind to", address, port);
}

/* At once, also into a pipe or a file. A full disk or a closed pipe is told
 * on stderr, and the clients are served all the same. */
void print_start_line(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    struct endpoint own;

    /* With port 0 the kernel has chosen one: ask it. */
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        die("getsockname");
    if (describe(&addr, &own)
        && (printf("listening on %s port %s\n", own.ip, own.port) < 0
            || fflush(stdout) == EOF))
        complain("stdout");
}

int accept_client(int listen_fd, struct sockaddr_storage *peer_addr)
{
    for (;;) {
        socklen_t len = sizeof *peer_addr;
        int conn_fd = accept(listen_fd, (struct sockaddr *)peer_addr, &len);
        if (conn_fd >= 0) {
            unmap(peer_addr);
            return conn_fd;
        }
        if (errno != EINTR && errno != ECONNABORTED) {
            complain("accept");         /* too many open files, perhaps: */
            sleep(1);                   /* to ask again at once is no help */
        }
    }
}

int connect_to(const char *host, const char *port)
{
    return first_of(look_up(host, port, SOCK_STREAM, 0),
                    connect_socket, "connect to", host, port);
}

/* -- Sending, receiving, closing ------------------------------------------ */

bool set_patience(int fd, int seconds)
{
    struct timeval longest = { .tv_sec = seconds };

    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO,
                      &longest, sizeof longest) == 0
        && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO,
                      &longest, sizeof longest) == 0;
}

int send_all(int conn_fd, const void *data, size_t len)
{
    for (const char *next = data; len > 0; ) {
        ssize_t n = send(conn_fd, next, len, 0);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {                    /* perhaps only a part: go on there */
            next += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

ssize_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t n;

    do
        n = read(fd, buffer, size);
    while (n < 0 && errno == EINTR);
    return n;
}

void close_first(int conn_fd, int seconds)
{
    /* To close with bytes unread would send a reset, and a reset can destroy
     * what the peer has not read yet: so send the FIN, wait for the peer's. */
    if (shutdown(conn_fd, SHUT_WR) == 0) {
        long long end = now() + seconds * 1000LL, left;
        while ((left = end - now()) > 0) {
            struct pollfd wanted = { conn_fd, POLLIN, 0 };
            char unwanted[4096];
            int ready = poll(&wanted, 1, (int)left);
            if (ready < 0 && errno != EINTR)
                break;
            if (ready > 0 && recv(conn_fd, unwanted, sizeof unwanted, 0) <= 0)
                break;                  /* the peer's FIN, or its reset */
        }
    }
    if (close(conn_fd) < 0)
        complain("close");
}

void reset_at_close(int conn_fd, bool reset)
{
    struct linger none = { .l_onoff = reset, .l_linger = 0 };

    if (setsockopt(conn_fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) < 0)
        complain("SO_LINGER");
}

void close_with_reset(int conn_fd)
{
    reset_at_close(conn_fd, true);
    if (close(conn_fd) < 0)
        complain("close");
}
