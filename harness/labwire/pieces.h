/* pieces.h - fragmented datagrams that are passing: each is one packet for the rules, so all its
 * fragments share the fate that was decided for the first. */
#ifndef LABWIRE_PIECES_H
#define LABWIRE_PIECES_H

#include "rule.h"
#include "transit.h"

enum { PIECES_MAX = 64 }; /* datagrams at once; a kernel sends the fragments of one in a row */

struct datagram {
    bool used;
    struct way way; /* ports included */
    uint32_t id;
    uint64_t number;
    const struct rule *rule; /* NULL: it passes as it is */
    uint32_t seen, total;    /* bytes; total is 0 until the last fragment is seen */
    struct parcel *copies, **copies_end; /* what is to be delivered a second time */
};

struct pieces {
    struct datagram slots[PIECES_MAX];
};

/* The datagram of this fragment, which is not a first one; NULL if it has not been seen. */
struct datagram *pieces_find(struct pieces *pieces, const struct packet *piece);

/* A place for a datagram whose first fragment this is. */
struct datagram *pieces_begin(struct pieces *pieces, const struct packet *piece);

/* Counts the fragment in. True if that was the last one missing. */
bool pieces_count(struct datagram *datagram, const struct packet *piece);

void pieces_end(struct datagram *datagram);

#endif
