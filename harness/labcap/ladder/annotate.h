/* annotate.h - the packets of a trace, explained in the trace itself: `labcap annotate`. */
#ifndef LABCAP_ANNOTATE_H
#define LABCAP_ANNOTATE_H

/* labcap annotate FILE...: returns the exit status. */
int cmd_annotate(int argc, char **argv);

#endif
