/*
 * link.h - joins a network namespace, a host, to another one, the middle of a link.
 *
 * Host number N, 1 or 2, has one interface besides its loopback: eth0, with the addresses
 * 10.9.0.N/24 and fd09::N/64. What it sends comes in on interface `a` (of host 1) or `b`
 * (of host 2) in the middle, and what is sent there comes in on eth0. Nobody asks who has
 * an address (no ARP, no neighbour discovery): all frames go from LINK_MAC to LINK_MAC.
 * Nothing else is ever sent on a link, and the middle's own kernel takes no part in it.
 */
#ifndef LINK_H
#define LINK_H

enum { LINK_HOSTS = 2 };
#define LINK_MAC { 0x02, 0, 0, 0, 0, 0x01 }

/*
 * To be called in host NUMBER: makes its link to the namespace that MIDDLE is a descriptor
 * of, and leaves in *ROUTES a descriptor for link_up(). Returns NULL, or what could not be
 * done, with errno.
 */
const char *link_make(int number, int middle, int *routes);

/*
 * To be called in the middle then: turns the link on; when this returns, a packet can
 * pass. Closes ROUTES. Returns as link_make() does.
 */
const char *link_up(int number, int routes);

#endif
