/*
 * Blocking calls with SO_RCVTIMEO; files are in memory as a whole. Along with other options it
 * asks for tsize, too. Each packet behind a gap is answered by the ACK of what is before the gap.
 * Addresses where nothing listens are told by the kernel (IP_RECVERR).
 */
#include "tftp_client_setup.h"

#include <linux/errqueue.h>

static int fd;
static union address peer;
static bool is_found;               /* the server has answered: PEER has its new port, too */
static char in[ROOM], out[ROOM];
static size_t request_len;
static char *whole;                 /* the file */
static size_t size, room;
static uint64_t good, acked, sent;  /* blocks: saved, or acknowledged to us; ACK sent; DATA sent */
static int64_t end;
static int tries;

/* -- Files ----------------------------------------------------------------- */

static void append(const char *data, size_t len)
{
    if (whole == NULL || size + len > room) {
        room = 2 * room + len + 4096;
        if ((whole = realloc(whole, room)) == NULL)
            refuse("no memory for the file");
    }
    memcpy(whole + size, data, len);
    size += len;
}

static void load(void)
{
    FILE *file = fopen(local_name, "rb");
    size_t n;

    if (file == NULL)
        fail(local_name);
    while ((n = fread(in, 1, sizeof in, file)) > 0)
        append(in, n);
    if (ferror(file))
        fail(local_name);
    fclose(file);
}

/* Puts the file in its place, at once and as a whole; false: errno says why not. */
static bool save(void)
{
    char path[PATH_MAX];
    mode_t mask = umask(0);

    if (snprintf(path, sizeof path, "%s.XXXXXX", local_name) >= (int)sizeof path)
        return false;
    int file_fd = mkstemp(path);
    if (file_fd < 0)
        return false;
    if (put(file_fd, whole, size) && fchmod(file_fd, 0666 & ~mask) == 0 && close(file_fd) == 0
        && rename(path, local_name) == 0)
        return true;
    int why = errno;
    unlink(path);
    errno = why;
    return false;
}

/* -- Packets --------------------------------------------------------------- */

/* Sends what is to be answered next. */
static void speak(void)
{
    if (!is_found) {
        sendto(fd, out, request_len, 0, &peer.any, length_of(&peer));
    } else if (is_get) {
        acked = good;
        send_ack(fd, &peer, good);
    } else {
        for (sent = good; sent < good + window && sent <= size / block_size; sent++) {
            size_t at = sent * block_size, len = size - at < block_size ? size - at : block_size;
            put16(out, DATA);
            put16(out + 2, (uint16_t)(sent + 1));
            memcpy(out + HEADER, whole + at, len);
            sendto(fd, out, HEADER + len, 0, &peer.any, length_of(&peer));
        }
    }
    end = now_ms() + 1000;
}

/* Whether a packet of N bytes FROM somebody is the server's, and the first one fits a request. */
static bool is_wanted(ssize_t n, const union address *from)
{
    if (is_found ? !is_same(from, &peer) : !is_same_host(from, &peer)) {
        send_error(fd, from, NO_TRANSFER, "I do not talk to you");
        return false;
    }
    if (n < HEADER || is_found || get16(in) == ERROR || get16(in) == OACK)
        return n >= HEADER;
    return is_get ? get16(in) == DATA && get16(in + 2) == 1
        : get16(in) == ACK && get16(in + 2) == 0;
}

/* The server's next packet; 0: nothing is where it was asked. Ends where none comes any more. */
static size_t listen_to_it(void)
{
    for (;;) {
        int64_t left = end - now_ms();
        if (left <= 0) {
            if (tries++ == RETRIES)
                give_up();
            speak();
            continue;
        }
        struct timeval patience = { left / 1000, left % 1000 * 1000 };
        union address from;
        socklen_t len = sizeof from;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ssize_t n = recvfrom(fd, in, sizeof in, 0, &from.any, &len);
        if (n < 0 && errno == ECONNREFUSED && !is_found)
            return 0;
        if (n < 0 || !is_wanted(n, &from))
            continue;
        if (get16(in) == ERROR)
            end_by_error(in, (size_t)n);
        is_found = true;
        peer = from;
        return (size_t)n;
    }
}

/* -- Transfers ------------------------------------------------------------- */

/* What the server agrees to, if this is the time for it. */
static bool take_options(size_t n)
{
    if (get16(in) != OACK || good > 0 || sent > 0)
        return false;
    if (!take_oack(in, n))
        break_off(fd, &peer, BAD_OPTIONS, "options that were not asked for");
    return true;
}

/* Takes DATA of LEN bytes. Returns whether it was the last one. */
static bool take_block(size_t len)
{
    uint16_t ahead = (uint16_t)(get16(in + 2) - (uint16_t)good);
    bool is_last = false;

    if (len > block_size || ahead > INT16_MAX || (ahead == 0 && good != acked))
        return false;
    tries = 0;
    if (ahead == 1) {
        append(in + HEADER, len);
        good++;
        is_last = len < block_size;
        if (is_last && !save())
            break_off(fd, &peer, code_of(errno), strerror(errno));
    }
    if (ahead != 1 || is_last || good - acked == window)
        speak();
    else
        end = now_ms() + 1000;
    return is_last;
}

static void get(size_t n)
{
    for (;; n = listen_to_it())
        if (take_options(n))
            speak();
        else if (get16(in) == DATA && take_block(n - HEADER))
            return;
}

static void put_file(size_t n)
{
    take_options(n);
    while (good <= size / block_size) {
        tries = 0;
        speak();
        for (uint64_t before = good; good == before; ) {
            listen_to_it();
            uint16_t ahead = (uint16_t)(get16(in + 2) - (uint16_t)good);
            if (get16(in) == ACK && ahead <= sent - good)
                good += ahead;
        }
    }
}

int main(int argc, char *argv[])
{
    size_t n = 0;

    read_options(argc, argv);
    signal(SIGXFSZ, SIG_IGN);
    append("", 0);
    if (!is_get)
        load();
    if (asked_block > 0 || asked_window > 0)
        asked_size = (long long)size;
    request_len = make_request(out);
    struct addrinfo *list = look_up(host, port, SOCK_DGRAM, 0);
    for (struct addrinfo *ai = list; n == 0 && ai != NULL; ai = ai->ai_next) {
        memcpy(&peer, ai->ai_addr, ai->ai_addrlen);
        if ((fd = socket(ai->ai_family, SOCK_DGRAM, 0)) < 0)
            fail("socket");
        if (ai->ai_family == AF_INET)
            setsockopt(fd, IPPROTO_IP, IP_RECVERR, &(int){ 1 }, sizeof(int));
        else
            setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &(int){ 1 }, sizeof(int));
        tries = 0;
        speak();
        n = listen_to_it();
    }
    freeaddrinfo(list);
    if (n == 0) {
        errno = ECONNREFUSED;
        fail(host);
    }
    if (is_get)
        get(n);
    else
        put_file(n);
    return 0;
}
