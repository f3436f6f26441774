/*
 * server - sends each datagram back to whoever sent it.
 *
 * Run it:   ./server [-a ADDRESS] [-p PORT]      (127.0.0.1, port 6000)
 *           ./client                             in a second terminal
 *
 * You see:  listening on 127.0.0.1 port 6000
 *
 * On the wire: for each datagram that comes one that goes, with the same
 * bytes. No handshake before, no FIN after. RFC 768; RFC 862 for the echo.
 *
 * New here: there are no connections. One socket serves everybody, and each
 * datagram brings its sender's address. So there is nothing to accept and
 * nothing to close, and a thousand clients cost as much as one. Nothing is
 * promised either: a datagram that is lost is lost for ever, here as there.
 *
 * A limit: if we are bound to all our addresses (-a 0.0.0.0), the kernel
 * chooses the one that a reply comes from. It may be another than the one
 * that was asked (try ./client 127.0.0.5), and then the client takes us for a
 * stranger. RFC 1122, 4.1.3.5; the way out is IP_PKTINFO, see ip(7).
 *
 * net.c makes the socket.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

const char program[] = "server";

static void read_options(int argc, char *argv[],
                         const char **address, const char **port)
{
    bool right = true;
    int option;

    opterr = 0;                         /* our usage line says it all */
    while (right && (option = getopt(argc, argv, "a:p:")) != -1) {
        if (option == 'a')
            *address = optarg;
        else if (option == 'p' && is_port(optarg))
            *port = optarg;
        else
            right = false;
    }
    if (!right || optind < argc) {
        fprintf(stderr, "usage: server [-a ADDRESS] [-p PORT]\n");
        exit(2);
    }
}

/* Says where we can be reached. If stdout is a full disk or a closed pipe we
 * say so on stderr, and serve all the same. */
static void print_start_line(const struct sockaddr_storage *own_addr)
{
    struct endpoint own;

    if (!describe(own_addr, sizeof *own_addr, &own))
        return;
    if (printf("listening on %s port %s\n", own.ip, own.port) < 0
        || fflush(stdout) == EOF)
        complain("stdout");
}

/* Waits for a datagram and sends it back. */
static void echo_one(int fd)
{
    static char buffer[RECEIVE_SIZE];
    struct sockaddr_storage peer_addr;
    socklen_t peer_len = sizeof peer_addr;
    ssize_t n = -1;

    /* STEP 2: take one datagram, whole, and who sent it. 0 bytes are no end
     * of file here, but a datagram with nothing in it. */
    n = recvfrom(fd, buffer, sizeof buffer, 0,
                 (struct sockaddr *)&peer_addr, &peer_len);
    if (n < 0 && errno != EINTR) {
        complain("recvfrom");           /* the kernel has no memory, perhaps: */
        sleep(1);                       /* to ask again at once is no help */
    }
    /* END STEP 2; waits; stub: pause(); */

    if (n < 0)
        return;

    /* STEP 3: send it back, as it came, to that sender. If it cannot be sent
     * (a sender may write any address on a datagram), that is no reason to
     * let down all others. */
    if (sendto(fd, buffer, (size_t)n, 0,
               (struct sockaddr *)&peer_addr, peer_len) < 0)
        complain("sendto");
    /* END STEP 3; goes on; stub:
    (void)fd;
    (void)buffer;
    (void)peer_len; */
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "6000";
    struct sockaddr_storage own_addr;

    read_options(argc, argv, &address, &port);
    keep_standard_fds();
    ignore_sigpipe();
    end_on_signals();

    int fd = bind_to(address, port, &own_addr);
    print_start_line(&own_addr);
    for (;;)
        echo_one(fd);
}
