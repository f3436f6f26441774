/*
 * tftp_peer - the other side of a TFTP transfer: sending to it, waiting for
 * it, and for nobody else. Client and server do the same here.
 *
 * What has no answer is sent again, five times, always after the same while;
 * RFC 1123, 4.2.3.2 would have it grow. Who waits for DATA waits a quarter
 * longer than who has sent it, or both would repeat themselves at once.
 */
#ifndef TFTP_PEER_H
#define TFTP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "tftp.h"

enum {
    USUAL_TIMEOUT = 1000,       /* milliseconds */
    MAX_REPEATS = 5
};

/* How it ended. Of UNREACHABLE and FAILED the transfer knows the reason.
 * AGAIN: it has not ended, what was sent last is to be sent again. */
enum outcome { DONE, AGAIN, UNREACHABLE, NO_ANSWER, FAILED };

struct transfer {
    int fd;                             /* our socket, not connected */
    struct sockaddr_storage peer;
    bool knows_port;                    /* the peer's, from its first answer */
    size_t block_size;
    unsigned long window, timeout;      /* blocks; milliseconds */
    long long deadline, left, limit;    /* of the present wait, see now() */
    int repeats;                        /* since the last progress */
    bool *heard;                        /* the peer has answered, or NULL */
    struct packet in, out;              /* the last one that came; that went */
    struct sockaddr_storage sender;     /* of the last one that came */
    char reason[128];
};

/* Opens the socket of a transfer, so far without options. A server knows the
 * client's port, and OWN_ADDR, where it was asked; a client (NULL) knows
 * neither. Returns false, and t->reason, where there can be no socket. */
bool begin_transfer(struct transfer *t, const struct sockaddr_storage *peer,
                    const struct sockaddr_storage *own_addr);

/* Both sides have agreed on these. */
void use_options(struct transfer *t, const struct options *options);

/* Returns false where it cannot be sent. That need not be the end: it is one
 * more packet that is lost. */
bool send_packet(const struct transfer *t, const struct packet *packet,
                 const struct sockaddr_storage *to);

/* The present wait ends after so long; or when DATA should have come. */
void set_deadline(struct transfer *t, unsigned long milliseconds);
void await_data(struct transfer *t);

/* Waits for a packet from the peer, until the deadline. Returns DONE (it is in
 * t->in), AGAIN (there was none), or how the transfer has ended. */
enum outcome next_packet(struct transfer *t);

/* Sends t->out until the answer is there, in t->in: ACK 0 or DATA 1, as
 * OPCODE says, or an OACK to a request. The peer's port is known then. */
enum outcome exchange(struct transfer *t, enum opcode opcode);

/* Tells the peer that this is the end, and why; the other takes it from
 * errno. Both return FAILED. */
enum outcome break_off(struct transfer *t, enum error_code code,
                       const char *why);
enum outcome break_off_errno(struct transfer *t);

#endif
