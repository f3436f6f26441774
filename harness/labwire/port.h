/* port.h - where packets come to the relay and leave it: a packet socket on an interface.
 *
 * What comes waits in a ring that the kernel and this process share (packet(7)): a socket's
 * buffer is limited to 208 KiB for an ordinary user, a ring is not. */
#ifndef LABWIRE_PORT_H
#define LABWIRE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* On what this relay sends, so that it does not take it for a sender's. wall.c lets it pass. */
enum { PORT_MARK = 0x6e65 };

enum port_kind {
    PORT_LOOPBACK_IPV4, /* takes what one program sends; what it sends, another one gets */
    PORT_LOOPBACK_IPV6,
    PORT_LINK           /* an end of a link: takes and sends everything, not only IP */
};

struct port {
    const char *name; /* of the interface */
    enum port_kind kind;
    uint8_t address[6];
    int fd;
    uint8_t *ring;
    size_t ring_bytes;
    uint32_t frame_size, block_size, frames_in_block, frames;
    uint32_t next;     /* the slot that the next frame will be in */
    uint64_t sent;     /* frames */
    uint64_t lost;     /* frames that found the ring full */
    uint64_t dropped_before;
};

/* Opens the interface; ends the program where that cannot be done. RING_BYTES: at least 1 MiB; what
 * has come and was not taken yet has room there. */
void port_open(struct port *port, enum port_kind kind, const char *name, size_t ring_bytes);

void port_close(struct port *port);

/* The next frame, if one waits. It stays where it is, and can be changed, until
 * port_release(). */
bool port_take(struct port *port, struct frame *frame);
void port_release(struct port *port);

/* Forgets what has come and was sent until now. */
void port_begin(struct port *port);

void port_send(struct port *port, const uint8_t *bytes, size_t length);

/* How many frames that were to pass here are lost: they found the ring full, or on a link no
 * room at the other end. On a loopback arrivals.h knows the latter. */
uint64_t port_lost(struct port *port);

#endif
