/* packet.c - link layers, and addresses as text. */
#include "packet.h"

#include <arpa/inet.h>
#include <pcap/dlt.h>
#include <string.h>

#include "bytes.h"
#include "digits.h"
#include "packet_internal.h"

/* Link types whose DLT_ name differs between systems or is missing; numbers of the files. */
enum { LINK_RAW_BSD = 14, LINK_RAW_FILE = 101, LINK_IPV4 = 228, LINK_IPV6 = 229, LINK_SLL2 = 276 };

/* Sizes of headers, and where in them the Ethernet type stands. */
enum { ETHERNET_HEADER = 14, ETHERNET_TYPE = 12, SLL_HEADER = 16, SLL_TYPE = 14, SLL2_HEADER = 20,
       SLL2_TYPE = 0 };

enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd, VLAN_TAGS_MAX = 4 };

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

/* The short way for what most frames are: Ethernet, IPv4 and TCP, whole headers without options of
 * IP. Returns false, and has only begun, if the frame is anything else. */
static bool decode_plain(struct packet *pk, const uint8_t *frame, uint32_t captured, uint32_t wire)
{
    enum { IP_HEADER = 20, TCP_HEADER = 20, TCP_AT = ETHERNET_HEADER + IP_HEADER };
    const uint8_t *ip = frame + ETHERNET_HEADER, *tcp = frame + TCP_AT;
    uint32_t total, header, left;

    if (captured < TCP_AT + TCP_HEADER ||
        get_be16(frame + ETHERNET_TYPE) != ETHERTYPE_IPV4 || ip[0] != 0x45 || ip[9] != IP_TCP ||
        (get_be16(ip + 6) & 0x3fff) != 0)
        return false;
    total = get_be16(ip + 2);
    header = (uint32_t)(tcp[12] >> 4) * 4;
    if (header < TCP_HEADER || total < IP_HEADER + header || total > wire - ETHERNET_HEADER ||
        captured < TCP_AT + header)
        return false;
    left = captured - TCP_AT - header;
    pk->ip_version = 4;
    pk->protocol = IP_TCP;
    pk->ip = ip;
    pk->ip_captured = captured - ETHERNET_HEADER;
    pk->transport_at = IP_HEADER;
    pk->ip_id = get_be16(ip + 4);
    pk->fragment_id = pk->ip_id;
    memcpy(pk->source.address, ip + 12, 4);
    memcpy(pk->destination.address, ip + 16, 4);
    pk->source.port = get_be16(tcp);
    pk->destination.port = get_be16(tcp + 2);
    pk->seq = get_be32(tcp + 4);
    pk->ack = get_be32(tcp + 8);
    pk->flags = tcp[13];
    pk->window = get_be16(tcp + 14);
    pk->payload = tcp + header;
    pk->payload_len = pk->payload_wire_len = total - IP_HEADER - header;
    pk->payload_captured = left < pk->payload_len ? left : pk->payload_len;
    if (pk->flags & TCP_SYN)
        pk->window_scale = find_window_scale(tcp + TCP_HEADER, header - TCP_HEADER);
    return true;
}

/* In pieces: all at once it becomes a `rep stos`, which takes longer to start than to run. */
static inline void clear(struct packet *pk)
{
    enum { PIECE = 64 };
    char *p = (char *)pk;

    _Static_assert(sizeof *pk > 2 * PIECE && sizeof *pk <= 4 * PIECE, "as many pieces as below");
    memset(p, 0, PIECE);
    memset(p + PIECE, 0, PIECE);
    memset(p + sizeof *pk - 2 * PIECE, 0, PIECE);
    memset(p + sizeof *pk - PIECE, 0, PIECE);
}

enum decode_result packet_decode(struct packet *packet, int link_type, const uint8_t *frame,
                                 uint32_t captured, uint32_t wire_len)
{
    struct rest r = {frame, captured < wire_len ? captured : wire_len, wire_len};

    clear(packet);
    packet->wire_len = wire_len;
    packet->window_scale = -1;
    if (link_type == DLT_EN10MB && decode_plain(packet, frame, r.captured, wire_len))
        return DECODE_OK;
    switch (link_type) {
    case DLT_EN10MB:
        return decode_typed(packet, r, ETHERNET_HEADER, ETHERNET_TYPE);
    case DLT_LINUX_SLL:
        return decode_typed(packet, r, SLL_HEADER, SLL_TYPE);
    case LINK_SLL2:
        return decode_typed(packet, r, SLL2_HEADER, SLL2_TYPE);
    case DLT_NULL:
        return decode_family(packet, r, true);
    case DLT_LOOP:
        return decode_family(packet, r, false);
    default:
        return decode_version(packet, r);
    }
}

bool packet_link_type_at(int link_type, uint32_t *type_at, uint32_t *header)
{
    switch (link_type) {
    case DLT_EN10MB:
        *header = ETHERNET_HEADER;
        *type_at = ETHERNET_TYPE;
        return true;
    case DLT_LINUX_SLL:
        *header = SLL_HEADER;
        *type_at = SLL_TYPE;
        return true;
    case LINK_SLL2:
        *header = SLL2_HEADER;
        *type_at = SLL2_TYPE;
        return true;
    default:
        return false;
    }
}

const uint8_t *packet_link_source(int link_type, const uint8_t *frame, uint32_t captured)
{
    switch (link_type) {
    case DLT_EN10MB:
        return captured >= ETHERNET_HEADER ? frame + 6 : NULL;
    case DLT_LINUX_SLL:
        return captured >= SLL_HEADER && get_be16(frame + 4) == 6 ? frame + 6 : NULL;
    case LINK_SLL2:
        return captured >= SLL2_HEADER && frame[11] == 6 ? frame + 12 : NULL;
    default:
        return NULL;
    }
}

/* ---- Addresses as text ---- */

/* inet_ntop() takes ten times as long. Returns the end of the text. */
static char *ipv4_text(char *text, const uint8_t *address)
{
    for (int i = 0; i < 4; i++) {
        text = digits_all(text, address[i]);
        *text++ = '.';
    }
    *--text = '\0';
    return text;
}

char *address_text(char *text, size_t size, const struct endpoint *end, uint8_t ip_version)
{
    if (ip_version == 4 && size >= INET_ADDRSTRLEN + DIGITS_AT_ONCE)
        ipv4_text(text, end->address);
    else if (inet_ntop(ip_version == 4 ? AF_INET : AF_INET6, end->address, text,
                       (socklen_t)size) == NULL && size > 0)
        text[0] = '\0';
    return text;
}

char *endpoint_text(char text[ENDPOINT_TEXT_MAX], const struct endpoint *end, uint8_t ip_version)
{
    char *p = text;

    if (ip_version == 4) {
        p = ipv4_text(text, end->address);
    } else {
        *p++ = '[';
        address_text(p, INET6_ADDRSTRLEN, end, ip_version);
        p += strlen(p);
        *p++ = ']';
    }
    *p++ = ':';
    *digits_all(p, end->port) = '\0';
    return text;
}
