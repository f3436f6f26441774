/* explain.h - what a packet does, in one sentence for a reader who sees it for the first time. */
#ifndef LABCAP_EXPLAIN_H
#define LABCAP_EXPLAIN_H

#include <stddef.h>

#include "ladder_say.h"

enum { EXPLAIN_MAX = 384 }; /* any sentence fits */

/* Writes the sentence, ASCII without a newline: "1/3 SYN: the client asks to connect; its first
 * byte will be number 2927179379". Sequence numbers are those on the wire. "" for an ordinary
 * segment of data, an ordinary acknowledgement, a datagram that is not the first.
 *
 * `flow` as it is at the end of the trace; `s` as segment_keep() made it; `label` is what the
 * ladder calls the packet: "1/3 SYN", "PSH+ACK", "ICMP: port unreachable". */
void explain(const struct flow *flow, const struct segment_record *s, const char *label,
             char *text, size_t size);

/* For a trace with two points only: adds what became of the packet, where that is worth telling,
 * to what explain() wrote. */
void explain_fate(const struct segment_record *s, const char *label, char *text, size_t size);

#endif
