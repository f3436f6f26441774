/*
 * timed - runs a program, and says what it took.
 *
 *     timed PROGRAM [ARGUMENT...]
 *
 * After PROGRAM's end prints its seconds from start to end, and the most memory that it, or a
 * process that it has waited for, had at a time, in KiB (ru_maxrss, getrusage(2)). SIGTERM is
 * passed on. Ends with PROGRAM's status.
 */
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t program;

static void pass_on(int signal_number)
{
    if (program > 0)
        kill(program, signal_number);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = pass_on};
    struct rusage usage;
    int status;

    if (argc < 2)
        usage_error("PROGRAM [ARGUMENT...]");
    uint64_t start = nanoseconds(CLOCK_MONOTONIC);
    program = fork();
    if (program < 0)
        die("fork");
    if (program == 0) {
        execvp(argv[1], argv + 1);
        die(argv[1]);
    }
    if (sigaction(SIGTERM, &action, NULL) < 0)
        die("sigaction");
    while (wait4(program, &status, 0, &usage) < 0)
        if (errno != EINTR)
            die("wait4");
    printf("%.6f %ld\n", (double)(nanoseconds(CLOCK_MONOTONIC) - start) / 1e9, usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
