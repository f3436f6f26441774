/* ladder_acks.h - whose data an ACK acknowledges, by packet number. */
#ifndef LABCAP_LADDER_ACKS_H
#define LABCAP_LADDER_ACKS_H

#include <stdint.h>

#include "ladder_say.h"

/* Data of one side that is not acknowledged yet, up to stream position `end`. */
struct outstanding {
    int64_t end;
    uint64_t first, last; /* packets; several where there were too many to tell apart */
};

enum { ACKS_FEW = 2 };

/* In order of `end`; all bits 0 is an empty one. It must not be moved. */
struct acks {
    struct outstanding *list; /* `few` as long as they suffice */
    uint32_t begin, count, capacity;
    int64_t acked; /* up to here */
    struct outstanding few[ACKS_FEW];
};

/* Learns from the next segment of a connection, `sides` its two sides, and sets the segment's
 * acks_first and acks_last. Of what was sent twice, the packet is the later one. */
void acks_take(struct acks sides[2], struct segment_record *segment);

void acks_free(struct acks sides[2]);

#endif
