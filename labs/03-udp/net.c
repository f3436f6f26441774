/* net - see net.h. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- Messages, command line ---------------------------------------------- */

void complain(const char *what)
{
    char label[256];

    snprintf(label, sizeof label, "%s: %s", program, what);
    perror(label);
}

void die(const char *what)
{
    complain(what);
    exit(1);
}

void die_sending(const char *host, const char *port)
{
    fprintf(stderr, "%s: send to %s port %s: %s\n",
            program, host, port, strerror(errno));
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

/* -- What could end or mislead a program ---------------------------------- */

/*
 * Fills the descriptors 0, 1 and 2 that our caller left closed. Otherwise a
 * socket would get such a number, and what we print would be a datagram. So a
 * closed stdin is an empty one, and a closed stdout cannot be written to.
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

/* A datagram to nobody raises no SIGPIPE, but to print into a pipe that
 * nobody reads does, and would end us without a word. Now it is an error. */
void ignore_sigpipe(void)
{
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        die("SIGPIPE");
}

/*
 * Ends the program wherever it waits. Nothing is left to do: no peer has to
 * be told, as there is no connection. A handler may call _exit() but not
 * exit() or printf(), see signal-safety(7).
 */
static void stop(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

void end_on_signals(void)
{
    struct sigaction action = { .sa_handler = stop };

    if (sigaction(SIGINT, &action, NULL) < 0
        || sigaction(SIGTERM, &action, NULL) < 0)
        die("sigaction");
}

/* -- Addresses ------------------------------------------------------------ */

/* getaddrinfo(), or the end of the program. */
static struct addrinfo *look_up(const char *name, const char *port,
                                int family, int flags)
{
    struct addrinfo *list = NULL;
    struct addrinfo hints = { .ai_family = family,
                              .ai_socktype = SOCK_DGRAM,    /* UDP */
                              .ai_flags = AI_NUMERICSERV | flags };
    int error = getaddrinfo(name, port, &hints, &list);

    if (error != 0) {
        fprintf(stderr, "%s: %s: %s\n", program, name,
                error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        exit(1);
    }
    return list;
}

struct addrinfo *addresses_of(const char *host, const char *port, int family)
{
    /* An IPv6 socket reaches the IPv4 host 192.0.2.1 as ::ffff:192.0.2.1. */
    return look_up(host, port, family,
                   family == AF_INET6 ? AI_V4MAPPED : 0);
}

/* Numbers only: to ask for a host's name could take seconds. */
bool describe(const struct sockaddr_storage *addr, socklen_t len,
              struct endpoint *endpoint)
{
    char *ip = endpoint->ip;
    int error = getnameinfo((const struct sockaddr *)addr, len,
                            ip, sizeof endpoint->ip,
                            endpoint->port, sizeof endpoint->port,
                            NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM);

    if (error != 0) {
        fprintf(stderr, "%s: getnameinfo: %s\n", program, gai_strerror(error));
        return false;
    }
    /* An IPv6 socket (-a ::) shows the IPv4 host 192.0.2.1 in this form. */
    if (strncmp(ip, "::ffff:", 7) == 0 && strchr(ip, '.') != NULL)
        memmove(ip, ip + 7, strlen(ip + 7) + 1);
    return true;
}

/* -- A socket with a port that others know -------------------------------- */

int bind_to(const char *address, const char *port,
            struct sockaddr_storage *own_addr)
{
    struct addrinfo *list = look_up(address, port, AF_UNSPEC, AI_PASSIVE);
    int fd = -1, why = 0;

    /* STEP 1: make a socket for datagrams and bind it. That is all: whoever
     * sends to this address reaches us. No listen(), as nobody connects; and
     * no SO_REUSEADDR: nothing of the last run is left in TIME-WAIT, and with
     * it a second program could take our port, and our datagrams, from us. */
    for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
        if (fd >= 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0)
            break;
        why = errno;                    /* close() may change errno */
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    /* END STEP 1; stub: why = ENOSYS; */

    freeaddrinfo(list);
    if (fd < 0) {
        fprintf(stderr, "%s: bind to %s port %s: %s\n",
                program, address, port, strerror(why));
        exit(1);
    }

    /* With port 0 the kernel has chosen one: ask it. */
    socklen_t len = sizeof *own_addr;
    if (getsockname(fd, (struct sockaddr *)own_addr, &len) < 0)
        die("getsockname");
    return fd;
}
