/* wall.h - keeps every packet on the loopback from arriving, but those that labwire sends. */
#ifndef LABWIRE_WALL_H
#define LABWIRE_WALL_H

/* Begins to build it, with nftables. That takes the kernel as long as opening a port does, and
 * it can do both at once. Ends the program where it cannot be done, as wall_built() does. */
void wall_build(void);

/* Returns when it stands. It stays when labwire has ended, however it ended: then nothing
 * arrives any more, as on a cable that is cut. */
void wall_built(void);

#endif
