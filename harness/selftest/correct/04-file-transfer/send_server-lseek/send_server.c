/* One client at a time; the file's own offset is put back for each. */
#include "send_setup.h"

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static bool send_all_of(int conn_fd, const struct offer *offer)
{
    char part[3000];
    ssize_t n;

    if (lseek(offer->file_fd, 0, SEEK_SET) < 0)
        fail("lseek");
    if (!put(conn_fd, offer->name, strlen(offer->name)) || !put(conn_fd, "\n", 1))
        return false;
    while ((n = read(offer->file_fd, part, sizeof part)) > 0)
        if (!put(conn_fd, part, (size_t)n))
            return false;
    return n == 0;
}

int main(int argc, char *argv[])
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    struct offer offer = open_offer(argc, argv);
    for (;;) {
        int conn_fd = accept(offer.listen_fd, NULL, NULL);
        if (conn_fd < 0)
            continue;
        send_all_of(conn_fd, &offer);
        say_goodbye(conn_fd);
    }
}
