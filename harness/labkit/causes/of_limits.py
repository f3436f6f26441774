"""Faults for which a program is ended: it used more than the sandbox gives to any."""

from __future__ import annotations

from labkit.causes.cause import Cause

OF_LIMITS = {
    "too-many-processes": Cause(
        "The program makes processes or threads without end: a loop around fork() that the child "
        "goes on with (it must _exit()), or one that forks although there is nothing to do. The "
        "harness ended it and all of them.",
        "fork(2), RETURN VALUE; _exit(2)",
    ),
    "too-much-memory": Cause(
        "The program takes memory without end: a buffer that grows in a loop that never ends, or "
        "what it allocates for each client, line or file and never frees; files in /tmp count, "
        "too. The harness ended it.",
        "malloc(3), free(3)",
    ),
    "too-much-output": Cause(
        "The program prints without end: a loop that never ends around printf() or write(), mostly "
        "because 0 (end of file) or -1 (an error) of read(), recv() or accept() is not noticed. "
        "The harness ended it.",
        "recv(2), RETURN VALUE; read(2), RETURN VALUE",
    ),
}
