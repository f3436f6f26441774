/* steps.h - packets in short, for targets that follow connections: STEP_SIZE octets each.
 *
 * A fuzzer that had to write whole packets would seldom get two into one connection. Here a step
 * says what is unusual about a packet; 0 everywhere is an ordinary one. Numbers are relative to
 * where each side stands.
 *
 *   0     control bits of TCP
 *   1     which: 1 side, 2-4 which flow (of 4), 8 IPv6, 16-32 kind (TCP, TCP, UDP, other),
 *         64 the length counts 64 times, 128 the sequence offset counts 65,537 times
 *   2, 3  sequence number, from what the side sends next
 *   4, 5  acknowledgement, from what the other side sends next
 *   6     payload length
 *   7     window, in 256 octets; 255: 0
 *   8     milliseconds since the packet before, less 1; 255: 1 s back
 *   9     1-2 cut (1 IP length too long, 2 snaplen, 3 both), 4 same IP id as before,
 *         8 IP id 0, 16 VLAN tag, 32 TCP options, 64 damaged, 128 it arrives only: the packet of
 *         so many steps ago (octet 6), with the tag of a wire between two points */
#ifndef LABCAP_FUZZ_STEPS_H
#define LABCAP_FUZZ_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

enum { STEP_SIZE = 10, STEPS_MAX = 400 };

struct steps_wish {
    uint32_t isn[2];  /* of the sides 0 and 1 of every flow */
    bool plain;       /* no IP ids, no arrivals: nothing depends on the numbers then */
    const struct trace_listener *listener; /* NULL: nobody */
};

/* Follows the packets to their end, as trace_read() does those of a file. The caller frees
 * *trace. */
void steps_follow(struct trace *trace, const uint8_t *bytes, size_t size,
                  const struct steps_wish *wish);

#endif
