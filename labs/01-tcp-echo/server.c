/*
 * server - sends back every byte that it receives: TCP echo (RFC 862).
 *
 * Run it:   ./server [-a ADDRESS] [-p PORT]      (127.0.0.1, port 4321)
 *           ./client -m hello                    in a second terminal
 *
 * You see:  listening on 127.0.0.1 port 4321
 *           connection from 127.0.0.1 port 39870
 *
 * On the wire: no header, no end mark. The client's bytes come in, the same
 * bytes go out; the client's FIN ends the connection.
 *
 * One client is served after the other. The next one waits in the kernel's
 * queue, already connected, until its turn comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_SIZE = 16384 };

/* Ends the program: the server could not be set up. */
static void die(const char *what)
{
    fprintf(stderr, "server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void usage(void)
{
    fprintf(stderr, "usage: server [-a ADDRESS] [-p PORT]\n");
    exit(2);
}

/* strtoul() alone would also take " 80", "+80", "-1" and "80x". */
static bool is_port(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0'
        && strtoul(text, NULL, 10) <= 65535;
}

/*
 * Fills the descriptors 0, 1 and 2 that our caller left closed. Otherwise a
 * socket would get such a number, and printf() would write to a client.
 */
static void keep_standard_fds(void)
{
    int fd = open("/dev/null", O_RDONLY);

    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDONLY);
    if (fd < 0)
        die("/dev/null");
    close(fd);
}

/*
 * Prints `WHAT IP port PORT` at once, also into a pipe or a file. Numbers
 * only: to ask for a host's name could take seconds. A full disk or a closed
 * pipe is told on stderr, and the clients are served all the same.
 */
static void print_address(const char *what,
                          const struct sockaddr_storage *addr, socklen_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const char *ip = host;
    int error = getnameinfo((const struct sockaddr *)addr, len,
                            host, sizeof host, port, sizeof port,
                            NI_NUMERICHOST | NI_NUMERICSERV);

    if (error != 0) {
        fprintf(stderr, "server: getnameinfo: %s\n", gai_strerror(error));
        return;
    }
    /* An IPv6 socket (-a ::) shows the IPv4 client 192.0.2.1 in this form. */
    if (strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.') != NULL)
        ip = host + 7;
    if (printf("%s %s port %s\n", what, ip, port) < 0 || fflush(stdout) == EOF)
        perror("server: stdout");
}

/* Returns the socket addresses of ADDRESS, at least one, to be freed. */
static struct addrinfo *look_up(const char *address, const char *port)
{
    struct addrinfo *list = NULL;

    /* STEP 1: turn ADDRESS, a name or a number, into socket addresses. */
    struct addrinfo hints = { .ai_family = AF_UNSPEC,       /* IPv4 or IPv6 */
                              .ai_socktype = SOCK_STREAM,   /* TCP */
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    int error = getaddrinfo(address, port, &hints, &list);
    if (error != 0) {
        fprintf(stderr, "server: %s: %s\n", address,
                error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        exit(1);
    }
    /* END STEP 1; stub:
    fprintf(stderr, "server: no address %s port %s\n", address, port);
    exit(1); */

    return list;
}

/* Returns a socket bound to the address; ends the program if none can be. */
static int open_listener(const char *address, const char *port)
{
    struct addrinfo *list = look_up(address, port);
    int listen_fd = -1, why = 0;

    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        /* STEP 2: create a TCP socket of the address's family. */
        listen_fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
        if (listen_fd < 0) {
            why = errno;
            continue;                   /* no IPv6 here? try the next one */
        }
        /* END STEP 2; stub:
        why = ENOSYS;
        continue; */

        /* STEP 9: be able to start again at once. The last run's connections
         * stay in TIME-WAIT for a minute and would keep the port taken. */
        int yes = 1;
        if (setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR,
                       &yes, sizeof yes) < 0)
            die("SO_REUSEADDR");
        /* END STEP 9 */

        /* STEP 3: bind the address, so that clients know where to call. */
        if (bind(listen_fd, ai->ai_addr, ai->ai_addrlen) == 0)
            break;
        why = errno;                    /* close() may change errno */
        close(listen_fd);
        listen_fd = -1;
        /* END STEP 3; stub: break; */
    }

    freeaddrinfo(list);
    if (listen_fd < 0) {
        fprintf(stderr, "server: bind to %s port %s: %s\n",
                address, port, strerror(why));
        exit(1);
    }
    return listen_fd;
}

/* Sends back all that comes, until the client's end of file or an error. */
static void echo(int conn_fd)
{
    char buffer[BUFFER_SIZE];

    for (;;) {
        /* STEP 6: receive what is there. TCP is a stream of bytes: one recv()
         * may give half of what was sent with one send(), or two of them. */
        ssize_t n = recv(conn_fd, buffer, sizeof buffer, 0);
        if (n == 0)
            return;                     /* the client's FIN: end of file */
        if (n < 0 && errno == EINTR)
            continue;                   /* a signal came first: no error */
        if (n < 0) {
            perror("server: recv");     /* a reset ends this client only */
            return;
        }
        /* END STEP 6; stub:
        ssize_t n = 0;
        (void)conn_fd;
        (void)buffer;
        return; */

        /* STEP 7: send it all. send() may take only a part, then the rest
         * has to be sent again; it waits while the client reads slowly. */
        for (ssize_t sent = 0; sent < n; ) {
            ssize_t taken = send(conn_fd, buffer + sent,
                                 (size_t)(n - sent), 0);
            if (taken < 0 && errno != EINTR) {
                perror("server: send");
                return;
            }
            if (taken > 0)
                sent += taken;
        }
        /* END STEP 7; stub: (void)n; */
    }
}

/* Serves one client after the other, for ever. */
static void serve(int listen_fd)
{
    struct sockaddr_storage addr, peer_addr;
    socklen_t len = sizeof addr;
    int conn_fd;

    /* STEP 4: listen. From now on the kernel answers each SYN by itself and
     * queues the connections. With port 0 it also chose our port: ask it. */
    if (listen(listen_fd, SOMAXCONN) < 0)
        die("listen");
    if (getsockname(listen_fd, (struct sockaddr *)&addr, &len) < 0)
        die("getsockname");
    print_address("listening on", &addr, len);
    /* END STEP 4; stub: (void)addr; */

    for (;;) {
        /* STEP 5: accept: take the next connection out of the queue. */
        len = sizeof peer_addr;
        conn_fd = accept(listen_fd, (struct sockaddr *)&peer_addr, &len);
        if (conn_fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;                   /* this client has left already */
        if (conn_fd < 0) {
            perror("server: accept");   /* too many open files, perhaps: */
            sleep(1);                   /* to ask again at once is no help */
            continue;
        }
        /* END STEP 5; stub:
        (void)listen_fd;
        return; */

        print_address("connection from", &peer_addr, len);
        echo(conn_fd);

        /* STEP 8: close. The client gets our FIN, its end of file; without
         * it, it would wait for ever and we would run out of descriptors. */
        if (close(conn_fd) < 0)
            perror("server: close");
        /* END STEP 8 */
    }
}

/*
 * Ends the server wherever it waits: in accept(), recv() or send(). A flag
 * that the loop looks at would be seen too late if the signal came just
 * before one of these calls. Nothing is left to do: each line is printed,
 * the kernel closes the sockets. A handler may call _exit() but not exit()
 * or printf(), see signal-safety(7).
 */
static void stop(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "4321";
    int option;

    opterr = 0;                         /* our usage line says it all */
    while ((option = getopt(argc, argv, "a:p:")) != -1) {
        if (option == 'a')
            address = optarg;
        else if (option == 'p' && is_port(optarg))
            port = optarg;
        else
            usage();
    }
    if (optind < argc)
        usage();
    keep_standard_fds();

    /* STEP 10: outlive a client that does not wait for its echo. To send to
     * a closed connection raises SIGPIPE, which would end the server; when
     * it is ignored, send() fails with EPIPE instead. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        die("SIGPIPE");
    /* END STEP 10 */

    /* STEP 11: end with status 0 on Ctrl-C (SIGINT) and kill (SIGTERM). */
    struct sigaction action = { .sa_handler = stop };
    if (sigaction(SIGINT, &action, NULL) < 0
        || sigaction(SIGTERM, &action, NULL) < 0)
        die("sigaction");
    /* END STEP 11; stub: (void)stop; */

    serve(open_listener(address, port));
}
