/* transport.c - TCP, UDP and ICMP headers, checked in stages. */
#include <string.h>

#include "bytes.h"
#include "packet_internal.h"

static void set_payload(struct packet *pk, const struct rest *r, uint32_t header, uint32_t length)
{
    uint32_t wire = r->wire - header, captured = r->captured - header;

    pk->payload = r->p + header;
    pk->payload_len = length;
    pk->payload_wire_len = wire < length ? wire : length;
    pk->payload_captured = captured < length ? captured : length;
}

int8_t find_window_scale(const uint8_t *p, uint32_t length)
{
    uint32_t i = 0;

    while (i < length && p[i] != 0) {
        if (p[i] == 1) { /* no operation */
            i++;
            continue;
        }
        if (length - i < 2 || p[i + 1] < 2 || p[i + 1] > length - i)
            break;
        if (p[i] == 3 && p[i + 1] == 3)
            return (int8_t)(p[i + 2] > 14 ? 14 : p[i + 2]); /* RFC 7323: 14 at most */
        i += p[i + 1];
    }
    return -1;
}

/* `length` is the IP payload by the IP header. */
static enum decode_result decode_tcp(struct packet *pk, const struct rest *r, uint32_t length)
{
    uint32_t header, options;

    if (length < 20)
        return DECODE_MALFORMED;
    if (r->captured < 20)
        return DECODE_CUT;
    header = (uint32_t)(r->p[12] >> 4) * 4;
    if (header < 20 || header > length)
        return DECODE_MALFORMED;
    pk->source.port = get_be16(r->p);
    pk->destination.port = get_be16(r->p + 2);
    pk->seq = get_be32(r->p + 4);
    pk->ack = get_be32(r->p + 8);
    pk->flags = r->p[13];
    pk->window = get_be16(r->p + 14);
    options = (header < r->captured ? header : r->captured) - 20;
    pk->window_scale = pk->flags & TCP_SYN ? find_window_scale(r->p + 20, options) : -1;
    if (r->wire < header)
        return DECODE_CUT;
    if (r->captured < header) { /* the snap length ends inside the options: no payload here */
        struct rest none = {r->p + r->captured, header, r->wire};
        set_payload(pk, &none, header, length - header);
        pk->payload = NULL;
        return DECODE_OK;
    }
    set_payload(pk, r, header, length - header);
    return DECODE_OK;
}

static enum decode_result decode_udp(struct packet *pk, const struct rest *r, uint32_t length)
{
    uint32_t udp_length;

    if (length < 8)
        return DECODE_MALFORMED;
    if (r->captured < 8)
        return DECODE_CUT;
    pk->source.port = get_be16(r->p);
    pk->destination.port = get_be16(r->p + 2);
    pk->checksum = get_be16(r->p + 6);
    udp_length = get_be16(r->p + 4);
    if (udp_length == 0) /* RFC 2675, section 4: a jumbogram */
        udp_length = length;
    if (udp_length < 8 || (udp_length > length && !pk->fragment_more))
        return DECODE_MALFORMED;
    set_payload(pk, r, 8, udp_length - 8);
    return DECODE_OK;
}

static bool quote_ports(struct quoted_flow *q, struct rest r)
{
    if ((q->protocol != IP_TCP && q->protocol != IP_UDP) || r.captured < 4)
        return false;
    q->source.port = get_be16(r.p);
    q->destination.port = get_be16(r.p + 2);
    return true;
}

/* The start of the packet that an ICMP message is about. RFC 792 promises 8 bytes behind the IP
 * header; a quotation that is shorter, or whose transport header is not first, is left alone. */
static bool quote(struct quoted_flow *q, uint8_t ip_version, struct rest r)
{
    if (ip_version == 4) {
        uint32_t header;

        if (r.captured < 20 || r.p[0] >> 4 != 4 || (get_be16(r.p + 6) & 0x1fff) != 0)
            return false;
        header = (r.p[0] & 15u) * 4;
        if (header < 20 || header > r.captured)
            return false;
        q->protocol = r.p[9];
        memcpy(q->source.address, r.p + 12, 4);
        memcpy(q->destination.address, r.p + 16, 4);
        skip(&r, header);
    } else {
        struct packet inner = {0};
        uint32_t length;

        if (r.captured < 40 || r.p[0] >> 4 != 6)
            return false;
        inner.protocol = r.p[6];
        memcpy(q->source.address, r.p + 8, 16);
        memcpy(q->destination.address, r.p + 24, 16);
        skip(&r, 40);
        length = r.captured; /* it ends where the message does */
        if (skip_extensions(&inner, &r, &length) != DECODE_OK || inner.fragment_offset > 0)
            return false;
        q->protocol = inner.protocol;
    }
    return quote_ports(q, r);
}

static enum decode_result decode_icmp(struct packet *pk, struct rest r)
{
    uint8_t unreachable = pk->protocol == IP_ICMP ? 3 : 1;

    if (pk->transport_at < pk->ip_captured)
        pk->icmp_type = r.p[0];
    if (r.captured < 8)
        return missing(&r, 8);
    if (r.p[0] != unreachable)
        return DECODE_OK;
    pk->quoted.type = r.p[0];
    pk->quoted.code = r.p[1];
    skip(&r, 8);
    pk->quoted.present = quote(&pk->quoted, pk->ip_version, r);
    return DECODE_OK;
}

enum decode_result decode_transport(struct packet *pk, struct rest r, uint32_t length)
{
    enum decode_result result = DECODE_OK;

    pk->transport_at = (uint32_t)(r.p - pk->ip);
    if (!pk->cut && r.wire > length) /* Ethernet padding */
        r.wire = length;
    if (r.captured > r.wire)
        r.captured = r.wire;
    if (pk->fragment) {
        if (pk->ip_version == 4)
            pk->fragment_len = length;
        if (pk->protocol == IP_TCP)
            return DECODE_FRAGMENT;
        if (pk->fragment_offset > 0)
            return pk->cut ? DECODE_CUT : DECODE_OK;
    }
    if (pk->protocol == IP_TCP)
        result = decode_tcp(pk, &r, length);
    else if (pk->protocol == IP_UDP)
        result = decode_udp(pk, &r, length);
    else if (!pk->fragment && (pk->protocol == (pk->ip_version == 4 ? IP_ICMP : IP_ICMPV6)))
        result = decode_icmp(pk, r);
    if (result == DECODE_CUT)
        pk->cut = false; /* the headers are not whole: nothing can be used */
    else if (result == DECODE_OK && pk->cut)
        result = DECODE_CUT;
    return result;
}
