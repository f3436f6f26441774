/*
 * setitimer() and a handler of SIGALRM that longjmp() leaves: it is let in only around recvfrom().
 * Each time that nothing comes it waits twice as long. What comes is written under its own name,
 * and removed where it does not become whole. A gap is not told: the timer ends it. stdio.
 */
#include "tftp_client_setup.h"

#include <setjmp.h>
#include <sys/time.h>

static int fd;
static FILE *file;
static bool is_cut;                 /* the file is ours, and not whole yet */
static off_t size;
static union address peer;
static bool is_found;
static char in[ROOM], out[ROOM];
static size_t request_len;
static uint64_t good, acked;
static long wait_s = 1;
static int tries;
static sigjmp_buf too_late;

static void handle_alarm(int number)
{
    (void)number;
    siglongjmp(too_late, 1);
}

static void remove_cut(void)
{
    struct stat status;

    if (is_cut && fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode))
        unlink(local_name);
}

static void handle_end(int number)
{
    (void)number;
    remove_cut();
    _exit(1);
}

static void set_timer(long seconds)
{
    setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_sec = seconds }, NULL);
}

static void be_new(void)
{
    tries = 0;
    wait_s = 1;
    set_timer(1);
}

/* Receives whatever comes. Returns its length, -1 for an error, or 0 if the time is over. */
static ssize_t receive(union address *from)
{
    socklen_t len = sizeof *from;
    sigset_t alarms;

    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    if (sigsetjmp(too_late, 1) != 0)
        return 0;
    sigprocmask(SIG_UNBLOCK, &alarms, NULL);
    ssize_t n = recvfrom(fd, in, sizeof in, 0, &from->any, &len);
    int why = errno;
    sigprocmask(SIG_BLOCK, &alarms, NULL);
    errno = n < 0 ? why : 0;
    return n == 0 ? -1 : n;
}

/* Whether a packet of N bytes begins a transfer. */
static bool is_answer(ssize_t n)
{
    if (n < HEADER || get16(in) == ERROR || get16(in) == OACK)
        return n >= HEADER;
    return is_get ? get16(in) == DATA && get16(in + 2) == 1
        : get16(in) == ACK && get16(in + 2) == 0;
}

/* The server's next packet, what SPEAK says being said again meanwhile; 0: nobody is there. */
static size_t hear(void (*speak)(void))
{
    for (;;) {
        union address from;
        ssize_t n = receive(&from);
        if (n == 0) {
            if (tries++ == RETRIES)
                give_up();
            speak();
            set_timer(wait_s *= 2);
        } else if (n < 0) {
            if (errno == ECONNREFUSED && !is_found)
                return 0;
        } else if (is_found ? !is_same(&from, &peer) : !is_same_host(&from, &peer)) {
            send_error(fd, &from, NO_TRANSFER, "go away");
        } else if (is_found ? n >= HEADER : is_answer(n)) {
            if (get16(in) == ERROR)
                end_by_error(in, (size_t)n);
            is_found = true;
            peer = from;
            return (size_t)n;
        }
    }
}

static void end_with(unsigned code, const char *text)
{
    break_off(fd, &peer, code, text);
}

/* -- get ------------------------------------------------------------------- */

static void acknowledge(void)
{
    acked = good;
    send_ack(fd, &peer, good);
}

/* Takes DATA of LEN bytes, the next one. Returns whether it was the last. */
static bool save(size_t len)
{
    bool is_last = len < block_size;

    if (fwrite(in + HEADER, 1, len, file) < len || (is_last && fflush(file) == EOF))
        end_with(code_of(errno), strerror(errno));
    good++;
    be_new();
    if (is_last)
        is_cut = false;
    if (is_last || good - acked == window)
        acknowledge();
    return is_last;
}

static void get(size_t n)
{
    if ((file = fopen(local_name, "wb")) == NULL)
        end_with(code_of(errno), strerror(errno));
    is_cut = true;
    for (bool is_whole = false; !is_whole; n = is_whole ? 0 : hear(acknowledge)) {
        uint16_t ahead = (uint16_t)(get16(in + 2) - (uint16_t)good);
        if (get16(in) == OACK && good == 0)
            acknowledge();
        else if (get16(in) != DATA || n > HEADER + block_size)
            continue;
        else if (ahead == 1)
            is_whole = save(n - HEADER);
        else if (ahead == 0 && good == acked)
            acknowledge();
    }
}

/* -- put ------------------------------------------------------------------- */

static void send_window(void)
{
    uint64_t last = (uint64_t)size / block_size + 1;

    if (fseeko(file, (off_t)(good * block_size), SEEK_SET) < 0)
        end_with(NOT_DEFINED, strerror(errno));
    for (uint64_t number = good + 1; number <= last && number <= good + window; number++) {
        size_t len = number < last ? block_size : (size_t)size % block_size;
        if (fread(out + HEADER, 1, len, file) < len)
            end_with(NOT_DEFINED, "it is not any more what it was");
        put16(out, DATA);
        put16(out + 2, (uint16_t)number);
        sendto(fd, out, HEADER + len, 0, &peer.any, length_of(&peer));
    }
}

static void put_file(void)
{
    uint64_t last = (uint64_t)size / block_size + 1;

    while (good < last) {
        uint64_t most = last - good < window ? last - good : window, before = good;
        be_new();
        send_window();
        while (good == before) {
            hear(send_window);
            uint16_t ahead = (uint16_t)(get16(in + 2) - (uint16_t)good);
            if (get16(in) == ACK && ahead <= most)
                good += ahead;
        }
    }
}

/* -- The request ----------------------------------------------------------- */

static void open_old(void)
{
    struct stat status;

    if ((file = fopen(local_name, "rb")) == NULL || fstat(fileno(file), &status) < 0)
        fail(local_name);
    if (!S_ISREG(status.st_mode))
        refuse("no file");
    size = status.st_size;
}

static void ask(void)
{
    sendto(fd, out, request_len, 0, &peer.any, length_of(&peer));
}

/* Returns the length of the first answer there is, from any address of HOST. */
static size_t first_answer(void)
{
    struct addrinfo *list = look_up(host, port, SOCK_DGRAM, 0);
    size_t n = 0;

    for (struct addrinfo *ai = list; n == 0 && ai != NULL; ai = ai->ai_next) {
        memcpy(&peer, ai->ai_addr, ai->ai_addrlen);
        if ((fd = socket(ai->ai_family, SOCK_DGRAM, 0)) < 0)
            fail("socket");
        setsockopt(fd, IPPROTO_IP, IP_RECVERR, &(int){ 1 }, sizeof(int));
        if (ai->ai_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &(int){ 1 }, sizeof(int));
        be_new();
        ask();
        n = hear(ask);
    }
    freeaddrinfo(list);
    if (n == 0)
        refuse("Connection refused");
    return n;
}

int main(int argc, char *argv[])
{
    sigset_t alarms;

    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarms, NULL);
    signal(SIGALRM, handle_alarm);
    signal(SIGINT, handle_end);
    signal(SIGTERM, handle_end);
    signal(SIGXFSZ, SIG_IGN);
    read_options(argc, argv);
    atexit(remove_cut);
    if (!is_get)
        open_old();
    request_len = make_request(out);
    size_t n = first_answer();
    if (get16(in) == OACK && !take_oack(in, n))
        end_with(BAD_OPTIONS, "too many options");
    if (is_get)
        get(n);
    else
        put_file();
    return 0;
}
