/* ladder_icmp.h - ICMP that belongs to no flow: named and counted. */
#ifndef LABCAP_LADDER_ICMP_H
#define LABCAP_LADDER_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

enum { ICMP_KINDS = 9 };

/* What must be kept of such a message. */
struct other_packet {
    uint64_t packet;
    int64_t time_ns;
    uint8_t ip_version, kind; /* see ladder_icmp.c */
    struct endpoint source, destination;
};

/* False for packets that are no ICMP, and for what IPv6 needs to find neighbours. */
bool other_packet_keep(struct other_packet *other, const struct packet *packet);

/* "ICMP echo request: 10.0.0.1 -> 10.0.0.2" */
void other_packet_text(char *text, size_t size, const struct other_packet *other, bool utf8);

/* "2 ICMP echo requests, 1 ICMP time exceeded"; `counts` is by kind. */
void other_packets_text(char *text, size_t size, const uint64_t counts[ICMP_KINDS]);

#endif
