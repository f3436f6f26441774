/*
 * net - what the programs of this lab begin with and have in common: their
 * messages, addresses, a socket that listens, is bound or is connected,
 * sending and receiving, closing. As in labs 01 and 03.
 */
#ifndef NET_H
#define NET_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Each program says its own name, for its messages. */
extern const char program[];

/* -- Messages, command line ---------------------------------------------- */

/* Replaces what would control a terminal: a stranger may have chosen it. */
void make_printable(char *text);

/* Prints `program: WHAT: why` to stderr, the why from errno. */
void complain(const char *what);

/* The same, and ends the program with status 1. */
_Noreturn void die(const char *what);

/* TEXT is a number from 0 to MOST, in digits alone. */
bool is_number(const char *text, unsigned long most);
bool is_port(const char *text);

/* To be called once, before the first socket is made. */
void keep_standard_fds(void);
void ignore_sigpipe(void);

/* Milliseconds of a clock that nobody can set. */
long long now(void);

/* -- Addresses ------------------------------------------------------------ */

/* Returns the socket addresses of HOST, at least one, to be freed. SOCKTYPE
 * is SOCK_STREAM or SOCK_DGRAM. Ends the program if there are none. */
struct addrinfo *addresses_of(const char *host, const char *port,
                              int socktype);

/* An address as people write it. */
struct endpoint {
    char ip[NI_MAXHOST], port[NI_MAXSERV];
};

/* Returns false, and has said why, where it cannot be told. */
bool describe(const struct sockaddr_storage *addr, struct endpoint *endpoint);

/* How many bytes of ADDR are in use; its port; the same host, any port. */
socklen_t addr_len(const struct sockaddr_storage *addr);
unsigned port_of(const struct sockaddr_storage *addr);
void set_port(struct sockaddr_storage *addr, unsigned port);
bool is_same_host(const struct sockaddr_storage *a,
                  const struct sockaddr_storage *b);

/* An IPv6 socket (-a ::) shows the IPv4 host 192.0.2.1 as ::ffff:192.0.2.1.
 * Makes an IPv4 address of that, leaves any other as it is. */
void unmap(struct sockaddr_storage *addr);

/* -- Sockets -------------------------------------------------------------- */

/* Returns a TCP socket that listens at ADDRESS, or a UDP socket that is bound
 * to it; ends the program if there can be none. */
int listen_on(const char *address, const char *port);
int bind_to(const char *address, const char *port);

/* Prints `listening on ADDRESS port PORT`, what the socket is bound to. */
void print_start_line(int fd);

/* Returns the socket of the next client, and who it is (unmapped). Where
 * there can be none at present: says so, waits, tries again. */
int accept_client(int listen_fd, struct sockaddr_storage *peer_addr);

/* Returns a TCP connection to HOST, the first of its addresses that answers;
 * ends the program if there can be none. */
int connect_to(const char *host, const char *port);

/* -- Sending, receiving, closing ------------------------------------------ */

/* From now on a connect, a send or a receive that waits longer than SECONDS
 * fails (EAGAIN). False, and errno, where that cannot be. */
bool set_patience(int fd, int seconds);

/* Sends all the bytes. Returns 0, or -1 on error with errno set. */
int send_all(int conn_fd, const void *data, size_t len);

/* read(), not disturbed by signals; of a file or a socket. */
ssize_t read_some(int fd, void *buffer, size_t size);

/* Closes first: sends the FIN, waits at most SECONDS for the peer's. */
void close_first(int conn_fd, int seconds);

/* However the connection is closed from now on, also by the end of the
 * process: that is a reset, or no longer. */
void reset_at_close(int conn_fd, bool reset);

/* Closes with a reset: what was sent is not the whole, and the peer has to
 * know it. After a FIN it would take it for the whole. */
void close_with_reset(int conn_fd);

#endif
