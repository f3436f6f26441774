/* A child for each client; pread() with an offset of its own, since all have one open file. */
#include "send_setup.h"

#include <sys/wait.h>

static void stop(int number)
{
    (void)number;
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(NULL) > 0)
        ;
    _exit(0);
}

static void bury(int number)
{
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static void serve(int conn_fd, const struct offer *offer)
{
    char part[1 << 16];
    off_t done = 0;
    ssize_t n;

    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    int len = snprintf(part, sizeof part, "%s\n", offer->name);
    if (!put(conn_fd, part, (size_t)len))
        return;
    while ((n = pread(offer->file_fd, part, sizeof part, done)) > 0) {
        if (!put(conn_fd, part, (size_t)n))
            return;
        done += n;
    }
    say_goodbye(conn_fd);
}

int main(int argc, char *argv[])
{
    setpgid(0, 0);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    signal(SIGCHLD, bury);
    struct offer offer = open_offer(argc, argv);
    for (;;) {
        int conn_fd = accept(offer.listen_fd, NULL, NULL);
        if (conn_fd >= 0 && fork() == 0) {
            close(offer.listen_fd);
            serve(conn_fd, &offer);
            _exit(0);
        }
        if (conn_fd >= 0)
            close(conn_fd);
    }
}
