/* tcp.h - one TCP connection, learned from its packets in file order.
 *
 * Sequence numbers on the wire are 32 bits and wrap. Here a position is a signed 64-bit number
 * relative to the sender's initial sequence number (ISN): 0 is the SYN, 1 the first byte. In a
 * connection joined in its middle the first number seen counts as position 1.
 *
 * The two ends are "sides" 0 and 1: side 0 sent the first packet. Which of them is the client
 * can change while packets arrive (a SYN+ACK that was captured before its SYN), so readers
 * keep sides and ask tcp_connection.client at the end. */
#ifndef LABCAP_TCP_H
#define LABCAP_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "interval.h"
#include "packet.h"
#include "zeek.h"

/* RFC 9293, section 3.3.2. */
enum tcp_state {
    TCP_CLOSED,
    TCP_LISTEN,
    TCP_SYN_SENT,
    TCP_SYN_RECEIVED,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_LAST_ACK,
    TCP_TIME_WAIT
};

/* What is remarkable about a packet (tcp_note.marks). */
enum {
    MARK_RETRANSMISSION = 1 << 0, /* payload, SYN or FIN with nothing new */
    MARK_PARTLY_NEW = 1 << 1,     /* payload, some of it seen before */
    MARK_OUT_OF_ORDER = 1 << 2,   /* fills a hole below the highest number */
    MARK_DUPLICATE_ACK = 1 << 3,
    MARK_KEEP_ALIVE = 1 << 4,
    MARK_WINDOW_PROBE = 1 << 5,
    MARK_ZERO_WINDOW = 1 << 6,
    MARK_RESET = 1 << 7,
    MARK_REFUSED = 1 << 8,     /* the reset that refuses a SYN; MARK_RESET is set too */
    MARK_DUPLICATE = 1 << 9,   /* recorded twice; counted in nothing else */
    MARK_UNREACHABLE = 1 << 10, /* an ICMP message about this flow, no packet of it */
    MARK_CUT = 1 << 11,         /* IP length above the wire length */
    MARK_WINDOW_OPENS = 1 << 12, /* the first window above 0 behind one of 0 */
    MARK_ANSWER = 1 << 13       /* the ACK that a keep-alive or a window probe asked for */
};

/* Steps of the teardown that one packet takes (tcp_note.teardown); the second FIN is often the
 * first one's ACK too. */
enum {
    STEP_FIRST_FIN = 1 << 0,
    STEP_FIRST_FIN_ACK = 1 << 1,
    STEP_SECOND_FIN = 1 << 2,
    STEP_SECOND_FIN_ACK = 1 << 3
};

/* What one packet did to its connection. */
struct tcp_note {
    int64_t seq; /* relative to the sender's ISN */
    int64_t ack; /* relative to the other side's ISN; only if has_ack */
    bool has_ack;
    uint8_t flags;
    uint32_t payload_len; /* 0 for the octet of a keep-alive too */
    uint64_t window;      /* bytes, scaled where the scale is known */
    bool window_scaled;   /* the scale is known, or not in use since the SYN */
    bool gave_up_hole;    /* interval.h: what is counted of its direction may be wrong now */
    uint8_t handshake;    /* 1 SYN, 2 SYN+ACK, 3 the client's ACK (of a simultaneous open: its
                             SYN+ACK), 0 none */
    uint8_t teardown;     /* STEP_ bits */
    uint32_t marks;       /* MARK_ bits */
};

/* A segment whose IP length exceeds the wire length: [start, end) is claimed, not seen, until
 * the sequence numbers of later packets tell. */
struct claimed_bytes {
    uint32_t length; /* of the whole segment */
    int64_t start, end;
};

/* What most sides never have. */
struct tcp_rare {
    struct claimed_bytes claimed; /* while claim.pending */
    uint64_t missing_bytes, retransmitted_segments, retransmitted_bytes, out_of_order_segments;
    uint64_t duplicate_acks, zero_windows, keep_alives;
    uint64_t syn_retransmissions; /* of the client */
    uint64_t other_syn_ack; /* packet number of the SYN+ACK that another one replaced; 0 none */
    uint32_t other_isn;     /* of that one */
};

/* One side as a sender; counts are of its own packets. There are many at a time: what is small
 * makes them cost less. */
struct tcp_side {
    bool syn_seen : 1;   /* its SYN or SYN+ACK; isn is then the real one */
    bool plain_syn : 1;  /* it sent a SYN without ACK */
    bool based : 1;      /* isn is known or assumed */
    bool syn_acked : 1;
    bool fin_seen : 1, fin_acks_peer : 1;
    bool has_acked : 1;  /* the other side has acknowledged something: `acked` is valid */
    bool sent_past_syn : 1;
    bool ack_sent : 1;   /* last_ack and last_window are valid */
    bool asks : 1;       /* its latest segment is a keep-alive or a window probe */
    struct {
        bool pending : 1;
        bool continues : 1; /* its segment began at the next number: believed if nothing
                               contradicts */
        bool fin : 1;
    } claim;
    int8_t window_scale; /* of its SYN; -1 without the option */
    uint16_t last_window; /* as on the wire */
    uint32_t isn;
    uint32_t window_max;  /* bytes; below 2^30 (RFC 7323) */
    int64_t last_ack;     /* position in the other side's stream */
    int64_t next;         /* one past the highest position sent, SYN and FIN included */
    int64_t acked;        /* highest acknowledgement by the other side */
    uint64_t acked_packet;
    struct interval_set seen;
    uint64_t packets, segments, bytes, largest_segment;

    int64_t fin_position;
    int64_t acked_by_fin; /* what the other side's FIN acknowledges; 0 nothing */
    uint64_t fin_packet, fin_ack_packet; /* packet numbers; 0 not seen */
    struct tcp_rare *rare; /* NULL: all of it is 0 */
};

enum teardown_kind { TEARDOWN_OPEN, TEARDOWN_HALF_CLOSED, TEARDOWN_FIN, TEARDOWN_RESET };

struct tcp_connection {
    uint8_t client;      /* 0 or 1 */
    bool client_known;
    bool complete;       /* the handshake */
    bool refused;
    bool steady;         /* tcp_steady.c */
    bool ended;          /* tcp_teardown_kind() is TEARDOWN_FIN or TEARDOWN_RESET */
    uint8_t first_fin;   /* side; valid if that side's fin_seen */
    uint8_t reset_by : 1; /* side */
    bool client_by_syn : 1; /* a SYN without ACK told; else a SYN+ACK did */
    bool syn_ack_valid : 1;
    bool itself : 1;     /* both ends are one socket: what it sends is what it receives */
    struct tcp_side side[2];
    struct zeek zeek;
    uint64_t syn, syn_ack, ack; /* packet numbers; 0 not seen */
    uint64_t reset;      /* packet number of the first RST; 0 none, or only after both FINs
                            were acknowledged */
};

/* Starts a connection, all bits of which are 0 (as such it is an empty one), whose first packet,
 * from side 0, is `p`. */
void tcp_start(struct tcp_connection *c, const struct packet *p);

/* True if the packet, from `side`, belongs to a new connection between the same ends; the packet
 * before it came `idle_ns` ago. */
bool tcp_starts_anew(const struct tcp_connection *c, unsigned side, const struct packet *p,
                     uint64_t idle_ns);

/* Learns from the next packet of the connection and tells what it meant. */
static inline void tcp_add(struct tcp_connection *c, unsigned side, const struct packet *p,
                           struct tcp_note *note);

/* No more packets: settles what only the end can tell. */
void tcp_finish(struct tcp_connection *c);

void tcp_free(struct tcp_connection *c);

/* What few sides have: to be read, or to be added to. The latter exits when out of memory. */
const struct tcp_rare *tcp_rare(const struct tcp_side *side);
struct tcp_rare *tcp_rare_of(struct tcp_side *side);

/* A wire sequence number of `side` as a position near the highest one known. */
int64_t tcp_position(const struct tcp_side *side, uint32_t seq);

/* The state of one end, as far as the packets so far tell. */
static inline enum tcp_state tcp_state(const struct tcp_connection *c, unsigned side);

/* The state of one end, in a connection that holds what this end sent and what it received: a
 * FIN that came before data that is missing has no effect yet. */
enum tcp_state tcp_state_in_order(const struct tcp_connection *c, unsigned side);

enum teardown_kind tcp_teardown_kind(const struct tcp_connection *c);

/* 4, 3, or 0 where neither pattern of RFC 9293, section 3.6 applies. */
unsigned tcp_teardown_segments(const struct tcp_connection *c);

/* Neither FIN acknowledges the other (RFC 9293, figure 13). */
bool tcp_simultaneous_close(const struct tcp_connection *c);

/* The side sent its FIN before the other one had arrived: it was never in CLOSE-WAIT. */
bool tcp_fins_cross(const struct tcp_connection *c, unsigned side);

/* The side's packets are missing, as where one direction was recorded: the other one acknowledges
 * some. */
static inline bool tcp_unrecorded(const struct tcp_connection *c, unsigned side)
{
    return c->side[side].packets == 0 && c->side[side].has_acked;
}

const char *tcp_state_name(enum tcp_state state);

/* ---- tcp_add(), tcp_state(): two ways ---- */

/* tcp_steady.c: takes the next packet in order, of a steady connection; returns false, and has
 * done nothing, if it is another. */
bool tcp_take_steady(struct tcp_connection *c, unsigned side, const struct packet *p,
                     struct tcp_note *note);

/* Takes any packet. */
void tcp_take_any(struct tcp_connection *c, unsigned side, const struct packet *p,
                  struct tcp_note *note);

static inline void tcp_add(struct tcp_connection *c, unsigned side, const struct packet *p,
                           struct tcp_note *note)
{
    if (!c->steady || !tcp_take_steady(c, side, p, note))
        tcp_take_any(c, side, p, note);
}

/* tcp_phases.c: of any connection. */
enum tcp_state tcp_state_of(const struct tcp_connection *c, unsigned side);

static inline enum tcp_state tcp_state(const struct tcp_connection *c, unsigned side)
{
    return c->steady ? TCP_ESTABLISHED : tcp_state_of(c, side);
}

#endif
