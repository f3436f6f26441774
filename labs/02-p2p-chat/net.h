/*
 * net - what the programs of this lab begin with: their messages, a socket
 * that is connected, and sending. It is lab 01's, and has nothing new.
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

/* Read the command line: [-a ADDRESS] [-p PORT] or [-p PORT] [HOST]. */
void server_options(int argc, char *argv[],
                    const char **address, const char **port);
void client_options(int argc, char *argv[],
                    const char **host, const char **port);

/* Return a socket, listening or connected; end the program if there can be
 * none. A server ends with status 0 on SIGINT and SIGTERM from now on. */
int start_server(const char *address, const char *port);
int next_client(int listen_fd, bool announced);
int connect_to(const char *host, const char *port);

/* Sends all the bytes. Returns 0, or -1 on error with errno set. */
int send_all(int conn_fd, const void *data, size_t len);

#endif
