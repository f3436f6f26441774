/* All clients at once: poll(), non-blocking sockets, and the time at which each has to go. */
#define PORT "8000"
#include "server_setup.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>

enum { PLACES = 4096, PATIENCE = 10, NEVER = 0 };

static struct pollfd fds[PLACES];           /* the listener, then the clients */
static time_t end[PLACES];                  /* NEVER before the client's message has come */
static nfds_t used = 1;

static void stop(int number)
{
    (void)number;
    _exit(0);
}

static time_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void answer(int fd, const char *message, size_t len)
{
    printf("received: ");
    fwrite(message, 1, len, stdout);
    if (message[len - 1] != '\n')
        printf("\n");
    fflush(stdout);
    if (send(fd, "Hello, you are connected!\n", 26, 0) < 0)
        complain("send");
}

/* Returns false when the client is done with. */
static bool take(nfds_t i)
{
    char message[4095];
    ssize_t n = recv(fds[i].fd, message, sizeof message, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (end[i] != NEVER)
        return n > 0;
    if (n > 0)
        answer(fds[i].fd, message, (size_t)n);
    end[i] = now() + PATIENCE;
    return n > 0 && shutdown(fds[i].fd, SHUT_WR) == 0;
}

static void welcome(void)
{
    int conn_fd = accept_client(fds[0].fd, 0);

    if (conn_fd < 0 && errno == EAGAIN)
        return;
    if (conn_fd < 0) {
        complain("accept");                 /* too many: until one goes, or a second has passed */
        fds[0].events = 0;
        return;
    }
    fds[used] = (struct pollfd){ conn_fd, POLLIN, 0 };
    end[used++] = NEVER;
}

int main(int argc, char *argv[])
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    fds[0] = (struct pollfd){ open_listener(argc, argv), POLLIN, 0 };
    fcntl(fds[0].fd, F_SETFL, O_NONBLOCK);

    for (;;) {
        int wait = fds[0].events == 0 ? 1000 : -1;
        for (nfds_t i = 1; i < used && wait < 0; i++)
            wait = end[i] != NEVER ? 1000 : -1;
        if (poll(fds, used, wait) <= 0)
            fds[0].events = POLLIN;         /* a signal, or a second later */
        else if (fds[0].revents != 0)
            welcome();
        for (nfds_t i = used - 1; i > 0; i--) {
            bool gone = (fds[i].revents != 0 && !take(i)) || (end[i] != NEVER && end[i] < now());
            fds[i].revents = 0;
            if (!gone)
                continue;
            close(fds[i].fd);
            fds[i] = fds[--used];
            end[i] = end[used];
            fds[0].events = POLLIN;
        }
    }
}
