/*
 * load - many clients of one server, each of which knows what it has to hear.
 *
 *     load [-t THREADS] [-b BYTES] [-w BYTES] [-e] [-r SEED] PORT TALK CLIENTS
 *
 * TALK is echo (BYTES go out and come back), hello or prompt (hello_server; prompt_server with
 * -n 1). Each of the THREADS has one client after the other. -r: every seventh client resets its
 * connection at a moment that SEED decides. -w: a slow reader, whose receive buffer has so many
 * bytes and who takes 500 at a time. -e: nobody reads before the end of stdin. Prints how many
 * clients heard everything and how many reset; exits with 1, and says why, as soon as one hears
 * anything else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVERY = 7, PIECE = 500, LIMIT = 1 << 20 };

struct talk {
    const char *name, *says, *hears;
    size_t to_say, to_hear;
};

static struct talk talks[] = {
    { .name = "echo" },
    { "hello", "hello\n", "Hello, you are connected!\n", 6, 26 },
    { "prompt", "hello\n", "welcome !!!\nPlease enter the data:", 6, 34 },
};

static char pattern[LIMIT];
static struct talk talk;
static struct sockaddr_in server;
static int clients, threads = 1, window;
static unsigned long long seed;
static bool resets, waits;
static atomic_int next_client, whole, reset;

_Noreturn static void fail(int number, const char *what)
{
    fprintf(stderr, "client %d: %s: %s\n", number, what, strerror(errno));
    exit(1);
}

/* A number below LIMIT that depends on the seed, the client and what it is FOR. */
static size_t chosen(int number, unsigned for_what, size_t limit)
{
    unsigned long long x = seed + (unsigned)number * 0x9e3779b97f4a7c15ULL + for_what;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (size_t)((x ^ (x >> 31)) % limit);
}

static int connect_client(int number)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0
        || (window > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window) < 0)
        || connect(fd, (struct sockaddr *)&server, sizeof server) < 0)
        fail(number, "connect");
    return fd;
}

/* Sends a part of what is left; after the last byte, where the server expects it, the FIN. */
static size_t say(int number, int fd, size_t said, size_t until)
{
    ssize_t n = send(fd, talk.says + said, until - said, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN)
        fail(number, "send");
    said += n > 0 ? (size_t)n : 0;
    if (said == talk.to_say && talk.says == pattern && shutdown(fd, SHUT_WR) < 0)
        fail(number, "shutdown");
    return said;
}

/* Reads a part of what is to come, which must be right. Returns false at the end of file. */
static bool hear(int number, int fd, size_t *heard)
{
    char piece[LIMIT / 16];
    ssize_t n = recv(fd, piece, window > 0 ? PIECE : sizeof piece, 0);

    if (n < 0)
        fail(number, "recv");
    errno = 0;
    if ((size_t)n > talk.to_hear - *heard || memcmp(piece, talk.hears + *heard, (size_t)n) != 0)
        fail(number, "hears something else");
    *heard += (size_t)n;
    if (n == 0 && *heard < talk.to_hear)
        fail(number, "hears too little");
    return n > 0;
}

/* Goes on until SAY_UNTIL bytes are said and HEAR_UNTIL heard, or to the end of file. */
static void converse(int number, int fd, size_t say_until, size_t hear_until, bool to_the_end)
{
    size_t said = 0, heard = 0;
    bool reads = !waits;

    while (said < say_until || heard < hear_until || to_the_end) {
        short wanted = (reads ? POLLIN : 0) | (said < say_until ? POLLOUT : 0);
        struct pollfd ready[] = { { fd, wanted, 0 }, { reads ? -1 : STDIN_FILENO, POLLIN, 0 } };
        if (poll(ready, 2, -1) < 0)
            fail(number, "poll");
        if (ready[0].revents & POLLOUT)
            said = say(number, fd, said, say_until);
        if ((ready[0].revents & ~POLLOUT) && !hear(number, fd, &heard))
            return;
        reads |= ready[1].revents != 0;
    }
}

/* A client that goes when it has said a part, or has said all and heard a part. */
static void leave_early(int number, int fd)
{
    struct linger at_once = { 1, 0 };

    if (chosen(number, 1, 2) == 0)
        converse(number, fd, chosen(number, 2, talk.to_say), 0, false);
    else
        converse(number, fd, talk.to_say, chosen(number, 3, talk.to_hear), false);
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0)
        fail(number, "SO_LINGER");
}

static void *have_clients(void *unused)
{
    for (int number; (number = next_client++) < clients; ) {
        int fd = connect_client(number);

        if (resets && number % EVERY == 0) {
            leave_early(number, fd);
            reset++;
        } else {
            converse(number, fd, talk.to_say, talk.to_hear, true);
            whole++;
        }
        close(fd);
    }
    return unused;
}

static void read_arguments(int argc, char *argv[])
{
    size_t bytes = 15;

    for (int option; (option = getopt(argc, argv, "t:b:w:er:")) != -1; ) {
        if (option == 't')
            threads = atoi(optarg);
        else if (option == 'b')
            bytes = (size_t)atol(optarg);
        else if (option == 'w')
            window = atoi(optarg);
        else if (option == 'e')
            waits = true;
        else if (option == 'r') {
            seed = strtoull(optarg, NULL, 10);
            resets = true;
        } else
            exit(2);
    }
    if (optind + 3 != argc || bytes > LIMIT)
        exit(2);
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons((in_port_t)atoi(argv[optind]));
    talks[0].says = talks[0].hears = pattern;
    talks[0].to_say = talks[0].to_hear = bytes;
    for (size_t i = 0; i < sizeof talks / sizeof *talks; i++)
        if (strcmp(talks[i].name, argv[optind + 1]) == 0)
            talk = talks[i];
    clients = atoi(argv[optind + 2]);
}

int main(int argc, char *argv[])
{
    read_arguments(argc, argv);
    for (size_t i = 0; i < LIMIT; i++)
        pattern[i] = (char)(i * 7 % 251);

    pthread_t ids[threads];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, have_clients, NULL) != 0)
            fail(i, "pthread_create");
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    printf("%d whole, %d reset\n", whole, reset);
}
