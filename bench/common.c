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

int server_port(int argc, char **argv)
{
    int option, port = DEFAULT_PORT;

    opterr = 0;
    while (port >= 0 && (option = getopt(argc, argv, "p:")) != -1)
        port = option == 'p' ? parse_number(optarg, 65535) : -1;
    if (port < 0 || optind < argc) {
        fprintf(stderr, "usage: %s [-p PORT]\n", program_invocation_short_name);
        exit(2);
    }
    return port;
}
