/* relay.c - waits for packets, for what is due, and for the one who started it. */
#include "relay.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrivals.h"
#include "clock.h"
#include "fail.h"
#include "fate.h"
#include "passage.h"
#include "port.h"
#include "wall.h"

enum { BATCH = 256, ARRIVING_MS = 1 };

/* How long a wait for quiet goes on behind what was due when it began; traffic may never end. */
static const int64_t patience_ns = 2000000000;

struct relay {
    struct network network;
    struct port ports[2]; /* the two ends of a link, or IPv4 and IPv6 of a loopback */
    struct arrivals arrivals; /* of a loopback */
    bool link;
    int stdin_fd, signal_fd;
    bool ending;       /* told to end, once nothing is on its way */
    unsigned settling; /* how many questions wait to be answered then */
    int64_t give_up;   /* when ending and settling no longer wait */
    uint64_t sent_before; /* frames delivered when the question came */
    char word[16];     /* of stdin, as far as it has come */
    size_t word_length;
};

/* ---- Packets ---------------------------------------------------------------------------- */

/* Takes what waits at one port, a batch at most. Returns how many. */
static int take_batch(struct relay *relay, size_t index)
{
    struct port *in = &relay->ports[index];
    struct port *out = relay->link ? &relay->ports[1 - index] : in;
    struct frame frame;
    int taken = 0;

    while (taken < BATCH && port_take(in, &frame)) {
        network_take(&relay->network, &frame, out);
        port_release(in);
        taken++;
    }
    return taken;
}

static uint64_t frames_sent(const struct relay *relay)
{
    return relay->ports[0].sent + relay->ports[1].sent;
}

/* Sent, and not there yet; where that number stays, it is lost. */
static uint64_t frames_arriving(struct relay *relay)
{
    return relay->link ? 0 : frames_sent(relay) - arrivals_count(&relay->arrivals);
}

static uint64_t frames_lost(struct relay *relay)
{
    return port_lost(&relay->ports[0]) + port_lost(&relay->ports[1]) + frames_arriving(relay);
}

/* ---- Ending and settling ---------------------------------------------------------------- */

static bool waits_for_quiet(const struct relay *relay)
{
    return relay->ending || relay->settling > 0;
}

static void begin_wait(struct relay *relay)
{
    int64_t last = now_ns();

    for (size_t i = 0; i < relay->network.transit.delayed_count; i++)
        if (relay->network.transit.delayed[i]->due_ns > last)
            last = relay->network.transit.delayed[i]->due_ns;
    if (!waits_for_quiet(relay))
        relay->sent_before = frames_sent(relay);
    relay->give_up = last + patience_ns;
}

static void told_to_end(struct relay *relay)
{
    begin_wait(relay);
    relay->ending = true;
}

/* True if nothing is on its way. Called when nothing waits to be taken. What is held is let go
 * here; it can call forth more. */
static bool quiet(struct relay *relay)
{
    struct transit *transit = &relay->network.transit;

    if (transit->delayed_count > 0)
        return false;
    if (transit->held != NULL) {
        network_release(&relay->network);
        return false;
    }
    return frames_arriving(relay) == 0;
}

static void answer(struct relay *relay)
{
    uint64_t since = frames_sent(relay) - relay->sent_before;

    for (; relay->settling > 0; relay->settling--, since = 0)
        log_line(&relay->network.log, "settled %llu\n", (unsigned long long)since);
}

/* ---- Commands --------------------------------------------------------------------------- */

static void take_byte(struct relay *relay, char byte)
{
    if (byte != '\n') {
        if (relay->word_length < sizeof relay->word - 1)
            relay->word[relay->word_length++] = byte;
        return;
    }
    relay->word[relay->word_length] = '\0';
    relay->word_length = 0;
    if (strcmp(relay->word, "settle") != 0)
        return;
    begin_wait(relay);
    relay->settling++;
}

static void take_stdin(struct relay *relay)
{
    char text[64];
    ssize_t n = read(relay->stdin_fd, text, sizeof text);

    for (ssize_t i = 0; i < n; i++)
        take_byte(relay, text[i]);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        relay->stdin_fd = -1;
        told_to_end(relay);
    }
}

/* The second signal does not wait for anything. */
static void take_signals(struct relay *relay)
{
    struct signalfd_siginfo info;

    while (read(relay->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (relay->ending)
            exit(EXIT_FAILED);
        told_to_end(relay);
    }
}

/* A terminal, /dev/null and the like are nobody who would close it. */
static int watch_stdin(void)
{
    struct stat status;

    if (fstat(STDIN_FILENO, &status) < 0 || !(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
        return -1;
    return STDIN_FILENO;
}

static int watch_signals(void)
{
    sigset_t set;
    int fd;

    signal(SIGPIPE, SIG_IGN); /* write() tells */
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a relay that nobody can end is of no use */
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        fail_errno("signalfd");
    return fd;
}

/* ---- The relay -------------------------------------------------------------------------- */

/* Milliseconds for poll(), rounded up so that it never wakes too early; -1: until something
 * happens. */
static int time_to_wait(const struct relay *relay, int64_t now)
{
    int64_t due = transit_due(&relay->network.transit);

    if (waits_for_quiet(relay) && due > relay->give_up)
        due = relay->give_up;
    if (waits_for_quiet(relay) && relay->network.transit.delayed_count == 0)
        return ARRIVING_MS;
    if (due == INT64_MAX)
        return -1;
    return due <= now ? 0 : (int)((due - now + 999999) / 1000000);
}

static void wait_for_something(struct relay *relay, int timeout)
{
    struct pollfd fds[5] = {
        {.fd = relay->ports[0].fd, .events = POLLIN},
        {.fd = relay->ports[1].fd, .events = POLLIN},
        {.fd = relay->signal_fd, .events = POLLIN},
        {.fd = relay->stdin_fd, .events = POLLIN},
        {.fd = log_waits(&relay->network.log) ? STDOUT_FILENO : -1, .events = POLLOUT},
    };

    if (poll(fds, 5, timeout) < 0 && errno != EINTR)
        fail_errno("poll");
    if (fds[2].revents)
        take_signals(relay);
    if (fds[3].revents)
        take_stdin(relay);
}

/* Relays until it is told to end and nothing is on its way any more. */
static void relay_packets(struct relay *relay)
{
    for (;;) {
        int taken = take_batch(relay, 0) + take_batch(relay, 1);
        int64_t now = now_ns();

        network_deliver_due(&relay->network, now);
        if (waits_for_quiet(relay) &&
            ((taken == 0 && quiet(relay)) || now > relay->give_up)) {
            answer(relay);
            if (relay->ending)
                return;
        }
        log_write(&relay->network.log);
        wait_for_something(relay, taken > 0 ? 0 : time_to_wait(relay, now));
    }
}

static void announce(struct relay *relay)
{
    char text[RULES_TEXT_MAX + 1] = "";
    uint8_t frame[ETHERNET_HEADER + sizeof PASSAGE_BANNER + RULES_TEXT_MAX];
    size_t used = 0;

    for (size_t i = 0; i < relay->network.rules->count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\n",
                                 relay->network.rules->list[i].text);
    for (size_t i = 0; i < (relay->link ? 2 : 1); i++)
        port_send(&relay->ports[i], frame,
                  frame_announcement(frame, sizeof frame, relay->ports[i].address, text));
}

static void announce_ready(int fd)
{
    const char *text = fd >= 0 ? "\n" : "ready\n";

    if (write(fd >= 0 ? fd : STDERR_FILENO, text, strlen(text)) < 0)
        fail_errno("ready");
    if (fd > STDERR_FILENO)
        close(fd);
}

struct opening {
    struct port *port;
    enum port_kind kind;
    const char *name;
    size_t ring_bytes;
};

static void *open_one(void *argument)
{
    const struct opening *opening = argument;

    port_open(opening->port, opening->kind, opening->name, opening->ring_bytes);
    return NULL;
}

/* Both at once: the kernel lets each wait some 10 ms until all its processors know. */
static void open_ports(struct relay *relay, const struct relay_options *options)
{
    struct opening openings[2] = {
        {&relay->ports[0], relay->link ? PORT_LINK : PORT_LOOPBACK_IPV4, options->interfaces[0],
         options->ring_bytes},
        {&relay->ports[1], relay->link ? PORT_LINK : PORT_LOOPBACK_IPV6, options->interfaces[1],
         options->ring_bytes},
    };
    pthread_t thread;

    errno = pthread_create(&thread, NULL, open_one, &openings[1]);
    if (errno != 0)
        fail_errno("thread");
    open_one(&openings[0]);
    pthread_join(thread, NULL);
}

static void *close_one(void *port)
{
    port_close(port);
    return NULL;
}

/* All at once, for the same reason. What is not closed here the end of the program closes. */
static void close_ports(struct relay *relay)
{
    pthread_t threads[2];
    size_t started = 0;

    while (started < 2 &&
           pthread_create(&threads[started], NULL, close_one, &relay->ports[started]) == 0)
        started++;
    if (!relay->link)
        arrivals_close(&relay->arrivals);
    while (started > 0)
        pthread_join(threads[--started], NULL);
}

/* False where the rules of stdin are wrong. */
static bool set_up(struct relay *relay, const struct relay_options *options)
{
    relay->network.rules = options->rules;
    relay->link = options->link;
    transit_init(&relay->network.transit);
    if (!relay->link)
        wall_build();
    open_ports(relay, options);
    if (!relay->link)
        wall_built();
    if (options->rules_on_stdin && !rules_read(options->rules))
        return false;
    relay->stdin_fd = watch_stdin();
    relay->signal_fd = watch_signals();
    port_begin(&relay->ports[0]); /* what came before arrived by itself */
    port_begin(&relay->ports[1]);
    if (!relay->link)
        arrivals_open(&relay->arrivals);
    announce(relay);
    announce_ready(options->ready_fd);
    return true;
}

int relay_run(const struct relay_options *options)
{
    static struct relay relay;
    uint64_t lost;

    if (!set_up(&relay, options))
        return EXIT_USAGE;
    relay_packets(&relay);
    log_finish(&relay.network.log);
    lost = frames_lost(&relay);
    network_free(&relay.network);
    fprintf(stderr, "%llu packets, %llu lost by the relay itself\n",
            (unsigned long long)relay.network.packets, (unsigned long long)lost);
    close_ports(&relay);
    return lost > 0 ? EXIT_LOST : EXIT_SUCCESS;
}
