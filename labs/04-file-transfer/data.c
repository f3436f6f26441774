/* data - see data.h. */
#include "data.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"
#include "session.h"

enum {
    OPEN_SECONDS = 30,                  /* the longest wait for a connection */
    STALL_SECONDS = 300                 /* and for one more byte to go */
};

/* -- What is agreed on ---------------------------------------------------- */

bool begin_data(struct data *data, int control_fd)
{
    socklen_t own_len = sizeof data->own, peer_len = sizeof data->peer;

    data->listen_fd = -1;
    if (getsockname(control_fd, (struct sockaddr *)&data->own, &own_len) < 0
        || getpeername(control_fd, (struct sockaddr *)&data->peer,
                       &peer_len) < 0)
        return false;
    unmap(&data->own);
    unmap(&data->peer);
    return true;
}

void forget_data(struct session *session)
{
    struct data *data = &session->data;
    int conn_fd;

    data->active = false;
    if (data->listen_fd < 0)
        return;
    /* Who has connected already would get a reset; so it gets a FIN. */
    while ((conn_fd = accept(data->listen_fd, NULL, NULL)) >= 0)
        close(conn_fd);
    close(data->listen_fd);
    data->listen_fd = -1;
}

/* RFC 2428's number for the family of the control connection. */
static const char *protocol(const struct data *data)
{
    return data->own.ss_family == AF_INET ? "1" : "2";
}

/* Has replied where the client itself has ruled the command out. */
static bool is_ruled_out(struct session *session)
{
    if (session->data.only_epsv)
        reply(session, 503, "You said EPSV ALL.");
    return session->data.only_epsv;
}

/* -- Passive: the client connects ----------------------------------------- */

/* Returns a socket that listens at ADDR, and in ADDR the port; or -1. */
static int listen_at(struct sockaddr_storage *addr)
{
    int listen_fd = -1;

    /* STEP 9: listen for the data connection, at any free port. Who asks for
     * it and never comes must not hold us in accept(): O_NONBLOCK. */
    socklen_t len = sizeof *addr;
    set_port(addr, 0);
    listen_fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listen_fd >= 0
        && (bind(listen_fd, (struct sockaddr *)addr, addr_len(addr)) < 0
            || listen(listen_fd, SOMAXCONN) < 0
            || getsockname(listen_fd, (struct sockaddr *)addr, &len) < 0)) {
        close(listen_fd);
        listen_fd = -1;
    }
    /* END STEP 9; stub: (void)addr; */

    return listen_fd;
}

/* Listens at the address where the client has reached us already. Returns
 * the port; or 0, and has replied. */
static unsigned become_passive(struct session *session)
{
    struct data *data = &session->data;
    struct sockaddr_storage addr = data->own;

    forget_data(session);
    data->listen_fd = listen_at(&addr);
    if (data->listen_fd < 0) {
        reply(session, 425, "No port to listen on.");
        return 0;
    }
    return port_of(&addr);
}

void do_pasv(struct session *session, char *argument)
{
    const struct sockaddr_in *own = (const void *)&session->data.own;
    unsigned char ip[sizeof own->sin_addr];

    (void)argument;
    if (is_ruled_out(session))
        return;
    if (own->sin_family != AF_INET) {
        reply(session, 425, "This is IPv6: use EPSV.");
        return;
    }
    unsigned port = become_passive(session);
    memcpy(ip, &own->sin_addr, sizeof ip);
    if (port > 0)
        reply(session, 227, "Entering Passive Mode (%u,%u,%u,%u,%u,%u).",
              ip[0], ip[1], ip[2], ip[3], port / 256, port % 256);
}

void do_epsv(struct session *session, char *argument)
{
    const char *own = protocol(&session->data);

    if (strcasecmp(argument, "ALL") == 0) {
        session->data.only_epsv = true;
        reply(session, 200, "EPSV it will be.");
    } else if (argument[0] != '\0' && !is_number(argument, 65535)) {
        reply(session, 501, "EPSV, EPSV ALL or EPSV and a number.");
    } else if (argument[0] != '\0' && strcmp(argument, own) != 0) {
        reply(session, 522, "Not that protocol, use (%s).", own);
    } else {
        unsigned port = become_passive(session);
        if (port > 0)
            reply(session, 229, "Entering Extended Passive Mode (|||%u|).",
                  port);
    }
}

/* Takes the client's connection. Anyone else's is closed: who guesses the
 * port could be faster, and take the file. Returns -1 if none comes. */
static int accept_data(const struct session *session)
{
    const struct data *data = &session->data;
    long long end = now() + OPEN_SECONDS * 1000, left;

    while ((left = end - now()) > 0) {
        struct pollfd wanted[] = { { data->listen_fd, POLLIN, 0 },
                                   { session->control_fd, 0, 0 } };
        struct sockaddr_storage addr = { 0 };
        socklen_t len = sizeof addr;

        if (poll(wanted, 2, (int)left) > 0 && wanted[1].revents != 0)
            break;                      /* the client is gone */
        int conn_fd = accept(data->listen_fd, (struct sockaddr *)&addr, &len);
        if (conn_fd >= 0 && is_same_host(&addr, &data->peer))
            return conn_fd;
        if (conn_fd >= 0)
            close(conn_fd);
        else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            break;                      /* too many open files, perhaps */
    }
    return -1;
}

/* -- Active: we connect --------------------------------------------------- */

static void become_active(struct session *session,
                          const struct sockaddr_storage *wanted)
{
    struct data *data = &session->data;

    forget_data(session);

    /* STEP 10: connect to the client itself and to nobody else. Whoever could
     * name any host and port could make us speak to it in his place, and with
     * a file that he has uploaded, in words of his own: RFC 2577. */
    if (!is_same_host(wanted, &data->peer) || port_of(wanted) < 1024) {
        reply(session, 504, "Only to your own address, ports from 1024 on.");
        return;
    }
    data->target = *wanted;
    data->active = true;
    /* END STEP 10; stub:
    (void)data;
    (void)wanted; */

    reply(session, 200, "There it will go.");
}

/* PORT h1,h2,h3,h4,p1,p2: the address and the port, byte by byte. */
void do_port(struct session *session, char *argument)
{
    struct sockaddr_storage wanted = { .ss_family = AF_INET };
    struct sockaddr_in *addr = (void *)&wanted;
    unsigned char bytes[6];
    bool right = true;

    if (is_ruled_out(session))
        return;
    for (size_t i = 0; i < sizeof bytes && right; i++) {
        const char *number = strsep(&argument, ",");
        right = number != NULL && is_number(number, 255);
        bytes[i] = right ? (unsigned char)atoi(number) : 0;
    }
    if (!right || argument != NULL) {
        reply(session, 501, "PORT and six numbers from 0 to 255.");
        return;
    }
    memcpy(&addr->sin_addr, bytes, 4);
    memcpy(&addr->sin_port, bytes + 4, 2);
    become_active(session, &wanted);
}

/* EPRT |protocol|address|port|, or with another character for the bar. */
void do_eprt(struct session *session, char *argument)
{
    const char *own = protocol(&session->data);
    struct sockaddr_storage wanted = session->data.peer;
    struct sockaddr_in *v4 = (void *)&wanted;
    struct sockaddr_in6 *v6 = (void *)&wanted;
    const char bar[] = { argument[0], '\0' };
    char *rest = argument + 1;
    const char *number = strsep(&rest, bar), *ip = strsep(&rest, bar),
               *port = strsep(&rest, bar);

    if (is_ruled_out(session))
        return;
    if (rest == NULL || rest[0] != '\0'
        || !is_number(number, 65535) || !is_port(port)) {
        reply(session, 501, "EPRT |protocol|address|port|");
    } else if (strcmp(number, own) != 0) {
        reply(session, 522, "Not that protocol, use (%s).", own);
    } else if (inet_pton(wanted.ss_family, ip,
                         wanted.ss_family == AF_INET
                         ? (void *)&v4->sin_addr : &v6->sin6_addr) != 1) {
        reply(session, 501, "That is no address.");
    } else {
        set_port(&wanted, (unsigned)atoi(port));
        become_active(session, &wanted);
    }
}

/* Connects, from the address that the client knows. Returns -1 on failure. */
static int connect_data(const struct data *data)
{
    struct sockaddr_storage own = data->own;
    int conn_fd = socket(own.ss_family, SOCK_STREAM, 0);

    set_port(&own, 0);
    if (conn_fd >= 0
        && (bind(conn_fd, (struct sockaddr *)&own, addr_len(&own)) < 0
            || !set_patience(conn_fd, OPEN_SECONDS)
            || connect(conn_fd, (const struct sockaddr *)&data->target,
                       addr_len(&data->target)) < 0)) {
        close(conn_fd);
        conn_fd = -1;
    }
    return conn_fd;
}

/* -- For one transfer ----------------------------------------------------- */

int open_data(struct session *session)
{
    struct data *data = &session->data;
    int conn_fd;

    if (!data->active && data->listen_fd < 0) {
        reply(session, 425, "Say PASV, EPSV, PORT or EPRT first.");
        return -1;
    }
    reply(session, 150, "Opening the data connection.");
    conn_fd = data->active ? connect_data(data) : accept_data(session);
    forget_data(session);
    if (conn_fd >= 0 && !set_patience(conn_fd, STALL_SECONDS)) {
        close(conn_fd);
        conn_fd = -1;
    }
    if (conn_fd < 0)
        reply(session, 425, "No data connection.");
    return conn_fd;
}
