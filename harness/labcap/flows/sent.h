/* sent.h - the latest packets that were sent, to be found again when they arrive.
 *
 * For traces with two points (passage.h). A ring of the latest SENT_MAX packets, so that memory
 * is bounded whatever a file holds: what arrives later than that many packets after it was sent
 * is not found. Two indexes lead into it: by the packet's key, and by what a tag tells together
 * with addresses, protocol and length, which is how a damaged packet is found. Their hashes are
 * keyed with random numbers; nothing that is found depends on them. */
#ifndef LABCAP_SENT_H
#define LABCAP_SENT_H

#include <stdbool.h>
#include <stdint.h>

#include "bound.h"
#include "packet.h"
#include "passage.h"

enum { SENT_MAX = BOUND(1 << 18, 32) };

struct flow;

struct sent_packet {
    /* Set here. */
    uint64_t place; /* 1, 2, ... in the order of sending */
    uint64_t key, route;
    uint64_t older_key, older_tag; /* place of the one before in the same chain; 0 none */
    uint16_t ordinal;              /* among the packets of its key */

    /* The owner's. */
    uint64_t number; /* of the packet; of a datagram, its first fragment */
    int64_t time_ns;
    struct flow *flow; /* NULL: no packet of TCP or UDP, nor about one */
    uint64_t datagram; /* place of the datagram's piece that was sent first; its own if whole */
    uint64_t copies;   /* arrivals */
    uint8_t side;
    bool chosen;  /* by the filter */
    bool counts;  /* a packet of the flow itself */
    bool leading; /* not a later fragment */
    /* In a datagram's piece that was sent first, about all of it. */
    bool whole, arrived, damaged, told_damaged;
    uint32_t pieces, pieces_arrived;
    uint64_t extra; /* arrivals of its leading piece after the first */
};

struct sent_table;

/* Exits when out of memory, as sent_add() does. */
struct sent_table *sent_table_new(void);
void sent_table_free(struct sent_table *table);

/* Remembers a packet that has an IP header. The result is valid until the next call; the owner's
 * part is zero. */
struct sent_packet *sent_add(struct sent_table *table, const struct packet *packet);

/* The packet that has arrived as `packet`, by its tag; NULL if there is none. *damaged is true
 * if its checksum is known to be wrong, and set if it is another packet than was sent. */
struct sent_packet *sent_find(struct sent_table *table, const struct packet *packet,
                              const struct passage_tag *tag, bool *damaged);

/* The packet at a place, or NULL if it is forgotten. */
struct sent_packet *sent_at(struct sent_table *table, uint64_t place);

/* The packet that the next sent_add() forgets, NULL if none. */
struct sent_packet *sent_leaving(struct sent_table *table);

/* The first place that is not forgotten, and the last one; first > last: none. */
void sent_range(const struct sent_table *table, uint64_t *first, uint64_t *last);

/* Nothing of what was sent so far can arrive any more. */
void sent_forget(struct sent_table *table);

#endif
