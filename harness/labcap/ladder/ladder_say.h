/* ladder_say.h - decides what a row of the ladder says; how it looks is ladder_draw.h's.
 *
 * A segment is what must be kept of a packet until its connection is drawn. A teller goes
 * through the segments of one flow in order and remembers what the next row depends on. */
#ifndef LABCAP_LADDER_SAY_H
#define LABCAP_LADDER_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "flow.h"
#include "points.h"
#include "ladder_draw.h"
#include "ladder_text.h"

struct segment_record {
    uint64_t packet;
    int64_t time_ns;
    int64_t seq, ack; /* relative */
    uint32_t payload_len;
    uint16_t marks;
    uint8_t flags, side, handshake, teardown;
    uint8_t state[2];
    bool has_ack;
    uint8_t icmp_type, icmp_code; /* with MARK_UNREACHABLE */
    /* What follows is 0 at first, and learned later.
     * The packets whose data it acknowledges, the first and the last; 0 none, or not known. The
     * caller sets them, see ladder_acks.h. */
    bool acks_more; /* and some between them */
    uint32_t fragments; /* of a datagram; 0 where it came in one packet, or not all were seen */
    uint32_t arrivals; /* see below */
    uint64_t acks_first, acks_last;
    /* What became of it, in a trace with two points: see segment_fate(). */
    bool fate_told, damaged;
    bool state_changed[2]; /* by side; seen_state is valid then */
    uint8_t seen_state[2];
    bool incomplete; /* a datagram: some of its fragments were not seen (yet), */
    bool so_far;     /* and it is told before they can be known not to come */
    uint64_t after;
    int64_t transit_ns;
};

enum phase { PHASE_NONE, PHASE_HANDSHAKE, PHASE_DATA, PHASE_TEARDOWN };

struct teller {
    const struct flow *flow;
    uint64_t points_from; /* packets after this one are told with their fates; UINT64_MAX: none */
    bool three_step_teardown; /* the second FIN carries the first one's ACK */
    bool undecided_teardown;  /* whether it does is not known yet */
    int64_t last_ns;
    bool started;
    enum phase phase;
    uint8_t closing_steps; /* STEP_ bits of the teardown so far */
    const char *state[2];  /* client, server; "" where not known */
};

/* `three_step_teardown`: some segment of the flow takes both steps at once. `points_from`: see
 * struct teller. t->state then holds the states before the first segment. */
void teller_start(struct teller *t, const struct flow *flow, bool three_step_teardown,
                  uint64_t points_from);

/* Keeps the latest packet, as it left its flow. */
static inline void segment_keep(struct segment_record *s, const struct packet *packet,
                                const struct flow_note *note)
{
    bool states = note->flow->protocol == IP_TCP && !(note->tcp.marks & MARK_UNREACHABLE);

    s->packet = packet->number;
    s->time_ns = packet->time_ns;
    s->seq = note->tcp.seq;
    s->ack = note->tcp.ack;
    s->payload_len = note->tcp.payload_len;
    s->marks = (uint16_t)note->tcp.marks;
    s->flags = note->tcp.flags;
    s->side = note->side;
    s->handshake = note->tcp.handshake;
    s->teardown = note->tcp.teardown;
    for (unsigned side = 0; side < 2; side++)
        s->state[side] = states ? (uint8_t)tcp_state(&note->flow->tcp, side) : TCP_CLOSED;
    s->has_ack = note->tcp.has_ack;
    s->icmp_type = packet->quoted.type;
    s->icmp_code = packet->quoted.code;
    memset((char *)s + offsetof(struct segment_record, acks_more), 0,
           sizeof *s - offsetof(struct segment_record, acks_more));
    s->incomplete = note->datagram != NULL && !(note->tcp.marks & MARK_UNREACHABLE);
}

/* The last of its fragments was seen. */
static inline void segment_whole(struct segment_record *s, uint64_t fragments)
{
    s->incomplete = false;
    s->fragments = (uint32_t)fragments;
}

/* Something became of the segment. */
void segment_fate(struct segment_record *segment, const struct fate *fate);

/* A segment in words, for ladder_arrow(). *phase is a name to be written above the row, or NULL. */
void teller_row(struct teller *t, const struct segment_record *segment, bool utf8,
                struct ladder_row *row, const char **phase);

/* A part of a row's note, behind what is there. */
void tell_note(char note[LADDER_NOTE_MAX], const char *what);

/* Nothing of it was lost, late, damaged or doubled, as far as that is told. */
bool fate_is_ordinary(const struct segment_record *segment);

/* What became of a segment whose fate was told: notes, or that the row is of a lost one. */
void tell_fate(const struct segment_record *segment, struct ladder_row *row);

/* What became of all its packets, behind what is in `text`. Where the trace has two points only. */
void tell_transit(const struct flow *flow, struct growing *text);

/* A few plain sentences: how it went, who closed first, bytes each way. */
void tell_outcome(const struct flow *flow, struct growing *text);

#endif
