/* calls_wire.c - see calls_wire.h. */
#include "calls_wire.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { US = 1000 };

/* ---- Packets ---- */

enum { HEAD_BYTES = 16 };

uint32_t wire_head(const uint8_t *bytes, size_t known, size_t length)
{
    uint32_t hash = UINT32_C(2166136261);

    if (length > HEAD_BYTES)
        length = HEAD_BYTES;
    if (known < length)
        return 0;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * UINT32_C(16777619);
    return hash != 0 ? hash : 1;
}

void wire_add(struct wire *w, const struct packet *p, const struct flow_note *note)
{
    struct wire_packet *packet;

    if (note->tcp.marks & MARK_DUPLICATE)
        return;
    if (w->count == w->capacity) {
        w->capacity = w->capacity > 0 ? w->capacity * 2 : 256;
        w->packets = need(reallocarray(w->packets, w->capacity, sizeof *w->packets));
    }
    packet = &w->packets[w->count++];
    *packet = (struct wire_packet){.number = p->number,
                                   .time_ns = p->time_ns,
                                   .arrival_ns = p->time_ns,
                                   .seq = note->tcp.seq,
                                   .ack = note->tcp.ack,
                                   .flow = note->flow->id,
                                   .length = note->tcp.payload_len,
                                   .marks = note->tcp.marks,
                                   .copies = 1,
                                   .side = note->side,
                                   .flags = note->tcp.flags};
    if (p->protocol == IP_UDP)
        packet->head = wire_head(p->payload, p->payload_captured, p->payload_len);
}

size_t wire_find(const struct wire *w, uint64_t number)
{
    size_t low = 0, high = w->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (w->packets[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->count && w->packets[low].number == number ? low : w->count;
}

void wire_fate(struct wire *w, const struct fate *fate)
{
    size_t at = wire_find(w, fate->packet);
    struct wire_packet *packet;

    if (at == w->count)
        return;
    packet = &w->packets[at];
    w->two_points = w->two_points || fate->arrivals > 0;
    packet->copies = (uint16_t)(fate->arrivals < UINT16_MAX ? fate->arrivals : UINT16_MAX);
    if (fate->arrivals == 0)
        packet->arrival_ns = INT64_MAX;
    else if (packet->arrival_ns == INT64_MAX && !fate->damaged)
        packet->arrival_ns = packet->time_ns + fate->transit_ns;
}

/* ---- Flows by their ends ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t hash_end(uint64_t hash, uint8_t ip_version, const struct endpoint *end)
{
    uint64_t words[2];

    memcpy(words, end->address, sizeof words);
    hash = mix(mix(hash, words[0]), words[1]);
    return mix(hash, (uint64_t)ip_version << 16 | end->port);
}

/* What is known of a flow's ends: both ports; the remote end; the local port. */
static uint64_t key_of(uint8_t protocol, uint8_t ip_version, const struct endpoint *remote,
                       uint16_t local_port)
{
    uint64_t hash = mix(0, protocol);

    if (remote != NULL)
        hash = hash_end(hash, ip_version, remote);
    return mix(hash, local_port);
}

static void add_end(struct wire *w, uint64_t key, uint32_t flow, unsigned side)
{
    w->ends[w->end_count++] = (struct wire_end){key, flow, (uint8_t)side};
}

static int compare_ends(const void *left, const void *right)
{
    const struct wire_end *a = left, *b = right;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->flow != b->flow)
        return a->flow < b->flow ? -1 : 1;
    return (int)a->side - (int)b->side;
}

static void index_ends(struct wire *w)
{
    w->ends = need(malloc((6 * w->flow_count + 1) * sizeof *w->ends));
    for (uint32_t id = 1; id <= w->flow_count; id++) {
        const struct flow *f = flow_by_id(w->flows, id);

        for (unsigned side = 0; side < 2; side++) {
            const struct endpoint *remote = &f->end[side ^ 1];
            uint16_t port = f->end[side].port;

            add_end(w, key_of(f->protocol, f->ip_version, remote, port), id, side);
            add_end(w, key_of(f->protocol, f->ip_version, remote, 0), id, side);
            add_end(w, key_of(f->protocol, 0, NULL, port), id, side);
        }
    }
    qsort(w->ends, w->end_count, sizeof *w->ends, compare_ends);
}

static bool any_address(const struct text_address *a)
{
    static const uint8_t zero[16];

    return a->ip_version == 0 || memcmp(a->end.address, zero, sizeof zero) == 0;
}

static bool same_end(const struct text_address *a, uint8_t ip_version, const struct endpoint *end)
{
    return (a->end.port == 0 || a->end.port == end->port) &&
           (any_address(a) || (a->ip_version == ip_version &&
                               memcmp(a->end.address, end->address, sizeof end->address) == 0));
}

static bool fits(const struct wire *w, const struct wire_query *q, const struct wire_end *end,
                 struct flow **flow)
{
    *flow = flow_by_id(w->flows, end->flow);
    return (*flow)->protocol == q->protocol && (*flow)->start_ns > q->from_ns - w->unit_ns &&
           (*flow)->start_ns <= q->to_ns &&
           same_end(&q->local, (*flow)->ip_version, &(*flow)->end[end->side]) &&
           same_end(&q->remote, (*flow)->ip_version, &(*flow)->end[end->side ^ 1]);
}

/* Where the flows begin that share what is known of the ends. */
static size_t first_end(const struct wire *w, const struct wire_query *q, uint64_t *key)
{
    bool remote = q->remote.ip_version != 0 && q->remote.end.port != 0;
    size_t low = 0, high = w->end_count;

    *key = key_of(q->protocol, remote ? q->remote.ip_version : 0,
                  remote ? &q->remote.end : NULL, q->local.end.port);
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (w->ends[middle].key < *key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Flows begin in the order of their numbers, so that those too early can be passed at once. */
static size_t first_in_time(const struct wire *w, const struct wire_query *q, size_t low,
                            uint64_t key)
{
    size_t high = w->end_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct wire_end *end = &w->ends[middle];

        if (end->key == key &&
            flow_by_id(w->flows, end->flow)->start_ns <= q->from_ns - w->unit_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool wire_flows(const struct wire *w, const struct wire_query *q, size_t *at, struct flow **flow,
                unsigned *side)
{
    uint64_t key;
    size_t first = first_end(w, q, &key);

    if (*at == 0)
        *at = first_in_time(w, q, first, key) + 1;
    for (; *at - 1 < w->end_count && w->ends[*at - 1].key == key; ++*at) {
        const struct wire_end *end = &w->ends[*at - 1];

        if (flow_by_id(w->flows, end->flow)->start_ns > q->to_ns)
            return false;
        if (fits(w, q, end, flow)) {
            *side = end->side;
            ++*at;
            return true;
        }
    }
    return false;
}

bool wire_last_flow(const struct wire *w, const struct wire_query *q, struct flow **flow,
                    unsigned *side)
{
    uint64_t key;
    size_t first = first_end(w, q, &key);
    struct wire_query after = *q;
    size_t at;

    after.from_ns = q->to_ns < INT64_MAX ? q->to_ns + w->unit_ns + 1 : INT64_MAX;
    for (at = first_in_time(w, &after, first, key); at > first; at--) {
        const struct wire_end *end = &w->ends[at - 1];

        if (fits(w, q, end, flow)) {
            *side = end->side;
            return true;
        }
    }
    return false;
}

/* ---- The end of the trace ---- */

static void index_packets(struct wire *w)
{
    size_t *next;

    w->flow_first = need(calloc(w->flow_count + 2, sizeof *w->flow_first));
    w->of_flow = need(malloc((w->count + 1) * sizeof *w->of_flow));
    for (size_t i = 0; i < w->count; i++)
        w->flow_first[w->packets[i].flow + 1]++;
    for (size_t id = 1; id <= w->flow_count + 1; id++)
        w->flow_first[id] += w->flow_first[id - 1];
    next = need(malloc((w->flow_count + 2) * sizeof *next));
    memcpy(next, w->flow_first, (w->flow_count + 2) * sizeof *next);
    for (size_t i = 0; i < w->count; i++)
        w->of_flow[next[w->packets[i].flow]++] = (uint32_t)i;
    free(next);
}

void wire_finish(struct wire *w, const struct flow_table *flows)
{
    int64_t latest = INT64_MIN;

    w->flows = flows;
    w->flow_count = flow_count(flows);
    w->latest = need(malloc((w->count + 1) * sizeof *w->latest));
    w->unit_ns = US;
    for (size_t i = 0; i < w->count; i++) {
        if (w->packets[i].time_ns % US != 0)
            w->unit_ns = 1;
        if (!w->two_points) {
            w->packets[i].arrival_ns = w->packets[i].time_ns;
            w->packets[i].copies = 1;
        }
        if (w->packets[i].time_ns > latest)
            latest = w->packets[i].time_ns;
        w->latest[i] = latest;
    }
    index_packets(w);
    index_ends(w);
}

void wire_free(struct wire *w)
{
    free(w->packets);
    free(w->latest);
    free(w->of_flow);
    free(w->flow_first);
    free(w->ends);
}

size_t wire_position(const struct wire *w, int64_t time_ns)
{
    size_t low = 0, high = w->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (w->latest[middle] < time_ns - w->unit_ns + 1)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const uint32_t *wire_of_flow(const struct wire *w, uint32_t flow, size_t *count)
{
    *count = 0;
    if (flow == 0 || flow > w->flow_count)
        return NULL;
    *count = w->flow_first[flow + 1] - w->flow_first[flow];
    return w->of_flow + w->flow_first[flow];
}

static const struct wire *sorting; /* qsort() passes no context */

static int compare_arrivals(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    int64_t at = sorting->packets[a].arrival_ns, bt = sorting->packets[b].arrival_ns;

    return at != bt ? (at < bt ? -1 : 1) : a < b ? -1 : 1;
}

void wire_sort_arrivals(const struct wire *w, uint32_t *packets, size_t count)
{
    bool sorted = true;

    for (size_t i = 1; i < count && sorted; i++)
        sorted = w->packets[packets[i - 1]].arrival_ns <= w->packets[packets[i]].arrival_ns;
    sorting = w;
    if (!sorted)
        qsort(packets, count, sizeof *packets, compare_arrivals);
}
