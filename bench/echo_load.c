/*
 * echo_load - how many requests per second do echo servers answer?
 *
 *     echo_load [-c CLIENTS] [-t MILLISECONDS] [-r ROUNDS] [PORT...]
 *     echo_load [-c CLIENTS] -i [PORT...]
 *
 * Connects CLIENTS (50) times to each PORT (4321) of 127.0.0.1 and lets every client
 * have a first request answered. In each of ROUNDS (1) the ports have their turn one
 * after the other, every round beginning with another one: for MILLISECONDS (1000) each
 * client of this port sends 64 bytes, waits until they have come back, compares them,
 * and sends the next 64. No two requests are the same. Prints a line for each round: the
 * requests per second of each port, in the order of the command line.
 *
 * With -i the clients stay idle after their first request: prints `N clients
 * connected` and leaves at the end of stdin.
 *
 * A wrong or missing byte, a lost connection, or 5 s without any answer is an error:
 * exit status 1. One thread serves all sockets, with epoll(7).
 */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    REQUEST_SIZE = 64,
    MAX_CLIENTS = 10000,
    MAX_PORTS = 10,
    MAX_MS = 60000,
    MAX_ROUNDS = 100000,
    PATIENCE_MS = 5000
};

struct plan {
    int clients, duration_ms, rounds, idle;
    int ports[MAX_PORTS], port_count;
};

struct client {
    int fd;
    size_t echoed; /* of the request, so far */
    char request[REQUEST_SIZE];
};

static struct client *clients; /* those of the first port, of the second, ... */
static int epoll_fd;
static uint64_t sent, answered;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "echo_load: %s\n", what);
    exit(1);
}

/* The request's number makes it unlike any other. */
static void send_request(struct client *client)
{
    sent++;
    client->echoed = 0;
    memcpy(client->request, &sent, sizeof sent);
    /* Nothing else is on its way in this direction, so there is room for all of it. */
    if (send(client->fd, client->request, REQUEST_SIZE, MSG_NOSIGNAL) != REQUEST_SIZE)
        die("send");
}

/* Takes what has come back. Returns 1 once the whole request has. */
static int take_echo(struct client *client)
{
    char echo[REQUEST_SIZE + 1]; /* one more: so a server that says too much is found */
    size_t missing = REQUEST_SIZE - client->echoed;
    ssize_t n = recv(client->fd, echo, missing + 1, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        die("recv");
    if (n == 0)
        fail("the server closed a connection");
    if ((size_t)n > missing || memcmp(echo, client->request + client->echoed, (size_t)n) != 0)
        fail("these are not the bytes that were sent");
    client->echoed += (size_t)n;
    return client->echoed == REQUEST_SIZE;
}

/* Serves all clients until no request is unanswered; from END on no new ones are sent. */
static void run_until(uint64_t end)
{
    struct epoll_event events[1024];

    while (answered < sent) {
        int count = epoll_wait(epoll_fd, events, 1024, PATIENCE_MS);
        if (count == 0)
            fail("no answer for 5 s");
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        int go_on = nanoseconds(CLOCK_MONOTONIC) < end;
        for (int i = 0; i < count; i++) {
            if (!take_echo(events[i].data.ptr))
                continue;
            answered++;
            if (go_on)
                send_request(events[i].data.ptr);
        }
    }
}

static void open_client(struct client *client, const struct sockaddr_in *addr)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = client};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};

    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        die("socket");
    if (setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        die("SO_SNDTIMEO");
    if (connect(client->fd, (const struct sockaddr *)addr, sizeof *addr) < 0)
        die("connect");
    if (fcntl(client->fd, F_SETFL, O_NONBLOCK) < 0)
        die("O_NONBLOCK");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
        die("epoll_ctl");
    for (size_t i = 0; i < REQUEST_SIZE; i++) /* NUL bytes and non-ASCII among them */
        client->request[i] = (char)(i * 37 + (size_t)client->fd);
}

static void connect_all(const struct plan *plan)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        die("epoll_create1");
    clients = allocate((size_t)(plan->port_count * plan->clients) * sizeof *clients);
    for (int i = 0; i < plan->port_count * plan->clients; i++) {
        addr.sin_port = htons((uint16_t)plan->ports[i / plan->clients]);
        open_client(&clients[i], &addr);
        send_request(&clients[i]);
        run_until(0);
    }
}

/* The requests per second of the clients of one port. */
static double measure(const struct plan *plan, int port)
{
    struct client *first = clients + port * plan->clients;
    uint64_t before = answered, start = nanoseconds(CLOCK_MONOTONIC);

    for (int i = 0; i < plan->clients; i++)
        send_request(first + i);
    run_until(start + (uint64_t)plan->duration_ms * 1000000);
    return (double)(answered - before) * 1e9 / (double)(nanoseconds(CLOCK_MONOTONIC) - start);
}

static void measure_round(const struct plan *plan, int round)
{
    double speed[MAX_PORTS];

    for (int i = 0; i < plan->port_count; i++) {
        int port = (round + i) % plan->port_count;
        speed[port] = measure(plan, port);
    }
    for (int i = 0; i < plan->port_count; i++)
        printf("%.0f%c", speed[i], i < plan->port_count - 1 ? ' ' : '\n');
}

static void stay_idle(void)
{
    char byte;

    printf("%d clients connected\n", (int)sent);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

/* A thousand clients of several servers need more than the usual 1,024 descriptors. */
static void allow_many_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("setrlimit");
}

static const char arguments[] =
    "[-c CLIENTS] [-t MILLISECONDS] [-r ROUNDS] [-i] [PORT...]";

static void read_ports(int argc, char **argv, struct plan *plan)
{
    if (argc > MAX_PORTS)
        usage_error(arguments);
    for (int i = 0; i < argc; i++)
        plan->ports[i] = positive(argv[i], 65535, arguments);
    if (argc > 0)
        plan->port_count = argc;
}

int main(int argc, char **argv)
{
    struct plan plan = {.clients = 50, .duration_ms = 1000, .rounds = 1,
                        .ports = {DEFAULT_PORT}, .port_count = 1};
    int option;

    opterr = 0;
    while ((option = getopt(argc, argv, "c:t:r:i")) != -1) {
        if (option == 'c')
            plan.clients = positive(optarg, MAX_CLIENTS, arguments);
        else if (option == 't')
            plan.duration_ms = positive(optarg, MAX_MS, arguments);
        else if (option == 'r')
            plan.rounds = positive(optarg, MAX_ROUNDS, arguments);
        else if (option == 'i')
            plan.idle = 1;
        else
            usage_error(arguments);
    }
    read_ports(argc - optind, argv + optind, &plan);
    allow_many_descriptors();
    connect_all(&plan);
    if (plan.idle)
        stay_idle();
    for (int i = 0; i < plan.rounds && !plan.idle; i++)
        measure_round(&plan, i);
    if (fflush(stdout) == EOF || ferror(stdout))
        die("stdout");
    return 0;
}
