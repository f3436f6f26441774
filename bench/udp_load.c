/*
 * udp_load - how many datagrams can UDP echo servers send back in a second?
 *
 *     udp_load [-c CLIENTS] [-w WINDOW] [-t MILLISECONDS] [-r ROUNDS] PORT:PID...
 *
 * CLIENTS (4) sockets for each PORT of 127.0.0.1, where the process PID serves. In each
 * of ROUNDS (1) the ports have their turn one after the other, every round beginning with
 * another one: for MILLISECONDS (1000) each client of this port has WINDOW (32) datagrams
 * of 64 bytes under way, and sends a new one for each that has come back as it was. No
 * two are the same. Prints a line for each round: the datagrams per second of the
 * processor time that each process has used, in the order of the command line.
 *
 * That is what a server would send back if it had a processor for itself and never had
 * to wait. In seconds that pass, the clients would be measured, too: whatever they do in
 * one call for many datagrams, the kernel has about the same work for them as for the
 * server.
 *
 * CLIENTS times WINDOW is at most 128: so many fit in a socket's receive buffer of the
 * usual size, and nothing can be lost. A lost or changed datagram, one that comes twice,
 * or 5 s without any is an error: exit status 1.
 */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    DATAGRAM_SIZE = 64,
    MAX_WINDOW = 64,
    MAX_UNDER_WAY = 128,
    MAX_SERVERS = 10,
    MAX_PID = 999999999,
    MAX_MS = 60000,
    MAX_ROUNDS = 100000,
    PATIENCE_S = 5
};

struct server {
    int port;
    clockid_t clock; /* of the processor time its process has used */
};

struct plan {
    int clients, window, duration_ms, rounds;
    struct server servers[MAX_SERVERS];
    int server_count;
};

/* What a datagram begins with; the rest is the same in all of a client's. */
struct head {
    uint64_t number; /* of all datagrams */
    uint32_t slot;   /* in its client's window */
};

struct client {
    int fd;
    int under_way;
    char requests[MAX_WINDOW][DATAGRAM_SIZE];
};

static struct client *clients; /* those of the first server, of the second, ... */
static uint64_t sent;

/* For recvmmsg() and sendmmsg(): the replies, and the requests of certain slots. */
static char replies[MAX_WINDOW][DATAGRAM_SIZE + 1]; /* one more: to see a longer one */
static struct iovec reply_parts[MAX_WINDOW], request_parts[MAX_WINDOW];
static struct mmsghdr incoming[MAX_WINDOW], outgoing[MAX_WINDOW];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "udp_load: %s\n", what);
    exit(1);
}

static void prepare(void)
{
    for (int i = 0; i < MAX_WINDOW; i++) {
        reply_parts[i].iov_base = replies[i];
        reply_parts[i].iov_len = sizeof replies[i];
        incoming[i].msg_hdr.msg_iov = &reply_parts[i];
        incoming[i].msg_hdr.msg_iovlen = 1;
        request_parts[i].iov_len = DATAGRAM_SIZE;
        outgoing[i].msg_hdr.msg_iov = &request_parts[i];
        outgoing[i].msg_hdr.msg_iovlen = 1;
    }
}

/* Makes a new request for SLOT, the COUNTth of the next send_requests(). */
static void add_request(struct client *client, uint32_t slot, int count)
{
    struct head head = {.number = ++sent, .slot = slot};

    memcpy(client->requests[slot], &head, sizeof head);
    request_parts[count].iov_base = client->requests[slot];
}

static void send_requests(struct client *client, int count)
{
    for (int next = 0; next < count;) {
        int n = sendmmsg(client->fd, outgoing + next, (unsigned)(count - next), 0);
        if (n < 0)
            die("sendmmsg");
        next += n;
    }
    client->under_way += count;
}

/* The slot whose request has come back as REPLY; it is free for another. */
static uint32_t answered_slot(struct client *client, const char *reply, size_t len)
{
    struct head head;

    memcpy(&head, reply, sizeof head);
    if (len != DATAGRAM_SIZE || head.slot >= MAX_WINDOW
        || memcmp(reply, client->requests[head.slot], DATAGRAM_SIZE) != 0)
        fail("this is not a datagram that is under way");
    client->requests[head.slot][0] ^= 1; /* to come back once more is an error */
    client->under_way--;
    return head.slot;
}

/* Takes all replies that are there, at least one; sends as many requests if GO_ON.
 * Returns how many there were. */
static int serve(struct client *client, int go_on)
{
    int count = recvmmsg(client->fd, incoming, MAX_WINDOW, MSG_WAITFORONE, NULL);

    if (count < 0 && errno == EINTR)
        return 0;
    if (count < 0 && errno == EAGAIN)
        fail("no datagram for 5 s");
    if (count < 0)
        die("recvmmsg");
    for (int i = 0; i < count; i++) {
        uint32_t slot = answered_slot(client, replies[i], incoming[i].msg_len);
        if (go_on)
            add_request(client, slot, i);
    }
    if (go_on)
        send_requests(client, count);
    return count;
}

/* Fills the window of a client. */
static void begin(struct client *client, int window)
{
    for (int slot = 0; slot < window; slot++)
        add_request(client, (uint32_t)slot, slot);
    send_requests(client, window);
}

/* The datagrams that come back to the clients of one server until all is done. */
static uint64_t exchange(const struct plan *plan, struct client *first)
{
    uint64_t end = nanoseconds(CLOCK_MONOTONIC) + (uint64_t)plan->duration_ms * 1000000;
    uint64_t answered = 0;
    int under_way;

    for (int i = 0; i < plan->clients; i++)
        begin(first + i, plan->window);
    do {
        int go_on = nanoseconds(CLOCK_MONOTONIC) < end;
        under_way = 0;
        for (int i = 0; i < plan->clients; i++) {
            if (first[i].under_way > 0)
                answered += (uint64_t)serve(first + i, go_on);
            under_way += first[i].under_way;
        }
    } while (under_way > 0);
    return answered;
}

static double measure(const struct plan *plan, int server)
{
    clockid_t clock = plan->servers[server].clock;
    uint64_t start = nanoseconds(clock);
    uint64_t answered = exchange(plan, clients + server * plan->clients);

    return (double)answered * 1e9 / (double)(nanoseconds(clock) - start);
}

static void measure_round(const struct plan *plan, int round)
{
    double speed[MAX_SERVERS];

    for (int i = 0; i < plan->server_count; i++) {
        int server = (round + i) % plan->server_count;
        speed[server] = measure(plan, server);
    }
    for (int i = 0; i < plan->server_count; i++)
        printf("%.0f%c", speed[i], i < plan->server_count - 1 ? ' ' : '\n');
}

static void open_client(struct client *client, int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_S};

    client->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        die("socket");
    if (setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        die("SO_RCVTIMEO");
    if (connect(client->fd, (const struct sockaddr *)&addr, sizeof addr) < 0)
        die("connect");
    client->under_way = 0;
    for (int i = 0; i < MAX_WINDOW * DATAGRAM_SIZE; i++) /* NUL bytes and non-ASCII, too */
        client->requests[i / DATAGRAM_SIZE][i % DATAGRAM_SIZE] = (char)(i * 37 + client->fd);
}

static void open_clients(const struct plan *plan)
{
    int count = plan->server_count * plan->clients;

    clients = allocate((size_t)count * sizeof *clients);
    for (int i = 0; i < count; i++)
        open_client(&clients[i], plan->servers[i / plan->clients].port);
}

static const char arguments[] =
    "[-c CLIENTS] [-w WINDOW] [-t MILLISECONDS] [-r ROUNDS] PORT:PID...";

/* TEXT is PORT:PID, and is changed. */
static void add_server(char *text, struct plan *plan)
{
    struct server *server = &plan->servers[plan->server_count++];
    char *pid = strchr(text, ':');

    if (pid == NULL)
        usage_error(arguments);
    *pid++ = '\0';
    server->port = positive(text, 65535, arguments);
    errno = clock_getcpuclockid(positive(pid, MAX_PID, arguments), &server->clock);
    if (errno != 0)
        die(pid);
}

int main(int argc, char **argv)
{
    struct plan plan = {.clients = 4, .window = 32, .duration_ms = 1000, .rounds = 1,
                        .server_count = 0};
    int option;

    opterr = 0;
    while ((option = getopt(argc, argv, "c:w:t:r:")) != -1) {
        if (option == 'c')
            plan.clients = positive(optarg, MAX_UNDER_WAY, arguments);
        else if (option == 'w')
            plan.window = positive(optarg, MAX_WINDOW, arguments);
        else if (option == 't')
            plan.duration_ms = positive(optarg, MAX_MS, arguments);
        else if (option == 'r')
            plan.rounds = positive(optarg, MAX_ROUNDS, arguments);
        else
            usage_error(arguments);
    }
    if (plan.clients * plan.window > MAX_UNDER_WAY || optind == argc
        || argc - optind > MAX_SERVERS)
        usage_error(arguments);
    for (int i = optind; i < argc; i++)
        add_server(argv[i], &plan);
    prepare();
    open_clients(&plan);
    for (int i = 0; i < plan.rounds; i++)
        measure_round(&plan, i);
    if (fflush(stdout) == EOF || ferror(stdout))
        die("stdout");
    return 0;
}
