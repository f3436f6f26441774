/*
 * A thread for each transfer, whose socket is connected: what strangers send never gets to it.
 * Files are read by stdio. Blocks fit into a packet of Ethernet, windows have 3 of them at most.
 * Who saves only answers: a lost ACK comes again when its DATA does, a gap is never told.
 */
#include "tftp_server_setup.h"

#include <pthread.h>

enum { LARGEST_BLOCK = 1428, LARGEST_WINDOW = 3, RETRIES = 7 };

struct transfer {
    int fd;
    union address client;
    struct request asked;       /* points into packet */
    size_t block, window;
    int64_t patience_ms;
    char out[HEADER + LARGEST_BLOCK];
    char packet[ROOM], in[ROOM];
};

static int main_fd;

/* Receives a packet until the time is END. Returns its length, 0 at the end, -1 if all is over. */
static ssize_t next_packet(struct transfer *t, int64_t end)
{
    for (int64_t left; (left = end - now_ms()) > 0; ) {
        struct timeval patience = { left / 1000, left % 1000 * 1000 };
        setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ssize_t n = recv(t->fd, t->in, sizeof t->in, 0);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        if (n >= 2 && get16(t->in) == ERROR)
            return -1;
        if (n >= HEADER)
            return n;
    }
    return 0;
}

/* Waits for an ACK of one of SENT blocks behind ACKED. Returns how many it has acknowledged. */
static int await_ack(struct transfer *t, uint64_t acked, unsigned sent)
{
    int64_t end = now_ms() + t->patience_ms;
    ssize_t n;

    while ((n = next_packet(t, end)) > 0) {
        uint16_t ahead = (uint16_t)(get16(t->in + 2) - (uint16_t)acked);
        if (get16(t->in) == ACK && (sent == 0 ? ahead == 0 : ahead >= 1 && ahead <= sent))
            return sent == 0 ? 1 : ahead;
    }
    return (int)n;
}

static bool agree(struct transfer *t, size_t oack)
{
    int heard = 0;

    for (int i = 0; heard == 0 && i <= RETRIES; i++) {
        send(t->fd, t->out, oack, 0);
        heard = await_ack(t, 0, 0);
    }
    return heard > 0;
}

/* Sends the window behind block ACKED of a file of SIZE bytes. Returns its blocks; 0: it failed. */
static unsigned send_window(struct transfer *t, FILE *file, uint64_t acked, off_t size)
{
    uint64_t last = (uint64_t)size / t->block + 1;
    unsigned sent = 0;

    if (fseeko(file, (off_t)(acked * t->block), SEEK_SET) < 0)
        return 0;
    while (sent < t->window && acked + sent < last) {
        uint64_t number = acked + ++sent;
        size_t len = number < last ? t->block : (size_t)size % t->block;
        if (fread(t->out + HEADER, 1, len, file) < len) {
            send_error(t->fd, &t->client, NOT_DEFINED, "the file is not what it was");
            return 0;
        }
        put16(t->out, DATA);
        put16(t->out + 2, (uint16_t)number);
        if (send(t->fd, t->out, HEADER + len, 0) < 0 && errno == ECONNREFUSED)
            return 0;
    }
    return sent;
}

static void send_file(struct transfer *t)
{
    struct stat status;
    int fd = open_to_read(t->asked.name, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, &status);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");
    uint64_t acked = 0;
    int ahead = 0;

    if (file == NULL) {
        send_error(t->fd, &t->client, code_of(errno), "cannot be read");
        return;
    }
    size_t oack = make_oack(t->out, sizeof t->out, &t->asked, status.st_size);
    if (oack == 0 || agree(t, oack))
        for (int tries = 0; acked <= (uint64_t)status.st_size / t->block && tries <= RETRIES;
             tries = ahead > 0 ? 0 : tries + 1) {
            unsigned sent = send_window(t, file, acked, status.st_size);
            if (sent == 0 || (ahead = await_ack(t, acked, sent)) < 0)
                break;
            acked += (unsigned)ahead;
        }
    fclose(file);
}

/* Takes DATA until a short block has come, and then as long as the last ACK may be lost. */
static void take_blocks(struct transfer *t, struct saving *saving)
{
    uint64_t good = 0, acked = 0;
    int64_t end = now_ms() + t->patience_ms * RETRIES;
    bool whole = false;

    for (ssize_t n; (n = next_packet(t, end)) > 0; ) {
        size_t len = (size_t)n - HEADER;
        if (get16(t->in) != DATA || len > t->block)
            continue;
        uint16_t ahead = (uint16_t)(get16(t->in + 2) - (uint16_t)good);
        if (ahead == 1 && !whole) {
            whole = len < t->block;
            if (!put(saving->fd, t->in + HEADER, len) || (whole && !finish_saving(saving))) {
                send_error(t->fd, &t->client, code_of(errno), "cannot be saved");
                return;
            }
            good++;
            end = now_ms() + t->patience_ms * (whole ? 3 : RETRIES);
        } else if (ahead != 0 || good != acked) {
            continue;
        }
        if (whole || good - acked == t->window || good == acked) {
            acked = good;
            send_ack(t->fd, &t->client, good);
        }
    }
}

static void save_file(struct transfer *t)
{
    struct saving saving;
    size_t oack = make_oack(t->out, sizeof t->out, &t->asked, 0);

    if (!may_write || !begin_saving(&saving, t->asked.name)) {
        send_error(t->fd, &t->client, may_write ? code_of(errno) : NO_ACCESS, "not to be written");
        return;
    }
    if (oack > 0)
        send(t->fd, t->out, oack, 0);
    else
        send_ack(t->fd, &t->client, 0);
    take_blocks(t, &saving);
    give_up_saving(&saving);
}

static void *serve(void *argument)
{
    struct transfer *t = argument;

    if (t->asked.block > LARGEST_BLOCK)
        t->asked.block = LARGEST_BLOCK;
    if (t->asked.window > LARGEST_WINDOW)
        t->asked.window = LARGEST_WINDOW;
    t->block = t->asked.block > 0 ? (size_t)t->asked.block : USUAL_BLOCK;
    t->window = t->asked.window > 0 ? (size_t)t->asked.window : 1;
    t->patience_ms = t->asked.seconds > 0 ? t->asked.seconds * 1000 : 1000;
    t->fd = open_transfer(main_fd);
    if (t->fd >= 0 && connect(t->fd, &t->client.any, length_of(&t->client)) == 0) {
        if (t->asked.opcode == RRQ)
            send_file(t);
        else
            save_file(t);
    }
    if (t->fd >= 0)
        close(t->fd);
    free(t);
    return NULL;
}

/* Begins what T asks for; false: T is not needed any more. */
static bool begin(struct transfer *t, size_t len)
{
    pthread_t thread;

    if (!parse_request(&t->asked, t->packet, len))
        return false;
    if (strcasecmp(t->asked.mode, "octet") != 0) {
        send_error(main_fd, &t->client, ILLEGAL, "octet is the only mode");
        return false;
    }
    if (pthread_create(&thread, NULL, serve, t) != 0)
        return false;
    pthread_detach(thread);
    return true;
}

static void *welcome(void *unused)
{
    for (;;) {
        struct transfer *t = malloc(sizeof *t);
        socklen_t len = sizeof t->client;
        if (t == NULL)
            fail("memory");
        ssize_t n = recvfrom(main_fd, t->packet, sizeof t->packet, 0, &t->client.any, &len);
        if (n < 0 || !begin(t, (size_t)n))
            free(t);
    }
    return unused;
}

/* The first thread waits for a signal, which no other takes. */
int main(int argc, char *argv[])
{
    sigset_t endings;
    pthread_t thread;
    int number;

    sigemptyset(&endings);
    sigaddset(&endings, SIGINT);
    sigaddset(&endings, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &endings, NULL);
    main_fd = open_server(argc, argv);
    if (pthread_create(&thread, NULL, welcome, NULL) != 0)
        refuse("no thread");
    sigwait(&endings, &number);
    _exit(0);
}
