/*
 * transfer - the commands that move bytes between the folder and a data
 * connection. There is nothing but the bytes on it: its end is the end of the
 * file, and only the reply on the control connection (226, or 4xx) tells
 * whether that was all of it. RFC 959, 3.4.1 and 5.4.
 */
#ifndef TRANSFER_H
#define TRANSFER_H

struct session;

void do_retr(struct session *session, char *name);
void do_stor(struct session *session, char *name);
void do_size(struct session *session, char *name);

/* How a transfer has ended: the code of its reply. */
enum outcome {
    DONE = 226,
    BROKEN = 426,                       /* the data connection */
    FILE_FAILED = 451,                  /* on our side */
    DISK_FULL = 452
};

/* Closes the data connection, replies. */
void end_transfer(struct session *session, int data_fd,
                  enum outcome outcome);

/* There will be no transfer: replies so (550, 452), the reason from errno. */
void refuse(struct session *session, const char *name);

#endif
