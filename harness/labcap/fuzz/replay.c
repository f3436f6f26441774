/* replay.c - gives files to a fuzz target, one after the other, without a fuzzer.
 *
 *   usage: labcap-replay TARGET FILE...
 *
 * Built by any C compiler that has the sanitizers. On stdout how many files there were. Exit
 * status 0; 1 a file that cannot be read; 2 usage; another one is a sanitizer's or a signal's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

static const struct {
    const char *name;
    fuzz_target_fn *run;
} targets[] = {{"file", fuzz_file},
               {"packet", fuzz_packet},
               {"tcp", fuzz_tcp},
               {"ladder", fuzz_ladder},
               {"calls", fuzz_calls}};

enum { TARGETS = sizeof targets / sizeof targets[0], INPUT_MAX = 1 << 20 };

static fuzz_target_fn *find(const char *name)
{
    for (int i = 0; i < TARGETS; i++)
        if (strcmp(targets[i].name, name) == 0)
            return targets[i].run;
    return NULL;
}

static int usage(void)
{
    fputs("usage: labcap-replay TARGET FILE...\ntargets:", stderr);
    for (int i = 0; i < TARGETS; i++)
        fprintf(stderr, " %s", targets[i].name);
    fputc('\n', stderr);
    return 2;
}

/* The input has a block of its own size, so that a read beside it is seen. */
static int give(fuzz_target_fn *run, const char *path)
{
    static uint8_t buffer[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    size_t size;

    if (file == NULL) {
        fprintf(stderr, "labcap-replay: %s: %s\n", path, strerror(errno));
        return 1;
    }
    size = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    bytes = malloc(size);
    if (bytes == NULL && size > 0)
        abort();
    memcpy(bytes, buffer, size);
    fprintf(stderr, "labcap-replay: %s\n", path);
    run(bytes, size);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    fuzz_target_fn *run = argc > 2 ? find(argv[1]) : NULL;
    int told, bad = 0;

    if (run == NULL)
        return usage();
    told = dup(STDOUT_FILENO); /* labcap's own output is not wanted */
    if (told < 0 || freopen("/dev/null", "w", stdout) == NULL)
        abort();
    for (int i = 2; i < argc; i++)
        bad |= give(run, argv[i]);
    dprintf(told, "%d files given to %s\n", argc - 2, argv[1]);
    close(told);
    return bad;
}
