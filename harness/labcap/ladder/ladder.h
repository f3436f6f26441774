/* ladder.h - the ladder diagram of each connection: `labcap show`. */
#ifndef LABCAP_LADDER_H
#define LABCAP_LADDER_H

/* labcap show FILE... [FILTER] [-n ID] [--syscalls LOG]... [--syscalls-beside] [--all] [--merge]
 * [--payload] [--json] [--rows N] [--ascii] [--color WHEN]: returns the exit status. */
int cmd_show(int argc, char **argv);

#endif
