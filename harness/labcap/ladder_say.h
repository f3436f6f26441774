/* ladder_say.h - decides what a row of the ladder says; how it looks is ladder_draw.h's.
 *
 * A segment is what must be kept of a packet until its connection is drawn. A teller goes
 * through the segments of one flow in order and remembers what the next row depends on. */
#ifndef LABCAP_LADDER_SAY_H
#define LABCAP_LADDER_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "ladder_draw.h"
#include "ladder_text.h"

struct segment_record {
    uint64_t packet;
    int64_t time_ns;
    int64_t seq, ack; /* relative */
    uint64_t payload_at; /* where the caller keeps the payload's beginning */
    uint32_t next;       /* the caller's list of a flow */
    uint32_t payload_len;
    uint16_t payload_kept;
    uint16_t marks;
    uint8_t flags, side, handshake, teardown;
    uint8_t state[2];
    bool has_ack;
    uint8_t icmp_type, icmp_code; /* with MARK_UNREACHABLE */
};

enum phase { PHASE_NONE, PHASE_HANDSHAKE, PHASE_DATA, PHASE_TEARDOWN };

struct teller {
    const struct flow *flow;
    bool three_step_teardown; /* the second FIN carries the first one's ACK */
    int64_t last_ns;
    bool started;
    enum phase phase;
    uint8_t closing_steps; /* steps of the teardown so far */
    const char *state[2];  /* client, server; "" where not known */
};

/* `three_step_teardown`: some segment of the flow takes both steps at once.
 * t->state then holds the states before the first segment. */
void teller_start(struct teller *t, const struct flow *flow, bool three_step_teardown);

void segment_keep(struct segment_record *segment, const struct packet *packet,
                  const struct flow_note *note);

/* A segment in words, for ladder_arrow(). `time` needs SPAN_TEXT_MAX and lives as long as the
 * row. *phase is a name to be written above the row, or NULL. */
void teller_row(struct teller *t, const struct segment_record *segment, bool utf8, char *time,
                struct ladder_row *row, const char **phase);

/* One or two plain sentences: how it went, who closed first, bytes each way. */
void tell_outcome(const struct flow *flow, char *text, size_t size);

#endif
