/* fail.c - see fail.h. */
#include "fail.h"

#include <stdatomic.h>
#include <unistd.h>

_Noreturn void fail(int status, const char *why)
{
    static atomic_flag failing = ATOMIC_FLAG_INIT;

    while (atomic_flag_test_and_set(&failing))
        pause(); /* another thread is ending the program: it has said why */
    fprintf(stderr, "labwire: %s\n", why);
    exit(status);
}

_Noreturn void fail_errno(const char *what)
{
    char why[256];

    snprintf(why, sizeof why, "%s: %s", what, strerror(errno));
    fail(EXIT_FAILED, why);
}
