"""How many descriptors the harness itself may have open: a thousand peers take a thousand."""

from __future__ import annotations

import resource

from labkit.feedback import HarnessError

DESCRIPTORS = 4096
"""What the harness asks of its system (RLIMIT_NOFILE, getrlimit(2))."""


def raise_descriptor_limit() -> None:
    """Lets this process have DESCRIPTORS open, or as many as its hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check_descriptors(count: int, who: str) -> None:
    """Raises HarnessError where WHO can never have COUNT descriptors open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count:
        raise HarnessError(f"{who} needs {count} descriptors, and the system's hard limit on "
                           f"open files is {hard} (ulimit -Hn; limits.conf(5))")
