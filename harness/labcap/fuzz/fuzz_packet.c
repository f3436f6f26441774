/* fuzz_packet.c - the decoder of every link type. */
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "checksum.h"
#include "fuzz.h"
#include "packet.h"
#include "passage.h"

static const int links[] = {DLT_EN10MB, DLT_LINUX_SLL, 276, DLT_NULL, DLT_LOOP,
                            DLT_RAW,    14,            101, 228,      229};

enum { ETHERNET_HEADER = 14 };

static void require(bool truth)
{
    if (!truth)
        abort();
}

/* What packet.h promises of a packet that can be used. */
static void check_packet(const struct packet *p, const uint8_t *frame, uint32_t captured,
                         uint32_t wire)
{
    char text[ENDPOINT_TEXT_MAX];

    require(p->ip_version == 4 || p->ip_version == 6);
    require(p->ip >= frame && p->ip_captured <= captured - (uint32_t)(p->ip - frame));
    require(p->payload_captured <= p->payload_wire_len && p->payload_wire_len <= p->payload_len);
    require(p->payload_wire_len <= wire);
    if (p->payload_captured > 0) {
        require(p->payload >= frame);
        require(p->payload_captured <= captured - (uint32_t)(p->payload - frame));
    }
    require(p->cut || p->fragment || p->payload_wire_len == p->payload_len);
    require(p->window_scale >= -1 && p->window_scale <= 14);
    require(*endpoint_text(text, &p->source, p->ip_version) != '\0');
    require(*address_text(text, sizeof text, &p->destination, p->ip_version) != '\0');
}

/* What is in an Ethernet frame, which has a short way, is the same without it. */
static void check_without_ethernet(const struct packet *p, enum decode_result result,
                                   const uint8_t *frame, uint32_t captured, uint32_t wire)
{
    enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd, TYPE_AT = 12 };
    struct packet q;
    unsigned type;

    if (captured <= ETHERNET_HEADER || wire <= ETHERNET_HEADER)
        return;
    type = get_be16(frame + TYPE_AT);
    if (!(type == ETHERTYPE_IPV4 && frame[ETHERNET_HEADER] >> 4 == 4) &&
        !(type == ETHERTYPE_IPV6 && frame[ETHERNET_HEADER] >> 4 == 6))
        return;
    require(packet_decode(&q, DLT_RAW, frame + ETHERNET_HEADER, captured - ETHERNET_HEADER,
                          wire - ETHERNET_HEADER) == result);
    q.wire_len += ETHERNET_HEADER;
    require(memcmp(p, &q, sizeof q) == 0); /* packet_decode() clears what it does not set */
}

/* The frame is copied to where the sanitizer sees a read beside it. */
static void decode(int link, const uint8_t *bytes, uint32_t captured, uint32_t wire)
{
    uint8_t *frame = malloc(captured);
    uint32_t type_at = 0, header = 0;
    const uint8_t *source;
    struct packet p;
    struct passage_tag tag;
    enum decode_result result;

    if (frame == NULL && captured > 0)
        abort();
    if (captured > 0)
        memcpy(frame, bytes, captured);
    result = packet_decode(&p, link, frame, captured, wire);
    require(result < DECODE_RESULTS);
    if (result == DECODE_OK || (result == DECODE_CUT && p.cut))
        check_packet(&p, frame, captured, wire);
    if (link == DLT_EN10MB)
        check_without_ethernet(&p, result, frame, captured, wire);
    if (p.ip != NULL) {
        uint32_t length = passage_ip_len(p.ip, p.ip_captured);

        passage_key(p.ip, p.ip_captured, length);
        if (result == DECODE_OK)
            checksum_is_wrong(&p);
    }
    source = packet_link_source(link, frame, captured);
    require(source == NULL || (source >= frame && source + 6 <= frame + captured));
    if (source != NULL)
        passage_tag(source, &tag);
    if (packet_link_type_at(link, &type_at, &header))
        require(type_at + 2 <= header || link == 276);
    free(frame);
}

void fuzz_packet(const uint8_t *bytes, size_t size)
{
    enum { HEAD = 4 };
    uint32_t captured, more;

    if (size < HEAD || size > 1 << 20)
        return;
    captured = (uint32_t)(size - HEAD);
    more = (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    /* Recorders differ: some write a wire length below the captured one. */
    decode(links[bytes[0] % (sizeof links / sizeof links[0])], bytes + HEAD, captured,
           more >= 0xff0000 ? captured - (more & 0xff) % (captured + 1) : captured + more);
}
