/* select() waits, read() reads. */
#include "rounds_setup.h"

static void talk(int conn_fd)
{
    ssize_t n, total = 0;
    fd_set readable;
    char piece[6];

    if (write(conn_fd, "welcome !!!\n", 12) < 0)
        return;
    for (unsigned i = 1; i <= rounds; i++) {
        do {
            FD_ZERO(&readable);
            FD_SET(conn_fd, &readable);
        } while (select(conn_fd + 1, &readable, NULL, NULL, NULL) < 0 && errno == EINTR);
        if ((n = read(conn_fd, piece, sizeof piece)) <= 0)
            return;
        total += n;
        print_round(i, n, total);
        if (write(conn_fd, "Please enter the data:", 22) < 0)
            return;
    }
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
