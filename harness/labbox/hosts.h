/*
 * hosts.h - the hosts of one private network, a network namespace each.
 *
 * Number 0 is the namespace of the first call: the only host, or, where there is a link,
 * the middle of it, through which all packets between hosts 1 and 2 pass.
 */
#ifndef HOSTS_H
#define HOSTS_H

#include <stdbool.h>

/*
 * Makes the caller's new network namespace the only host, or, with LINK, makes two more
 * and joins them (link.h). Returns NULL, or what could not be done, with errno.
 */
const char *hosts_make(bool link);

/* Moves the calling process to host NUMBER. 0, or -1 with errno (EINVAL: there is none). */
int hosts_enter(int number);

#endif
