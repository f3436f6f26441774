/*
 * One loop and one thread for all transfers (ppoll), each with a time of its own to act at, twice
 * as late each time that nothing comes. A new file has its name from the start, and is removed
 * where it does not become whole; nobody reads it until then. FOLDER is like the root of a system
 * (RESOLVE_IN_ROOT): .. stays in it there, and links within it are followed.
 */
#include "tftp_server_setup.h"

#include <poll.h>

enum { TRANSFERS = 256, LARGEST_WINDOW = 16, RETRIES = 5 };

struct transfer {
    int fd;
    int file_fd;
    int parent_fd;          /* -1: the file is read */
    bool is_whole;          /* what was to be written; its last ACK may be asked for again */
    char *base;
    union address client;
    struct stat status;
    uint64_t last, good;    /* good: acknowledged, when it is sent; saved, when it comes */
    uint64_t far;           /* the last block sent, or the last one acknowledged */
    size_t block, window, oack_len;
    bool is_open, told_gap;
    int64_t at, wait_ms, patience_ms;
    int tries;
    char oack[200];
};

static struct transfer *transfers[TRANSFERS];
static int main_fd;
static char packet[ROOM];
static volatile sig_atomic_t ending;

static void end(struct transfer *t)
{
    for (int i = 0; i < TRANSFERS; i++)
        if (transfers[i] == t)
            transfers[i] = NULL;
    if (t->parent_fd >= 0 && !t->is_whole)
        unlinkat(t->parent_fd, t->base, 0);
    if (t->parent_fd >= 0)
        close(t->parent_fd);
    if (t->file_fd >= 0)
        close(t->file_fd);
    close(t->fd);
    free(t->base);
    free(t);
}

static void break_off(struct transfer *t, unsigned code, const char *text)
{
    send_error(t->fd, &t->client, code, text);
    end(t);
}

static void make_progress(struct transfer *t)
{
    t->tries = 0;
    t->wait_ms = t->patience_ms;
    t->at = now_ms() + t->wait_ms;
}

/* -- A file goes out ------------------------------------------------------- */

static void send_window(struct transfer *t)
{
    for (t->far = t->good; t->far < t->last && t->far < t->good + t->window; ) {
        off_t at = (off_t)(t->far++ * t->block);
        size_t len = t->far < t->last ? t->block : (size_t)(t->status.st_size - at);
        if (pread(t->file_fd, packet + HEADER, len, at) < (ssize_t)len) {
            break_off(t, NOT_DEFINED, "The file has become shorter.");
            return;
        }
        put16(packet, DATA);
        put16(packet + 2, (uint16_t)t->far);
        sendto(t->fd, packet, HEADER + len, 0, &t->client.any, length_of(&t->client));
    }
}

static void take_ack(struct transfer *t)
{
    uint16_t ahead = (uint16_t)(get16(packet + 2) - (uint16_t)t->good);

    if (!t->is_open ? ahead != 0 : ahead == 0 || ahead > t->far - t->good)
        return;
    t->is_open = true;
    t->good += ahead;
    make_progress(t);
    if (t->good == t->last)
        end(t);
    else
        send_window(t);
}

/* -- A file comes in ------------------------------------------------------- */

static void acknowledge(struct transfer *t)
{
    t->far = t->good;
    send_ack(t->fd, &t->client, t->good);
}

/* Writes the LEN bytes of the next block. Returns false where the transfer has ended by it. */
static bool write_block(struct transfer *t, size_t len)
{
    ssize_t n = pwrite(t->file_fd, packet + HEADER, len, (off_t)(t->good * t->block));

    if (n == (ssize_t)len && len < t->block) {
        t->is_whole = close(t->file_fd) == 0;
        t->file_fd = -1;
    }
    if (n < (ssize_t)len || (len < t->block && !t->is_whole)) {
        break_off(t, n < 0 ? code_of(errno) : DISK_FULL, "The file cannot be written.");
        return false;
    }
    t->good++;
    t->told_gap = false;
    make_progress(t);
    t->at += t->is_whole ? 2 * t->patience_ms : 0;  /* later than the client's timer */
    return true;
}

static void take_block(struct transfer *t, size_t len)
{
    uint16_t ahead = (uint16_t)(get16(packet + 2) - (uint16_t)t->good);

    if (len > t->block)
        return;
    if (t->is_whole) {
        if (ahead == 0)
            acknowledge(t);
        return;
    }
    t->is_open = true;
    if (ahead == 1) {
        if (write_block(t, len) && (t->is_whole || t->good - t->far == t->window))
            acknowledge(t);
    } else if (ahead == 0 && t->far == t->good) {
        acknowledge(t);
    } else if (ahead > 1 && ahead <= t->window && !t->told_gap) {
        t->told_gap = true;
        acknowledge(t);
    }
}

/* -- Each transfer --------------------------------------------------------- */

static void repeat(struct transfer *t)
{
    if (!t->is_open && t->oack_len > 0)
        sendto(t->fd, t->oack, t->oack_len, 0, &t->client.any, length_of(&t->client));
    else if (t->parent_fd < 0)
        send_window(t);
    else
        acknowledge(t);
}

/* Nothing has come in time. */
static void wake(struct transfer *t)
{
    if (t->is_whole || t->tries++ == RETRIES) {
        end(t);
        return;
    }
    t->wait_ms *= 2;
    t->at = now_ms() + t->wait_ms;
    repeat(t);
}

static void take_packet(struct transfer *t)
{
    union address from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(t->fd, packet, sizeof packet, MSG_DONTWAIT, &from.any, &from_len);

    if (n < 0)
        return;
    if (!is_same(&from, &t->client))
        send_error(t->fd, &from, NO_TRANSFER, "Nobody talks to you here.");
    else if (n >= 2 && get16(packet) == ERROR)
        end(t);
    else if (n == HEADER && get16(packet) == ACK && t->parent_fd < 0)
        take_ack(t);
    else if (n >= HEADER && get16(packet) == DATA && t->parent_fd >= 0)
        take_block(t, (size_t)n - HEADER);
}

/* -- Requests -------------------------------------------------------------- */

/* Whether a transfer writes to the file that STATUS is of. */
static bool is_being_written(const struct stat *status)
{
    for (int i = 0; i < TRANSFERS; i++) {
        const struct transfer *t = transfers[i];
        if (t != NULL && t->parent_fd >= 0 && !t->is_whole
            && t->status.st_ino == status->st_ino && t->status.st_dev == status->st_dev)
            return true;
    }
    return false;
}

static bool open_old(struct transfer *t, const char *name)
{
    t->file_fd = open_to_read(name, RESOLVE_IN_ROOT, &t->status);
    if (t->file_fd >= 0 && is_being_written(&t->status)) {
        close(t->file_fd);
        t->file_fd = -1;
        errno = EACCES;
    }
    return t->file_fd >= 0;
}

static bool open_new(struct transfer *t, char *name)
{
    const char *base;

    errno = EACCES;
    if (!may_write || (t->parent_fd = open_parent(name, RESOLVE_IN_ROOT, &base)) < 0)
        return false;
    t->file_fd = openat(t->parent_fd, base, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    t->base = strdup(base);
    if (t->file_fd >= 0 && fstat(t->file_fd, &t->status) == 0)
        return true;
    int why = errno;
    close(t->parent_fd);
    free(t->base);
    errno = why;
    return false;
}

/* Begins a transfer in place I of the table. */
static void begin(int i, const union address *client, struct request *asked)
{
    struct transfer *t = calloc(1, sizeof *t);

    if (t == NULL)
        return;
    if (asked->window > LARGEST_WINDOW)
        asked->window = LARGEST_WINDOW;
    t->client = *client;
    t->parent_fd = -1;
    t->block = asked->block > 0 ? (size_t)asked->block : USUAL_BLOCK;
    t->window = asked->window > 0 ? (size_t)asked->window : 1;
    t->patience_ms = asked->seconds > 0 ? asked->seconds * 1000 : 1000;
    if (!(asked->opcode == RRQ ? open_old(t, asked->name) : open_new(t, asked->name))) {
        send_error(main_fd, client, code_of(errno), strerror(errno));
        free(t);
        return;
    }
    transfers[i] = t;
    t->last = (uint64_t)t->status.st_size / t->block + 1;
    t->oack_len = make_oack(t->oack, sizeof t->oack, asked, t->status.st_size);
    t->is_open = t->oack_len == 0;
    make_progress(t);
    if ((t->fd = open_transfer(main_fd)) < 0)
        end(t);
    else
        repeat(t);
}

/* What comes again while its transfer goes on is passed over, and what there is no room for. */
static void take_request(void)
{
    union address from;
    socklen_t len = sizeof from;
    struct request asked;
    int room = -1;
    ssize_t n = recvfrom(main_fd, packet, sizeof packet, MSG_DONTWAIT, &from.any, &len);

    if (n < 0)
        return;
    for (int i = 0; i < TRANSFERS; i++)
        if (transfers[i] == NULL)
            room = i;
        else if (is_same(&transfers[i]->client, &from) && !transfers[i]->is_whole)
            return;
    bool is_request = parse_request(&asked, packet, (size_t)n);
    if (!is_request && (n < 2 || get16(packet) != ERROR))
        send_error(main_fd, &from, ILLEGAL, "Nothing that begins a transfer.");
    else if (is_request && strcasecmp(asked.mode, "octet") != 0)
        send_error(main_fd, &from, ILLEGAL, "Files are sent as they are.");
    else if (is_request && room >= 0)
        begin(room, &from, &asked);
}

/* -- The loop -------------------------------------------------------------- */

static void handle_signal(int number)
{
    (void)number;
    ending = 1;
}

static void turn(const sigset_t *while_waiting)
{
    struct pollfd wanted[TRANSFERS + 1];
    int64_t next = INT64_MAX, now = now_ms();

    for (int i = 0; i < TRANSFERS; i++) {
        struct transfer *t = transfers[i];
        wanted[i] = (struct pollfd){ t != NULL ? t->fd : -1, POLLIN, 0 };
        if (t != NULL && t->at < next)
            next = t->at;
    }
    wanted[TRANSFERS] = (struct pollfd){ main_fd, POLLIN, 0 };
    int64_t left = next > now ? next - now : 0;
    struct timespec patience = { left / 1000, left % 1000 * 1000000 };
    if (ppoll(wanted, TRANSFERS + 1, next == INT64_MAX ? NULL : &patience, while_waiting) < 0)
        return;
    for (int i = 0; i < TRANSFERS; i++) {
        if (transfers[i] != NULL && wanted[i].revents != 0)
            take_packet(transfers[i]);
        if (transfers[i] != NULL && transfers[i]->at <= now_ms())
            wake(transfers[i]);
    }
    if (wanted[TRANSFERS].revents != 0)
        take_request();
}

int main(int argc, char *argv[])
{
    struct sigaction action = { .sa_handler = handle_signal };
    sigset_t endings, before;

    sigemptyset(&endings);
    sigaddset(&endings, SIGINT);
    sigaddset(&endings, SIGTERM);
    sigprocmask(SIG_BLOCK, &endings, &before);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    main_fd = open_server(argc, argv);
    while (!ending)
        turn(&before);
    for (int i = 0; i < TRANSFERS; i++)
        if (transfers[i] != NULL)
            end(transfers[i]);
    return 0;
}
