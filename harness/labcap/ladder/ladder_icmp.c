/* ladder_icmp.c - see ladder_icmp.h. */
#include "ladder_icmp.h"

#include <stdio.h>
#include <string.h>

#include "ladder_text.h"

/* RFC 792, RFC 4443; 0 where a version has no such message (IPv6's packets do not begin at 0). */
static const struct {
    uint8_t v4, v6;
    const char *one, *many;
} kinds[ICMP_KINDS] = {
    {8, 128, "ICMP echo request", "ICMP echo requests"},
    {0, 129, "ICMP echo reply", "ICMP echo replies"},
    {3, 1, "ICMP destination unreachable", "ICMP destination unreachable"},
    {11, 3, "ICMP time exceeded", "ICMP time exceeded"},
    {12, 4, "ICMP parameter problem", "ICMP parameter problem"},
    {5, 137, "ICMP redirect", "ICMP redirects"},
    {4, 0, "ICMP source quench", "ICMP source quench"},
    {255, 2, "ICMP packet too big", "ICMP packet too big"},
    {255, 255, "other ICMP message", "other ICMP messages"},
};

/* RFC 4861 and RFC 3810: how IPv6 finds its neighbours. */
static bool is_neighbourhood(uint8_t type)
{
    return (type >= 130 && type <= 136) || type == 143;
}

bool other_packet_keep(struct other_packet *other, const struct packet *p)
{
    bool v4 = p->ip_version == 4;
    uint8_t kind = 0;

    if (p->protocol != (v4 ? IP_ICMP : IP_ICMPV6) || p->fragment ||
        p->transport_at == 0 || p->transport_at >= p->ip_captured)
        return false;
    if (!v4 && is_neighbourhood(p->icmp_type))
        return false;
    while (kind < ICMP_KINDS - 1 && (v4 ? kinds[kind].v4 : kinds[kind].v6) != p->icmp_type)
        kind++;
    *other = (struct other_packet){.packet = p->number,
                                   .time_ns = p->time_ns,
                                   .ip_version = p->ip_version,
                                   .kind = kind,
                                   .source = p->source,
                                   .destination = p->destination};
    return true;
}

void other_packet_text(char *text, size_t size, const struct other_packet *o, bool utf8)
{
    char from[46], to[46];

    snprintf(text, size, "%s: %s %s %s", kinds[o->kind].one,
             address_text(from, sizeof from, &o->source, o->ip_version), utf8 ? "\u2192" : "->",
             address_text(to, sizeof to, &o->destination, o->ip_version));
}

void other_packets_text(char *text, size_t size, const uint64_t counts[ICMP_KINDS])
{
    size_t used = 0;

    *text = '\0';
    for (unsigned i = 0; i < ICMP_KINDS && used < size; i++) {
        char number[NUMBER_TEXT_MAX];

        if (counts[i] == 0)
            continue;
        count_text(number, counts[i]);
        used += (size_t)snprintf(text + used, size - used, "%s%s %s", used > 0 ? ", " : "", number,
                                 counts[i] == 1 ? kinds[i].one : kinds[i].many);
    }
}
