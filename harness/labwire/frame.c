/* frame.c - see frame.h. */
#include "frame.h"

#include <string.h>

#include "bytes.h"
#include "passage.h"

enum { TYPE_AT = 12, SOURCE_AT = 6, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };

bool frame_is_ip(const struct frame *frame)
{
    uint16_t type;

    if (frame->length < ETHERNET_HEADER + 20)
        return false;
    type = get_be16(frame->bytes + TYPE_AT);
    return type == TYPE_IPV4 || (type == TYPE_IPV6 && frame->length >= ETHERNET_HEADER + 40);
}

/* RFC 1071: the ones' complement of the ones' complement sum. */
static uint16_t checksum(const uint8_t *p, uint32_t length)
{
    uint64_t sum = 0;

    for (; length > 1; p += 2, length -= 2)
        sum += get_be16(p);
    if (length > 0)
        sum += (unsigned)p[0] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

bool frame_complete(struct frame *frame)
{
    uint32_t place = frame->checksum_start + frame->checksum_offset;
    uint16_t sum;

    if (!frame->checksum_open)
        return true;
    if (frame->checksum_start > frame->length || place + 2 > frame->length)
        return false;
    /* The place holds the sum of the pseudo-header, so that it need not be known here. */
    sum = checksum(frame->bytes + frame->checksum_start, frame->length - frame->checksum_start);
    put_be16(frame->bytes + place, sum ? sum : 0xffff); /* RFC 768: 0 means none */
    return true;
}

void frame_tag(struct frame *frame, uint64_t key, uint64_t ordinal)
{
    uint8_t *source = frame->bytes + SOURCE_AT;

    source[0] = PASSAGE_MAC_0;
    source[1] = PASSAGE_MAC_1;
    put_be16(source + 2, (unsigned)(key & 0xffff));
    put_be16(source + 4, (unsigned)(ordinal & 0xffff));
}

/* Where the transport header begins; 0 behind IPv6 extension headers. */
static uint32_t transport_at(const struct frame *frame, const struct packet *packet)
{
    const uint8_t *ip = frame->bytes + ETHERNET_HEADER;

    if (packet->ip_version == 4)
        return ETHERNET_HEADER + (ip[0] & 15u) * 4;
    return ip[6] == packet->protocol ? ETHERNET_HEADER + 40 : 0;
}

static uint32_t checksum_at(uint8_t protocol)
{
    return protocol == IP_TCP ? 16 : protocol == IP_UDP ? 6 : 2; /* ICMP: 2 */
}

/* Inverting the whole checksum is not seen where it is 0 or 0xffff, which are one number; and
 * a UDP checksum of 0 is none at all. */
static void damage_checksum(uint8_t *p)
{
    p[0] ^= 0xff;
    if (get_be16(p) == 0)
        put_be16(p, 0xffff);
}

void frame_damage(struct frame *frame, const struct packet *packet)
{
    uint32_t at = transport_at(frame, packet) + checksum_at(packet->protocol);

    if (packet->payload_captured > 0)
        frame->bytes[packet->payload - frame->bytes] ^= 0xff;
    else if (at >= ETHERNET_HEADER + 20 && at + 2 <= frame->length)
        damage_checksum(frame->bytes + at);
    else
        frame->bytes[frame->length - 1] ^= 0xff;
}

size_t frame_announcement(uint8_t *bytes, size_t size, const uint8_t to[6], const char *text)
{
    size_t banner = strlen(PASSAGE_BANNER), length = ETHERNET_HEADER + banner + strlen(text);

    if (length > size)
        return 0;
    memset(bytes, 0, FRAME_MIN);
    memcpy(bytes, to, 6);
    bytes[SOURCE_AT] = PASSAGE_MAC_0;
    bytes[SOURCE_AT + 1] = PASSAGE_MAC_1;
    put_be16(bytes + TYPE_AT, PASSAGE_ETHERTYPE);
    memcpy(bytes + ETHERNET_HEADER, PASSAGE_BANNER, banner);
    memcpy(bytes + ETHERNET_HEADER + banner, text, strlen(text));
    return length < FRAME_MIN ? FRAME_MIN : length;
}
