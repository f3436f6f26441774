/*
 * net - what the programs of this lab begin with: their messages, addresses,
 * a datagram socket that is bound. As in labs 01 and 02, less all that TCP
 * needs: nothing listens, nothing is accepted, nothing is closed in order.
 */
#ifndef NET_H
#define NET_H

#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

enum {
    /* The most bytes that fit in one datagram over IPv4. An IP packet has
     * 65,535 bytes at most, as its length field has 16 bits; 20 of them are
     * the IP header, 8 are the UDP header. RFC 768, RFC 791. */
    MAX_DATAGRAM = 65507,

    /* Whoever receives must have room for the largest datagram there can be:
     * of what does not fit, the rest is thrown away without a word. */
    RECEIVE_SIZE = 65535
};

/* Each program says its own name, for its messages. */
extern const char program[];

/* Prints `program: WHAT: why` to stderr, the why from errno. */
void complain(const char *what);

/* The same, and ends the program with status 1. */
_Noreturn void die(const char *what);

/* The same, for what was to go to HOST. */
_Noreturn void die_sending(const char *host, const char *port);

/* TEXT is a number from 0 to MOST, in digits alone. */
bool is_number(const char *text, unsigned long most);
bool is_port(const char *text);

/* To be called once, before the first socket is made. */
void keep_standard_fds(void);
void ignore_sigpipe(void);

/* From now on SIGINT and SIGTERM end the program, with status 0. */
void end_on_signals(void);

/* Returns the socket addresses of HOST, at least one, to be freed. FAMILY is
 * AF_INET, AF_INET6 or AF_UNSPEC, that is any. Ends the program if none. */
struct addrinfo *addresses_of(const char *host, const char *port, int family);

/* Returns a datagram socket that is bound to ADDRESS, and in OWN_ADDR what it
 * is bound to, in numbers. Ends the program if there can be none. */
int bind_to(const char *address, const char *port,
            struct sockaddr_storage *own_addr);

/* An address as people write it. */
struct endpoint {
    char ip[NI_MAXHOST], port[NI_MAXSERV];
};

/* Returns false, and has said why, where it cannot be told. */
bool describe(const struct sockaddr_storage *addr, socklen_t len,
              struct endpoint *endpoint);

#endif
