/* fuzz.c - see fuzz.h. */
#include "fuzz.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16 };

int labcap_main(int argc, char **argv); /* main.c's */

const char *fuzz_as_file(enum fuzz_place place, const uint8_t *bytes, size_t size)
{
    static struct {
        char path[32];
        int fd;
    } files[FUZZ_PLACES];

    if (files[place].path[0] == '\0') {
        files[place].fd = memfd_create("input", MFD_CLOEXEC);
        snprintf(files[place].path, sizeof files[place].path, "/proc/self/fd/%d",
                 files[place].fd);
    }
    if (ftruncate(files[place].fd, 0) != 0 ||
        pwrite(files[place].fd, bytes, size, 0) != (ssize_t)size)
        abort();
    return files[place].path;
}

int fuzz_labcap(const char *const argv[])
{
    char *copy[ARGUMENTS_MAX + 2] = {strdup("labcap")}, *free_them[ARGUMENTS_MAX + 2];
    int argc = 1, status;

    for (; argv[argc - 1] != NULL && argc <= ARGUMENTS_MAX; argc++)
        copy[argc] = strdup(argv[argc - 1]);
    memcpy(free_them, copy, sizeof copy); /* getopt may move them */
    optind = 0;
    status = labcap_main(argc, copy);
    for (int i = 0; i < argc; i++)
        free(free_them[i]);
    if (status < 0 || status > 3)
        abort();
    return status;
}
