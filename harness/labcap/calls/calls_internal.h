/* calls_internal.h - what the parts behind calls.h share. */
#ifndef LABCAP_CALLS_INTERNAL_H
#define LABCAP_CALLS_INTERNAL_H

#include "calls.h"
#include "calls_sockets.h"
#include "calls_wire.h"
#include "strace_log.h"

enum { NOWHERE = 0 };

/* Where a call stands among the packets: behind the first begin_at, end_at of them. */
struct placed {
    int64_t begin_ns, end_ns;
    size_t begin_at, end_at;
    /* What came before its end, by cause: it cannot have ended before this moment, and stands
     * behind so many packets. NOWHERE: nothing is known. */
    size_t cause_at;
    int64_t cause_ns;
    size_t first_at; /* the first packet that the call sent, as an index + 1; NOWHERE */
    bool caused;     /* by what the other side sent: if that came after it began, it waited */
};

/* A note about a packet, or about a call's row in a flow. */
struct packet_note {
    uint32_t flow;
    uint64_t packet;
    const char *text;
};

struct calls {
    struct strace_log log;
    struct wire wire;
    struct replay replay;
    struct placed *placed;   /* by call */
    uint32_t *touches;       /* indexes, flow after flow, in the order of the calls */
    size_t *flow_first;      /* by id; one more at the end */
    struct call_row *rows;   /* flow after flow */
    size_t *row_first;       /* by id; one more at the end */
    struct packet_note *notes;
    size_t note_count, note_capacity;
    const char **touch_notes; /* by touch; NULL none */
    struct kept_block *kept; /* see calls_keep() */
    uint64_t violations;
    char *remark;
};

static inline const struct traced_call *touch_call(const struct calls *c, const struct touch *t)
{
    return &c->log.calls[t->call];
}

static inline struct socket_record *touch_socket(const struct calls *c, const struct touch *t)
{
    return &c->replay.sockets[t->socket];
}

/* Of a send or receive: how many bytes; -1 where it failed or did not end. */
int64_t touch_bytes(const struct calls *c, const struct touch *t);

/* What was sent or received, as far as the log has it and `size` allows: bytes at `bytes`. */
size_t touch_data(const struct calls *c, const struct touch *t, uint8_t *bytes, size_t size);

/* A datagram that a call sent or received, as far as the log tells of it. */
struct datagram_sought {
    int64_t length;
    uint32_t head; /* wire_head(); 0 not known */
    bool cut;      /* it may have been longer: it filled the buffer */
};
/* False for a call that took none. */
bool calls_datagram(const struct calls *c, const struct touch *t, struct datagram_sought *what);
/* `cut`: it was longer than what was received. */
bool calls_is_datagram(const struct wire_packet *p, const struct datagram_sought *what, bool cut);

/* calls_flows.c: finds each touch's flow. */
void calls_find_flows(struct calls *c);

/* calls_cause.c, calls_cause_udp.c: what must have happened before calls ended. */
void calls_find_causes(struct calls *c);
void calls_cause_udp(struct calls *c, const struct flow *flow, const uint32_t *touches,
                     size_t count);

/* The call cannot have ended before this packet had arrived at its side; `other_side`: which is
 * what it waited for. Counts a violation if the call has ended before. */
void calls_after(struct calls *c, const struct touch *t, size_t packet, bool other_side);
/* The call's own packet: it ended after that, if it can have. */
void calls_sent(struct calls *c, const struct touch *t, size_t packet);

/* calls_order.c: places the calls. */
void calls_place(struct calls *c);

/* calls_reset.c: notes why connections were reset, and what closes did. */
void calls_explain(struct calls *c);

/* calls_rows.c, calls_text.c: what is shown. */
void calls_make_rows(struct calls *c);
void calls_write_row(struct calls *c, const struct touch *t, struct call_row *row);

/* Memory for texts, until calls_close(). */
void *calls_keep(struct calls *c, const void *bytes, size_t size);
__attribute__((format(printf, 2, 3))) const char *calls_text(struct calls *c, const char *format,
                                                             ...);

#endif
