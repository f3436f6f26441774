/* fragment.c - see fragment.h. */
#include "fragment.h"

#include <string.h>

#include "duplicate.h"

/* The same piece within a millisecond is the same packet, recorded twice; a datagram that is
 * still incomplete after half a minute is given up, as receivers do (RFC 8200: 60 s; Linux: 30). */
static const uint64_t give_up_ns = 30000000000;

/* Not keyed: a collision costs a slot, never time. */
static uint32_t bucket_of(const struct packet *p)
{
    uint32_t h = 2166136261u ^ p->fragment_id;

    for (int i = 0; i < 16; i++)
        h = (h ^ (uint32_t)(p->source.address[i] + p->destination.address[i] * 3)) * 16777619u;
    return (h ^ h >> 16) % FRAGMENT_BUCKETS;
}

static bool matches(const struct fragmented *d, const struct packet *p)
{
    return d->used && d->id == p->fragment_id && d->ip_version == p->ip_version &&
           d->vlan == p->vlan &&
           memcmp(d->source.address, p->source.address, sizeof p->source.address) == 0 &&
           memcmp(d->destination.address, p->destination.address,
                  sizeof p->destination.address) == 0;
}

static void leave(struct fragmented *d, fragment_lost_fn *lost, void *context)
{
    if (d->used && !d->closed)
        lost(context, d);
    interval_free(&d->seen);
    memset(d, 0, sizeof *d);
}

static void enter(struct fragmented *d, const struct packet *p)
{
    d->used = true;
    d->vlan = p->vlan;
    d->ip_version = p->ip_version;
    d->id = p->fragment_id;
    d->source = p->source;
    d->destination = p->destination;
    d->source.port = d->destination.port = 0;
    d->time_ns = p->time_ns;
}

/* The slot of the piece's datagram, or one that is free for it now. */
static struct fragmented *find(struct fragment_table *table, const struct packet *p,
                               fragment_lost_fn *lost, void *context)
{
    struct fragmented *bucket = table->slots[bucket_of(p)], *oldest = bucket;

    for (int i = 0; i < FRAGMENT_WAYS; i++) {
        struct fragmented *d = &bucket[i];

        if (matches(d, p)) {
            uint64_t age = time_distance(p->time_ns, d->time_ns);

            if (age > (d->closed ? (uint64_t)DUPLICATE_NS : give_up_ns)) {
                leave(d, lost, context);
                enter(d, p);
            }
            return d;
        }
        if (oldest->used && (!d->used || d->time_ns < oldest->time_ns))
            oldest = d;
    }
    leave(oldest, lost, context);
    enter(oldest, p);
    return oldest;
}

struct fragmented *fragment_add(struct fragment_table *table, const struct packet *piece,
                                fragment_lost_fn *lost, void *context)
{
    struct fragmented *d = find(table, piece, lost, context);
    int64_t start = piece->fragment_offset, end = start + piece->fragment_len;
    struct interval_added added;

    table->begun = true;
    if (d->closed)
        return NULL;
    added = interval_add(&d->seen, start, end, end);
    if (added.fresh == 0 && piece->fragment_len > 0) {
        if (start != 0 || time_distance(piece->time_ns, d->time_ns) <= DUPLICATE_NS)
            return NULL;
        leave(d, lost, context); /* the sender uses the id again */
        enter(d, piece);
        added = interval_add(&d->seen, start, end, end);
    }
    d->pieces++;
    d->seen_bytes += added.fresh;
    d->time_ns = piece->time_ns;
    if (!piece->fragment_more) {
        d->has_last = true;
        d->total_bytes = (uint64_t)end;
    }
    return d;
}

bool fragment_completes(struct fragmented *datagram)
{
    if (datagram->closed || !datagram->has_first || !datagram->has_last ||
        datagram->seen_bytes < datagram->total_bytes)
        return false;
    datagram->closed = true;
    return true;
}

void fragment_forget(struct fragment_table *table, const struct flow *flow,
                     fragment_lost_fn *lost, void *context)
{
    for (int i = 0; table->begun && i < FRAGMENT_BUCKETS; i++)
        for (int j = 0; j < FRAGMENT_WAYS; j++)
            if (table->slots[i][j].flow == flow)
                leave(&table->slots[i][j], lost, context);
}

void fragment_finish(struct fragment_table *table, fragment_lost_fn *lost, void *context)
{
    for (int i = 0; table->begun && i < FRAGMENT_BUCKETS; i++)
        for (int j = 0; j < FRAGMENT_WAYS; j++)
            leave(&table->slots[i][j], lost, context);
}
