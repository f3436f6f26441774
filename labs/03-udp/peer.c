/*
 * peer - one of two equal programs that talk in datagrams.
 *
 * Run it:   ./peer -l 6000 127.0.0.1 6001        in one terminal
 *           ./peer -l 6001 127.0.0.1 6000        in another
 *
 * You see:  127.0.0.1:6001 what the other has typed
 *
 * On the wire: a line without its newline is one datagram. Nothing else: no
 * reply, no end. Whether the other is there, or hears, a peer does not know.
 *
 * New here: no client and no server, each waits for stdin and for datagrams
 * at once. The socket is not connected: everybody may send to it, and no ICMP
 * message ever becomes an error.
 *
 * net.c makes the socket, lines.c reads stdin.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lines.h"
#include "net.h"

const char program[] = "peer";

struct plan {
    const char *address, *own_port;     /* -a, or NULL; -l */
    const char *host, *port;            /* of the other peer */
};

/* What is to be printed and was not written yet. Nothing is received before
 * it is: the kernel keeps what comes meanwhile, or loses it, as UDP may. */
struct output {
    const char *next;
    size_t len;
    char buffer[sizeof(struct endpoint) + RECEIVE_SIZE + 8];
};

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: peer -l LOCAL_PORT [-a ADDRESS] HOST PORT\n");
    exit(2);
}

static void read_options(int argc, char *argv[], struct plan *plan)
{
    int option;

    opterr = 0;                         /* our usage line says it all */
    while ((option = getopt(argc, argv, "a:l:")) != -1) {
        if (option == 'a')
            plan->address = optarg;
        else if (option == 'l' && is_port(optarg))
            plan->own_port = optarg;
        else
            usage();
    }
    if (plan->own_port == NULL || argc - optind != 2
        || !is_port(argv[optind + 1]))
        usage();
    plan->host = argv[optind];
    plan->port = argv[optind + 1];
}

/* Returns a bound socket, and the other peer's address, to be freed. */
static int open_socket(const struct plan *plan, struct addrinfo **other)
{
    const char *address = plan->address;
    struct sockaddr_storage own_addr;

    /* STEP 12: without -a, be reached from this machine alone. Each of IPv4
     * and IPv6 has a loopback address of its own. We take HOST's family: from
     * an IPv4 address nothing can be sent to an IPv6 one. */
    if (address == NULL) {
        *other = addresses_of(plan->host, plan->port, AF_UNSPEC);
        address = (*other)->ai_family == AF_INET6 ? "::1" : "127.0.0.1";
        freeaddrinfo(*other);
    }
    /* END STEP 12; stub:
    if (address == NULL)
        address = "127.0.0.1"; */

    int fd = bind_to(address, plan->own_port, &own_addr);
    *other = addresses_of(plan->host, plan->port, own_addr.ss_family);
    return fd;
}

static void send_line(int fd, const struct line *line,
                      const struct addrinfo *other, const struct plan *plan)
{
    /* STEP 14: send a line as one datagram. That it is sent says nothing of
     * whether it arrives. */
    while (sendto(fd, line->text, line->len, 0,
                  other->ai_addr, other->ai_addrlen) < 0)
        if (errno != EINTR)
            die_sending(plan->host, plan->port);
    /* END STEP 14; stub:
    (void)fd;
    (void)line;
    (void)other;
    (void)plan; */
}

/* Takes one datagram, if there is one, to be printed. */
static void receive(int fd, struct output *output)
{
    static char text[RECEIVE_SIZE];
    struct sockaddr_storage peer_addr;
    socklen_t peer_len = sizeof peer_addr;
    struct endpoint peer;
    ssize_t n = -1;

    /* STEP 15: take a datagram, whole, and who sent it. There may be none:
     * the kernel throws damaged ones away only when they are read. */
    n = recvfrom(fd, text, sizeof text, MSG_DONTWAIT,
                 (struct sockaddr *)&peer_addr, &peer_len);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        die("recvfrom");
    /* END STEP 15; stub:
    (void)fd;
    exit(1); */

    if (n < 0 || !describe(&peer_addr, peer_len, &peer))
        return;
    if (n > 0 && text[n - 1] == '\n')
        n--;

    /* An IPv6 address has colons of its own. */
    bool colons = strchr(peer.ip, ':') != NULL;
    int label = sprintf(output->buffer, colons ? "[%s]:%s " : "%s:%s ",
                        peer.ip, peer.port);
    memcpy(output->buffer + label, text, (size_t)n);
    output->buffer[label + n] = '\n';
    output->next = output->buffer;
    output->len = (size_t)(label + n + 1);
}

/* Writes as much as stdout takes without making us wait. */
static void print(struct output *output)
{
    /* STEP 16: print without waiting. poll() has found room for PIPE_BUF
     * bytes, see pipe(7), and promises no more: a longer write() could wait
     * for who reads our stdout, and what is typed would not be sent. */
    size_t len = output->len < PIPE_BUF ? output->len : PIPE_BUF;
    ssize_t n = write(STDOUT_FILENO, output->next, len);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        die("stdout");                  /* a full disk, a closed pipe */
    if (n > 0) {
        output->next += n;
        output->len -= (size_t)n;
    }
    /* END STEP 16; goes on; stub: output->len = 0; */
}

/* Sends and prints, both at once, for ever. In each round a line goes out, if
 * there is one, and a datagram comes in: neither keeps the other waiting. */
static void talk(int fd, const struct addrinfo *other,
                 const struct plan *plan)
{
    static struct lines lines;
    static struct output output;

    for (;;) {
        struct line line;
        bool sending = take_line(&lines, &line);
        if (sending)
            send_line(fd, &line, other, plan);

        /* STEP 13: wait for all at once, whatever we could do now; not at
         * all if there may be a next line already. poll() uses no processor
         * time and skips an fd of -1: stdin while we have lines of it, and
         * after its end, when it would be ready for ever. */
        struct pollfd fds[3] = {
            { sending || lines.ended ? -1 : STDIN_FILENO, POLLIN, 0 },
            { output.len == 0 ? fd : -1, POLLIN, 0 },
            { output.len > 0 ? STDOUT_FILENO : -1, POLLOUT, 0 },
        };
        while (poll(fds, 3, sending ? 0 : -1) < 0)
            if (errno != EINTR)
                die("poll");
        /* END STEP 13; stub:
        struct pollfd fds[3] = { 0 };
        pause(); */

        if (fds[0].revents != 0)
            read_more(&lines);
        if (fds[1].revents != 0)
            receive(fd, &output);
        if (fds[2].revents != 0)
            print(&output);
    }
}

int main(int argc, char *argv[])
{
    struct plan plan = { .address = NULL };
    struct addrinfo *other;

    read_options(argc, argv, &plan);
    keep_standard_fds();
    ignore_sigpipe();
    end_on_signals();

    int fd = open_socket(&plan, &other);
    talk(fd, other, &plan);
}
