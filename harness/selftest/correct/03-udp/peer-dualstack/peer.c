/* One socket for IPv4 and IPv6: what is typed goes out in a thread, what comes is printed. */
#include "peer_setup.h"

#include "dual_stack.h"

#include <pthread.h>

static int socket_fd;

static void end_with_success(int number)
{
    (void)number;
    _exit(0);
}

/* Both ends are IPv4, or both are not: binds to the first of OWN for which HIS has such a one. */
static int bind_like(const struct addrinfo *own, const struct addrinfo *his)
{
    for (; own != NULL; own = own->ai_next)
        for (const struct addrinfo *to = his; to != NULL; to = to->ai_next) {
            if (is_ipv4(own->ai_addr) != is_ipv4(to->ai_addr))
                continue;
            int fd = bind_both_stacks(own);
            if (fd < 0)
                break;
            memcpy(&other, to->ai_addr, to->ai_addrlen);
            other_len = to->ai_addrlen;
            return fd;
        }
    fail("bind");
}

static int open_both(int argc, char *argv[])
{
    const char *address = NULL, *local_port = NULL;

    read_options(argc, argv, &address, &local_port);
    struct addrinfo *his = look_up(argv[optind], argv[optind + 1], AF_INET6, BOTH_STACKS);
    if (address == NULL)
        address = is_ipv4(his->ai_addr) ? "127.0.0.1" : "::1";
    struct addrinfo *own = look_up(address, local_port, AF_INET6, BOTH_STACKS);
    int fd = bind_like(own, his);
    freeaddrinfo(own);
    freeaddrinfo(his);
    return fd;
}

static void *carry_lines(void *unused)
{
    char *line = NULL;
    size_t room = 0;

    for (ssize_t len; (len = getline(&line, &room, stdin)) >= 0; )
        send_line(socket_fd, line, (size_t)len - (line[len - 1] == '\n'));
    return unused;
}

int main(int argc, char *argv[])
{
    static char text[NAME_ROOM + ROOM];
    struct sockaddr_storage from;
    pthread_t thread;

    signal(SIGINT, end_with_success);
    signal(SIGTERM, end_with_success);
    socket_fd = open_both(argc, argv);
    if ((errno = pthread_create(&thread, NULL, carry_lines, NULL)) != 0)
        fail("thread");
    for (;;) {
        char *data = text + NAME_ROOM, name[NAME_ROOM];
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(socket_fd, data, LARGEST, 0, (struct sockaddr *)&from, &len);
        if (n < 0)
            continue;
        as_it_is(&from);
        int name_len = name_sender(name, &from);
        char *line = memcpy(data - name_len, name, (size_t)name_len);
        if (n == 0 || data[n - 1] != '\n')
            data[n++] = '\n';
        for (size_t left = (size_t)(data + n - line), done; left > 0; left -= done, line += done) {
            ssize_t written = write(STDOUT_FILENO, line, left);
            if (written < 0 && errno != EINTR)
                fail("stdout");
            done = written > 0 ? (size_t)written : 0;
        }
    }
}
