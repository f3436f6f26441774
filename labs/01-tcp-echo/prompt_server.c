/*
 * prompt_server - asks for data, round after round, 6 bytes at most in each.
 *
 * Run it:   ./prompt_server [-a ADDRESS] [-p PORT] [-n ROUNDS]
 *                                               (port 55555, 20 rounds)
 *           ncat 127.0.0.1 55555                type `hello, network`
 *
 * You see:  listening on 127.0.0.1 port 55555
 *           connection from 127.0.0.1 port 39870
 *           round 1: 6 bytes, 6 in all
 *           round 2: 6 bytes, 12 in all
 *           round 3: 3 bytes, 15 in all
 *
 * On the wire: `welcome !!!` and a newline, then for each round its answer
 * `Please enter the data:`. After the last round comes our FIN; before that
 * the client may send its own.
 *
 * New here: TCP has no messages. One line of 15 bytes makes three rounds and
 * gets three answers, because we read 6 bytes at a time; two short lines may
 * make one round. Where a message ends, a protocol has to say itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

const char program[] = "prompt_server";

enum {
    PIECE = 6,                          /* bytes read in one round, at most */
    PATIENCE = 5                        /* seconds for the client's FIN */
};

static const char welcome[] = "welcome !!!\n";
static const char prompt[] = "Please enter the data:";

/* Holds the rounds with one client; returns when they are over, for whatever
 * reason. */
static void talk(int conn_fd, unsigned long rounds)
{
    unsigned long long total = 0;

    if (send_all(conn_fd, welcome, strlen(welcome)) < 0) {
        complain("send");
        return;
    }
    for (unsigned long round = 1; round <= rounds; round++) {
        char piece[PIECE];
        ssize_t n;

        /* STEP 31: wait until there is something to read, and read at most
         * 6 bytes of it. The rest stays in the kernel for the next round. */
        do
            n = recv(conn_fd, piece, sizeof piece, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            complain("recv");
        if (n <= 0)
            return;                     /* end of file, or a reset */
        /* END STEP 31; stub:
        (void)piece;
        n = 0; */

        total += (unsigned long long)n;
        if (printf("round %lu: %zd bytes, %llu in all\n", round, n, total) < 0
            || fflush(stdout) == EOF)
            complain("stdout");
        if (send_all(conn_fd, prompt, strlen(prompt)) < 0) {
            complain("send");
            return;
        }
    }
}

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: %s [-a ADDRESS] [-p PORT] [-n ROUNDS]\n", program);
    exit(2);
}

/* Returns the number in TEXT, digits alone, at most nine of them. */
static unsigned long count_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9 || text[digits] != '\0')
        usage();
    return strtoul(text, NULL, 10);
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "55555";
    unsigned long rounds = 20;
    int option;

    opterr = 0;                         /* our usage line says it all */
    while ((option = getopt(argc, argv, "a:n:p:")) != -1) {
        if (option == 'a')
            address = optarg;
        else if (option == 'p' && is_port(optarg))
            port = optarg;
        else if (option == 'n')
            rounds = count_of(optarg);
        else
            usage();
    }
    if (optind < argc)
        usage();

    int listen_fd = start_server(address, port);
    for (;;) {
        int conn_fd = next_client(listen_fd);
        talk(conn_fd, rounds);
        close_first(conn_fd, PATIENCE);
    }
}
