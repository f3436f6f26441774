/* short_way.h - the tracker of connections without its short way (tcp_steady.c).
 *
 * For the comparison of the two: the linker puts short_way.c between tcp_add() and
 * tcp_take_steady() in the programs that have targets, and in no other. */
#ifndef LABCAP_SHORT_WAY_H
#define LABCAP_SHORT_WAY_H

#include <stdbool.h>

/* From now on; at first it is open. */
void short_way_open(bool open);

#endif
