/* duplicate.c - see duplicate.h. */
#include "duplicate.h"

/* UDP has no sequence numbers; its checksum takes their place. */
bool is_duplicate(struct duplicate_table *table, uint32_t flow_id, unsigned side,
                  const struct packet *packet)
{
    const struct packet *p = packet;
    uint32_t seq = p->protocol == IP_TCP ? p->seq : p->checksum;
    uint32_t index = (p->ip_id ^ (seq * 2654435761u >> 16)) % RECENT_SLOTS;
    struct recent_packet *r = &table->slots[index];

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
