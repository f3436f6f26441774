/*
 * bare_file - a file over a TCP connection, and nothing else: how fast that can be.
 *
 *     bare_file send PORT FILE       to each client the whole file, with sendfile(2)
 *     bare_file receive PORT FILE    what comes is written to FILE
 *
 * Both are on 127.0.0.1. No name, no size, no reply: the end of file is the end.
 */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART = 65536 };

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)positive(port, 65535, "send|receive PORT FILE")),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void send_once(int conn_fd, int file_fd, off_t size)
{
    for (off_t sent = 0; sent < size;)
        if (sendfile(conn_fd, file_fd, &sent, (size_t)(size - sent)) < 0)
            die("sendfile");
    close(conn_fd);
}

static _Noreturn void send_for_ever(const char *port, int file_fd)
{
    struct sockaddr_in addr = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct stat status;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 16) < 0)
        die("listen");
    for (;;) {
        int conn_fd = accept(fd, NULL, NULL);
        if (conn_fd < 0 || fstat(file_fd, &status) < 0)
            die("accept");
        send_once(conn_fd, file_fd, status.st_size);
    }
}

static void receive(const char *port, int file_fd)
{
    static char part[PART];
    struct sockaddr_in addr = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ssize_t n;

    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("connect");
    while ((n = read(fd, part, sizeof part)) > 0)
        if (write(file_fd, part, (size_t)n) != n)
            die("write");
    if (n < 0)
        die("read");
}

int main(int argc, char **argv)
{
    if (argc != 4)
        usage_error("send|receive PORT FILE");
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        die("signal");
    int sends = strcmp(argv[1], "send") == 0;
    int file_fd = open(argv[3], sends ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file_fd < 0)
        die(argv[3]);
    if (sends)
        send_for_ever(argv[2], file_fd);
    receive(argv[2], file_fd);
    return 0;
}
