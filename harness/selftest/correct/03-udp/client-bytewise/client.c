/* stdin byte by byte, and a timer (timerfd) for each try, by epoll. */
#include "client_setup.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

static int epoll_fd, timer_fd;

static void watch(int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static void set_timer(void)
{
    struct itimerspec time = { .it_value = { patience_ms / 1000,
                                             patience_ms % 1000 * 1000000 } };

    if (timerfd_settime(timer_fd, 0, &time, NULL) < 0)
        fail("timer");
}

/* Waits for the reply, or the timer. */
static enum outcome wait_for(int fd, const char *line, size_t len)
{
    static char reply[ROOM];

    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epoll_fd, &event, 1, -1) <= 0)
            continue;
        if (event.data.fd == timer_fd)
            return SILENT;
        ssize_t n = recv(fd, reply, sizeof reply, MSG_DONTWAIT);
        if (n < 0 && errno == ECONNREFUSED)
            return REFUSED;
        if (n == (ssize_t)len && memcmp(reply, line, len) == 0)
            return ANSWERED;
    }
}

static enum outcome ask(const struct addrinfo *address, const char *line, size_t len)
{
    enum outcome outcome = SILENT;
    int fd = socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        fail("connect");
    watch(fd);
    for (long i = 0; i <= retries && outcome == SILENT; i++) {
        set_timer();
        ssize_t n = send(fd, line, len, 0);
        if (n < 0 && errno != ECONNREFUSED)
            fail("send");
        outcome = n < 0 ? REFUSED : wait_for(fd, line, len);
    }
    close(fd);
    return outcome;
}

int main(int argc, char *argv[])
{
    static char line[ROOM];
    const struct addrinfo *address = read_options(argc, argv);
    size_t len = 0;
    ssize_t n;
    char byte;

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (epoll_fd < 0 || timer_fd < 0)
        fail("timer");
    watch(timer_fd);
    while ((n = read(STDIN_FILENO, &byte, 1)) != 0) {
        if (n < 0 && errno != EINTR)
            fail("stdin");
        if (n > 0 && byte == '\n') {
            talk(&address, line, len);
            len = 0;
        } else if (n > 0 && len < ROOM) {
            line[len++] = byte;
        }
    }
    if (len > 0)
        talk(&address, line, len);
    return 0;
}
