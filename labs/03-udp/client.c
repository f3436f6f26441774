/*
 * client - sends each line to the server and prints the reply.
 *
 * Run it:   ./client [-p PORT] [-t MILLISECONDS] [-r RETRIES] [HOST]
 *           (port 6000, 500 ms, 3 retries, 127.0.0.1)
 *
 * You see:  your line again; or, with no server there,
 *           client: send to 127.0.0.1 port 6000: Connection refused
 *
 * On the wire: a line without its newline is one datagram, and its reply is
 * another with the same bytes. RFC 768.
 *
 * New here: UDP promises nothing, so the client has to. The request or the
 * reply may be lost: after -t ms without the reply we send again, -r times.
 * Then the request may arrive twice and be answered twice, or the reply may
 * be late: so each line has a socket, and thereby a port, of its own. What
 * comes late for an earlier line finds nobody at that line's port.
 *
 * net.c finds the server, lines.c reads stdin.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lines.h"
#include "net.h"

const char program[] = "client";

/* What the command line says, and where we are in the server's addresses. */
struct plan {
    const char *host, *port;
    unsigned long timeout, retries;     /* ms for each try; tries after one */
    const struct addrinfo *server;      /* the address we send to */
};

enum outcome { FAILED = -1, SILENT, ANSWERED };     /* FAILED: see errno */

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: client [-p PORT] [-t MILLISECONDS] [-r RETRIES]"
                    " [HOST]\n");
    exit(2);
}

static void read_options(int argc, char *argv[], struct plan *plan)
{
    int option;

    opterr = 0;                         /* our usage line says it all */
    while ((option = getopt(argc, argv, "p:r:t:")) != -1) {
        if (option == 'p' && is_port(optarg))
            plan->port = optarg;
        else if (option == 'r' && is_number(optarg, INT_MAX))
            plan->retries = strtoul(optarg, NULL, 10);
        else if (option == 't' && is_number(optarg, INT_MAX))
            plan->timeout = strtoul(optarg, NULL, 10);
        else
            usage();
    }
    if (optind < argc)
        plan->host = argv[optind++];
    if (optind < argc || plan->timeout == 0)
        usage();
}

/* Returns a new socket, connected to the server's address, or -1. */
static int open_socket(const struct addrinfo *server)
{
    int fd = socket(server->ai_family, server->ai_socktype,
                    server->ai_protocol);

    /* STEP 5: connect the socket. Nothing is sent: the kernel notes the
     * address. From now on it gives us datagrams from there only, never a
     * stranger's; and where no program has that port, the ICMP message that
     * says so becomes an error of this socket, ECONNREFUSED. */
    if (fd >= 0 && connect(fd, server->ai_addr, server->ai_addrlen) < 0) {
        int why = errno;                /* close() may change errno */
        close(fd);
        errno = why;
        fd = -1;
    }
    /* END STEP 5 */

    return fd;
}

/* Sends the line as one datagram. Returns 0, or -1 on error. */
static int send_line(int fd, const struct line *line)
{
    /* STEP 6: send a line as one datagram. One call is one datagram: no part
     * of it is ever sent alone, so there is no loop for the rest. */
    while (send(fd, line->text, line->len, 0) < 0)
        if (errno != EINTR)
            return -1;
    /* END STEP 6; stub:
    (void)fd;
    (void)line; */

    return 0;
}

/* Nanoseconds of a clock that nobody sets: not the time of day. */
static long long now(void)
{
    struct timespec time;

    if (clock_gettime(CLOCK_MONOTONIC, &time) < 0)
        die("clock_gettime");
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Waits until FD can be read, or DEADLINE. Returns as poll() does. */
static int wait_until(int fd, long long deadline)
{
    int ready;

    /* STEP 7: wait for a reply, but not for ever. What is left of the time,
     * in ms, is rounded up: with 0 we would not wait but run round. */
    struct pollfd wanted = { fd, POLLIN, 0 };
    do {
        long long left = (deadline - now() + 999999) / 1000000;
        ready = poll(&wanted, 1, left > 0 ? (int)left : 0);
    } while (ready < 0 && errno == EINTR);
    /* END STEP 7; stub:
    (void)fd;
    (void)deadline;
    ready = 0; */

    return ready;
}

/* Waits for the reply to LINE. */
static enum outcome await_reply(int fd, const struct line *line,
                                unsigned long timeout)
{
    static char reply[MAX_DATAGRAM + 1];    /* one more: to see a longer one */
    long long deadline = now() + (long long)timeout * 1000000;

    do {
        int ready = wait_until(fd, deadline);
        if (ready <= 0)
            return ready == 0 ? SILENT : FAILED;

        /* STEP 8: take the reply, and nothing else. What else comes does not
         * count, and gives no more time. There may be nothing after all: the
         * kernel throws damaged datagrams away only when they are read. */
        ssize_t n = recv(fd, reply, sizeof reply, MSG_DONTWAIT);
        if (n == (ssize_t)line->len
            && memcmp(reply, line->text, line->len) == 0)
            return ANSWERED;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return FAILED;              /* such as ECONNREFUSED */
        /* END STEP 8; stub:
        (void)reply;
        (void)line;
        return SILENT; */
    } while (now() < deadline);

    return SILENT;
}

/* Sends the line until the reply comes, or there are no tries left. */
static enum outcome ask(int fd, const struct line *line,
                        const struct plan *plan)
{
    enum outcome outcome = SILENT;

    /* STEP 9: send again what has no reply. Which of the two was lost, the
     * line or the reply, nobody can tell us. */
    for (unsigned long i = 0; i <= plan->retries && outcome == SILENT; i++) {
        if (send_line(fd, line) < 0)
            return FAILED;
        outcome = await_reply(fd, line, plan->timeout);
    }
    /* END STEP 9; silent; stub:
    if (send_line(fd, line) == 0)
        outcome = await_reply(fd, line, plan->timeout); */

    return outcome;
}

/* Asks the server until the line is answered; ends the program if it is not. */
static void get_reply(const struct line *line, struct plan *plan)
{
    enum outcome outcome = FAILED;

    /* STEP 11: try the next address, where nobody is at one. `localhost` may
     * be both ::1 and 127.0.0.1. We stay with the one that answers. */
    while (plan->server != NULL) {
        int fd = open_socket(plan->server);
        outcome = fd < 0 ? FAILED : ask(fd, line, plan);
        int why = errno;                /* close() may change errno */
        if (fd >= 0)
            close(fd);
        errno = why;
        if (outcome != FAILED)
            break;
        plan->server = plan->server->ai_next;
    }
    if (outcome == FAILED)
        die_sending(plan->host, plan->port);
    /* END STEP 11; silent; stub:
    int fd = open_socket(plan->server);
    if (fd >= 0)
        outcome = ask(fd, line, plan);
    if (outcome == FAILED)
        die_sending(plan->host, plan->port);
    close(fd); */

    if (outcome == SILENT) {
        fprintf(stderr, "client: no reply from %s port %s\n",
                plan->host, plan->port);
        exit(1);
    }
}

/* Prints the line, which is the reply: they are the same bytes. */
static void print_line(const struct line *line)
{
    /* STEP 10: print it at once, also into a pipe or a file. */
    fwrite(line->text, 1, line->len, stdout);
    putchar('\n');
    if (fflush(stdout) == EOF || ferror(stdout))
        die("stdout");                  /* a full disk, a closed pipe */
    /* END STEP 10; stub: (void)line; */
}

/* Waits for the next line of stdin. Returns false at its end. */
static bool next_line(struct lines *lines, struct line *line)
{
    while (!take_line(lines, line)) {
        struct pollfd wanted = { STDIN_FILENO, POLLIN, 0 };

        if (lines->ended)
            return false;
        if (poll(&wanted, 1, -1) < 0 && errno != EINTR)
            die("poll");
        read_more(lines);
    }
    return true;
}

int main(int argc, char *argv[])
{
    static struct lines lines;
    struct plan plan = { .host = "127.0.0.1", .port = "6000",
                         .timeout = 500, .retries = 3 };
    struct line line;

    read_options(argc, argv, &plan);
    keep_standard_fds();
    ignore_sigpipe();

    struct addrinfo *list = addresses_of(plan.host, plan.port, AF_UNSPEC);
    plan.server = list;
    while (next_line(&lines, &line)) {
        get_reply(&line, &plan);
        print_line(&line);
    }
    freeaddrinfo(list);
    return 0;
}
