/* usage.h - what the table of commands gives: getopt's options, --help, complaints. */
#ifndef LABCAP_USAGE_H
#define LABCAP_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Prints the help of a command (NULL: of labcap) to stdout. Returns the exit status. */
int usage_help(const char *command);

/* Prints "labcap COMMAND: WHAT" (what is wrong, NULL if that was said) and the usage to stderr.
 * Returns EXIT_USAGE. */
int usage_error(const char *command, const char *what);

/* getopt_long() with the options of that command, and with -h and --help. Returns the key of the
 * next option, '?' for a wrong one (that is said), -1 at the end of them. */
int usage_option(const char *command, int argc, char **argv);

/* Reads what stands behind an option: a whole number in digits, `least` or more. False if it is
 * none. */
bool usage_number(const char *text, uint64_t least, uint64_t *number);

#endif
