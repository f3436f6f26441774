/* sent.c - see sent.h. */
#include "sent.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bound.h"
#include "memory.h"

/* Chains are walked from the newest packet on. How many of a tag (or a key) are looked at is
 * limited: in an honest trace there are a few, and a hostile one shall not cost time. */
enum { FIRST_CAPACITY = BOUND(256, 8), LOOKS_MAX = BOUND(64, 3) };

struct sent_table {
    struct sent_packet *ring; /* place & (capacity - 1) */
    uint64_t *by_key, *by_tag; /* the newest place of each chain; 0 none */
    uint64_t capacity;        /* a power of two; of the indexes, too */
    uint64_t newest;          /* place; 0 none yet */
    uint64_t forgotten;       /* places up to here */
    uint64_t random[2];
};

/* ---- Hashes ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* What damage leaves as it is: addresses, protocol, length. */
static uint64_t route_of(const struct sent_table *t, const struct packet *p)
{
    uint64_t part[4], hash = t->random[0];

    memcpy(part, p->source.address, 16);
    memcpy(part + 2, p->destination.address, 16);
    for (int i = 0; i < 4; i++)
        hash = mix(hash ^ part[i], t->random[1] + (uint64_t)i * 2);
    return mix(hash ^ passage_ip_len(p->ip, p->ip_captured),
               t->random[1] ^ (uint64_t)p->protocol << 8 ^ p->ip_version);
}

static uint64_t *key_chain(const struct sent_table *t, uint64_t key)
{
    return &t->by_key[mix(key ^ t->random[0], t->random[1]) & (t->capacity - 1)];
}

static uint64_t *tag_chain(const struct sent_table *t, uint64_t route, uint16_t key,
                           uint16_t ordinal)
{
    uint64_t tag = (uint64_t)key << 16 | ordinal;

    return &t->by_tag[mix(route ^ tag, t->random[1]) & (t->capacity - 1)];
}

static uint64_t key_of(const struct packet *p)
{
    return passage_key(p->ip, p->ip_captured, passage_ip_len(p->ip, p->ip_captured));
}

/* ---- Memory ---- */

static void allocate(struct sent_table *t, uint64_t capacity)
{
    t->capacity = capacity;
    t->ring = need(calloc(capacity, sizeof *t->ring));
    t->by_key = need(calloc(capacity, sizeof *t->by_key));
    t->by_tag = need(calloc(capacity, sizeof *t->by_tag));
}

static void release(struct sent_table *t)
{
    free(t->ring);
    free(t->by_key);
    free(t->by_tag);
}

struct sent_table *sent_table_new(void)
{
    struct sent_table *t = need(calloc(1, sizeof *t));

    if (getrandom(t->random, sizeof t->random, GRND_NONBLOCK) != (ssize_t)sizeof t->random)
        t->random[0] = (uintptr_t)t;
    t->random[1] |= 1;
    allocate(t, FIRST_CAPACITY);
    return t;
}

void sent_table_free(struct sent_table *t)
{
    if (t == NULL)
        return;
    release(t);
    free(t);
}

/* Into the chains; its place, key, route and ordinal are set. */
static void link_up(struct sent_table *t, struct sent_packet *s)
{
    uint64_t *key = key_chain(t, s->key);
    uint64_t *tag = tag_chain(t, s->route, (uint16_t)s->key, s->ordinal);

    s->older_key = *key;
    s->older_tag = *tag;
    *key = *tag = s->place;
}

static void grow(struct sent_table *t)
{
    struct sent_table old = *t;

    allocate(t, old.capacity * 2);
    for (uint64_t place = old.newest - old.capacity + 1; place <= old.newest; place++) {
        struct sent_packet *s = &t->ring[place & (t->capacity - 1)];

        *s = old.ring[place & (old.capacity - 1)];
        link_up(t, s);
    }
    release(&old);
}

/* ---- Finding ---- */

struct sent_packet *sent_at(struct sent_table *t, uint64_t place)
{
    if (place <= t->forgotten || place > t->newest || t->newest - place >= t->capacity)
        return NULL;
    return &t->ring[place & (t->capacity - 1)];
}

static struct sent_packet *newest_of_key(struct sent_table *t, uint64_t key)
{
    struct sent_packet *s = sent_at(t, *key_chain(t, key));

    while (s != NULL && s->key != key)
        s = sent_at(t, s->older_key);
    return s;
}

/* Packets that were sent before the recording began are missing in our count, not in the wire's:
 * then the first one of the same key that has not arrived is meant. */
static struct sent_packet *first_under_way(struct sent_table *t, uint64_t key)
{
    struct sent_packet *found = NULL;
    int looks = LOOKS_MAX;

    for (struct sent_packet *s = newest_of_key(t, key); s != NULL && looks > 0;
         s = sent_at(t, s->older_key)) {
        if (s->key == key && looks-- > 0 && s->copies == 0)
            found = s;
    }
    return found;
}

struct sent_packet *sent_find(struct sent_table *t, const struct packet *p,
                              const struct passage_tag *tag, bool *damaged)
{
    uint64_t key = key_of(p), route = route_of(t, p);
    struct sent_packet *likely = NULL;
    int looks = LOOKS_MAX;

    for (struct sent_packet *s = sent_at(t, *tag_chain(t, route, tag->key, tag->ordinal));
         s != NULL && looks > 0; s = sent_at(t, s->older_tag)) {
        if (s->route != route || (uint16_t)s->key != tag->key || s->ordinal != tag->ordinal)
            continue;
        if (s->key == key)
            return s;
        if (likely == NULL || (likely->copies > 0 && s->copies == 0))
            likely = s;
        looks--;
    }
    if ((uint16_t)key == tag->key && !*damaged)
        return first_under_way(t, key);
    *damaged = true;
    return likely;
}

/* ---- Adding ---- */

struct sent_packet *sent_add(struct sent_table *t, const struct packet *p)
{
    uint64_t key = key_of(p);
    const struct sent_packet *before = newest_of_key(t, key);
    uint16_t ordinal = (uint16_t)(before != NULL ? before->ordinal + 1 : 1);
    struct sent_packet *s;

    if (t->newest - t->forgotten >= t->capacity && t->capacity < SENT_MAX)
        grow(t);
    s = &t->ring[++t->newest & (t->capacity - 1)];
    *s = (struct sent_packet){.place = t->newest,
                              .key = key,
                              .route = route_of(t, p),
                              .ordinal = ordinal};
    link_up(t, s);
    return s;
}

struct sent_packet *sent_leaving(struct sent_table *t)
{
    return t->capacity < SENT_MAX ? NULL : sent_at(t, t->newest + 1 - t->capacity);
}

void sent_range(const struct sent_table *t, uint64_t *first, uint64_t *last)
{
    *last = t->newest;
    *first = t->newest < t->capacity ? 1 : t->newest - t->capacity + 1;
    if (*first <= t->forgotten)
        *first = t->forgotten + 1;
}

void sent_forget(struct sent_table *t)
{
    t->forgotten = t->newest;
}
