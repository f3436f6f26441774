/* transit.h - the packets that are on their way longer than the others: delayed ones, and those
 * that wait until one sent after them has arrived. */
#ifndef LABWIRE_TRANSIT_H
#define LABWIRE_TRANSIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

struct port;

/* One direction of a flow. */
struct way {
    uint8_t ip_version, protocol;
    struct endpoint source, destination;
};

struct way way_of(const struct packet *packet);
bool way_equal(const struct way *a, const struct way *b);

/* A frame on its way, or about to be sent on. */
struct parcel {
    struct parcel *next;
    struct port *to;
    struct way way;
    uint64_t number; /* of the packet, in the order of sending; its fragments have one number */
    int64_t due_ns;  /* of a delayed one (clock.h) */
    bool completes;  /* with this frame the packet has arrived: no fragment follows */
    uint32_t length;
    uint8_t *bytes;  /* somewhere else, until parcel_keep() */
};

/* A copy that owns its bytes; free() ends it. */
struct parcel *parcel_keep(const struct parcel *parcel);

struct transit {
    struct parcel **delayed; /* a binary heap, the earliest due first */
    size_t delayed_count, delayed_room;
    struct parcel *held, **held_end; /* in the order of sending */
};

void transit_init(struct transit *transit);

/* Both keep a copy. */
void transit_delay(struct transit *transit, const struct parcel *parcel);
void transit_hold(struct transit *transit, const struct parcel *parcel);

/* When the next delayed one is due; INT64_MAX without any. */
int64_t transit_due(const struct transit *transit);

/* The delayed one that is due first, or NULL where none is due by NOW. The caller frees it. */
struct parcel *transit_take_due(struct transit *transit, int64_t now);

/* A held one that may go as PASSED has arrived, or NULL; any held one if PASSED is NULL. */
struct parcel *transit_take_held(struct transit *transit, const struct parcel *passed);

#endif
