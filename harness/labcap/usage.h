/* usage.h - how each command is called, said in one place. */
#ifndef LABCAP_USAGE_H
#define LABCAP_USAGE_H

/* Prints the usage of a command (NULL: of labcap) to stdout. Returns the exit status. */
int usage_help(const char *command);

/* Prints "labcap COMMAND: WHAT" (what is wrong, NULL if that was said) and the usage to stderr.
 * Returns EXIT_USAGE. */
int usage_error(const char *command, const char *what);

#endif
