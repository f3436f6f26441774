/* net - see net.h. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* -- Messages, command line ---------------------------------------------- */

void complain(const char *what)
{
    char label[256];

    snprintf(label, sizeof label, "%s: %s", program, what);
    perror(label);
}

void die(const char *what)
{
    complain(what);
    exit(1);
}

/* strtoul() alone would also take " 80", "+80", "-1" and "80x". */
bool is_port(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0'
        && strtoul(text, NULL, 10) <= 65535;
}

void read_options(int argc, char *argv[],
                  const char **address, const char **port)
{
    bool right = true;
    int option;

    opterr = 0;                         /* our usage line says it all */
    while (right && (option = getopt(argc, argv, "a:p:")) != -1) {
        if (option == 'a')
            *address = optarg;
        else if (option == 'p' && is_port(optarg))
            *port = optarg;
        else
            right = false;
    }
    if (!right || optind < argc) {
        fprintf(stderr, "usage: %s [-a ADDRESS] [-p PORT]\n", program);
        exit(2);
    }
}

/* -- What could end or mislead a program ---------------------------------- */

/*
 * Fills the descriptors 0, 1 and 2 that our caller left closed. Otherwise a
 * socket would get such a number, and printf() would write to a client. So a
 * closed stdin is an empty one, and a closed stdout cannot be written to.
 */
void keep_standard_fds(void)
{
    int fd = open("/dev/null", O_RDONLY);

    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDONLY);
    if (fd < 0)
        die("/dev/null");
    close(fd);
}

void ignore_sigpipe(void)
{
    /* STEP 10: outlive a peer that does not wait for what we send. To send to
     * a closed connection raises SIGPIPE, which would end the program without
     * a word; when it is ignored, send() fails with EPIPE instead. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        die("SIGPIPE");
    /* END STEP 10; silent */
}

/*
 * Ends a server wherever it waits: in accept(), recv() or send(). A flag that
 * the loop looks at would be seen too late if the signal came just before one
 * of these calls. Nothing is left to do: each line is printed, the kernel
 * closes the sockets. A handler may call _exit() but not exit() or printf(),
 * see signal-safety(7).
 */
static void stop(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static void end_on_signals(void)
{
    /* STEP 11: end with status 0 on Ctrl-C (SIGINT) and kill (SIGTERM). */
    struct sigaction action = { .sa_handler = stop };
    if (sigaction(SIGINT, &action, NULL) < 0
        || sigaction(SIGTERM, &action, NULL) < 0)
        die("sigaction");
    /* END STEP 11; silent; stub: (void)stop; */
}

/* -- A server's sockets --------------------------------------------------- */

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
        fprintf(stderr, "%s: getnameinfo: %s\n", program, gai_strerror(error));
        return;
    }
    /* An IPv6 socket (-a ::) shows the IPv4 client 192.0.2.1 in this form. */
    if (strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.') != NULL)
        ip = host + 7;
    if (printf("%s %s port %s\n", what, ip, port) < 0 || fflush(stdout) == EOF)
        complain("stdout");
}

_Noreturn static void unknown(const char *name, int error)
{
    fprintf(stderr, "%s: %s: %s\n", program, name,
            error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
    exit(1);
}

/* Returns the socket addresses of ADDRESS, at least one, to be freed. */
static struct addrinfo *own_addresses(const char *address, const char *port)
{
    struct addrinfo *list = NULL;

    /* STEP 1: turn ADDRESS, a name or a number, into socket addresses. */
    struct addrinfo hints = { .ai_family = AF_UNSPEC,       /* IPv4 or IPv6 */
                              .ai_socktype = SOCK_STREAM,   /* TCP */
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    int error = getaddrinfo(address, port, &hints, &list);
    if (error != 0)
        unknown(address, error);
    /* END STEP 1; stub:
    (void)port;
    unknown(address, EAI_NONAME); */

    return list;
}

/* Returns a socket bound to the address; ends the program if none can be. */
static int bind_to(const char *address, const char *port)
{
    struct addrinfo *list = own_addresses(address, port);
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
        /* END STEP 9; silent */

        /* STEP 3: bind the address, so that clients know where to call. */
        if (bind(listen_fd, ai->ai_addr, ai->ai_addrlen) == 0)
            break;
        why = errno;                    /* close() may change errno */
        close(listen_fd);
        listen_fd = -1;
        /* END STEP 3; waits; stub: break; */
    }

    freeaddrinfo(list);
    if (listen_fd < 0) {
        fprintf(stderr, "%s: bind to %s port %s: %s\n",
                program, address, port, strerror(why));
        exit(1);
    }
    return listen_fd;
}

int start_server(const char *address, const char *port)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;

    keep_standard_fds();
    ignore_sigpipe();
    end_on_signals();

    int listen_fd = bind_to(address, port);

    /* STEP 4: listen. From now on the kernel answers each SYN by itself and
     * queues the connections. With port 0 it also chose our port: ask it. */
    if (listen(listen_fd, SOMAXCONN) < 0)
        die("listen");
    if (getsockname(listen_fd, (struct sockaddr *)&addr, &len) < 0)
        die("getsockname");
    print_address("listening on", &addr, len);
    /* END STEP 4; stub:
    (void)addr;
    (void)len; */

    return listen_fd;
}

int accept_client(int listen_fd)
{
    struct sockaddr_storage peer_addr;
    socklen_t len;
    int conn_fd;

    /* STEP 5: accept: take the next connection out of the queue. */
    do {
        len = sizeof peer_addr;
        conn_fd = accept(listen_fd, (struct sockaddr *)&peer_addr, &len);
    } while (conn_fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (conn_fd < 0)                    /* a signal, or a client that has */
        return -1;                      /* left already, is no failure    */
    /* END STEP 5; waits; stub:
    (void)listen_fd;
    len = 0;
    conn_fd = -1;
    exit(0); */

    print_address("connection from", &peer_addr, len);
    return conn_fd;
}

int next_client(int listen_fd)
{
    int conn_fd;

    while ((conn_fd = accept_client(listen_fd)) < 0) {
        complain("accept");             /* too many open files, perhaps: */
        sleep(1);                       /* to ask again at once is no help */
    }
    return conn_fd;
}

/* -- A client's socket ---------------------------------------------------- */

/* Returns the socket addresses of HOST, at least one, to be freed. */
static struct addrinfo *addresses_of(const char *host, const char *port)
{
    struct addrinfo *list = NULL;

    /* STEP 12: find the addresses of HOST, a name or a number. A name may
     * have several, of IPv4 and of IPv6. */
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    int error = getaddrinfo(host, port, &hints, &list);
    if (error != 0)
        unknown(host, error);
    /* END STEP 12; stub:
    (void)port;
    unknown(host, EAI_NONAME); */

    return list;
}

int connect_to(const char *host, const char *port)
{
    struct addrinfo *list = addresses_of(host, port);
    int conn_fd = -1, why = 0;

    /* STEP 13: connect to the first address that answers. connect() sends
     * the SYN and returns when the handshake is done, or has failed. */
    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        conn_fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
        if (conn_fd >= 0
            && connect(conn_fd, ai->ai_addr, ai->ai_addrlen) == 0)
            break;
        why = errno;                    /* close() may change errno */
        if (conn_fd >= 0)
            close(conn_fd);
        conn_fd = -1;
    }
    /* END STEP 13; stub: why = ENOSYS; */

    freeaddrinfo(list);
    if (conn_fd < 0) {
        fprintf(stderr, "%s: connect to %s port %s: %s\n",
                program, host, port, strerror(why));
        exit(1);
    }
    return conn_fd;
}

/* -- Sending, closing ----------------------------------------------------- */

int send_all(int conn_fd, const void *data, size_t len)
{
    /* STEP 7: send it all. send() may take only a part, then the rest has to
     * be sent again; it waits while the peer reads slowly. */
    for (const char *next = data; len > 0; ) {
        ssize_t n = send(conn_fd, next, len, 0);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            next += n;
            len -= (size_t)n;
        }
    }
    /* END STEP 7; stub:
    (void)conn_fd;
    (void)data;
    (void)len; */

    return 0;
}

/* Milliseconds of a clock that nobody can set. */
static long long now(void)
{
    struct timespec time;

    if (clock_gettime(CLOCK_MONOTONIC, &time) < 0)
        die("clock_gettime");
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

void close_first(int conn_fd, int seconds)
{
    /* STEP 30: send the FIN, then read on until the peer's. To close with
     * bytes unread, or before bytes that are still under way, would send a
     * reset, and a reset can destroy what the peer has not read yet. */
    if (shutdown(conn_fd, SHUT_WR) == 0) {
        long long end = now() + seconds * 1000LL, left;
        while ((left = end - now()) > 0) {
            struct pollfd wanted = { conn_fd, POLLIN, 0 };
            char unwanted[4096];
            int ready = poll(&wanted, 1, (int)left);
            if (ready < 0 && errno != EINTR)
                break;
            if (ready > 0 && recv(conn_fd, unwanted, sizeof unwanted, 0) <= 0)
                break;                  /* the peer's FIN, or its reset */
        }
    }
    /* END STEP 30; silent; stub:
    (void)seconds;
    (void)now; */

    if (close(conn_fd) < 0)
        complain("close");
}
