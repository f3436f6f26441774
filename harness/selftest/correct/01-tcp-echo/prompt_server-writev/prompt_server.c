/* One writev() for the answers to all that had come, which is read six bytes at a time. */
#include "rounds_setup.h"

#include <sys/uio.h>

enum { ANSWERS = 100 };

struct session {
    unsigned rounds;                        /* so far */
    ssize_t total;
};

/* Waits for a piece and takes those behind it too, at most COUNT; returns how many. */
static unsigned read_pieces(int conn_fd, struct session *session, unsigned count)
{
    unsigned pieces = 0;
    char piece[6];
    ssize_t n;

    while (pieces < count
           && (n = recv(conn_fd, piece, sizeof piece, pieces > 0 ? MSG_DONTWAIT : 0)) > 0) {
        session->total += n;
        print_round(++session->rounds, n, session->total);
        pieces++;
    }
    return pieces;
}

static void talk(int conn_fd)
{
    struct session session = { 0, 0 };
    struct iovec prompts[ANSWERS];
    unsigned pieces;

    for (int i = 0; i < ANSWERS; i++)
        prompts[i] = (struct iovec){ "Please enter the data:", 22 };
    if (write(conn_fd, "welcome !!!\n", 12) < 0)
        return;
    do {
        unsigned left = rounds - session.rounds;
        pieces = read_pieces(conn_fd, &session, left < ANSWERS ? left : ANSWERS);
    } while (pieces > 0 && writev(conn_fd, prompts, (int)pieces) > 0);
}

int main(int argc, char *argv[])
{
    int conn_fd, listen_fd = open_prompt_listener(argc, argv);

    for (;;) {
        if ((conn_fd = wait_for_client(listen_fd)) < 0)
            continue;
        talk(conn_fd);
        say_goodbye(conn_fd);
    }
}
