/*
 * net - what the programs of this lab begin with and have in common: their
 * messages, a socket that listens or is connected, sending, closing first.
 */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>

/* Each program says its own name, for its messages. */
extern const char program[];

/* Prints `program: WHAT: why` to stderr, the why from errno. */
void complain(const char *what);

/* The same, and ends the program with status 1. */
_Noreturn void die(const char *what);

/* TEXT is a number from 0 to 65535, in digits alone. */
bool is_port(const char *text);

/* Reads -a ADDRESS and -p PORT; anything else is a usage error. */
void read_options(int argc, char *argv[],
                  const char **address, const char **port);

/* To be called once, before the first socket is made. */
void keep_standard_fds(void);
void ignore_sigpipe(void);

/* Returns a listening socket, its start line printed; ends the program if
 * there can be none. SIGINT and SIGTERM end it with status 0 from now on. */
int start_server(const char *address, const char *port);

/* Takes the next client, prints who it is and returns its socket, or -1. */
int accept_client(int listen_fd);

/* The same, but waits and tries again where there can be none at present. */
int next_client(int listen_fd);

/* Returns a connected socket; ends the program if there can be none. */
int connect_to(const char *host, const char *port);

/* Sends all the bytes. Returns 0, or -1 on error with errno set. */
int send_all(int conn_fd, const void *data, size_t len);

/* Closes first: sends the FIN, waits at most SECONDS for the peer's. */
void close_first(int conn_fd, int seconds);

#endif
