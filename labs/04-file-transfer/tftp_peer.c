/* tftp_peer - see tftp_peer.h. */
#include "tftp_peer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "net.h"

/* -- The socket ----------------------------------------------------------- */

/* With this on, an ICMP message about what we sent becomes an error of our
 * socket. Without connect() we would never hear of it, see ip(7). */
static int want_icmp(const struct transfer *t, int yes)
{
    return t->peer.ss_family == AF_INET
        ? setsockopt(t->fd, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes)
        : setsockopt(t->fd, IPPROTO_IPV6, IPV6_RECVERR, &yes, sizeof yes);
}

bool begin_transfer(struct transfer *t, const struct sockaddr_storage *peer,
                    const struct sockaddr_storage *own_addr)
{
    t->peer = *peer;
    t->knows_port = own_addr != NULL;
    t->block_size = USUAL_BLOCK;
    t->window = 1;
    t->timeout = USUAL_TIMEOUT;
    t->repeats = 0;
    t->limit = 0;

    /* Not connected: the answer to a request comes from another port, and
     * later we want to see what comes from wrong ones. */
    t->fd = socket(peer->ss_family, SOCK_DGRAM, 0);
    if (t->fd >= 0
        && (own_addr == NULL ? want_icmp(t, 1)
                             : bind(t->fd, (const struct sockaddr *)own_addr,
                                    addr_len(own_addr))) == 0)
        return true;
    snprintf(t->reason, sizeof t->reason, "%s", strerror(errno));
    if (t->fd >= 0)
        close(t->fd);
    return false;
}

void use_options(struct transfer *t, const struct options *options)
{
    if (options->has[BLKSIZE])
        t->block_size = options->value[BLKSIZE];
    if (options->has[TIMEOUT])
        t->timeout = options->value[TIMEOUT] * 1000;
    if (options->has[WINDOWSIZE])
        t->window = options->value[WINDOWSIZE];

    /* Room for a whole window, and what the kernel adds to each packet. What
     * finds no room is lost and comes again: that costs time, no more. */
    unsigned long room = t->window * (t->block_size + 1024);
    int size = room < INT_MAX ? (int)room : INT_MAX, old;
    socklen_t len = sizeof old;
    if (getsockopt(t->fd, SOL_SOCKET, SO_RCVBUF, &old, &len) < 0
        || (size > old && setsockopt(t->fd, SOL_SOCKET, SO_RCVBUF, &size,
                                     sizeof size) < 0))
        complain("SO_RCVBUF");
}

bool send_packet(const struct transfer *t, const struct packet *packet,
                 const struct sockaddr_storage *to)
{
    while (sendto(t->fd, packet->bytes, packet->len, 0,
                  (const struct sockaddr *)to, addr_len(to)) < 0)
        if (errno != EINTR)
            return false;
    return true;
}

/* -- The end -------------------------------------------------------------- */

static enum outcome unreachable(struct transfer *t)
{
    snprintf(t->reason, sizeof t->reason, "%s", strerror(errno));
    return UNREACHABLE;
}

enum outcome break_off(struct transfer *t, enum error_code code,
                       const char *why)
{
    snprintf(t->reason, sizeof t->reason, "%s", why);
    make_error(&t->out, code, why);
    send_packet(t, &t->out, &t->peer);  /* once: nobody acknowledges it */
    return FAILED;
}

enum outcome break_off_errno(struct transfer *t)
{
    static const struct { int why; enum error_code code; } codes[] = {
        { ENOENT, FILE_NOT_FOUND }, { ENAMETOOLONG, FILE_NOT_FOUND },
        { EACCES, ACCESS_VIOLATION }, { EPERM, ACCESS_VIOLATION },
        { EROFS, ACCESS_VIOLATION }, { ENOSPC, DISK_FULL },
        { EDQUOT, DISK_FULL }, { EFBIG, DISK_FULL },
        { EEXIST, FILE_EXISTS }, { EISDIR, FILE_EXISTS },
    };
    const char *text = strerror(errno);

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].why == errno)
            return break_off(t, codes[i].code, text);
    return break_off(t, NOT_DEFINED, text);
}

/* -- Waiting -------------------------------------------------------------- */

/* now() cuts off a part of a millisecond: so wait one more. */
void set_deadline(struct transfer *t, unsigned long milliseconds)
{
    t->left = (long long)milliseconds + 1;
    t->deadline = now() + t->left;
}

void await_data(struct transfer *t)
{
    set_deadline(t, t->timeout + t->timeout / 4);
}

/* Whether the packet that has come is from the peer. */
static bool is_from_peer(struct transfer *t)
{
    bool right = is_same_host(&t->sender, &t->peer)
        && (!t->knows_port || port_of(&t->sender) == port_of(&t->peer));

    /* STEP 30: tell others that they are wrong here; nothing else changes for
     * us. But never answer an ERROR: two who do so would never end. */
    if (!right && opcode_of(&t->in) != ERROR) {
        struct packet error;
        make_error(&error, UNKNOWN_PORT, "Unknown transfer ID");
        send_packet(t, &error, &t->sender);
    }
    /* END STEP 30; silent; stub: right = true; */

    return right;
}

/* Reads an ICMP message, if there is one. Returns true, errno, where it tells
 * that the peer cannot be reached, before we have heard anything from it. */
static bool is_unreachable(struct transfer *t)
{
    struct sock_extended_err error = { .ee_errno = 0 };
    struct sockaddr_storage sent_to = { .ss_family = AF_UNSPEC };
    union { struct cmsghdr align; char bytes[512]; } control;
    struct msghdr message = {
        .msg_name = &sent_to, .msg_namelen = sizeof sent_to,
        .msg_control = &control, .msg_controllen = sizeof control
    };

    if (recvmsg(t->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL;
         c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_type == IP_RECVERR || c->cmsg_type == IPV6_RECVERR)
            memcpy(&error, CMSG_DATA(c), sizeof error);
    errno = (int)error.ee_errno;
    return !t->knows_port && is_same_host(&sent_to, &t->peer);
}

/* recvfrom() shall wait as long as is left, then fail with EAGAIN. To set it
 * is a system call; mostly it is what it was. */
static void limit_wait(struct transfer *t)
{
    struct timeval limit = { t->left / 1000, t->left % 1000 * 1000 };

    if (t->limit != t->left && setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO,
                                          &limit, sizeof limit) < 0)
        die("SO_RCVTIMEO");
    t->limit = t->left;
}

enum outcome next_packet(struct transfer *t)
{
    for (;;) {
        if (t->left == 0)               /* another has come since the wait */
            t->left = t->deadline - now();      /* began */
        if (t->left <= 0)
            return t->repeats++ < MAX_REPEATS ? AGAIN : NO_ANSWER;

        socklen_t len = sizeof t->sender;
        limit_wait(t);
        ssize_t n = recvfrom(t->fd, t->in.bytes, sizeof t->in.bytes, 0,
                             (struct sockaddr *)&t->sender, &len);
        t->left = 0;
        t->in.len = n < 0 ? 0 : (size_t)n;
        if (n >= 0 && is_from_peer(t))
            break;
        if (n < 0 && errno != EAGAIN && errno != EINTR && is_unreachable(t))
            return unreachable(t);
    }
    if (t->heard != NULL)
        *t->heard = true;
    if (opcode_of(&t->in) != ERROR)
        return DONE;
    read_error(&t->in, t->reason, sizeof t->reason);
    return FAILED;
}

/* -- Opening -------------------------------------------------------------- */

/* Waits for the answer to t->out. */
static enum outcome await_answer(struct transfer *t, enum opcode opcode)
{
    unsigned asked = opcode_of(&t->out);
    enum outcome outcome;

    while ((outcome = next_packet(t)) == DONE) {
        unsigned came = opcode_of(&t->in);
        if (came == opcode && block_of(&t->in) == (opcode == DATA ? 1 : 0))
            break;
        if (came == OACK && (asked == RRQ || asked == WRQ))
            break;
        if (came == OACK && asked == ACK)
            return AGAIN;               /* our ACK 0 was lost */
    }
    return outcome;
}

enum outcome exchange(struct transfer *t, enum opcode opcode)
{
    bool waits_for_data = opcode == DATA && opcode_of(&t->out) != RRQ;
    enum outcome outcome;

    /* STEP 24: send until there is an answer. A request goes to the server's
     * known port; the port that its answer comes from is the transfer's. */
    do {
        if (!send_packet(t, &t->out, &t->peer) && !t->knows_port)
            return unreachable(t);
        if (waits_for_data)
            await_data(t);
        else
            set_deadline(t, t->timeout);
        outcome = await_answer(t, opcode);
    } while (outcome == AGAIN);
    if (outcome == DONE && !t->knows_port) {
        set_port(&t->peer, port_of(&t->sender));
        t->knows_port = true;
        if (want_icmp(t, 0) < 0)
            complain("IP_RECVERR");
    }
    /* END STEP 24; stub:
    (void)waits_for_data;
    (void)await_answer;
    outcome = NO_ANSWER; */

    t->repeats = 0;
    return outcome;
}
