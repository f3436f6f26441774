/*
 * control - the client's side of the control connection: commands go out,
 * each is answered by one reply, or by a preliminary one (1xx) and another at
 * the end of the transfer. RFC 959, section 4.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "net.h"

enum { SILENCE = 300 };     /* seconds that a server may say nothing */

/* The control connection, and what the server has been told on it. */
struct control {
    int fd;
    struct sockaddr_storage peer;   /* the server's address */
    bool lost;                      /* nothing more can be asked */
    char type;                      /* of TYPE; 'A' in the beginning */
    bool only_pasv;                 /* EPSV is unknown to the server */
    size_t len, next;               /* what has been received, but not read */
    char buffer[4096];
};

/*
 * A reply: its code, and its last line as it came (without line end, and
 * without control characters, as it will be printed). A code of 0 is no reply
 * but a failure of our own, which the text tells.
 */
struct reply {
    int code;
    char text[512];
};

/* How a reply's code begins: 1 more to come, 2 done, 3 more is needed, 4 not
 * now, 5 not at all; 0 for none. */
int kind(const struct reply *reply);

/* Makes REPLY a failure of our own: `WHAT: why`, the why from errno. WHAT may
 * be NULL. */
void set_failure(struct reply *reply, const char *what);

/* Connects to the server, or ends the program. */
void open_control(struct control *control, const char *host,
                  const char *port);

/* Reads one reply, of one line or many; its code is 0 if the connection is
 * lost. So it is with 421, the server's own farewell. */
void read_reply(struct control *control, struct reply *reply);

/* Sends a command, ARGUMENT may be NULL, and reads the reply. Neither may
 * hold the end of a line. */
void command(struct control *control, struct reply *reply,
             const char *verb, const char *argument);

/* QUIT, its reply, and the end of the connection. */
void close_control(struct control *control);

#endif
