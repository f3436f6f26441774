/* interface.h - makes a network interface look like a wire. */
#ifndef INTERFACE_H
#define INTERFACE_H

/*
 * Turns interface NAME on with MTU 1500 and without offloads, so that each packet is
 * recorded as it would travel. FLAGS: those of netdevice(7) beside IFF_UP that it is to
 * have. Returns NULL, or what could not be done, with errno.
 */
const char *interface_up(const char *name, int flags);

#endif
