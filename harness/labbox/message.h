/*
 * message.h - one datagram with descriptors, over a UNIX socket (SOCK_SEQPACKET).
 *
 * Both programs of this folder talk to the harness so; labkit/wire.py is the
 * other end. Descriptors travel as SCM_RIGHTS (unix(7)). Nothing here allocates.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <sys/types.h>

enum { MESSAGE_BYTES = 64 * 1024, MESSAGE_FDS = 16 };

/* Sends LEN bytes and COUNT descriptors as one datagram. 0, or -1 with errno. */
int message_send(int sock, const void *data, size_t len, const int *fds, size_t count);

/*
 * Receives one datagram of at most SIZE bytes and its descriptors, close-on-exec,
 * at most MESSAGE_FDS, into FDS; *COUNT tells how many. Returns the bytes, 0 at
 * the other end's close, -1 with errno (EMSGSIZE: it was larger than SIZE).
 */
ssize_t message_receive(int sock, void *data, size_t size, int *fds, size_t *count);

#endif
