/*
 * tftp_port - the port of a TFTP server, where requests come. Of each it is
 * known who sent it, and to which of our addresses: if we are bound to all of
 * them (-a 0.0.0.0), the client waits for an answer from that one.
 */
#ifndef TFTP_PORT_H
#define TFTP_PORT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "tftp.h"

/* A packet that came to our port. */
struct asked {
    struct packet packet;
    struct sockaddr_storage client, own_addr;
};

/* Returns a socket bound to ADDRESS, or ends the program. */
int open_port(const char *address, const char *port);

/* Waits for a packet. Returns false if there was none after all. */
bool take_packet(int fd, struct asked *asked);

/* Answers, from this port, that there will be no transfer. */
void refuse_request(int fd, const struct asked *asked, enum error_code code,
                    const char *why);

#endif
