/* passage.h - how a trace with two points says which sending an arrival belongs to.
 *
 * The wire between two programs (labwire) marks what it delivers in the frame's source MAC:
 *
 *     6e 65 HH HH KK KK     HHHH  low 16 bits of the key of the packet as it was sent
 *                           KKKK  how many packets of that key had been sent by then, this one
 *                                 included, mod 65,536
 *
 * Everything else was sent and has not arrived yet. Identical packets, as two empty datagrams
 * may be, have one key and differ in their number; a packet that was damaged on its way has
 * another key than the one its tag names. */
#ifndef LABCAP_PASSAGE_H
#define LABCAP_PASSAGE_H

#include <stdbool.h>
#include <stdint.h>

enum { PASSAGE_MAC_0 = 0x6e, PASSAGE_MAC_1 = 0x65 };

/* EtherType and the first line of the frame that the wire delivers first: it says that the trace
 * has two points. IEEE 802: 0x88b5 is for local experiments. */
enum { PASSAGE_ETHERTYPE = 0x88b5 };
#define PASSAGE_BANNER "labwire\n"

struct passage_tag {
    uint16_t key, ordinal;
};

/* The packet's key: FNV-1a, 64 bits, over ip_len (4 bytes, big endian) and the first 96 of the
 * packet's octets, or as many as there are. The checksum of TCP and UDP counts as 0 where it
 * stands behind a fixed place (no fragment, no extension header): a loopback sends packets
 * before it has been put in.
 *   ip        the IP header, with `captured` bytes of the packet; any octets will do
 *   ip_len    by the IP header: passage_ip_len() */
uint64_t passage_key(const uint8_t *ip, uint32_t captured, uint32_t ip_len);

/* The length of the whole IP packet by its header, 0 where there is none. */
uint32_t passage_ip_len(const uint8_t *ip, uint32_t captured);

/* True if a frame with this source MAC was delivered by the wire; *tag is then set. */
bool passage_tag(const uint8_t mac[6], struct passage_tag *tag);

#endif
