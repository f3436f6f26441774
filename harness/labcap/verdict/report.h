/* report.h - what `labcap flows` prints: JSON, one object a line, or rows for people. */
#ifndef LABCAP_REPORT_H
#define LABCAP_REPORT_H

#include "trace.h"

/* Both print every flow, then what is to be said of the whole trace. */
void report_json(const struct trace *trace);
void report_rows(const struct trace *trace);

/* `labcap flows`: returns the exit status. */
int cmd_flows(int argc, char **argv);

#endif
