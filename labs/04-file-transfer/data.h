/*
 * data - the data connection: each transfer has one of its own. Either the
 * client opens it, and has asked us before where to (passive: PASV, EPSV), or
 * we do, and it has told us where to (active: PORT, EPRT). RFC 959, 3.2 and
 * 3.3; RFC 2428.
 */
#ifndef DATA_H
#define DATA_H

#include <stdbool.h>
#include <sys/socket.h>

struct session;

/* What has been agreed on for the next transfer: one of the two, or none. */
struct data {
    struct sockaddr_storage own, peer;  /* of the control connection */
    int listen_fd;                      /* passive, else -1 */
    bool active;
    struct sockaddr_storage target;     /* active: where to */
    bool only_epsv;                     /* EPSV ALL */
};

/* The control connection's two ends are CONTROL_FD's. False, and errno. */
bool begin_data(struct data *data, int control_fd);

/* The commands. */
void do_pasv(struct session *session, char *argument);
void do_epsv(struct session *session, char *argument);
void do_port(struct session *session, char *argument);
void do_eprt(struct session *session, char *argument);

/* Replies 150 and returns the data connection; or replies 425, returns -1. */
int open_data(struct session *session);

/* There will be no transfer: what was agreed on for it is void. */
void forget_data(struct session *session);

#endif
