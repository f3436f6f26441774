/*
 * session - the control connection with one client: it sends commands, one
 * line each, and gets a reply to each, in their order. A reply begins with
 * three digits, which are all that a program reads. RFC 959, 4 and 5.
 *
 * session.c has the commands that are about the session itself, paths.c those
 * about its folder, data.c those about the data connection; transfer.c and
 * list.c have those that need one.
 */
#ifndef SESSION_H
#define SESSION_H

#include <limits.h>
#include <stdbool.h>

#include "data.h"
#include "lines.h"

/* What the server was started with. */
struct served {
    int folder;                         /* the descriptor of FOLDER */
    const char *user, *password;        /* NULL: anonymous, reading only */
};

struct session {
    int control_fd;
    const struct served *served;
    bool over;
    struct lines lines;                 /* what comes from the client */
    bool named, right_name, logged_in;
    int failures;                       /* to log in */
    bool ascii;                         /* TYPE A, else I */
    char folder[PATH_MAX];              /* "" is FOLDER, else "/sub/folder" */
    struct data data;
};

/* Serves one client until it leaves, and closes its connection. */
void serve_client(int control_fd, const struct served *served);

/* Sends one reply. Once that fails, the session is over. */
void reply(struct session *session, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* TEXT has no control characters: in lines, they could not be told apart. */
bool is_printable(const char *text);

#endif
