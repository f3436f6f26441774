/* pselect() lets the signals in only while it waits; stdin is read byte by byte. */
#include "peer_setup.h"

#include <sys/select.h>

static volatile sig_atomic_t over;

static void note(int number)
{
    (void)number;
    over = 1;
}

/* Takes one byte of stdin. Returns whether more can come. */
static bool take_byte(int fd)
{
    static char line[ROOM];
    static size_t used;
    char byte;
    ssize_t n = read(STDIN_FILENO, &byte, 1);

    if (n < 0)
        fail("stdin");
    if (n > 0 && byte != '\n') {
        if (used < sizeof line)
            line[used++] = byte;
    } else if (n > 0 || used > 0) {
        send_line(fd, line, used);
        used = 0;
    }
    return n > 0;
}

static void print_datagram(int fd)
{
    static char data[ROOM];
    char name[NAME_ROOM];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &len);

    if (n < 0)
        return;
    name_sender(name, &from);
    for (char *next = name; *next != '\0'; next++)
        putchar(*next);
    for (ssize_t i = 0; i < n; i++)
        if (i < n - 1 || data[i] != '\n')
            putchar(data[i]);
    putchar('\n');
    if (fflush(stdout) != 0)
        fail("stdout");
}

int main(int argc, char *argv[])
{
    sigset_t ending, before;
    bool typing = true;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, &before);
    signal(SIGINT, note);
    signal(SIGTERM, note);
    int fd = open_peer(argc, argv);
    while (!over) {
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(fd, &readable);
        if (typing)
            FD_SET(STDIN_FILENO, &readable);
        if (pselect(fd + 1, &readable, NULL, NULL, NULL, &before) < 0)
            continue;
        if (FD_ISSET(fd, &readable))
            print_datagram(fd);
        if (typing && FD_ISSET(STDIN_FILENO, &readable))
            typing = take_byte(fd);
    }
    return 0;
}
