/* recvmmsg() and sendmmsg(): as many datagrams in one call as there are, up to BATCH. */
#include "server_setup.h"

enum { BATCH = 32 };

static char data[BATCH][ROOM];
static struct sockaddr_storage from[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];

static void make_room(void)
{
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){ data[i], sizeof data[i] };
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &from[i], .msg_namelen = sizeof from[i],
            .msg_iov = &pieces[i], .msg_iovlen = 1,
        };
    }
}

static void answer(int fd, int count)
{
    for (int i = 0; i < count; i++)
        pieces[i].iov_len = messages[i].msg_len;
    for (int done = 0; done < count; ) {
        int n = sendmmsg(fd, messages + done, (unsigned)(count - done), 0);
        if (n < 0)
            complain("sendmmsg");
        done += n > 0 ? n : 1;          /* one that cannot be sent keeps none of the others */
    }
}

int main(int argc, char *argv[])
{
    signal(SIGINT, end_with_success);
    signal(SIGTERM, end_with_success);
    int fd = open_server(argc, argv, 0);
    for (;;) {
        make_room();
        int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (count > 0)
            answer(fd, count);
    }
}
