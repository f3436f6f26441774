/* packet.h - the bytes of one captured frame, turned into a struct.
 *
 * packet_decode() does no I/O and keeps no memory; pointers in the result point into the frame
 * and live as long as it does. It assumes any sequence of octets: every fetch is behind a length
 * check, and what cannot be decoded has a reason. Three lengths must not be mixed up:
 *   captured  what the file holds (the snap length may have cut it)
 *   wire      what was on the wire (Ethernet padding included)
 *   IP        what the IP header says, on which all payload lengths rest */
#ifndef LABCAP_PACKET_H
#define LABCAP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17, IP_ICMPV6 = 58 };

/* RFC 9293, section 3.1: the control bits, as they stand in the 14th octet of the header. */
enum {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80
};

enum decode_result {
    DECODE_OK,        /* IP; TCP, UDP and ICMP fields are filled where `protocol` says so */
    DECODE_NOT_IP,    /* ARP and everything else that is not IPv4 or IPv6 */
    DECODE_FRAGMENT,  /* a piece of a fragmented TCP segment */
    DECODE_CUT,       /* headers not captured; or IP length above the wire length (see cut) */
    DECODE_MALFORMED, /* lengths or versions that contradict each other */
    DECODE_RESULTS
};

/* An end of a flow. IPv4 addresses stand in the first 4 bytes, the others are 0. */
struct endpoint {
    uint8_t address[16];
    uint16_t port;
};

/* The flow that an ICMP "destination unreachable" message quotes. */
struct quoted_flow {
    bool present;
    uint8_t type, code;
    uint8_t protocol; /* IP_TCP or IP_UDP */
    struct endpoint source, destination;
};

struct packet {
    uint64_t number;  /* from 1 within the file, before any filter */
    int64_t time_ns;  /* since 1970-01-01T00:00:00Z */
    uint32_t wire_len;
    uint64_t vlan;    /* 13 bits a tag, outermost highest; 0 without tags */
    uint8_t ip_version; /* 4 or 6 */
    uint8_t protocol;   /* the last one of the header chain */
    const uint8_t *ip;  /* the IP header; NULL unless it is there, whatever the result */
    uint32_t ip_captured;  /* bytes from there on, padding included */
    uint32_t transport_at; /* where the transport header begins, from `ip`; 0 unknown */
    uint16_t ip_id;     /* IPv4 only; 0 for IPv6 */
    struct endpoint source, destination;

    bool cut;           /* IP length above the wire length: payload_len is only a claim */
    bool fragment;      /* a piece of a datagram; never set for an IPv6 atomic fragment */
    bool fragment_more;
    uint32_t fragment_id;
    uint32_t fragment_offset; /* bytes */
    uint32_t fragment_len;    /* bytes of this piece */

    uint32_t seq, ack;        /* TCP, as on the wire */
    uint16_t window;
    uint8_t flags;
    int8_t window_scale;      /* shift count of the option, -1 without it */
    uint16_t checksum;        /* UDP */
    uint8_t icmp_type;        /* of ICMP that is no fragment, where transport_at is captured */

    uint32_t payload_len;      /* by the IP header (UDP: by the UDP header) */
    uint32_t payload_wire_len; /* how much of it was on the wire; less if cut, or a fragment */
    uint32_t payload_captured; /* how much of it is at payload */
    const uint8_t *payload;

    struct quoted_flow quoted;
};

/* True if frames of this pcap link type (DLT_...) can be decoded. */
bool packet_link_supported(int link_type);

/* Decodes the frame: `captured` bytes at `frame`, `wire_len` on the wire.
 * `packet` is overwritten. With DECODE_CUT and packet->cut the packet can be used all the same:
 * its headers are whole. With other reasons than DECODE_OK it cannot. */
enum decode_result packet_decode(struct packet *packet, int link_type, const uint8_t *frame,
                                 uint32_t captured, uint32_t wire_len);

/* The sender's MAC address (6 bytes in the frame), or NULL where the link layer has none. */
const uint8_t *packet_link_source(int link_type, const uint8_t *frame, uint32_t captured);

/* Where the Ethernet type stands in a frame, and where what it names begins. False where the link
 * layer has none. */
bool packet_link_type_at(int link_type, uint32_t *type_at, uint32_t *header);

/* "[v6]:port" or "v4:port". Returns `text`. */
enum { ENDPOINT_TEXT_MAX = 56 };
char *endpoint_text(char text[ENDPOINT_TEXT_MAX], const struct endpoint *end, uint8_t ip_version);

/* The address alone; `size` 46 is always enough. Returns `text`. */
char *address_text(char *text, size_t size, const struct endpoint *end, uint8_t ip_version);

#endif
