/* passage.c - see passage.h. */
#include "passage.h"

#include "bytes.h"
#include "packet.h"

enum { KEY_OCTETS = 96, IPV4_HEADER = 20, IPV6_HEADER = 40, NOWHERE = KEY_OCTETS };

static const uint64_t fnv_basis = 0xcbf29ce484222325u, fnv_prime = 0x100000001b3u;

uint32_t passage_ip_len(const uint8_t *ip, uint32_t captured)
{
    if (captured >= IPV4_HEADER && ip[0] >> 4 == 4)
        return get_be16(ip + 2);
    if (captured >= IPV6_HEADER && ip[0] >> 4 == 6)
        return IPV6_HEADER + (uint32_t)get_be16(ip + 4);
    return 0;
}

/* Where the transport checksum stands, NOWHERE if its place is not fixed or not hashed. */
static uint32_t checksum_place(const uint8_t *ip, uint32_t captured)
{
    uint32_t header;
    uint8_t protocol;

    if (captured >= IPV4_HEADER && ip[0] >> 4 == 4 && (get_be16(ip + 6) & 0x3fff) == 0) {
        header = (ip[0] & 15u) * 4;
        protocol = ip[9];
    } else if (captured >= IPV6_HEADER && ip[0] >> 4 == 6) {
        header = IPV6_HEADER;
        protocol = ip[6];
    } else {
        return NOWHERE;
    }
    return protocol == IP_TCP ? header + 16 : protocol == IP_UDP ? header + 6 : NOWHERE;
}

uint64_t passage_key(const uint8_t *ip, uint32_t captured, uint32_t ip_len)
{
    uint32_t count = captured < ip_len ? captured : ip_len;
    uint32_t checksum = checksum_place(ip, captured);
    uint64_t key = fnv_basis;

    if (count > KEY_OCTETS)
        count = KEY_OCTETS;
    for (int shift = 24; shift >= 0; shift -= 8)
        key = (key ^ (ip_len >> shift & 0xff)) * fnv_prime;
    for (uint32_t i = 0; i < count; i++)
        key = (key ^ (i - checksum < 2 ? 0 : ip[i])) * fnv_prime;
    return key;
}

bool passage_tag(const uint8_t mac[6], struct passage_tag *tag)
{
    if (mac[0] != PASSAGE_MAC_0 || mac[1] != PASSAGE_MAC_1)
        return false;
    tag->key = get_be16(mac + 2);
    tag->ordinal = get_be16(mac + 4);
    return true;
}
