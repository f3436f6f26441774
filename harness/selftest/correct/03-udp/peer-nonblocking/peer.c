/* Nothing blocks: epoll tells of stdin, the socket and the signals, and each is emptied. A
 * stdin that epoll does not take is a file, which never makes anybody wait. */
#include "peer_setup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static char line[ROOM];
static size_t used;

static int signals(void)
{
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    return signalfd(-1, &ending, SFD_CLOEXEC);
}

/* Returns whether FD can be waited for. */
static bool watch(int epoll_fd, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    if (errno != EPERM)
        fail("epoll_ctl");
    return false;
}

static void take_byte(int fd, char byte)
{
    if (byte != '\n' && used < sizeof line) {
        line[used++] = byte;
    } else if (byte == '\n') {
        send_line(fd, line, used);
        used = 0;
    }
}

/* Takes all there is of stdin. Returns whether more can come. */
static bool drain_stdin(int fd)
{
    char piece[300];
    ssize_t n;

    while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0)
        for (ssize_t i = 0; i < n; i++)
            take_byte(fd, piece[i]);
    if (n < 0 && errno != EAGAIN)
        fail("stdin");
    if (n == 0 && used > 0)
        take_byte(fd, '\n');
    return n < 0;
}

/* Where stdin and stdout are one terminal, stdout does not block either. */
static void print(const char *text, size_t len)
{
    struct pollfd room = { .fd = STDOUT_FILENO, .events = POLLOUT };

    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno != EAGAIN)
            fail("stdout");
        if (n < 0)
            poll(&room, 1, -1);
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void drain_socket(int fd)
{
    static char text[NAME_ROOM + ROOM];
    struct sockaddr_storage from;

    for (;;) {
        socklen_t from_len = sizeof from;
        ssize_t n = recvfrom(fd, text + NAME_ROOM, LARGEST, MSG_DONTWAIT,
                             (struct sockaddr *)&from, &from_len);
        if (n < 0)
            return;
        int name_len = name_sender(text, &from);
        size_t len = (size_t)name_len + (size_t)n;
        memmove(text + name_len, text + NAME_ROOM, (size_t)n);
        if (n == 0 || text[len - 1] != '\n')
            text[len++] = '\n';
        print(text, len);
    }
}

int main(int argc, char *argv[])
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC), signal_fd = signals();
    int fd = open_peer(argc, argv);
    struct epoll_event event;

    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    watch(epoll_fd, signal_fd);
    watch(epoll_fd, fd);
    if (!watch(epoll_fd, STDIN_FILENO))
        drain_stdin(fd);
    for (;;) {
        if (epoll_wait(epoll_fd, &event, 1, -1) <= 0)
            continue;
        if (event.data.fd == signal_fd)
            return 0;
        if (event.data.fd == fd)
            drain_socket(fd);
        else if (!drain_stdin(fd))
            epoll_ctl(epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    }
}
