"""Programs that cannot begin: what they say of it, and how they end."""

from __future__ import annotations

import errno
import os
from typing import Any

from labkit.feedback import Mismatch
from labkit.program import Program
from labkit.scenario.output import Output
from labkit.scenario.programs import Programs


class Refusals(Programs, Output):
    """Programs that say what they miss, and exit with 1."""

    def expect_unknown_name(self, program: Program, name: str) -> None:
        """PROGRAM, which is called NAME, says that a name is unknown to it, and exits with 1.

        Why, getaddrinfo() tells: errno is of something else then, and may say 'Success'.
        """
        self.expect_exit(program, 1, cause="lookup-error")
        self.expect_complaint(program, f"{name}: .+")
        said = [line.rpartition(": ")[2] for line in program.stderr.decode(
            errors="replace").splitlines() if line.startswith(f"{name}: ")]
        if wrong := {os.strerror(0), *map(os.strerror, errno.errorcode)}.intersection(said):
            raise Mismatch(f"`{program.command}` says why the name cannot be looked up",
                           f"it says `{wrong.pop()}`, as errno does", "lookup-error")

    def expect_port_taken(self, name: str, *args: str, **how: Any) -> None:
        """Server NAME, started where its port is somebody else's, says so and exits with 1.

        HOW: as for start().
        """
        server = self.start(name, *args, **how)
        self.expect_exit(server, 1, cause="address-in-use")
        self.expect_complaint(server, f"{name}: .*: {os.strerror(errno.EADDRINUSE)}")
