/* zeek.h - Zeek's conn_state and history of one connection.
 *
 * Zeek summarises a connection by two end states and a string of letters; people know them, so
 * labcap speaks them too, with Zeek's meaning: s SYN, h SYN+ACK, a pure ACK, d data, f FIN,
 * r RST, t retransmission, w zero window, g content gap, i FIN+RST, q SYN with FIN or RST; upper
 * case from the originator, ^ where the roles were flipped. a, d, i and q stand once a side;
 * s, h, f and r again when their sequence number is another one; t, w and g at the 1st, 10th,
 * 100th ... time. c (checksum) is never there: checksums are not checked. */
#ifndef LABCAP_ZEEK_H
#define LABCAP_ZEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The letters that are kept; a longer history ends there. Most are short. */
enum { ZEEK_HISTORY_MAX = 63, ZEEK_SHORT_MAX = 13 };

enum zeek_end {
    ZEEK_INACTIVE,
    ZEEK_SYN_SENT,
    ZEEK_SYN_ACK_SENT,
    ZEEK_PARTIAL,
    ZEEK_ESTABLISHED,
    ZEEK_CLOSED,
    ZEEK_RESET
};

/* Bits of the letters that stand once a side, or once for each number. */
enum {
    ZEEK_ONCE_SYN = 1,
    ZEEK_ONCE_FIN = 2,
    ZEEK_ONCE_RST = 4,
    ZEEK_ONCE_DATA = 8,
    ZEEK_ONCE_ACK = 16,
    ZEEK_ONCE_I = 32,
    ZEEK_ONCE_Q = 64
};

struct zeek_side {
    uint8_t state, previous; /* enum zeek_end */
    uint8_t once;            /* ZEEK_ONCE_ */
    uint32_t start, last;    /* wire numbers: the ISN, one past the highest */
    uint32_t last_syn, last_fin, last_rst;
};

/* What few connections need. */
struct zeek_more {
    uint32_t count[2][3]; /* by side: of t, w, g */
    char history[ZEEK_HISTORY_MAX + 1];
};

/* At first all bytes are 0. What adds to it exits when out of memory. */
struct zeek {
    struct zeek_side side[2];
    struct zeek_more *more; /* NULL: the history is short, and nothing is counted */
    uint8_t originator;
    uint8_t length;
    char history[ZEEK_SHORT_MAX + 1];
};

void zeek_free(struct zeek *z);

static inline const char *zeek_history(const struct zeek *z)
{
    return z->more != NULL ? z->more->history : z->history;
}

/* One packet, as Zeek sees it. */
struct zeek_packet {
    uint8_t flags;
    uint32_t seq, ack;
    uint32_t payload_len;
    bool zero_window;
    uint64_t gaps; /* holes that this packet's acknowledgement reveals in the other's stream */
};

/* Appends the letter of a ZEEK_ONCE_ bit the first time. Returns true if it was there already. */
bool zeek_append_once(struct zeek *z, unsigned side, unsigned bit, char letter);

/* The other side is the originator from now on. */
void zeek_flip(struct zeek *z);

void zeek_add(struct zeek *z, unsigned side, const struct zeek_packet *p);

/* The same for an ACK without SYN, FIN, RST, zero window or gaps, both sides established. False,
 * and nothing is done, if its payload is not new. */
static inline bool zeek_take_ordinary(struct zeek *z, unsigned side, uint32_t seq,
                                      uint32_t payload_len)
{
    struct zeek_side *s = &z->side[side];
    int32_t advance = (int32_t)(seq + payload_len - s->last);
    bool data = payload_len > 0;

    if (data && advance <= 0)
        return false;
    if (!(s->once & (data ? ZEEK_ONCE_DATA : ZEEK_ONCE_ACK)))
        zeek_append_once(z, side, data ? ZEEK_ONCE_DATA : ZEEK_ONCE_ACK, data ? 'D' : 'A');
    if (advance > 0)
        s->last = seq + payload_len;
    return true;
}

/* One of S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH. */
const char *zeek_conn_state(const struct zeek *z, bool any_bytes);

#endif
