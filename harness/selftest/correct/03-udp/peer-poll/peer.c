/* poll() over stdin and the socket; the part of a line that has come waits in a buffer. */
#include "peer_setup.h"

#include <poll.h>

static char typed[ROOM + 1];
static size_t used;

static void end_with_success(int number)
{
    (void)number;
    _exit(0);
}

static void send_whole_lines(int fd)
{
    size_t start = 0;

    for (char *end; (end = memchr(typed + start, '\n', used - start)) != NULL; ) {
        size_t len = (size_t)(end - typed) - start;
        send_line(fd, typed + start, len);
        start += len + 1;
    }
    used -= start;
    memmove(typed, typed + start, used);
}

/* Takes what was typed. Returns whether more can come. */
static bool take_typed(int fd)
{
    ssize_t n = read(STDIN_FILENO, typed + used, sizeof typed - used);

    if (n < 0)
        fail("stdin");
    if (n == 0 && used > 0)
        send_line(fd, typed, used);
    used += (size_t)n;
    send_whole_lines(fd);
    if (used == sizeof typed)
        send_line(fd, typed, used);     /* which says that it is too long, and ends us */
    return n > 0;
}

static void print_datagram(int fd)
{
    static char data[ROOM];
    char name[NAME_ROOM];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

    if (n < 0)
        return;
    if (n == 0 || data[n - 1] != '\n')
        data[n++] = '\n';
    name_sender(name, &from);
    printf("%s", name);
    if (fwrite(data, 1, (size_t)n, stdout) != (size_t)n || fflush(stdout) != 0)
        fail("stdout");
}

int main(int argc, char *argv[])
{
    signal(SIGINT, end_with_success);
    signal(SIGTERM, end_with_success);
    int fd = open_peer(argc, argv);
    struct pollfd waited_for[] = { { fd, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };

    for (;;) {
        if (poll(waited_for, 2, -1) < 0)
            continue;
        if (waited_for[0].revents != 0)
            print_datagram(fd);
        if (waited_for[1].revents != 0 && !take_typed(fd))
            waited_for[1].fd = -1;
    }
}
