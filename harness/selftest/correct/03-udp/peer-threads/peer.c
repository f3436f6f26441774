/* Two threads: one types, one prints; the first thread waits for the signals. */
#include "peer_setup.h"

#include <pthread.h>
#include <sys/uio.h>

static int socket_fd;

static void *carry_lines(void *unused)
{
    char *line = NULL;
    size_t room = 0;

    for (ssize_t len; (len = getdelim(&line, &room, '\n', stdin)) >= 0; )
        send_line(socket_fd, line, (size_t)len - (line[len - 1] == '\n'));
    if (ferror(stdin))
        fail("stdin");
    free(line);
    return unused;
}

/* One line: mostly one call, but a pipe may take less at once. */
static void write_line(struct iovec *piece, int count)
{
    while (count > 0) {
        ssize_t n = writev(STDOUT_FILENO, piece, count);
        if (n < 0 && errno != EINTR)
            fail("stdout");
        while (count > 0 && n >= (ssize_t)piece->iov_len) {
            n -= (ssize_t)piece->iov_len;
            piece++;
            count--;
        }
        if (count > 0 && n > 0) {
            piece->iov_base = (char *)piece->iov_base + n;
            piece->iov_len -= (size_t)n;
        }
    }
}

static void *print_datagrams(void *unused)
{
    static char data[ROOM];
    char name[NAME_ROOM];
    struct sockaddr_storage from;

    for (;;) {
        struct iovec space = { data, sizeof data };
        struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from,
                                  .msg_iov = &space, .msg_iovlen = 1 };
        ssize_t n = recvmsg(socket_fd, &message, 0);
        if (n < 0)
            fail("recvmsg");
        size_t len = (size_t)n - (n > 0 && data[n - 1] == '\n');
        write_line((struct iovec[]){ { name, (size_t)name_sender(name, &from) },
                                     { data, len }, { "\n", 1 } }, 3);
    }
    return unused;
}

int main(int argc, char *argv[])
{
    pthread_t typing, printing;
    sigset_t ending;
    int number;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    socket_fd = open_peer(argc, argv);
    if ((errno = pthread_create(&typing, NULL, carry_lines, NULL)) != 0
        || (errno = pthread_create(&printing, NULL, print_datagrams, NULL)) != 0)
        fail("thread");
    sigwait(&ending, &number);
    _exit(0);
}
