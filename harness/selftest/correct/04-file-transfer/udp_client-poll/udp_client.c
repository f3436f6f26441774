/*
 * One socket for IPv4 and IPv6 (RFC 4291, 2.5.5.2), and poll(). Each time that nobody answers the
 * request it goes to the next address of HOST. What comes is written under another name, and
 * when it is whole the program stays until its last ACK cannot be asked for again (RFC 1350, 6).
 */
#include "tftp_client_setup.h"

#include <poll.h>

enum { TIMER_MS = 1000, LAST_WORDS_MS = 1200 };
enum state { ASKING, MOVING, STAYING };

static enum state state = ASKING;
static int fd, file_fd = -1;
static char part_name[PATH_MAX];    /* of the file until it is whole */
static off_t size;
static const struct addrinfo *list, *next;
static union address peer;
static char in[ROOM], out[ROOM];
static size_t request_len;
static uint64_t good, far;          /* saved and acknowledged by us; acknowledged to us and sent */
static bool has_told_gap;
static int64_t at;
static int tries;

static void remove_part(int number)
{
    (void)number;
    if (*part_name != '\0')
        unlink(part_name);
    _exit(1);
}

_Noreturn static void stop(unsigned code, const char *text)
{
    if (*part_name != '\0')
        unlink(part_name);
    break_off(fd, &peer, code, text);
}

/* -- What is said ---------------------------------------------------------- */

static void ask(void)
{
    if (next == NULL)
        next = list;
    memcpy(&peer, next->ai_addr, next->ai_addrlen);
    sendto(fd, out, request_len, 0, next->ai_addr, next->ai_addrlen);
    next = next->ai_next;
}

static void acknowledge(void)
{
    far = good;
    send_ack(fd, &peer, good);
}

static void send_window(void)
{
    uint64_t last = (uint64_t)size / block_size + 1;

    for (far = good; far < last && far < good + window; far++) {
        size_t len = far + 1 < last ? block_size : (size_t)size % block_size;
        if (pread(file_fd, out + HEADER, len, (off_t)(far * block_size)) != (ssize_t)len)
            stop(NOT_DEFINED, "has become shorter, or cannot be read");
        put16(out, DATA);
        put16(out + 2, (uint16_t)(far + 1));
        sendto(fd, out, HEADER + len, 0, &peer.any, sizeof peer.v6);
    }
}

static void speak(void)
{
    if (state == ASKING)
        ask();
    else if (is_get)
        acknowledge();
    else
        send_window();
    at = now_ms() + TIMER_MS;
}

/* -- What is heard --------------------------------------------------------- */

static void open_part(void)
{
    mode_t mask = umask(0);

    if (snprintf(part_name, sizeof part_name, "%s.part-XXXXXX", local_name) < PATH_MAX
        && (file_fd = mkostemp(part_name, O_CLOEXEC)) >= 0
        && fchmod(file_fd, 0666 & ~mask) == 0)
        return;
    int why = errno;
    if (file_fd < 0)
        *part_name = '\0';
    stop(code_of(why), strerror(why));
}

static void finish(void)
{
    if (close(file_fd) < 0 || rename(part_name, local_name) < 0)
        stop(code_of(errno), strerror(errno));
    *part_name = '\0';
    state = STAYING;
    at = now_ms() + LAST_WORDS_MS;
}

static void take_block(size_t len)
{
    uint16_t ahead = (uint16_t)(get16(in + 2) - (uint16_t)good);

    if (len > block_size)
        return;
    if (ahead == 1 && state == MOVING) {
        if (!put(file_fd, in + HEADER, len))
            stop(code_of(errno), strerror(errno));
        good++;
        has_told_gap = false;
        tries = 0;
        at = now_ms() + TIMER_MS;
        if (len < block_size)
            finish();
        if (len < block_size || good - far == window)
            acknowledge();
    } else if (ahead == 0 && far == good) {
        acknowledge();
    } else if (ahead > 1 && ahead <= window && !has_told_gap) {
        has_told_gap = true;
        acknowledge();
    }
}

static void take_ack(void)
{
    uint16_t ahead = (uint16_t)(get16(in + 2) - (uint16_t)good);

    if (ahead == 0 || ahead > far - good)
        return;
    good += ahead;
    tries = 0;
    if (good == (uint64_t)size / block_size + 1)
        exit(0);
    speak();
}

/* The first answer, which tells the port and what has been agreed on. */
static void begin(size_t n, const union address *from)
{
    bool is_oack = get16(in) == OACK && (asked_block > 0 || asked_window > 0);

    if (!is_oack && (is_get ? get16(in) != DATA || get16(in + 2) != 1
                     : get16(in) != ACK || get16(in + 2) != 0))
        return;
    peer = *from;
    state = MOVING;
    if (is_oack && !take_oack(in, n))
        stop(BAD_OPTIONS, "options that nobody wants");
    if (is_get)
        open_part();
    if (is_oack || !is_get)
        speak();
    else
        take_block(n - HEADER);
}

/* Whether FROM is one of the hosts that were asked. */
static bool is_asked(const union address *from)
{
    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
        if (is_same_host(from, (const union address *)(const void *)ai->ai_addr))
            return true;
    return false;
}

static void take_packet(void)
{
    union address from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(fd, in, sizeof in, MSG_DONTWAIT, &from.any, &len);

    if (n < 0)
        return;
    if (state == ASKING ? !is_asked(&from) : !is_same(&from, &peer)) {
        send_error(fd, &from, NO_TRANSFER, "unknown here");
    } else if (n >= HEADER && get16(in) == ERROR && state != STAYING) {
        if (*part_name != '\0')
            unlink(part_name);
        end_by_error(in, (size_t)n);
    } else if (n >= HEADER && state == ASKING) {
        begin((size_t)n, &from);
    } else if (n >= HEADER && is_get && get16(in) == DATA) {
        take_block((size_t)n - HEADER);
    } else if (n >= HEADER && is_get && get16(in) == OACK && good == 0) {
        acknowledge();
    } else if (n >= HEADER && !is_get && get16(in) == ACK) {
        take_ack();
    }
}

static void wake(void)
{
    if (state == STAYING)
        exit(0);
    if (tries++ == RETRIES) {
        if (*part_name != '\0')
            unlink(part_name);
        give_up();
    }
    speak();
}

/* -- Set-up ---------------------------------------------------------------- */

static void open_file(void)
{
    struct stat status;

    file_fd = open(local_name, O_RDONLY);
    if (file_fd < 0 || fstat(file_fd, &status) < 0)
        fail(local_name);
    if (!S_ISREG(status.st_mode))
        refuse("only a file can be sent");
    size = status.st_size;
}

static void open_socket_of_both(void)
{
    struct addrinfo hints = { .ai_family = AF_INET6, .ai_socktype = SOCK_DGRAM,
                              .ai_flags = AI_V4MAPPED | AI_ALL }, *found;
    int error = getaddrinfo(host, port, &hints, &found);

    if (error != 0)
        refuse(gai_strerror(error));
    list = found;
    fd = socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int)) < 0)
        fail("socket");
}

int main(int argc, char *argv[])
{
    read_options(argc, argv);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGINT, remove_part);
    signal(SIGTERM, remove_part);
    if (!is_get)
        open_file();
    open_socket_of_both();
    request_len = make_request(out);
    speak();
    for (;;) {
        int64_t left = at - now_ms();
        struct pollfd wanted = { fd, POLLIN, 0 };
        if (left <= 0)
            wake();
        else if (poll(&wanted, 1, (int)left) > 0)
            take_packet();
    }
}
