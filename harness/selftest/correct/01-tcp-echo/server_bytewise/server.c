/* One byte in, one byte out: slow, and right. */
#include "server_setup.h"

static void stop(int number)
{
    (void)number;
    _exit(0);
}

int main(int argc, char *argv[])
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int listen_fd = open_listener(argc, argv);

    for (char byte; ; ) {
        int conn_fd = accept_client(listen_fd, 0);
        while (conn_fd >= 0 && read(conn_fd, &byte, 1) == 1)
            if (write(conn_fd, &byte, 1) != 1)
                break;
        close(conn_fd);
    }
}
