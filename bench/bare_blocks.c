/*
 * bare_blocks - a file in datagrams, and nothing else: how fast that can be.
 *
 *     bare_blocks send PORT FILE               to each client, one after the other
 *     bare_blocks receive PORT FILE WINDOW     what comes is written to FILE
 *
 * Both are on 127.0.0.1. Blocks have the size and the header that TFTP's would have, and after
 * each WINDOW of them comes an answer. But there is one socket, no timer, no number that is
 * looked at: on a network that loses nothing this is the least that can be done.
 */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 4, BLOCK = 1428, MOST_WINDOW = 64 };
static const char arguments[] = "send PORT FILE | receive PORT FILE WINDOW";
static char packet[HEADER + BLOCK];

static int open_socket(const char *port, int (*join)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)positive(port, 65535, arguments)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || join(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("socket");
    return fd;
}

/* To the client who asks for windows of this size. */
static void send_once(int fd, int file_fd, const struct sockaddr_in *client, int window)
{
    ssize_t n = BLOCK;

    for (off_t offset = 0; n == BLOCK;) {
        for (int i = 0; i < window && n == BLOCK; i++, offset += n) {
            n = pread(file_fd, packet + HEADER, BLOCK, offset);
            if (n < 0 || sendto(fd, packet, HEADER + (size_t)n, 0, (struct sockaddr *)client,
                                sizeof *client) < 0)
                die("send");
        }
        if (recv(fd, packet, sizeof packet, 0) < 0)
            die("recv");
    }
}

static _Noreturn void send_for_ever(int fd, int file_fd)
{
    for (;;) {
        struct sockaddr_in client;
        socklen_t len = sizeof client;
        if (recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&client, &len) < 0)
            die("recvfrom");
        send_once(fd, file_fd, &client, packet[0]);
    }
}

static void receive(int fd, int file_fd, int window)
{
    ssize_t n = sizeof packet;

    packet[0] = (char)window;
    for (int answer_len = HEADER; n == sizeof packet;) {
        if (send(fd, packet, (size_t)answer_len, 0) < 0)
            die("send");
        for (int i = 0; i < window && n == sizeof packet; i++) {
            n = recv(fd, packet, sizeof packet, 0);
            if (n < HEADER || write(file_fd, packet + HEADER, (size_t)n - HEADER) != n - HEADER)
                die("receive");
        }
    }
    if (send(fd, packet, HEADER, 0) < 0)
        die("send");
}

int main(int argc, char **argv)
{
    if (argc < 4)
        usage_error(arguments);
    int sends = strcmp(argv[1], "send") == 0;
    if (argc != (sends ? 4 : 5))
        usage_error(arguments);
    int file_fd = open(argv[3], sends ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file_fd < 0)
        die(argv[3]);
    int fd = open_socket(argv[2], sends ? bind : connect);
    if (sends)
        send_for_ever(fd, file_fd);
    receive(fd, file_fd, positive(argv[4], MOST_WINDOW, arguments));
    return 0;
}
