/* strace_names.h - which calls of a log are of interest. */
#ifndef LABCAP_STRACE_NAMES_H
#define LABCAP_STRACE_NAMES_H

#include "strace_log.h"

/* NAMES for a call of no interest. */
enum traced_name traced_find(struct span name);

/* Files are read and closed all the time: where strace says that it is one, the call is not
 * kept. What goes through descriptors 0 to 2 is. */
bool traced_of_interest(enum traced_name name, struct span arguments);

#endif
