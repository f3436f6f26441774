/* rule.c - which packets a rule describes, and at which of them it fires. */
#include "rule.h"

#include <stdlib.h>

#include "fail.h"

enum { IP_IGMP = 2 };

const char *action_name(enum action action)
{
    static const char *const names[ACTIONS] = {"drop", "duplicate", "delay", "reorder", "corrupt"};

    return names[action];
}

void rule_free(struct rule *rule)
{
    free(rule->text);
    free(rule->listed);
}

/* ---- Which packets are counted ---------------------------------------------------------- */

static bool is_multicast(const struct packet *pk)
{
    const uint8_t *to = pk->destination.address;

    return pk->ip_version == 4 ? to[0] >> 4 == 14 : to[0] == 0xff;
}

/* Neighbours, routers and group members find each other with messages to groups. They come
 * when a kernel likes, so no rule may count them. */
static bool is_housekeeping(const struct packet *pk)
{
    return (pk->protocol == IP_ICMPV6 || pk->protocol == IP_IGMP) && is_multicast(pk);
}

static bool is_tcp_kind(enum kind kind, const struct packet *pk)
{
    uint8_t flags = pk->flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);

    switch (kind) {
    case KIND_TCP:
        return true;
    case KIND_SYN:
        return (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    case KIND_SYN_ACK:
        return (flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
    case KIND_FIN:
        return flags & TCP_FIN;
    case KIND_RST:
        return flags & TCP_RST;
    case KIND_DATA:
        return pk->payload_len > 0;
    case KIND_ACK:
        return flags == TCP_ACK && pk->payload_len == 0;
    default:
        return false;
    }
}

static bool is_kind(enum kind kind, const struct packet *pk)
{
    switch (kind) {
    case KIND_PACKET:
        return !is_housekeeping(pk);
    case KIND_UDP:
        return pk->protocol == IP_UDP;
    case KIND_ICMP:
        return (pk->protocol == IP_ICMP || pk->protocol == IP_ICMPV6) && !is_housekeeping(pk);
    default:
        return pk->protocol == IP_TCP && is_tcp_kind(kind, pk);
    }
}

bool rule_describes(const struct rule *rule, const struct packet *pk)
{
    return (rule->from == ANY_PORT || rule->from == pk->source.port) &&
           (rule->to == ANY_PORT || rule->to == pk->destination.port) && is_kind(rule->kind, pk);
}

/* ---- Which of them ---------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood 2014), its Nth output from this seed. */
static uint64_t hash(uint64_t seed, uint64_t ordinal)
{
    uint64_t z = seed + ordinal * 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

bool rule_count(struct rule *rule)
{
    rule->seen++;
    switch (rule->which) {
    case WHICH_LISTED:
        if (rule->listed_next == rule->listed_count ||
            rule->listed[rule->listed_next] != rule->seen)
            return false;
        rule->listed_next++;
        return true;
    case WHICH_EVERY:
        return rule->seen % rule->every == 0;
    case WHICH_RANDOM:
        return hash(rule->seed, rule->seen) >> 32 < rule->below;
    default:
        return true;
    }
}
