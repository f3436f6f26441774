/* frame.h - the bytes of an Ethernet frame: what labwire reads in them and writes into them. */
#ifndef LABWIRE_FRAME_H
#define LABWIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

enum { ETHERNET_HEADER = 14, FRAME_MIN = 60 };

/* A frame as a packet socket hands it over. */
struct frame {
    uint8_t *bytes;
    uint32_t length;
    /* The transport checksum that is still to be put in, as the sender's kernel left it to the
     * network card: the sum runs from checksum_start, its place is checksum_offset behind. */
    bool checksum_open;
    uint32_t checksum_start, checksum_offset;
};

/* True if the frame holds IPv4 or IPv6, its whole first header. */
bool frame_is_ip(const struct frame *frame);

/* Puts the open checksum in. False if its place is outside the frame. */
bool frame_complete(struct frame *frame);

/* Writes the tag (passage.h) into the source address. */
void frame_tag(struct frame *frame, uint64_t key, uint64_t ordinal);

/* Changes one octet so that the receiver's checksum finds it: the first of the payload, or,
 * without payload, one of the checksum. `packet` is what was decoded from this frame. */
void frame_damage(struct frame *frame, const struct packet *packet);

/* The first frame of a trace: the banner (passage.h) and TEXT. Returns its length, or 0 where
 * it has no room in SIZE bytes, of which FRAME_MIN are the least. */
size_t frame_announcement(uint8_t *bytes, size_t size, const uint8_t to[6], const char *text);

#endif
