/* common.c - see common.h. */
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(1);
}

void *allocate(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL)
        die("malloc");
    return memory;
}

int parse_number(const char *text, int most)
{
    size_t len = strlen(text);

    if (len < 1 || len > 9 || strspn(text, "0123456789") != len || atoi(text) > most)
        return -1;
    return atoi(text);
}

void usage_error(const char *arguments)
{
    fprintf(stderr, "usage: %s %s\n", program_invocation_short_name, arguments);
    exit(2);
}

int positive(const char *text, int most, const char *arguments)
{
    int number = parse_number(text, most);

    if (number < 1)
        usage_error(arguments);
    return number;
}

uint64_t nanoseconds(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) < 0)
        die("clock_gettime");
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int server_port(int argc, char **argv)
{
    int option, port = DEFAULT_PORT;

    opterr = 0;
    while (port >= 0 && (option = getopt(argc, argv, "p:")) != -1)
        port = option == 'p' ? parse_number(optarg, 65535) : -1;
    if (port < 0 || optind < argc)
        usage_error("[-p PORT]");
    return port;
}
