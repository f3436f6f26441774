/* ip.c - IPv4 and IPv6 headers, with fragments and extension headers. */
#include <string.h>

#include "bytes.h"
#include "packet_internal.h"

enum decode_result decode_ipv4(struct packet *pk, struct rest r)
{
    uint32_t header, total, fragment;

    if (r.captured < 20)
        return missing(&r, 20);
    pk->ip = r.p;
    pk->ip_captured = r.captured;
    header = (r.p[0] & 15u) * 4;
    if (r.p[0] >> 4 != 4 || header < 20)
        return DECODE_MALFORMED;
    total = get_be16(r.p + 2);
    if (total == 0) /* segment offload of more than 65,535 bytes */
        total = r.wire;
    if (total < header)
        return DECODE_MALFORMED;
    pk->cut = total > r.wire;
    if (r.captured < header) {
        pk->cut = false;
        return DECODE_CUT;
    }
    pk->ip_version = 4;
    pk->ip_id = get_be16(r.p + 4);
    fragment = get_be16(r.p + 6);
    pk->fragment_more = fragment & 0x2000;
    pk->fragment_offset = (fragment & 0x1fff) * 8;
    pk->fragment = pk->fragment_more || pk->fragment_offset > 0;
    pk->fragment_id = pk->ip_id;
    pk->protocol = r.p[9];
    memcpy(pk->source.address, r.p + 12, 4);
    memcpy(pk->destination.address, r.p + 16, 4);
    skip(&r, header);
    return decode_transport(pk, r, total - header);
}

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION = 60,
       MOBILITY = 135 };

static bool is_extension(uint8_t next)
{
    return next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT || next == AUTHENTICATION ||
           next == DESTINATION || next == MOBILITY;
}

/* RFC 8200, section 4.5. An atomic fragment (RFC 6946), whole in one piece, is no fragment. */
static void read_fragment_header(struct packet *pk, const uint8_t *p)
{
    uint16_t fields = get_be16(p + 2);

    pk->fragment_offset = fields & 0xfff8u;
    pk->fragment_more = fields & 1;
    pk->fragment = pk->fragment_more || pk->fragment_offset > 0;
    pk->fragment_id = get_be32(p + 4);
}

enum decode_result skip_extensions(struct packet *pk, struct rest *r, uint32_t *length)
{
    while (is_extension(pk->protocol)) {
        uint8_t type = pk->protocol;
        uint32_t size;

        if (*length < 8)
            return DECODE_MALFORMED;
        if (r->captured < 8)
            return DECODE_CUT;
        size = type == FRAGMENT         ? 8
               : type == AUTHENTICATION ? (r->p[1] + 2u) * 4
                                        : (r->p[1] + 1u) * 8;
        if (size > *length)
            return DECODE_MALFORMED;
        if (r->captured < size)
            return DECODE_CUT;
        pk->protocol = r->p[0];
        if (type == FRAGMENT)
            read_fragment_header(pk, r->p);
        skip(r, size);
        *length -= size;
        if (type == FRAGMENT)
            pk->fragment_len = *length; /* headers behind this one are in the first piece only */
        if (pk->fragment && pk->fragment_offset > 0) {
            /* What follows is the middle of something. The next header is the first piece's:
             * where that is one more extension, only UDP's pieces are looked for. */
            if (is_extension(pk->protocol))
                pk->protocol = IP_UDP;
            break;
        }
    }
    return DECODE_OK;
}

enum decode_result decode_ipv6(struct packet *pk, struct rest r)
{
    uint32_t length;
    enum decode_result result;

    if (r.captured < 40)
        return missing(&r, 40);
    pk->ip = r.p;
    pk->ip_captured = r.captured;
    if (r.p[0] >> 4 != 6)
        return DECODE_MALFORMED;
    pk->ip_version = 6;
    length = get_be16(r.p + 4);
    if (length == 0) /* BIG TCP and jumbograms: the wire length counts */
        length = r.wire - 40;
    pk->cut = length > r.wire - 40;
    pk->protocol = r.p[6];
    memcpy(pk->source.address, r.p + 8, 16);
    memcpy(pk->destination.address, r.p + 24, 16);
    skip(&r, 40);
    result = skip_extensions(pk, &r, &length);
    if (result != DECODE_OK) {
        pk->cut = false;
        return result;
    }
    return decode_transport(pk, r, length);
}
