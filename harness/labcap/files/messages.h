/* messages.h - what is said on stderr: lines that cannot control a terminal, whatever name,
 * filter or option is repeated in them. */
#ifndef LABCAP_MESSAGES_H
#define LABCAP_MESSAGES_H

#include <getopt.h>

/* One line to stderr; the newline is added. What is not printable is escaped as in payload, a
 * newline too. */
__attribute__((format(printf, 1, 2))) void message(const char *format, ...);

/* The text as such a line has it; to be freed. */
char *printable(const char *text);

/* getopt_long() whose own messages are lines like these. */
int next_option(int argc, char **argv, const char *letters, const struct option *names);

#endif
