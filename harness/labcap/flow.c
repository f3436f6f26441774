/* flow.c - see flow.h. */
#include "flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "fragment.h"

/* Copies of one packet come close together: a small table of the latest packets finds them. It
 * is indexed without a key, so that the same trace always gives the same figures. */
enum { RECENT_SLOTS = 8192, DUPLICATE_NS = 1000000 };

struct recent {
    int64_t time_ns;
    uint32_t flow_id, seq, length;
    uint16_t ip_id;
    uint8_t flags, side;
};

enum { ARENA_SIZE = 256 * 1024 };

struct arena {
    struct arena *older;
    size_t used;
    _Alignas(16) unsigned char bytes[ARENA_SIZE];
};

/* Open addressing, at most half full; id 0 is a free slot. */
struct slot {
    uint32_t tag, id;
};

struct flow_table {
    uint64_t key[2];
    struct slot *slots;
    size_t slot_mask, slots_used;
    struct flow **flows; /* by id - 1 */
    size_t count, capacity;
    uint64_t tcp_count;
    struct arena *arena;
    struct flow *latest; /* packets of one flow often come in a row */
    uint64_t duplicates, orphans;
    struct recent recent[RECENT_SLOTS];
    struct fragment_table fragments;
};

/* ---- Memory ---- */

static void *need(void *memory)
{
    if (memory == NULL) {
        fputs("labcap: out of memory\n", stderr);
        exit(3);
    }
    return memory;
}

static void *arena_new(struct flow_table *t, size_t size)
{
    void *result;

    size = (size + 15) & ~(size_t)15;
    if (t->arena == NULL || ARENA_SIZE - t->arena->used < size) {
        struct arena *a = need(calloc(1, sizeof *a));

        a->older = t->arena;
        t->arena = a;
    }
    result = t->arena->bytes + t->arena->used;
    t->arena->used += size;
    return result;
}

struct flow_table *flow_table_new(void)
{
    struct flow_table *t = need(calloc(1, sizeof *t));

    /* A key makes colliding flows unguessable; without one the table still works. */
    if (getrandom(t->key, sizeof t->key, GRND_NONBLOCK) != sizeof t->key)
        t->key[0] = (uintptr_t)t;
    t->slot_mask = 1023;
    t->slots = need(calloc(t->slot_mask + 1, sizeof *t->slots));
    return t;
}

static void free_flow(struct flow *f)
{
    if (f->protocol == IP_TCP) {
        tcp_free(&f->tcp);
    } else {
        free(f->udp[0].sizes);
        free(f->udp[1].sizes);
    }
}

static void ignore_lost(void *context, struct fragmented *datagram)
{
    (void)context;
    (void)datagram;
}

void flow_table_free(struct flow_table *t)
{
    if (t == NULL)
        return;
    fragment_finish(&t->fragments, ignore_lost, NULL);
    for (size_t i = 0; i < t->count; i++)
        free_flow(t->flows[i]);
    while (t->arena != NULL) {
        struct arena *older = t->arena->older;

        free(t->arena);
        t->arena = older;
    }
    free(t->flows);
    free(t->slots);
    free(t);
}

/* ---- Finding a flow ---- */

/* The two ends, the VLAN tags and the protocol, as a packet or a quotation gives them. */
struct flow_key {
    uint8_t protocol, ip_version;
    uint64_t vlan;
    const struct endpoint *source, *destination;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_end(const struct flow_table *t, const struct endpoint *e)
{
    uint64_t halves[2];

    memcpy(halves, e->address, sizeof halves);
    return mix(mix(halves[0] ^ t->key[0], halves[1] ^ t->key[1]) ^ e->port,
               t->key[0] | 1);
}

/* The same for both directions. */
static uint64_t hash_key(const struct flow_table *t, const struct flow_key *k)
{
    uint64_t ends = hash_end(t, k->source) + hash_end(t, k->destination);
    uint64_t rest = k->vlan << 12 ^ (uint64_t)k->protocol << 4 ^ k->ip_version;

    return mix(ends ^ t->key[1], rest ^ t->key[0] ^ 0x9e3779b97f4a7c15u);
}

static bool same_end(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && memcmp(a->address, b->address, sizeof a->address) == 0;
}

/* True if the key is the flow's; *side is then the sender. */
static bool is_flow(const struct flow *f, const struct flow_key *k, unsigned *side)
{
    if (f->protocol != k->protocol || f->ip_version != k->ip_version || f->vlan != k->vlan)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        if (same_end(&f->end[i], k->source) && same_end(&f->end[i ^ 1], k->destination)) {
            *side = i;
            return true;
        }
    }
    return false;
}

/* The slot of the key's latest flow, or the free one where it would go. */
static struct slot *find_slot(const struct flow_table *t, const struct flow_key *k,
                              uint64_t hash, unsigned *side)
{
    size_t i = hash & t->slot_mask;
    uint32_t tag = (uint32_t)(hash >> 32);

    while (t->slots[i].id != 0 &&
           (t->slots[i].tag != tag || !is_flow(t->flows[t->slots[i].id - 1], k, side)))
        i = (i + 1) & t->slot_mask;
    return &t->slots[i];
}

static void grow_slots(struct flow_table *t)
{
    size_t mask = t->slot_mask * 2 + 1;
    struct slot *slots = need(calloc(mask + 1, sizeof *slots));

    for (size_t i = 0; i <= t->slot_mask; i++) {
        size_t at;

        if (t->slots[i].id == 0)
            continue;
        at = t->flows[t->slots[i].id - 1]->hash & mask;
        while (slots[at].id != 0)
            at = (at + 1) & mask;
        slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->slot_mask = mask;
}

static struct flow *new_flow(struct flow_table *t, const struct flow_key *k, uint64_t hash,
                             const struct packet *p)
{
    size_t size = k->protocol == IP_TCP
                      ? offsetof(struct flow, tcp) + sizeof(struct tcp_connection)
                      : offsetof(struct flow, udp) + 2 * sizeof(struct udp_side);
    struct flow *f = arena_new(t, size);

    if (t->count == t->capacity) {
        t->capacity = t->capacity > 0 ? t->capacity * 2 : 64;
        t->flows = need(realloc(t->flows, t->capacity * sizeof(struct flow *)));
    }
    t->flows[t->count++] = f;
    f->protocol = k->protocol;
    f->ip_version = k->ip_version;
    f->id = (uint32_t)t->count;
    f->vlan = k->vlan;
    f->hash = hash;
    f->end[0] = *k->source;
    f->end[1] = *k->destination;
    f->first_packet = p->number;
    f->start_ns = f->end_ns = p->time_ns;
    if (k->protocol == IP_TCP) {
        tcp_start(&f->tcp, p);
        t->tcp_count++;
    }
    return f;
}

/* The flow of a packet, a new one if need be. */
static struct flow *flow_of(struct flow_table *t, const struct packet *p, unsigned *side,
                            bool *first)
{
    struct flow_key k = {p->protocol, p->ip_version, p->vlan, &p->source, &p->destination};
    struct slot *slot;
    uint64_t hash;

    *first = false;
    if (t->latest != NULL && !(p->flags & TCP_SYN) && is_flow(t->latest, &k, side))
        return t->latest;
    hash = hash_key(t, &k);
    slot = find_slot(t, &k, hash, side);
    if (slot->id != 0) {
        struct flow *f = t->flows[slot->id - 1];

        if (p->protocol != IP_TCP || !tcp_starts_anew(&f->tcp, *side, p))
            return t->latest = f;
    } else {
        t->slots_used++;
    }
    t->latest = new_flow(t, &k, hash, p);
    slot->tag = (uint32_t)(hash >> 32);
    slot->id = t->latest->id;
    *side = 0;
    *first = true;
    if (t->slots_used * 2 > t->slot_mask)
        grow_slots(t);
    return t->latest;
}

/* ---- Adding packets ---- */

/* Recorded twice: the same IP id, not 0, sequence, flags and length within a millisecond. For
 * UDP, which has no sequence numbers, the checksum takes their place. */
static bool is_duplicate(struct flow_table *t, const struct flow *f, unsigned side,
                         const struct packet *p)
{
    uint32_t seq = p->protocol == IP_TCP ? p->seq : p->checksum;
    struct recent *r = &t->recent[(p->ip_id ^ (seq * 2654435761u >> 16)) % RECENT_SLOTS];
    uint64_t age;

    if (p->ip_id == 0 || (p->protocol == IP_UDP && seq == 0))
        return false;
    age = p->time_ns > r->time_ns ? (uint64_t)p->time_ns - (uint64_t)r->time_ns
                                  : (uint64_t)r->time_ns - (uint64_t)p->time_ns;
    if (r->flow_id == f->id && r->side == side && r->ip_id == p->ip_id && r->seq == seq &&
        r->flags == p->flags && r->length == p->payload_len && age <= DUPLICATE_NS)
        return true;
    r->time_ns = p->time_ns;
    r->flow_id = f->id;
    r->seq = seq;
    r->length = p->payload_len;
    r->ip_id = p->ip_id;
    r->flags = p->flags;
    r->side = (uint8_t)side;
    return false;
}

static void touch(struct flow *f, const struct packet *p)
{
    f->last_packet = p->number;
    if (p->time_ns > f->end_ns)
        f->end_ns = p->time_ns;
}

enum { NOT_LISTED = SIZES_MAX };

/* Returns the size's index, or NOT_LISTED when the list is full. */
static uint32_t add_size(struct udp_side *u, int32_t size)
{
    if (u->size_count == SIZES_MAX)
        return NOT_LISTED;
    if (u->size_count == u->size_capacity) {
        u->size_capacity = u->size_capacity > 0 ? u->size_capacity * 2 : 4;
        u->sizes = need(realloc(u->sizes, u->size_capacity * sizeof *u->sizes));
    }
    u->sizes[u->size_count] = size;
    return u->size_count++;
}

static void count_datagram(struct udp_side *u, uint32_t size)
{
    u->datagrams++;
    u->bytes += size;
}

static void note_flow(struct flow_note *note, struct flow *f, unsigned side)
{
    note->flow = f;
    note->side = (uint8_t)side;
    note->to_server = side == flow_client(f);
}

static void add_tcp(struct flow_table *t, const struct packet *p, struct flow_note *note)
{
    unsigned side = 0;
    struct flow *f = flow_of(t, p, &side, &note->first);

    if (is_duplicate(t, f, side, p)) {
        t->duplicates++;
        note_flow(note, f, side);
        note->tcp.marks = MARK_DUPLICATE;
        return;
    }
    touch(f, p);
    tcp_add(&f->tcp, side, p, &note->tcp);
    note_flow(note, f, side);
}

/* Returns the index of the datagram's size in its direction's list. */
static uint32_t add_udp(struct flow_table *t, const struct packet *p, struct flow_note *note)
{
    unsigned side = 0;
    uint32_t index;
    struct flow *f = flow_of(t, p, &side, &note->first);

    note_flow(note, f, side);
    if (!p->fragment && is_duplicate(t, f, side, p)) {
        t->duplicates++;
        note->tcp.marks = MARK_DUPLICATE;
        return NOT_LISTED;
    }
    touch(f, p);
    note->tcp.payload_len = p->payload_len;
    index = add_size(&f->udp[side], p->fragment ? SIZE_PENDING : (int32_t)p->payload_len);
    if (!p->fragment)
        count_datagram(&f->udp[side], p->payload_len);
    return index;
}

static void lose_datagram(void *context, struct fragmented *d)
{
    struct flow_table *t = context;

    if (d->has_first)
        d->flow->udp[d->side].incomplete++;
    else
        t->orphans += d->pieces;
}

static void add_udp_fragment(struct flow_table *t, const struct packet *p,
                             struct flow_note *note)
{
    struct fragmented *d = fragment_add(&t->fragments, p, lose_datagram, t);
    struct udp_side *u;

    if (d == NULL) {
        t->duplicates++;
        return;
    }
    if (p->fragment_offset == 0 && !d->has_first) {
        d->size_index = add_udp(t, p, note);
        d->has_first = true;
        d->flow = note->flow;
        d->side = note->side;
        d->size = p->payload_len;
    } else if (d->has_first) {
        touch(d->flow, p);
    }
    if (!fragment_completes(d))
        return;
    u = &d->flow->udp[d->side];
    count_datagram(u, d->size);
    if (d->size_index != NOT_LISTED)
        u->sizes[d->size_index] = (int32_t)d->size;
}

static void add_unreachable(struct flow_table *t, const struct packet *p,
                            struct flow_note *note)
{
    const struct quoted_flow *q = &p->quoted;
    struct flow_key k = {q->protocol, p->ip_version, p->vlan, &q->source, &q->destination};
    unsigned side = 0;
    struct slot *slot = find_slot(t, &k, hash_key(t, &k), &side);
    struct flow *f;

    if (slot->id == 0)
        return;
    f = t->flows[slot->id - 1];
    if (f->unreachable.packet == 0) {
        f->unreachable.packet = p->number;
        f->unreachable.type = q->type;
        f->unreachable.code = q->code;
    }
    note_flow(note, f, side ^ 1);
    note->tcp.marks = MARK_UNREACHABLE;
}

void flow_table_add(struct flow_table *t, const struct packet *p, struct flow_note *note)
{
    memset(note, 0, sizeof *note);
    if (p->protocol == IP_TCP)
        add_tcp(t, p, note);
    else if (p->protocol == IP_UDP && p->fragment)
        add_udp_fragment(t, p, note);
    else if (p->protocol == IP_UDP)
        add_udp(t, p, note);
    else if (p->quoted.present)
        add_unreachable(t, p, note);
}

void flow_table_finish(struct flow_table *t)
{
    fragment_finish(&t->fragments, lose_datagram, t);
    for (size_t i = 0; i < t->count; i++)
        if (t->flows[i]->protocol == IP_TCP)
            tcp_finish(&t->flows[i]->tcp);
}

/* ---- Reading the table ---- */

uint64_t flow_table_duplicates(const struct flow_table *t)
{
    return t->duplicates;
}

uint64_t flow_table_orphans(const struct flow_table *t)
{
    return t->orphans;
}

size_t flow_count(const struct flow_table *t)
{
    return t->count;
}

uint64_t flow_count_of(const struct flow_table *t, uint8_t protocol)
{
    return protocol == IP_TCP ? t->tcp_count : t->count - t->tcp_count;
}

struct flow *flow_by_id(const struct flow_table *t, uint64_t id)
{
    return id >= 1 && id <= t->count ? t->flows[id - 1] : NULL;
}
