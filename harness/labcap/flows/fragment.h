/* fragment.h - which pieces of fragmented UDP datagrams have been seen.
 *
 * Only lengths are kept, no payload. FRAGMENT_SLOTS datagrams at once; where a new one finds no
 * place, the oldest of its bucket is closed as it is. */
#ifndef LABCAP_FRAGMENT_H
#define LABCAP_FRAGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "bound.h"
#include "interval.h"
#include "packet.h"

enum { FRAGMENT_WAYS = 4, FRAGMENT_BUCKETS = BOUND(512, 2) };

struct flow;

struct fragmented {
    bool used, has_first, has_last;
    bool closed; /* complete; kept for a moment, as its pieces may have been recorded twice */
    uint64_t vlan;
    uint8_t ip_version;
    uint32_t id;
    struct endpoint source, destination; /* ports are 0 */
    int64_t time_ns; /* of its latest piece */
    uint64_t pieces, seen_bytes, total_bytes;
    struct interval_set seen;
    /* With has_first, for the owner: where the datagram is counted. */
    struct flow *flow;
    uint8_t side;
    uint32_t size_index; /* in udp_side.sizes */
    uint32_t size;       /* payload, by the UDP header */
    uint64_t first_packet; /* the number of its first fragment */
    uint64_t sent_place; /* points.h: where its first piece is remembered; 0 nowhere */
};

/* Called when a datagram leaves the table without all its pieces. */
typedef void fragment_lost_fn(void *context, struct fragmented *datagram);

struct fragment_table {
    bool begun; /* there has been a piece; most traces have none, and touch no slot */
    struct fragmented slots[FRAGMENT_BUCKETS][FRAGMENT_WAYS];
};

/* Takes a piece. Returns its datagram, or NULL if the piece is a duplicate. On return
 * `has_first` is still unset when the piece is the first one: the caller sets it together with
 * the owner's fields. Others may leave the table on the way. */
struct fragmented *fragment_add(struct fragment_table *table, const struct packet *piece,
                                fragment_lost_fn *lost, void *context);

/* True once, when the last missing piece has come. */
bool fragment_completes(struct fragmented *datagram);

/* No more packets of this flow: its incomplete datagrams are lost. */
void fragment_forget(struct fragment_table *table, const struct flow *flow,
                     fragment_lost_fn *lost, void *context);

/* No more packets: everything incomplete is lost. */
void fragment_finish(struct fragment_table *table, fragment_lost_fn *lost, void *context);

#endif
