/* duplicate.c - see duplicate.h. */
#include "duplicate.h"

/* UDP has no sequence numbers; its checksum takes their place. */
static uint32_t number_of(const struct packet *p)
{
    return p->protocol == IP_TCP ? p->seq : p->checksum;
}

static uint32_t slot_of(const struct packet *p)
{
    return (p->ip_id ^ (number_of(p) * 2654435761u >> 16)) % RECENT_SLOTS;
}

void duplicate_prefetch(const struct duplicate_table *table, const struct packet *packet)
{
    __builtin_prefetch(&table->slots[slot_of(packet)]);
}

bool is_duplicate(struct duplicate_table *table, uint32_t flow_id, unsigned side,
                  const struct packet *packet)
{
    const struct packet *p = packet;
    uint32_t seq = number_of(p);
    struct recent_packet *r = &table->slots[slot_of(p)];

    if (p->ip_id == 0 || (p->protocol == IP_UDP && seq == 0))
        return false;
    if (r->flow_id == flow_id && r->side == side && r->ip_id == p->ip_id && r->seq == seq &&
        r->flags == p->flags && r->length == p->payload_len &&
        time_distance(p->time_ns, r->time_ns) <= DUPLICATE_NS)
        return true;
    r->time_ns = p->time_ns;
    r->flow_id = flow_id;
    r->seq = seq;
    r->length = p->payload_len;
    r->ip_id = p->ip_id;
    r->flags = p->flags;
    r->side = (uint8_t)side;
    return false;
}
