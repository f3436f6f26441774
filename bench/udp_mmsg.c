/*
 * udp_mmsg - the UDP echo server, written for nothing but speed.
 *
 *     udp_mmsg [-p PORT]
 *
 * One call takes all the datagrams that are there, up to BATCH, and one sends them all
 * back: recvmmsg(2), sendmmsg(2). Datagrams of any size, each to its sender.
 */
#include "common.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM_SIZE = 65535 };

static char buffers[BATCH][DATAGRAM_SIZE];
static struct sockaddr_in senders[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];

static void stop(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static int open_socket(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("bind");
    return fd;
}

static void prepare(void)
{
    for (int i = 0; i < BATCH; i++) {
        parts[i].iov_base = buffers[i];
        parts[i].iov_len = DATAGRAM_SIZE;
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &senders[i];
        messages[i].msg_hdr.msg_namelen = sizeof senders[i];
    }
}

/* Sends back the first COUNT messages. One that cannot be sent is left out. */
static void send_back(int fd, int count)
{
    for (int next = 0; next < count;) {
        int sent = sendmmsg(fd, messages + next, (unsigned)(count - next), 0);
        if (sent < 0)
            fprintf(stderr, "udp_mmsg: sendmmsg: %s\n", strerror(errno));
        next += sent > 0 ? sent : 1;
    }
}

static void echo_some(int fd)
{
    int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);

    if (count < 0 && errno != EINTR)
        die("recvmmsg");
    for (int i = 0; i < count; i++)
        parts[i].iov_len = messages[i].msg_len;
    send_back(fd, count);
    for (int i = 0; i < count; i++) {
        parts[i].iov_len = DATAGRAM_SIZE;
        messages[i].msg_hdr.msg_namelen = sizeof senders[i];
    }
}

int main(int argc, char **argv)
{
    int port = server_port(argc, argv);
    int fd = open_socket(port);

    if (signal(SIGTERM, stop) == SIG_ERR)
        die("signal");
    prepare();
    printf("listening on 127.0.0.1 port %d\n", port);
    fflush(stdout);
    for (;;)
        echo_some(fd);
}
