/* common.h - what the programs of the speed measurement have in common. */
#ifndef COMMON_H
#define COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { DEFAULT_PORT = 4321 };

/* Ends the program: `program: what: why`, with errno's text for why; status 1. */
_Noreturn void die(const char *what);

/* Like malloc(), but ends the program when there is no memory. */
void *allocate(size_t size);

/* The decimal number TEXT, from 0 to MOST; -1 when it is none. */
int parse_number(const char *text, int most);

/* Says how the program is called, `usage: NAME ARGUMENTS`, and ends it with status 2. */
_Noreturn void usage_error(const char *arguments);

/* The decimal number TEXT, from 1 to MOST; another is a usage error. */
int positive(const char *text, int most, const char *arguments);

/* What CLOCK shows; ends the program where there is no such clock. */
uint64_t nanoseconds(clockid_t clock);

/* The port of a server whose only option is -p PORT; a usage error ends the program. */
int server_port(int argc, char **argv);

#endif
