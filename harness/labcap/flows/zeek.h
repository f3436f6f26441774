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
#include <stdint.h>

/* The letters that are kept; a longer history ends there. */
enum { ZEEK_HISTORY_MAX = 63 };

enum zeek_end {
    ZEEK_INACTIVE,
    ZEEK_SYN_SENT,
    ZEEK_SYN_ACK_SENT,
    ZEEK_PARTIAL,
    ZEEK_ESTABLISHED,
    ZEEK_CLOSED,
    ZEEK_RESET
};

struct zeek_side {
    uint8_t state, previous; /* enum zeek_end */
    uint8_t once;            /* letters that are not repeated */
    uint32_t start, last;    /* wire numbers: the ISN, one past the highest */
    uint32_t last_syn, last_fin, last_rst;
    uint32_t count[3];       /* of t, w, g */
};

struct zeek {
    struct zeek_side side[2];
    uint8_t originator;
    uint8_t length;
    char history[ZEEK_HISTORY_MAX + 1];
};

/* One packet, as Zeek sees it. */
struct zeek_packet {
    uint8_t flags;
    uint32_t seq, ack;
    uint32_t payload_len;
    bool zero_window;
    uint64_t gaps; /* holes that this packet's acknowledgement reveals in the other's stream */
};

/* The other side is the originator from now on. */
void zeek_flip(struct zeek *z);

void zeek_add(struct zeek *z, unsigned side, const struct zeek_packet *p);

/* The same for an ACK without SYN, FIN, RST, zero window or gaps, both sides established. False,
 * and nothing is done, if its payload is not new. */
bool zeek_take_ordinary(struct zeek *z, unsigned side, uint32_t seq, uint32_t payload_len);

/* One of S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH. */
const char *zeek_conn_state(const struct zeek *z, bool any_bytes);

#endif
