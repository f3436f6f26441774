/* flow.c - see flow.h. */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

#include "duplicate.h"
#include "flow_index.h"
#include "fragment.h"
#include "memory.h"

enum { ARENA_SIZE = 256 * 1024 };

struct arena {
    struct arena *older;
    size_t used;
    _Alignas(16) unsigned char bytes[ARENA_SIZE];
};

struct flow_table {
    struct flow_index index;
    struct flow **flows; /* by id - 1 */
    size_t count, capacity;
    uint64_t tcp_count;
    struct arena *arena;
    struct flow *latest; /* packets of one flow often come in a row */
    uint64_t duplicates, orphans;
    struct duplicate_table recent;
    struct fragment_table fragments;
};

/* ---- Memory ---- */

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

    flow_index_init(&t->index);
    return t;
}

static void free_flow(struct flow *f)
{
    transit_free(f);
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
    flow_index_free(&t->index);
    free(t);
}

/* ---- Finding or making a flow ---- */

static struct flow *new_flow(struct flow_table *t, const struct flow_key *k,
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
    struct flow_slot *slot;
    uint64_t hash;

    *first = false;
    if (t->latest != NULL && !(p->flags & TCP_SYN) && flow_has_key(t->latest, &k, side))
        return t->latest;
    hash = flow_index_hash(&t->index, &k);
    slot = flow_index_find(&t->index, &k, hash, side);
    if (slot->flow != NULL &&
        (p->protocol != IP_TCP || !tcp_starts_anew(&slot->flow->tcp, *side, p)))
        return t->latest = slot->flow;
    t->latest = new_flow(t, &k, p);
    flow_index_set(&t->index, slot, hash, t->latest);
    *side = 0;
    *first = true;
    return t->latest;
}

/* ---- Adding packets ---- */

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

    if (is_duplicate(&t->recent, f->id, side, p)) {
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
    if (!p->fragment && is_duplicate(&t->recent, f->id, side, p)) {
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
    note->datagram = d;
    if (p->fragment_offset == 0 && !d->has_first) {
        d->size_index = add_udp(t, p, note);
        d->has_first = true;
        d->flow = note->flow;
        d->side = note->side;
        d->size = p->payload_len;
        d->first_packet = p->number;
    } else if (d->has_first) {
        touch(d->flow, p);
    }
    if (!fragment_completes(d))
        return;
    note->whole = true;
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
    struct flow *f = flow_index_find(&t->index, &k, flow_index_hash(&t->index, &k), &side)->flow;

    if (f == NULL)
        return;
    if (f->unreachable.packet == 0) {
        f->unreachable.packet = p->number;
        f->unreachable.type = q->type;
        f->unreachable.code = q->code;
        f->unreachable.side = (uint8_t)side;
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

void flow_table_forget_transits(struct flow_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        transit_free(t->flows[i]);
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
