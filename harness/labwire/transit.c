/* transit.c - see transit.h. */
#include "transit.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"

struct way way_of(const struct packet *packet)
{
    return (struct way){.ip_version = packet->ip_version, .protocol = packet->protocol,
                        .source = packet->source, .destination = packet->destination};
}

static bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && memcmp(a->address, b->address, sizeof a->address) == 0;
}

bool way_equal(const struct way *a, const struct way *b)
{
    return a->ip_version == b->ip_version && a->protocol == b->protocol &&
           endpoint_equal(&a->source, &b->source) &&
           endpoint_equal(&a->destination, &b->destination);
}

struct parcel *parcel_keep(const struct parcel *parcel)
{
    struct parcel *kept = need(malloc(sizeof *kept + parcel->length));

    *kept = *parcel;
    kept->next = NULL;
    kept->bytes = (uint8_t *)(kept + 1);
    memcpy(kept->bytes, parcel->bytes, parcel->length);
    return kept;
}

void transit_init(struct transit *transit)
{
    *transit = (struct transit){.held_end = &transit->held};
}

/* ---- Delayed ones ----------------------------------------------------------------------- */

/* Packets that are due at the same time leave in the order of sending. */
static bool earlier(const struct parcel *a, const struct parcel *b)
{
    return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->number < b->number);
}

void transit_delay(struct transit *transit, const struct parcel *parcel)
{
    struct parcel *kept = parcel_keep(parcel);
    size_t i = transit->delayed_count++;

    if (i == transit->delayed_room) {
        transit->delayed_room = i ? i * 2 : 64;
        transit->delayed = need(realloc(transit->delayed,
                                        transit->delayed_room * sizeof *transit->delayed));
    }
    for (; i > 0 && earlier(kept, transit->delayed[(i - 1) / 2]); i = (i - 1) / 2)
        transit->delayed[i] = transit->delayed[(i - 1) / 2];
    transit->delayed[i] = kept;
}

int64_t transit_due(const struct transit *transit)
{
    return transit->delayed_count ? transit->delayed[0]->due_ns : INT64_MAX;
}

struct parcel *transit_take_due(struct transit *transit, int64_t now)
{
    struct parcel **heap = transit->delayed, *first, *last;
    size_t i = 0, child;

    if (transit_due(transit) > now)
        return NULL;
    first = heap[0];
    last = heap[--transit->delayed_count];
    while ((child = 2 * i + 1) < transit->delayed_count) {
        if (child + 1 < transit->delayed_count && earlier(heap[child + 1], heap[child]))
            child++;
        if (!earlier(heap[child], last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return first;
}

/* ---- Held ones -------------------------------------------------------------------------- */

void transit_hold(struct transit *transit, const struct parcel *parcel)
{
    *transit->held_end = parcel_keep(parcel);
    transit->held_end = &(*transit->held_end)->next;
}

struct parcel *transit_take_held(struct transit *transit, const struct parcel *passed)
{
    struct parcel **link = &transit->held, *parcel;

    while (*link != NULL && passed != NULL &&
           ((*link)->number >= passed->number || !way_equal(&(*link)->way, &passed->way)))
        link = &(*link)->next;
    parcel = *link;
    if (parcel == NULL)
        return NULL;
    *link = parcel->next;
    if (parcel->next == NULL)
        transit->held_end = link;
    return parcel;
}
