/* checksum.c - see checksum.h. */
#include "checksum.h"

#include "bytes.h"
#include "passage.h"

/* One's complement sums may be folded at the end: 64 bits hold those of the longest packet. */
static uint64_t sum_of(const uint8_t *p, uint32_t count)
{
    uint64_t sum = 0;

    for (; count >= 2; p += 2, count -= 2)
        sum += get_be16(p);
    return count > 0 ? sum + (uint64_t)p[0] * 256 : sum;
}

/* RFC 9293, section 3.1; RFC 8200, section 8.1: addresses, protocol and length count, too. */
static uint64_t pseudo_header(const struct packet *p, uint32_t length)
{
    uint32_t size = p->ip_version == 4 ? 4 : 16;

    return sum_of(p->source.address, size) + sum_of(p->destination.address, size) + p->protocol +
           (length >> 16) + (length & 0xffff);
}

bool checksum_is_wrong(const struct packet *p)
{
    uint32_t whole = passage_ip_len(p->ip, p->ip_captured), length;
    uint64_t sum;

    if ((p->protocol != IP_TCP && p->protocol != IP_UDP) || p->fragment || p->transport_at == 0 ||
        p->ip_captured < whole || whole <= p->transport_at)
        return false;
    if (p->protocol == IP_UDP && p->checksum == 0 && p->ip_version == 4)
        return false;
    length = whole - p->transport_at;
    sum = pseudo_header(p, length) + sum_of(p->ip + p->transport_at, length);
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    return sum != 0xffff;
}
