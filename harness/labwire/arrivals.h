/* arrivals.h - how much of what the relay sent on the loopback has arrived.
 *
 * Sending succeeds also where the kernel has no room for one more packet (netdev_max_backlog)
 * and throws it away; nothing but counting what arrives tells. */
#ifndef LABWIRE_ARRIVALS_H
#define LABWIRE_ARRIVALS_H

#include <stdint.h>

struct arrivals {
    int fd;
    uint64_t count;
};

/* Counts from here on. */
void arrivals_open(struct arrivals *arrivals);

/* Frames that have arrived so far. */
uint64_t arrivals_count(struct arrivals *arrivals);

void arrivals_close(struct arrivals *arrivals);

#endif
