/* select(), very small buffers, and stdio for stdout. */
#include "client_setup.h"

#include <sys/select.h>

enum { PIECE = 509 };

int main(int argc, char *argv[])
{
    char up[PIECE], down[PIECE];
    size_t start = 0, end = 0;
    bool typing = true, sending = true;
    int conn_fd = open_connection(argc, argv);

    for (;;) {
        fd_set readable, writable;
        ssize_t n;
        FD_ZERO(&readable);
        FD_ZERO(&writable);
        FD_SET(conn_fd, &readable);
        if (start < end)
            FD_SET(conn_fd, &writable);
        else if (typing)
            FD_SET(STDIN_FILENO, &readable);
        else if (sending) {
            shutdown(conn_fd, SHUT_WR);
            sending = false;
        }
        if (select(conn_fd + 1, &readable, &writable, NULL, NULL) < 0)
            continue;
        if (FD_ISSET(STDIN_FILENO, &readable)) {
            if ((n = read(STDIN_FILENO, up, sizeof up)) < 0)
                fail("stdin");
            typing = n > 0;
            start = 0;
            end = (size_t)n;
        }
        if (FD_ISSET(conn_fd, &writable)) {
            n = send(conn_fd, up + start, end - start, MSG_DONTWAIT);
            if (n < 0 && errno == EPIPE) {
                start = end;
                typing = sending = false;
            } else if (n < 0 && errno != EAGAIN)
                fail("send");
            start += n > 0 ? (size_t)n : 0;
        }
        if (FD_ISSET(conn_fd, &readable)) {
            if ((n = recv(conn_fd, down, sizeof down, MSG_DONTWAIT)) == 0)
                return 0;
            if (n < 0 && errno != EAGAIN)
                fail("recv");
            if (n > 0 && (fwrite(down, 1, (size_t)n, stdout) < (size_t)n
                          || fflush(stdout) == EOF))
                fail("stdout");
        }
    }
}
