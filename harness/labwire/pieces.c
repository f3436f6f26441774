/* pieces.c - see pieces.h. */
#include "pieces.h"

#include <stdlib.h>
#include <string.h>

/* Ports stand in the first fragment only. */
static bool same_datagram(const struct datagram *datagram, const struct packet *piece)
{
    struct way way = way_of(piece);

    way.source.port = datagram->way.source.port;
    way.destination.port = datagram->way.destination.port;
    return datagram->used && datagram->id == piece->fragment_id &&
           way_equal(&datagram->way, &way);
}

struct datagram *pieces_find(struct pieces *pieces, const struct packet *piece)
{
    for (size_t i = 0; i < PIECES_MAX; i++)
        if (same_datagram(&pieces->slots[i], piece))
            return &pieces->slots[i];
    return NULL;
}

/* A free place, or the one of the datagram that began first: it will not be whole any more. */
static struct datagram *find_room(struct pieces *pieces)
{
    struct datagram *best = &pieces->slots[0];

    for (size_t i = 0; i < PIECES_MAX; i++) {
        if (!pieces->slots[i].used)
            return &pieces->slots[i];
        if (pieces->slots[i].number < best->number)
            best = &pieces->slots[i];
    }
    return best;
}

struct datagram *pieces_begin(struct pieces *pieces, const struct packet *piece)
{
    struct datagram *datagram = pieces_find(pieces, piece);

    if (datagram == NULL)
        datagram = find_room(pieces);
    pieces_end(datagram);
    *datagram = (struct datagram){.used = true, .way = way_of(piece), .id = piece->fragment_id,
                                  .copies_end = &datagram->copies};
    return datagram;
}

bool pieces_count(struct datagram *datagram, const struct packet *piece)
{
    datagram->seen += piece->fragment_len;
    if (!piece->fragment_more)
        datagram->total = piece->fragment_offset + piece->fragment_len;
    return datagram->seen == datagram->total;
}

void pieces_end(struct datagram *datagram)
{
    struct parcel *next;

    for (struct parcel *copy = datagram->copies; copy != NULL; copy = next) {
        next = copy->next;
        free(copy);
    }
    memset(datagram, 0, sizeof *datagram);
}
