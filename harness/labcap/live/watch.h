/* watch.h - the ladder of an interface while it happens: `labcap watch`. */
#ifndef LABCAP_WATCH_H
#define LABCAP_WATCH_H

/* labcap watch -i IFACE [-s SNAPLEN] [--ascii] [--color WHEN] [--payload] [FILTER]: returns the
 * exit status. */
int cmd_watch(int argc, char **argv);

#endif
