/*
 * A process for each transfer, in one process group. It answers from the address that was asked,
 * also where the server is at all of them (IP_PKTINFO). Files are read once, from their beginning
 * to their end: a window stays in memory until it is acknowledged. select() with a deadline.
 * Each packet behind a gap is answered by the ACK of what is before the gap.
 */
#include "tftp_server_setup.h"

#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>

enum { LARGEST_WINDOW = 7, RETRIES = 3 };

struct block {
    size_t len;
    char packet[ROOM];
};

static int main_fd, fd;             /* of requests; of this transfer */
static union address client;
static struct request asked;
static size_t block_size = USUAL_BLOCK, window = 1, oack_len;
static int64_t patience_ms = 1000;
static char oack[200], in[ROOM];
static uint64_t good;               /* the last block acknowledged, or saved */

/* Receives a packet of the client until the time is END. Returns its length; 0 at the end. */
static size_t next_packet(int64_t end)
{
    for (int64_t left; (left = end - now_ms()) > 0; ) {
        struct timeval patience = { left / 1000, left % 1000 * 1000 };
        union address from;
        socklen_t len = sizeof from;
        fd_set wanted;
        FD_ZERO(&wanted);
        FD_SET(fd, &wanted);
        if (select(fd + 1, &wanted, NULL, NULL, &patience) != 1)
            continue;
        ssize_t n = recvfrom(fd, in, sizeof in, MSG_DONTWAIT, &from.any, &len);
        if (n >= 0 && !is_same(&from, &client))
            send_error(fd, &from, NO_TRANSFER, "no such transfer");
        else if (n >= 2 && get16(in) == ERROR)
            exit(0);
        else if (n >= HEADER)
            return (size_t)n;
    }
    return 0;
}

_Noreturn static void break_off(unsigned code, const char *text)
{
    send_error(fd, &client, code, text);
    exit(0);
}

/* -- A file goes out ------------------------------------------------------- */

static void agree(void)
{
    for (int i = 0; i <= RETRIES; i++) {
        int64_t end = now_ms() + patience_ms;
        sendto(fd, oack, oack_len, 0, &client.any, length_of(&client));
        while (next_packet(end) > 0)
            if (get16(in) == ACK && get16(in + 2) == 0)
                return;
    }
    exit(0);
}

static void load(struct block *block, int file_fd, uint64_t number, size_t wanted)
{
    ssize_t n = 1;

    put16(block->packet, DATA);
    put16(block->packet + 2, (uint16_t)number);
    for (block->len = HEADER; n > 0 && block->len < HEADER + wanted; block->len += (size_t)n)
        if ((n = read(file_fd, block->packet + block->len, HEADER + wanted - block->len)) < 0)
            break_off(NOT_DEFINED, "not to be read any more");
    if (block->len < HEADER + wanted)
        break_off(NOT_DEFINED, "cut while it was sent");
}

/* Sends the blocks of KEPT from the first to be acknowledged on up to block FAR. Returns whether
 * an ACK has come of one of them. */
static bool send_window(const struct block *kept, uint64_t far)
{
    int64_t end = now_ms() + patience_ms;

    for (uint64_t number = good + 1; number <= far; number++) {
        const struct block *block = &kept[number % window];
        sendto(fd, block->packet, block->len, 0, &client.any, length_of(&client));
    }
    while (next_packet(end) > 0) {
        uint16_t ahead = (uint16_t)(get16(in + 2) - (uint16_t)good);
        if (get16(in) == ACK && ahead >= 1 && ahead <= far - good) {
            good += ahead;
            return true;
        }
    }
    return false;
}

static void send_file(void)
{
    static struct block kept[LARGEST_WINDOW];
    struct stat status;
    uint64_t far = 0;
    int file_fd = open_to_read(asked.name, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, &status);

    if (file_fd < 0)
        break_off(code_of(errno), "not to be had");
    if ((oack_len = make_oack(oack, sizeof oack, &asked, status.st_size)) > 0)
        agree();
    uint64_t last = (uint64_t)status.st_size / block_size + 1;
    for (int tries = 0; good < last && tries <= RETRIES; tries++) {
        for (; far < last && far < good + window; far++)
            load(&kept[(far + 1) % window], file_fd, far + 1,
                 far + 1 < last ? block_size : (size_t)status.st_size % block_size);
        if (send_window(kept, far))
            tries = -1;
    }
}

/* -- A file comes in ------------------------------------------------------- */

static void answer(void)
{
    if (good == 0 && oack_len > 0)
        sendto(fd, oack, oack_len, 0, &client.any, length_of(&client));
    else
        send_ack(fd, &client, good);
}

static void save_file(void)
{
    struct saving saving;
    uint64_t acked = 0;
    bool whole = false;

    if (!may_write)
        break_off(NO_ACCESS, "reading only");
    if (!begin_saving(&saving, asked.name))
        break_off(code_of(errno), "not to be made");
    oack_len = make_oack(oack, sizeof oack, &asked, 0);
    answer();
    for (int tries = 0; tries <= RETRIES; ) {
        size_t n = next_packet(now_ms() + (whole ? 3 : 1) * patience_ms);
        uint16_t ahead = (uint16_t)(get16(in + 2) - (uint16_t)good);
        if (n == 0 && whole)
            return;
        if (n > 0 && (get16(in) != DATA || n > HEADER + block_size || ahead > INT16_MAX))
            continue;
        tries = n == 0 ? tries + 1 : 0;
        if (n > 0 && ahead == 1 && !whole) {
            whole = n < HEADER + block_size;
            if (!put(saving.fd, in + HEADER, n - HEADER) || (whole && !finish_saving(&saving)))
                break_off(code_of(errno), "not to be saved");
            good++;
        } else if (n > 0 && ahead == 0 && good != acked) {
            continue;               /* one of a window comes twice */
        }
        if (n == 0 || ahead != 1 || whole || good - acked == window) {
            acked = good;
            answer();
        }
    }
}

/* -- Requests -------------------------------------------------------------- */

/* Receives a request into the LEN bytes of TEXT, and the address of ours that it was sent to. */
static ssize_t receive(char *text, size_t len, union address *own)
{
    struct iovec data = { text, len };
    char control[200];
    struct msghdr message = { .msg_name = &client, .msg_namelen = sizeof client, .msg_iov = &data,
                              .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = sizeof control };
    socklen_t own_len = sizeof *own;
    ssize_t n = recvmsg(main_fd, &message, 0);

    if (n < 0 || getsockname(main_fd, &own->any, &own_len) < 0)
        return -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO
            && own->any.sa_family == AF_INET) {
            memcpy(&own->v4.sin_addr, &((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_addr,
                   sizeof own->v4.sin_addr);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *info = (void *)CMSG_DATA(c);
            own->v6.sin6_addr = info->ipi6_addr;
            own->v6.sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)
                ? info->ipi6_ifindex : 0;
        }
    own->v4.sin_port = 0;
    return n;
}

_Noreturn static void serve(const union address *own)
{
    fd = socket(own->any.sa_family, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, &own->any, length_of(own)) < 0)
        fail("bind");
    if (strcasecmp(asked.mode, "octet") != 0)
        break_off(ILLEGAL, "not in this mode");
    if (asked.window > LARGEST_WINDOW)
        asked.window = LARGEST_WINDOW;
    if (asked.window > 0)
        window = (size_t)asked.window;
    if (asked.block > 0)
        block_size = (size_t)asked.block;
    if (asked.seconds > 0)
        patience_ms = asked.seconds * 1000;
    if (asked.opcode == RRQ)
        send_file();
    else
        save_file();
    exit(0);
}

static void end_all(int number)
{
    (void)number;
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(NULL) > 0)
        ;
    _exit(0);
}

/* Children that end are nobody's business: SIGCHLD ignored leaves no zombies. */
int main(int argc, char *argv[])
{
    static char request[ROOM];
    union address own;
    sigset_t endings, none;

    setpgid(0, 0);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGINT, end_all);
    signal(SIGTERM, end_all);
    sigemptyset(&none);
    sigemptyset(&endings);
    sigaddset(&endings, SIGINT);
    sigaddset(&endings, SIGTERM);
    main_fd = open_server(argc, argv);
    setsockopt(main_fd, IPPROTO_IP, IP_PKTINFO, &(int){ 1 }, sizeof(int));
    setsockopt(main_fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &(int){ 1 }, sizeof(int));
    for (;;) {
        ssize_t n = receive(request, sizeof request, &own);
        if (n < 0 || !parse_request(&asked, request, (size_t)n))
            continue;
        sigprocmask(SIG_BLOCK, &endings, NULL);     /* a child is no parent for a moment */
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            signal(SIGINT, SIG_DFL);
            signal(SIGTERM, SIG_DFL);
            close(main_fd);
            sigprocmask(SIG_SETMASK, &none, NULL);
            serve(&own);
        }
        sigprocmask(SIG_SETMASK, &none, NULL);
    }
}
