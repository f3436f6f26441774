/* common.h - what the programs of the speed measurement have in common. */
#ifndef COMMON_H
#define COMMON_H

#include <stddef.h>

enum { DEFAULT_PORT = 4321 };

/* Ends the program: `program: what: why`, with errno's text for why; status 1. */
_Noreturn void die(const char *what);

/* Like malloc(), but ends the program when there is no memory. */
void *allocate(size_t size);

/* The decimal number TEXT, from 0 to MOST; -1 when it is none. */
int parse_number(const char *text, int most);

/* The port of a server whose only option is -p PORT; a usage error ends the program. */
int server_port(int argc, char **argv);

#endif
