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

/* For acks_take(): new data, up to `end`; an ACK that may acknowledge some of the outstanding. */
void acks_sent(struct acks *acks, int64_t end, uint64_t packet);
void acks_acknowledged(struct acks *acks, int64_t ack, struct segment_record *segment);

/* Learns from the next segment of a connection, `sides` its two sides, and sets the segment's
 * acks_first and acks_last. Of what was sent twice, the packet is the later one. */
static inline void acks_take(struct acks sides[2], struct segment_record *s)
{
    struct acks *own = &sides[s->side], *other = &sides[s->side ^ 1];
    int64_t end = s->seq + ((s->flags & TCP_SYN) != 0) + s->payload_len;

    if (s->flags & TCP_RST || s->marks & MARK_UNREACHABLE)
        return;
    if (s->has_ack && s->ack > other->acked) {
        other->acked = s->ack;
        if (other->count > 0)
            acks_acknowledged(other, s->ack, s);
    }
    if (s->payload_len > 0 && end > own->acked)
        acks_sent(own, end, s->packet);
}

void acks_free(struct acks sides[2]);

#endif
