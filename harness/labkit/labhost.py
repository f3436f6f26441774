"""labhost, the program that makes the private networks of a process of the harness.

One for each such process: it begins with the first network and ends with the process.
"""

from __future__ import annotations

import atexit
import os
import resource
import socket
import struct
import subprocess
from typing import NamedTuple

from labkit.feedback import HarnessError
from labkit.paths import LABHOST
from labkit.processors import one_for_what_begins

READY, FAILED, SOCKET, RUN, ENDED, GIVEN, FOLDER, NETWORK = range(1, 9)
"""Kinds of messages (labbox/labhost.c)."""
MESSAGE_BYTES = 64 * 1024

NO_NAMESPACES = (
    "unprivileged user namespaces seem to be off "
    "(docs/troubleshooting.md tells how to turn them on: "
    "kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu 24.04, "
    "kernel.unprivileged_userns_clone=1 on older Debian, user.max_user_namespaces>0)"
)


class Message(NamedTuple):
    """What labhost says."""

    kind: int
    numbers: list[int]
    fds: list[int]


def receive(sock: socket.socket) -> Message:
    """The next message over SOCK. Raises HarnessError at its end, and where it tells of a failure.
    """
    try:
        data, fds, _, _ = socket.recv_fds(sock, MESSAGE_BYTES, 4)
    except ConnectionResetError:  # it ended without reading what it was sent
        data, fds = b"", []
    if not data:
        raise HarnessError("labhost ended by itself: the private network is gone")
    if struct.unpack_from("=i", data)[0] == FAILED:
        why = os.strerror(struct.unpack_from("=i", data, 4)[0])
        raise HarnessError(f"no private network: {data[8:].decode()}: {why}; {NO_NAMESPACES}")
    kind, *numbers = struct.unpack(f"={len(data) // 4}i", data)
    return Message(kind, numbers, list(fds))


def make_network(control: socket.socket, link: bool) -> int:
    """Makes a network that is asked over the other end of CONTROL; LINK: of two hosts.

    Returns a pidfd of the first process in it, with which it ends. Raises HarnessError.
    """
    labhost = of_this_process()
    try:
        return labhost.make_network(control, link)
    except HarnessError:
        del _begun[os.getpid()]  # the next network has another
        labhost.end()
        raise


def of_this_process() -> Labhost:
    """The one that makes this process its networks. Raises HarnessError."""
    for pid in _begun.keys() - {os.getpid()}:
        _begun[pid].leave()
    if os.getpid() not in _begun:
        _begun[os.getpid()] = Labhost()
    return _begun[os.getpid()]


def no_descriptor() -> HarnessError:
    """The kernel had to leave out what labhost gave (unix(7), MSG_CTRUNC)."""
    return HarnessError("the harness can have no more descriptors open; its limit is "
                        f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0]} "
                        "(ulimit -n, limits.conf(5))")


class Labhost:
    """labhost, as long as it runs."""

    def __init__(self) -> None:
        self._asks, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                with one_for_what_begins():
                    self.process = subprocess.Popen(
                        [str(LABHOST), str(theirs.fileno())], pass_fds=[theirs.fileno()],
                        stdin=subprocess.DEVNULL,
                        start_new_session=True)  # Ctrl-C is for the harness, which then ends it
            except OSError as error:
                self._asks.close()
                raise HarnessError(f"{LABHOST.name} cannot be started: {error.strerror}; "
                                   "run 'make' first") from error
        atexit.register(self.end)
        try:
            receive(self._asks)
        except HarnessError:
            self.end()
            raise

    def make_network(self, control: socket.socket, link: bool) -> int:
        try:
            socket.send_fds(self._asks, [struct.pack("=2i", NETWORK, link)], [control.fileno()])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended, as will be seen
        _, _, given = receive(self._asks)
        if not given:
            raise no_descriptor()
        return given[0]

    def leave(self) -> None:
        """Leaves it to the process that has begun it, of which this is a copy (fork(2))."""
        atexit.unregister(self.end)
        self._asks.close()

    def end(self) -> None:
        """Ends it, and every network that it made."""
        self.leave()
        self.process.wait()


_begun: dict[int, Labhost] = {}
"""By the process it is for."""
