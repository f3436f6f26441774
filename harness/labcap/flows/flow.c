/* flow.c - see flow.h. */
#include "flow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bound.h"
#include "duplicate.h"
#include "flow_index.h"
#include "forgotten.h"
#include "fragment.h"
#include "memory.h"

/* The first pieces of memory are small, as most traces are; large ones may be huge pages, which
 * cost less to come by and to find. */
enum { PIECE_MIN = BOUND(64, 8) * 1024, PIECE_MAX = 2 * 1024 * 1024 };

enum { TCP_SIZE = offsetof(struct flow, tcp) + sizeof(struct tcp_connection) };

_Static_assert(TCP_SIZE <= 8 * CACHE_LINE, "there are many; each cache line takes time");

/* Memory for records of one size. */
struct slab {
    size_t size;
    void *free;                 /* a list of what was given back */
    unsigned char *next, *end;  /* of the latest piece */
    void **pieces;
    size_t piece_count, piece_size;
};

struct flow_table {
    struct flow_index index;
    struct flow **flows; /* in the order of ids; NULL: forgotten */
    uint32_t *ids;       /* theirs */
    size_t used, capacity, held, limit;
    uint64_t count, tcp_count; /* of all there have been */
    uint64_t left_out;         /* packets */
    struct forgotten forgotten;
    uint64_t late, first_late;
    uint64_t gave_up, first_gave_up; /* packets */
    struct slab tcp, udp;
    uint64_t orphans;
    struct duplicate_table recent;
    struct fragment_table fragments;
};

/* ---- Memory ---- */

static void slab_init(struct slab *s, size_t size)
{
    *s = (struct slab){.size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE,
                       .piece_size = PIECE_MIN};
}

static void slab_grow(struct slab *s)
{
    if (s->piece_count > 0 && s->piece_size < PIECE_MAX)
        s->piece_size *= 2;
    s->pieces = need(reallocarray(s->pieces, s->piece_count + 1, sizeof *s->pieces));
    s->next = need(aligned_alloc(s->piece_size, s->piece_size));
    s->end = s->next + s->piece_size;
    s->pieces[s->piece_count++] = s->next;
    if (s->piece_size == PIECE_MAX)
        madvise(s->next, s->piece_size, MADV_HUGEPAGE); /* a wish */
}

/* The record is all zeros. */
static void *slab_take(struct slab *s)
{
    void *record = s->free;

    if (record != NULL) {
        memcpy(&s->free, record, sizeof s->free);
        if (s->free != NULL)
            prefetch(s->free, TCP_SIZE); /* they come back in the order they went */
    } else {
        if ((size_t)(s->end - s->next) < s->size)
            slab_grow(s);
        record = s->next;
        s->next += s->size;
    }
    return memset(record, 0, s->size);
}

static void slab_give(struct slab *s, void *record)
{
    memcpy(record, &s->free, sizeof s->free);
    s->free = record;
}

static void slab_free(struct slab *s)
{
    for (size_t i = 0; i < s->piece_count; i++)
        free(s->pieces[i]);
    free(s->pieces);
}

struct flow_table *flow_table_new(void)
{
    struct flow_table *t = need(calloc(1, sizeof *t));

    flow_index_init(&t->index);
    t->limit = SIZE_MAX;
    slab_init(&t->tcp, TCP_SIZE);
    slab_init(&t->udp, offsetof(struct flow, udp) + 2 * sizeof(struct udp_side));
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
    for (size_t i = 0; i < t->used; i++)
        if (t->flows[i] != NULL)
            free_flow(t->flows[i]);
    slab_free(&t->tcp);
    slab_free(&t->udp);
    free(t->flows);
    free(t->ids);
    flow_index_free(&t->index);
    forgotten_free(&t->forgotten);
    free(t);
}

/* ---- Finding or making a flow ---- */

/* Takes the forgotten ones out of the list, once they are the most of it. */
static void close_gaps(struct flow_table *t)
{
    size_t to = 0;

    if (t->used < 64 || t->held * 2 > t->used)
        return;
    for (size_t i = 0; i < t->used; i++) {
        if (t->flows[i] == NULL)
            continue;
        t->flows[to] = t->flows[i];
        t->ids[to++] = t->ids[i];
    }
    t->used = to;
}

/* Behind all others, in the order of ids. */
static void list_flow(struct flow_table *t, struct flow *f)
{
    close_gaps(t);
    if (t->used == t->capacity) {
        t->capacity = t->capacity > 0 ? t->capacity * 2 : 64;
        t->flows = need(reallocarray(t->flows, t->capacity, sizeof *t->flows));
        t->ids = need(reallocarray(t->ids, t->capacity, sizeof *t->ids));
    }
    t->flows[t->used] = f;
    t->ids[t->used++] = f->id;
    t->held++;
}

static struct flow *new_flow(struct flow_table *t, const struct flow_key *k,
                             const struct packet *p)
{
    struct flow *f = slab_take(k->protocol == IP_TCP ? &t->tcp : &t->udp);

    f->protocol = k->protocol;
    f->ip_version = k->ip_version;
    f->id = (uint32_t)++t->count;
    f->vlan = k->vlan;
    f->end[0] = *k->source;
    f->end[1] = *k->destination;
    f->first_packet = p->number;
    f->start_ns = f->end_ns = p->time_ns;
    if (k->protocol == IP_TCP) {
        tcp_start(&f->tcp, p);
        t->tcp_count++;
    }
    list_flow(t, f);
    return f;
}

static bool goes_on(const struct flow *f, const struct packet *p, unsigned side)
{
    return !(p->flags & TCP_SYN) || p->protocol != IP_TCP ||
           !tcp_starts_anew(&f->tcp, side, p, time_distance(p->time_ns, f->end_ns));
}

/* True if the packet, of no flow that is there, belongs to one that is no longer. A SYN begins a
 * new one in any case. */
static bool is_late(struct flow_table *t, uint64_t hash, const struct packet *p)
{
    if (p->protocol != IP_TCP || (p->flags & TCP_SYN) || !forgotten_has(&t->forgotten, hash))
        return false;
    if (t->late++ == 0)
        t->first_late = p->number;
    return true;
}

/* Of a packet. Made anew where it goes to another function: so it stays in registers elsewhere. */
static inline struct flow_key key_of(const struct packet *p)
{
    return (struct flow_key){p->protocol, p->ip_version, p->vlan, &p->source, &p->destination};
}

/* The flow of a packet, a new one if need be; NULL if it is late, or there may be no more. */
static struct flow *look_up(struct flow_table *t, const struct packet *p, unsigned *side,
                            bool *first)
{
    struct flow_key k = key_of(p);
    uint64_t hash = flow_index_hash(&t->index, &k);
    struct flow_slot *slot = flow_index_find(&t->index, &k, hash, side);
    struct flow *f = slot->flow;

    if (f == NULL || !goes_on(f, p, *side)) {
        if (f == NULL && is_late(t, hash, p))
            return NULL;
        if (t->held >= t->limit) {
            t->left_out++;
            return NULL;
        }
        f = new_flow(t, &k, p);
        flow_index_set(&t->index, slot, hash, f);
        *side = 0;
        *first = true;
    }
    flow_set_recent(&t->index, &k, f);
    return f;
}

/* A SYN, the first one: its flow is not among those of the latest packets. */
static inline bool begins(const struct packet *p)
{
    return (p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && p->protocol == IP_TCP;
}

/* The same, for most packets without a look at the table. */
static inline struct flow *flow_of(struct flow_table *t, const struct packet *p, unsigned *side,
                                   bool *first)
{
    struct flow_key k = key_of(p);
    struct flow *f = *flow_recent(&t->index, &k);

    *first = false;
    if (f != NULL && !begins(p) && flow_has_key(f, &k, side) && goes_on(f, p, *side))
        return f;
    return look_up(t, p, side, first);
}

/* ---- Adding packets ---- */

static __attribute__((noinline)) void prefetch_search(const struct flow_table *t,
                                                      const struct packet *p)
{
    struct flow_key k = key_of(p);

    flow_index_prefetch(&t->index, flow_index_hash(&t->index, &k));
}

const struct flow *flow_table_prefetch(const struct flow_table *t, const struct packet *p)
{
    struct flow_key k = key_of(p);
    const struct flow *f;

    if (p->protocol != IP_TCP)
        return NULL;
    duplicate_prefetch(&t->recent, p);
    f = *flow_recent(&t->index, &k);
    if (f == NULL || begins(p)) {
        prefetch_search(t, p);
        return NULL;
    }
    prefetch(f, TCP_SIZE);
    return f;
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

/* These return false for a duplicate. */
static bool add_tcp(struct flow_table *t, const struct packet *p, struct flow_note *note)
{
    unsigned side = 0;
    struct flow *f = flow_of(t, p, &side, &note->first);

    if (f == NULL)
        return true;
    if (is_duplicate(&t->recent, f->id, side, p)) {
        note_flow(note, f, side);
        note->tcp.marks = MARK_DUPLICATE;
        return false;
    }
    touch(f, p);
    tcp_add(&f->tcp, side, p, &note->tcp);
    if (note->tcp.gave_up_hole && t->gave_up++ == 0)
        t->first_gave_up = p->number;
    note_flow(note, f, side);
    return true;
}

/* Returns the index of the datagram's size in its direction's list. Where there is no room for its
 * flow, note->flow is NULL. */
static uint32_t add_udp(struct flow_table *t, const struct packet *p, struct flow_note *note)
{
    unsigned side = 0;
    uint32_t index;
    struct flow *f = flow_of(t, p, &side, &note->first);

    if (f == NULL)
        return NOT_LISTED;
    note_flow(note, f, side);
    if (!p->fragment && is_duplicate(&t->recent, f->id, side, p)) {
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

    if (d->has_first) {
        d->flow->udp[d->side].incomplete++;
        d->flow->udp[d->side].pending--;
    } else {
        t->orphans += d->pieces;
    }
}

static bool add_udp_fragment(struct flow_table *t, const struct packet *p,
                             struct flow_note *note)
{
    struct fragmented *d = fragment_add(&t->fragments, p, lose_datagram, t);
    struct udp_side *u;

    if (d == NULL)
        return false;
    note->datagram = d;
    if (p->fragment_offset == 0 && !d->has_first) {
        d->size_index = add_udp(t, p, note);
        d->has_first = note->flow != NULL;
        d->flow = note->flow;
        d->side = note->side;
        d->size = p->payload_len;
        d->first_packet = p->number;
        if (d->has_first)
            d->flow->udp[d->side].pending++;
    } else if (d->has_first) {
        touch(d->flow, p);
    }
    if (!fragment_completes(d))
        return true;
    note->whole = true;
    u = &d->flow->udp[d->side];
    u->pending--;
    count_datagram(u, d->size);
    if (d->size_index != NOT_LISTED)
        u->sizes[d->size_index] = (int32_t)d->size;
    return true;
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

bool flow_table_add(struct flow_table *t, const struct packet *p, struct flow_note *note)
{
    memset(note, 0, sizeof *note);
    if (p->protocol == IP_TCP)
        return add_tcp(t, p, note);
    if (p->protocol == IP_UDP && p->fragment)
        return add_udp_fragment(t, p, note);
    if (p->protocol == IP_UDP)
        add_udp(t, p, note);
    else if (p->quoted.present)
        add_unreachable(t, p, note);
    return !(note->tcp.marks & MARK_DUPLICATE);
}

void flow_table_forget_transits(struct flow_table *t)
{
    for (size_t i = 0; i < t->used; i++)
        if (t->flows[i] != NULL)
            transit_free(t->flows[i]);
}

void flow_table_finish(struct flow_table *t)
{
    fragment_finish(&t->fragments, lose_datagram, t);
    for (size_t i = 0; i < t->used; i++)
        if (t->flows[i] != NULL && t->flows[i]->protocol == IP_TCP)
            tcp_finish(&t->flows[i]->tcp);
}

void flow_table_tell(struct flow_table *t, flow_fn *tell, void *context)
{
    fragment_finish(&t->fragments, lose_datagram, t);
    for (size_t i = 0; i < t->used; i++) {
        struct flow *f = t->flows[i];

        if (f == NULL)
            continue;
        flow_prefetch_next(t, i + 1);
        if (f->protocol == IP_TCP)
            tcp_finish(&f->tcp);
        tell(context, f);
        free_flow(f);
    }
    t->used = t->held = 0;
}

/* ---- Forgetting ---- */

/* The place of an id in the list, `used` if it is not there. */
static size_t place_of(const struct flow_table *t, uint64_t id)
{
    size_t low = 0, high = t->used;

    if (t->used == t->count) /* none has left the list */
        return id >= 1 && id <= t->used ? id - 1 : t->used;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->used && t->ids[low] == id ? low : t->used;
}

static void lose_datagrams(struct flow_table *t, struct flow *f)
{
    if (f->protocol == IP_UDP && f->udp[0].pending + f->udp[1].pending > 0)
        fragment_forget(&t->fragments, f, lose_datagram, t);
}

void flow_table_finish_flow(struct flow_table *t, struct flow *f)
{
    lose_datagrams(t, f);
    if (f->protocol == IP_TCP)
        tcp_finish(&f->tcp);
}

static struct flow_key key_of_flow(const struct flow *f)
{
    return (struct flow_key){f->protocol, f->ip_version, f->vlan, &f->end[0], &f->end[1]};
}

void flow_table_prefetch_forget(const struct flow_table *t, const struct flow *f)
{
    struct flow_key k = key_of_flow(f);
    uint64_t hash = flow_index_hash(&t->index, &k);

    flow_index_prefetch(&t->index, hash);
    forgotten_prefetch(&t->forgotten, hash);
}

void flow_table_forget(struct flow_table *t, struct flow *f)
{
    struct flow_key k = key_of_flow(f);
    uint64_t hash = flow_index_hash(&t->index, &k);

    flow_index_remove(&t->index, &k, hash, f);
    if (f->protocol == IP_TCP && f->tcp.ended)
        forgotten_add(&t->forgotten, hash);
    lose_datagrams(t, f);
    t->flows[place_of(t, f->id)] = NULL;
    t->held--;
    free_flow(f);
    slab_give(f->protocol == IP_TCP ? &t->tcp : &t->udp, f);
}

/* ---- Reading the table ---- */

uint64_t flow_table_orphans(const struct flow_table *t)
{
    return t->orphans;
}

size_t flow_count(const struct flow_table *t)
{
    return t->count;
}

void flow_table_limit(struct flow_table *t, size_t limit)
{
    t->limit = limit;
}

uint64_t flow_table_left_out(const struct flow_table *t)
{
    return t->left_out;
}

uint64_t flow_table_late(const struct flow_table *t, uint64_t *first)
{
    *first = t->first_late;
    return t->late;
}

uint64_t flow_table_gave_up(const struct flow_table *t, uint64_t *first)
{
    *first = t->first_gave_up;
    return t->gave_up;
}

size_t flow_held(const struct flow_table *t)
{
    return t->held;
}

uint64_t flow_count_of(const struct flow_table *t, uint8_t protocol)
{
    return protocol == IP_TCP ? t->tcp_count : t->count - t->tcp_count;
}

struct flow *flow_by_id(const struct flow_table *t, uint64_t id)
{
    size_t place = place_of(t, id);

    return place < t->used ? t->flows[place] : NULL;
}

void flow_prefetch_next(const struct flow_table *t, size_t at)
{
    if (at < t->used && t->flows[at] != NULL && t->flows[at]->protocol == IP_TCP)
        prefetch(t->flows[at], TCP_SIZE);
}

struct flow *flow_next(const struct flow_table *t, size_t *at)
{
    while (*at < t->used)
        if (t->flows[(*at)++] != NULL)
            return t->flows[*at - 1];
    return NULL;
}
