"""Whether a program that was not built could have been: the compiler must build a good one."""

from __future__ import annotations

from pathlib import Path

from labkit.build import PROGRAMS, build
from labkit.feedback import HarnessError, clean_line
from labkit.trees import remove_tree

_PROGRAM = """\
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0;
}
"""


def check(lab: str, work: Path) -> None:
    """Builds a small program as LAB, below WORK, as a submission is built.

    Raises HarnessError where that fails: then make, the compiler or the disk is to blame.
    """
    source, name, made = work / "toolchain", PROGRAMS[lab][0], "toolchain-built"
    try:
        source.mkdir()
        (source / f"{name}.c").write_text(_PROGRAM, "ascii")
        built = build(lab, source, work, reference=False, name=made)
    except OSError as error:
        raise HarnessError(f"temporary files cannot be written: {error.strerror}") from error
    finally:
        remove_tree(source)
        remove_tree(work / made)
    if name not in built.programs:
        said = [line for line in built.log.splitlines() if line.strip()]
        raise HarnessError("no program can be built here, not even a good one; make says: "
                           + clean_line(said[0] if said else "nothing"))
