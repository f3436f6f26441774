/* report.h - what `labcap flows` prints: JSON, one object a line, or rows for people. */
#ifndef LABCAP_REPORT_H
#define LABCAP_REPORT_H

#include <stdbool.h>

#include "trace.h"

/* Prints a trace's flows, in the order in which they are told, then what is to be said of all of
 * it. For rows a heading comes first. */
struct report {
    bool json, begun;
};

void report_flow(struct report *report, const struct trace *trace, const struct flow *flow);
void report_trace(struct report *report, const struct trace *trace);

/* `labcap flows`: returns the exit status. */
int cmd_flows(int argc, char **argv);

#endif
