/* control - see control.h. */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REPLY_BYTES = 1 << 20,      /* the longest reply that we listen to */
    COMMAND_BYTES = 8192,       /* the longest command that we send */
    FAREWELL = 2                /* seconds for the server's FIN */
};

int kind(const struct reply *reply)
{
    return reply->code / 100;
}

void set_failure(struct reply *reply, const char *what)
{
    reply->code = 0;
    snprintf(reply->text, sizeof reply->text, "%s%s%s",
             what == NULL ? "" : what, what == NULL ? "" : ": ",
             strerror(errno));
}

/* The connection is of no use any more. */
static void lose(struct control *control, struct reply *reply,
                 const char *why)
{
    control->lost = true;
    reply->code = 0;
    snprintf(reply->text, sizeof reply->text, "control connection: %s", why);
}

void open_control(struct control *control, const char *host,
                  const char *port)
{
    socklen_t len = sizeof control->peer;

    *control = (struct control){ .type = 'A' };
    control->fd = connect_to(host, port);
    if (getpeername(control->fd, (struct sockaddr *)&control->peer, &len) < 0)
        die("getpeername");

    /* A server that has vanished would let us wait for ever. */
    if (!set_patience(control->fd, SILENCE))
        die("setsockopt");
}

/* What errno says of a socket with a time limit. */
static const char *reason(void)
{
    return strerror(errno == EAGAIN ? ETIMEDOUT : errno);
}

/* -- Replies -------------------------------------------------------------- */

/* Takes the next byte that came. Returns false if there will be none. */
static bool next_byte(struct control *control, struct reply *reply,
                      char *byte)
{
    if (control->next == control->len) {
        ssize_t n = read_some(control->fd, control->buffer,
                              sizeof control->buffer);
        if (n <= 0) {
            lose(control, reply, n < 0 ? reason() : "closed by the server");
            return false;
        }
        control->next = 0;
        control->len = (size_t)n;
    }
    *byte = control->buffer[control->next++];
    return true;
}

/* Reads a line into the reply's text, as much of it as has room; takes its
 * bytes from LEFT. Returns false if it does not come. */
static bool read_line(struct control *control, struct reply *reply,
                      size_t *left)
{
    size_t len = 0;
    char line[sizeof reply->text], byte;

    while (next_byte(control, reply, &byte) && byte != '\n') {
        if (--*left == 0) {
            lose(control, reply, "the server's reply has no end");
            return false;
        }
        if (len < sizeof line - 1 && byte != '\r')
            line[len++] = (unsigned char)byte < ' ' || byte == 127 ? '?' : byte;
    }
    if (control->lost)
        return false;
    line[len] = '\0';
    memcpy(reply->text, line, len + 1);
    return true;
}

/* Returns the code that LINE begins with, or 0. */
static int code_of(const char *line)
{
    bool is_code = line[0] >= '1' && line[0] <= '5'
        && strspn(line, "0123456789") == 3
        && (line[3] == ' ' || line[3] == '-' || line[3] == '\0');

    return is_code ? atoi(line) : 0;
}

void read_reply(struct control *control, struct reply *reply)
{
    size_t left = REPLY_BYTES;
    int code = 0;

    if (!read_line(control, reply, &left))
        return;
    code = code_of(reply->text);
    if (code == 0) {
        lose(control, reply, "the server does not speak FTP");
        return;
    }

    /* STEP 18: a reply may have many lines. The first then has a - behind its
     * code, and the last has the same code and a space. What is between
     * may look like anything, also like a reply. */
    if (reply->text[3] == '-') {
        do
            if (!read_line(control, reply, &left))
                return;
        while (code_of(reply->text) != code || reply->text[3] == '-');
    }
    /* END STEP 18; silent */

    reply->code = code;
    if (code == 421)
        control->lost = true;
}

/* -- Commands ------------------------------------------------------------- */

void command(struct control *control, struct reply *reply,
             const char *verb, const char *argument)
{
    char line[COMMAND_BYTES];
    int len = snprintf(line, sizeof line, "%s%s%s\r\n", verb,
                       argument == NULL ? "" : " ",
                       argument == NULL ? "" : argument);

    if (control->lost) {
        lose(control, reply, strerror(ENOTCONN));
    } else if (len >= (int)sizeof line) {
        errno = ENAMETOOLONG;
        set_failure(reply, verb);
    } else {
        bool sent = send_all(control->fd, line, (size_t)len) == 0;
        if (!sent)                      /* it has gone: read what it said */
            shutdown(control->fd, SHUT_RDWR);   /* before, wait for no more */
        read_reply(control, reply);
        control->lost |= !sent;
    }
}

void close_control(struct control *control)
{
    struct reply reply;

    /* The server closes first then: RFC 959, 4.1.1. */
    if (!control->lost)
        command(control, &reply, "QUIT", NULL);
    if (!control->lost && set_patience(control->fd, FAREWELL))
        while (read_some(control->fd, control->buffer,
                         sizeof control->buffer) > 0)
            ;
    if (close(control->fd) < 0)
        complain("close");
}
