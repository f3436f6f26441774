/* checksum.h - whether a packet still is what its sender's checksum says (RFC 1071). */
#ifndef LABCAP_CHECKSUM_H
#define LABCAP_CHECKSUM_H

#include <stdbool.h>

#include "packet.h"

/* True if the checksum of TCP or UDP is there and wrong. False where that cannot be told: other
 * protocols, fragments, packets that were not captured whole, UDP without a checksum.
 * Only for packets that have arrived: senders often leave the checksum to the hardware. */
bool checksum_is_wrong(const struct packet *packet);

#endif
