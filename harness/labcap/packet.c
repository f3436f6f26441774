/* packet.c - link, IP and transport headers, checked in stages. */
#include "packet.h"

#include <arpa/inet.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"

/* Link types whose DLT_ name differs between systems or is missing; numbers of the files. */
enum { LINK_RAW_BSD = 14, LINK_RAW_FILE = 101, LINK_IPV4 = 228, LINK_IPV6 = 229, LINK_SLL2 = 276 };

enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd, VLAN_TAGS_MAX = 4 };

/* What is left of a frame: bytes captured at `p`, and how many were on the wire. */
struct rest {
    const uint8_t *p;
    uint32_t captured, wire;
};

/* The reason why fewer than `need` bytes are there. */
static enum decode_result missing(const struct rest *r, uint32_t need)
{
    return r->wire < need ? DECODE_MALFORMED : DECODE_CUT;
}

static void skip(struct rest *r, uint32_t n)
{
    r->p += n;
    r->captured -= n;
    r->wire -= n;
}

/* ---- Transport headers ---- */

static void set_payload(struct packet *pk, const struct rest *r, uint32_t header, uint32_t length)
{
    uint32_t wire = r->wire - header, captured = r->captured - header;

    pk->payload = r->p + header;
    pk->payload_len = length;
    pk->payload_wire_len = wire < length ? wire : length;
    pk->payload_captured = captured < length ? captured : length;
}

/* Looks for the window scale option (RFC 7323) among the captured options. */
static int8_t find_window_scale(const uint8_t *p, uint32_t length)
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
        if (r.captured < 40 || r.p[0] >> 4 != 6)
            return false;
        q->protocol = r.p[6];
        memcpy(q->source.address, r.p + 8, 16);
        memcpy(q->destination.address, r.p + 24, 16);
        skip(&r, 40);
    }
    return quote_ports(q, r);
}

static enum decode_result decode_icmp(struct packet *pk, struct rest r)
{
    uint8_t unreachable = pk->protocol == IP_ICMP ? 3 : 1;

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

/* `length` is the IP payload by the IP header, `r` begins at it. */
static enum decode_result decode_transport(struct packet *pk, struct rest r, uint32_t length)
{
    enum decode_result result = DECODE_OK;

    if (pk->cut == false && r.wire > length) /* Ethernet padding */
        r.wire = length;
    if (r.captured > r.wire)
        r.captured = r.wire;
    if (pk->fragment) {
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

/* ---- IP ---- */

static enum decode_result decode_ipv4(struct packet *pk, struct rest r)
{
    uint32_t header, total, fragment;

    if (r.captured < 20)
        return missing(&r, 20);
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

/* Walks the extension headers; *length and *r are what is left behind them. */
static enum decode_result skip_extensions(struct packet *pk, struct rest *r, uint32_t *length)
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
        if (pk->fragment && pk->fragment_offset > 0)
            break; /* what follows is the middle of something */
    }
    return DECODE_OK;
}

static enum decode_result decode_ipv6(struct packet *pk, struct rest r)
{
    uint32_t length;
    enum decode_result result;

    if (r.captured < 40)
        return missing(&r, 40);
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

/* ---- Link layers ---- */

static bool is_vlan(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

/* `r` begins behind the Ethernet type. */
static enum decode_result decode_ethertype(struct packet *pk, uint16_t type, struct rest r)
{
    for (unsigned tags = 0; is_vlan(type); tags++) {
        unsigned id;

        if (tags == VLAN_TAGS_MAX)
            return DECODE_MALFORMED;
        if (r.captured < 4)
            return missing(&r, 4);
        id = get_be16(r.p) & 0x0fffu;
        if (id > 0) /* 0 is a priority without a VLAN */
            pk->vlan = pk->vlan << 13 | 0x1000 | id;
        type = get_be16(r.p + 2);
        skip(&r, 4);
    }
    if (type == ETHERTYPE_IPV4)
        return decode_ipv4(pk, r);
    if (type == ETHERTYPE_IPV6)
        return decode_ipv6(pk, r);
    return DECODE_NOT_IP;
}

/* A header of `size` bytes that holds an Ethernet type at `type_at`. */
static enum decode_result decode_typed(struct packet *pk, struct rest r, uint32_t size,
                                       uint32_t type_at)
{
    uint16_t type;

    if (r.captured < size)
        return missing(&r, size);
    type = get_be16(r.p + type_at);
    skip(&r, size);
    return decode_ethertype(pk, type, r);
}

static enum decode_result decode_version(struct packet *pk, struct rest r)
{
    if (r.captured < 1)
        return missing(&r, 1);
    if (r.p[0] >> 4 == 4)
        return decode_ipv4(pk, r);
    if (r.p[0] >> 4 == 6)
        return decode_ipv6(pk, r);
    return DECODE_NOT_IP;
}

/* An address family in 4 bytes; NULL writes them in its own machine's order, LOOP in network
 * order. Families are below 65,536, so that the order shows. */
static enum decode_result decode_family(struct packet *pk, struct rest r, bool either_order)
{
    uint32_t family;

    if (r.captured < 4)
        return missing(&r, 4);
    family = get_be32(r.p);
    if (either_order && family > 0xffff)
        family = get_le32(r.p);
    skip(&r, 4);
    switch (family) {
    case 2:
        return decode_ipv4(pk, r);
    case 10: /* Linux */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* macOS */
        return decode_ipv6(pk, r);
    default:
        return DECODE_NOT_IP;
    }
}

bool packet_link_supported(int link_type)
{
    static const int supported[] = {DLT_EN10MB, DLT_LINUX_SLL, LINK_SLL2, DLT_NULL,
                                    DLT_LOOP, DLT_RAW, LINK_RAW_BSD, LINK_RAW_FILE,
                                    LINK_IPV4, LINK_IPV6};

    for (size_t i = 0; i < sizeof supported / sizeof supported[0]; i++)
        if (supported[i] == link_type)
            return true;
    return false;
}

enum decode_result packet_decode(struct packet *packet, int link_type, const uint8_t *frame,
                                 uint32_t captured, uint32_t wire_len)
{
    struct rest r = {frame, captured < wire_len ? captured : wire_len, wire_len};

    memset(packet, 0, sizeof *packet);
    packet->wire_len = wire_len;
    packet->window_scale = -1;
    switch (link_type) {
    case DLT_EN10MB:
        return decode_typed(packet, r, 14, 12);
    case DLT_LINUX_SLL:
        return decode_typed(packet, r, 16, 14);
    case LINK_SLL2:
        return decode_typed(packet, r, 20, 0);
    case DLT_NULL:
        return decode_family(packet, r, true);
    case DLT_LOOP:
        return decode_family(packet, r, false);
    default:
        return decode_version(packet, r);
    }
}

/* ---- Addresses as text ---- */

char *address_text(char *text, size_t size, const struct endpoint *end, uint8_t ip_version)
{
    if (inet_ntop(ip_version == 4 ? AF_INET : AF_INET6, end->address, text,
                  (socklen_t)size) == NULL && size > 0)
        text[0] = '\0';
    return text;
}

char *endpoint_text(char *text, size_t size, const struct endpoint *end, uint8_t ip_version)
{
    char address[INET6_ADDRSTRLEN];

    address_text(address, sizeof address, end, ip_version);
    snprintf(text, size, ip_version == 4 ? "%s:%u" : "[%s]:%u", address, (unsigned)end->port);
    return text;
}
