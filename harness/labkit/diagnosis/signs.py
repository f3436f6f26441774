"""What the evidence shows by itself: each function looks for one sign.

It returns what shows it, in words that go on from 'because', or None. The first line of its
docstring stands in docs/causes.md. No sign rests on times, or
on numbers that differ between two runs of the same programs.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import socket
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

from labkit.diagnosis.calls import Call
from labkit.diagnosis.evidence import Evidence, Seen
from labkit.feedback import counted

Sign = Callable[[Evidence], Optional[str]]
"""Looks at the evidence; words that go on from 'because', or None."""

CRASHES = {"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"}
"""Signals that a program gets for what it does itself."""
NOT_WRITTEN_YET = re.compile(r"^[\w.]+: (not written yet: step \d+\b.*)$", re.M)
"""What a starter's stub says on stderr where it arrives at a step that is still to be written."""
SPUN = 0.5
"""Seconds of processor time in a program that still runs, from which on it does not wait."""
CROWD = 64
"""Threads from which on processor time has a bound (CROWD of labbox/bounds.h)."""
TURNS = 200
"""Calls, all alike and none of use, that are no waiting."""
SEND = ("send", "sendto", "sendmsg", "write", "writev", "sendfile")
_ACCEPT = ("accept", "accept4")
CHAT = "02-p2p-chat"
"""The lab whose servers have one peer, and end with it."""
_ENOUGH = 8
"""Characters of received data by which they are known again."""
_A_WORD = 4
"""Characters: fewer than that are found in any text by chance."""
RECEIVE = ("recv", "recvfrom", "recvmsg", "read", "readv")


def in_any(look: Callable[[Seen], Optional[str]]) -> Sign:
    """LOOK at one program after the other; the first that shows something is the one."""
    @functools.wraps(look)
    def sign(evidence: Evidence) -> Optional[str]:
        found = map(look, evidence.programs)
        return next((words for words in found if words is not None), None)

    return sign


# -- How programs end ----------------------------------------------------------


def used(limit: str) -> Sign:
    """The harness ended a program for LIMIT, the key of a cause."""
    @in_any
    def sign(program: Seen) -> Optional[str]:
        if program.excess is None or program.excess.cause != limit:
            return None
        return f"`{program.name}` used {program.excess.seen}"

    sign.__doc__ = "The harness ended it for what it used."
    return sign


@in_any
def not_written_yet(program: Seen) -> Optional[str]:
    """It says on stderr that a step is not written yet."""
    found = NOT_WRITTEN_YET.search(program.stderr)
    return f"`{program.name}` says on stderr: {found[1].strip()}" if found else None


@in_any
def crashed(program: Seen) -> Optional[str]:
    """A signal for what it did itself ended it or a child: SIGSEGV, SIGABRT, ..."""
    return _ended_by(program, CRASHES)


@in_any
def crashed_by_a_format(program: Seen) -> Optional[str]:
    """It crashed, and what it had received could be directions for printf()."""
    words = _ended_by(program, CRASHES)
    got = (call for call in program.log.calls if call.name.startswith("re"))
    if words is None or not any(re.search("%n|%s.*%s", call.arguments) for call in got):
        return None
    return f"{words}, after it had received text with %s and %n"


@in_any
def killed_by_sigpipe(program: Seen) -> Optional[str]:
    """SIGPIPE ended it or a child."""
    return _ended_by(program, {"SIGPIPE"})


def _ended_by(program: Seen, signals: set[str]) -> Optional[str]:
    name = program.signal
    if name in signals:
        return f"{name} ended `{program.name}`{_last_call(program)}"
    name = next((end.signal for end in program.log.ends if end.signal in signals), "")
    return f"{name} ended a child process of `{program.name}`" if name else None


def _last_call(program: Seen) -> str:
    """', the last call of which was recvfrom()', where it is known."""
    last = next((call for call in reversed(program.log.calls) if call.name != "exit_group"), None)
    if last is None or last.name == "execve":
        return ""
    return f", whose last call was {last.name}()"


def _given_up(program: Seen) -> Optional[Call]:
    """The failed call that a program which has ended, and not with status 0, did last."""
    if program.exit is None or program.exit.status in (0, 2, None):
        return None
    return _failed_before_end(program)


def _failed_before_end(program: Seen) -> Optional[Call]:
    """The failed call after which a process did nothing but complain, clean up and end."""
    for call in reversed(program.log.gave_up):
        if call.failed:
            return call
        if call.name not in ("exit_group", "exit", "write", "close", "rt_sigaction", "kill",
                             "shutdown", "writev", "dup", "fcntl", "wait4"):
            return None
        if call.name in ("write", "writev") and call.descriptor not in (1, 2):
            return None
    return None


def gave_up(error: str, *names: str) -> Sign:
    """A program ended after a call, one of NAMES or any, had failed with ERROR.

    Not at a signal that asks it to: its children get one as it ends.
    """
    @in_any
    def sign(program: Seen) -> Optional[str]:
        call = _given_up(program)
        if call is None or call.error != error or names and call.name not in names:
            return None
        asked = {(call.process, name) for name in ("SIGALRM", "SIGHUP", "SIGINT", "SIGTERM")}
        if program.log.signals & asked:
            return None
        return f"{call}, and then `{program.name}` ended"

    which = " or ".join(f"{name}()" for name in names) or "A call"
    sign.__doc__ = f"{which} failed with {error}, and then it ended with an error."
    return sign


@in_any
def says_interrupted(program: Seen) -> Optional[str]:
    """It ended with an error, and its last word on stderr is that a call was interrupted."""
    said = program.stderr.strip().split("\n")[-1]
    if program.exit is None or program.exit.status in (0, None) or not said.endswith(
            os.strerror(errno.EINTR)):
        return None
    return f"`{program.name}` has ended with status {program.exit.status}, and says: {said}"


def reset_ended_it(evidence: Evidence) -> Optional[str]:
    """A server, which was not to end, did after one connection had failed."""
    return None if "exits with status" in evidence.expected else _ended_by_a_reset(evidence)


@in_any
def _ended_by_a_reset(program: Seen) -> Optional[str]:
    call = _failed_before_end(program)
    if call is None or program.exit is None or not _listens(program) or not _connected(call):
        return None
    if call.error not in ("ECONNRESET", "EPIPE", "ECONNABORTED"):
        return None
    return f"{call}, and then `{program.name}` ended as a whole"


def _listens(program: Seen) -> bool:
    return any(call.name == "listen" and call.result == 0 for call in program.log.calls)


def _connected(call: Call) -> bool:
    return "->" in call.about or call.name == "accept"


def malformed_error(evidence: Evidence) -> Optional[str]:
    """An ERROR packet has no NUL behind its message."""
    found = "its message has no NUL at the end" in evidence.seen
    return "the packet ends with the last letter of its message" if found else None


# -- What programs wait for ----------------------------------------------------


@in_any
def spins(program: Seen) -> Optional[str]:
    """It neither waits nor moves anything, for much processor time or many calls."""
    if program.exit is not None or program.blocked:
        return None
    last = program.log.calls[-TURNS:]
    at_end = [call for call in last if call.name in RECEIVE and call.result == 0]
    if len(at_end) * 4 >= TURNS:
        return (f"{at_end[0].name}() of `{program.name}` returns 0 again and again, and that is "
                "the end of file: it is not looked at, or the loop is not left")
    if program.seconds >= SPUN:
        return f"`{program.name}` ran all the time and waited for nothing"
    if len(last) < TURNS or any(_of_use(call) for call in last):
        return None
    names = sorted({call.name for call in last})
    return f"`{program.name}` calls {' and '.join(f'{name}()' for name in names)} again and again"


def _of_use(call: Call) -> bool:
    """It waited, or moved something."""
    if call.failed:
        return call.error not in ("EAGAIN", "EINTR")
    return call.lasts or (call.result or 0) > 0 and call.name not in (
        "poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait")


def spins_for_each(evidence: Evidence) -> Optional[str]:
    """So many threads or processes were ended for processor time as it had clients."""
    clients = sum(flow["type"] == "tcp" for flow in evidence.flows)
    found = (program for program in evidence.programs if program.excess is not None
             and "processor time" in program.excess.seen)
    program = next(found, None)
    if program is None or program.excess is None or clients <= CROWD:
        return None
    return (f"`{program.name}` used {program.excess.seen}, and had {clients} clients: what serves "
            "one of them does not wait for it")


_FOR_READING = re.compile(
    r"\d+, (?:NULL|\[(?:\d+<(?:->|[^<>]|<[^<>]*>)*>| )*\]), (?:NULL|\[\]),")
"""The arguments of a select() that waits for nothing but something to read."""


@in_any
def waits_without_its_socket(program: Seen) -> Optional[str]:
    """It waits in select() or poll() to read, with no socket among what it waits for.

    It has one that is open, and has never received anything from a socket.
    """
    calls = program.log.calls
    waits = [call for call in calls if call.lasts and not call.failed]
    if not program.blocked or not program.log.whole or any(map(_gets, calls)):
        return None
    if len(waits) != 1 or re.search("TCP|UDP", waits[0].arguments):
        return None
    wait, held = waits[0], _held(program)
    if not held or not (wait.name in ("poll", "ppoll") and "POLLOUT" not in wait.arguments
                        or wait.name in ("select", "pselect6")
                        and _FOR_READING.match(wait.arguments)):
        return None
    if "poll" in wait.name:
        return f"`{program.name}` waits in poll(), and its socket, {held[0]}, is not in the list"
    first = int(wait.arguments.partition(",")[0])
    if first <= held[0]:
        return (f"`{program.name}` waits in select({first}, ...), which is for descriptors below "
                f"{first} alone, and its socket is {held[0]}")
    return f"`{program.name}` waits in select(), and its socket, {held[0]}, is in no set"


def _gets(call: Call) -> bool:
    """It received something from a socket."""
    return call.name in RECEIVE and call.about[:3] in ("TCP", "UDP") and not call.failed \
        and call.result is not None


def _held(program: Seen) -> list[int]:
    """Its open descriptors of sockets that can be received from."""
    held: set[int] = set()
    for call in program.log.calls:
        kind = call.about[:3]
        at = call.result if call.name in _ACCEPT else call.descriptor
        if at is None or kind not in ("TCP", "UDP"):
            continue
        if call.name == "close":
            held.discard(at)
        elif call.error in ("", "EINPROGRESS") and (
                call.name in ("connect", *_ACCEPT) or call.name == "bind" and kind == "UDP"):
            held.add(at)
    return sorted(held)


# -- Sockets -------------------------------------------------------------------


def never_began(evidence: Evidence) -> Optional[str]:
    """A server that should listen ended with status 0, silently, and never called socket()."""
    if not re.search(r"\blistens\b|\bUDP socket\b", evidence.expected):
        return None
    return _left_at_once(evidence)


def sent_nothing(evidence: Evidence) -> Optional[str]:
    """A program that should send did the same."""
    if not re.search(r"\breceives\b|\bconnection to port\b", evidence.expected):
        return None
    return _left_at_once(evidence)


@in_any
def _left_at_once(program: Seen) -> Optional[str]:
    if program.exit is None or program.exit.status != 0 or program.stderr.strip():
        return None
    nothing = no_socket(Evidence("", "", "", [program], Path()))
    return f"{nothing}, and ended with status 0" if nothing else None


def ended_early(evidence: Evidence) -> Optional[str]:
    """Every program has ended, one with an error of its own: none only made another give up."""
    if any(program.exit is None for program in evidence.programs):
        return None
    return _ended_with_an_error(evidence)


@in_any
def _ended_with_an_error(program: Seen) -> Optional[str]:
    if program.exit is None or program.exit.status in (0, None):
        return None
    said = program.stderr.strip().split("\n")[-1]
    said = f", and says: {said}" if said else ", without a word on stderr"
    return f"`{program.name}` has ended with status {program.exit.status}{said}"


def server_left(evidence: Evidence) -> Optional[str]:
    """A server, which should go on for ever, has ended with status 0, at no signal."""
    return None if evidence.lab == CHAT else _server_left(evidence)


@in_any
def _server_left(program: Seen) -> Optional[str]:
    return f"`{program.name}` has ended with status 0" if _ended_well(program) else None


def left_after_a_client(evidence: Evidence) -> Optional[str]:
    """The same, and it had accepted one client."""
    return server_left(evidence) and _left_after_a_client(evidence)


@in_any
def _left_after_a_client(program: Seen) -> Optional[str]:
    accepted = [call for call in program.log.calls if call.name in _ACCEPT and call.made]
    if not _ended_well(program) or not program.log.whole or len(accepted) != 1:
        return None
    return f"`{program.name}` has ended with status 0, after one accept()"


def left_after_data(evidence: Evidence) -> Optional[str]:
    """The same, with what it had received last, or after its answer: at no end of file, no error.
    """
    return server_left(evidence) and _left_after_data(evidence)


@in_any
def _left_after_data(program: Seen) -> Optional[str]:
    last = next((call for call in reversed(program.log.calls) if call.about[:3] in ("TCP", "UDP")
                 and call.name in (*RECEIVE, *SEND)), None)
    if not _ended_well(program) or last is None or last.failed or last.lasts:
        return None
    if last.name in RECEIVE and not last.result or _failed_before_end(program) is not None:
        return None
    return f"`{program.name}` has ended with status 0, after {last}"


def _ended_well(program: Seen) -> bool:
    """It is a server, or a peer of lab 03, and has ended with status 0, at no signal."""
    got = {name for _, name in program.log.signals}
    return (("server" in program.name or program.name == "peer") and program.exit is not None
            and got <= {"SIGCHLD", "SIGPIPE"} and program.exit.status == 0)


@in_any
def left_without_listening(program: Seen) -> Optional[str]:
    """A server has ended with status 0 and had called socket(), but never bind() or listen()."""
    names = {call.name for call in program.log.calls}
    lacks = "bind" if "bind" not in names else "listen"
    if not _ended_well(program) or not program.log.whole or "socket" not in names:
        return None
    if lacks in names or lacks == "listen" and program.transport == "udp" or any(
            call.failed for call in program.log.calls if call.name == "bind"):
        return None
    return f"`{program.name}` has ended with status 0, and never called {lacks}()"


@in_any
def set_up_failed(program: Seen) -> Optional[str]:
    """bind() or listen() was given what makes no sense, and then it ended with an error.

    That is EINVAL, EFAULT, EBADF or ENOTSOCK.
    """
    call = _given_up(program)
    if call is None or call.name not in ("bind", "listen"):
        return None
    if call.error not in ("EINVAL", "EFAULT", "EBADF", "ENOTSOCK"):
        return None
    return f"{call}, and then `{program.name}` ended"


@in_any
def no_socket(program: Seen) -> Optional[str]:
    """It never called socket()."""
    calls = program.log.calls
    if not program.log.whole or not calls or any(
            call.name == "socket" or call.about[:3] in ("TCP", "UDP") for call in calls):
        return None
    return f"`{program.name}` never called socket()"


@in_any
def listens_unbound(program: Seen) -> Optional[str]:
    """It called listen() on a socket that it had never bound: the kernel chose the port."""
    names = [call.name for call in program.log.calls if not call.failed]
    if not program.log.whole or not {"socket", "listen"} <= set(names) or "bind" in names:
        return None
    return f"`{program.name}` called listen(), and never bind(): so the kernel chose the port"


@in_any
def uses_another_descriptor(program: Seen) -> Optional[str]:
    """send() or recv() failed: on the listening socket, or as there was no such socket."""
    listening: set[Optional[int]] = set()
    for call in program.log.calls:
        if call.name == "listen" and not call.failed:
            listening.add(call.descriptor)
        elif call.name == "close":
            listening.discard(call.descriptor)
        elif call.name in (*SEND, *RECEIVE) and not re.match(r"[012]\b", call.arguments):
            if call.error in ("EBADF", "ENOTSOCK"):
                return f"{call} in `{program.name}`"
            if call.error in ("ENOTCONN", "EPIPE") and call.descriptor in listening:
                return f"{call} in `{program.name}`: it was called for the listening socket"
    return None


@in_any
def shuts_both(program: Seen) -> Optional[str]:
    """shutdown() of both directions, before the end of file had been received."""
    ended: set[str] = set()
    for call in program.log.calls:
        if call.name in RECEIVE and call.result == 0:
            ended.add(call.about)
        elif call.name == "shutdown" and not call.failed and "SHUT_RDWR" in call.arguments \
                and "->" in call.about and call.about not in ended:
            return (f"`{program.name}` called shutdown() with SHUT_RDWR before it had received the "
                    "end of file")
    return None


@in_any
def sends_after_its_fin(program: Seen) -> Optional[str]:
    """send() failed with EPIPE, after shutdown() of the same direction had succeeded."""
    shut: set[str] = set()
    for call in program.log.calls:
        if call.name == "shutdown" and not call.failed and "SHUT_RD)" not in f"{call.arguments})":
            shut.add(call.about)
        elif call.name in SEND and call.error == "EPIPE" and call.about in shut:
            return f"{call} in `{program.name}`, which had called shutdown() before"
    return None


def _address(call: Call) -> Optional[tuple[str, int]]:
    """The host and the port that CALL was given."""
    found = re.search(
        r"sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )\"([^\"]+)\"",
        call.arguments) if call.name in ("bind", "connect", "sendto") else None
    return (found[2], int(found[1])) if found else None


def port_swapped(evidence: Evidence) -> Optional[str]:
    """A port that was asked for is in bind() or connect() with its two bytes exchanged."""
    asked = _asked_ports(evidence)
    for program in evidence.programs:
        last: set[int] = set()  # others, of long ago, are what it is by chance
        heard = set(asked)
        for call in program.log.calls:
            last = _ports_heard(call) or last
            heard |= last
            address = _address(call)
            if address is None or address[1] in heard:
                continue
            meant = socket.htons(address[1])
            if meant in asked | last:
                return f"{call.name}() of `{program.name}` was given port {address[1]}, not {meant}"
    return None


def _asked_ports(evidence: Evidence) -> set[int]:
    """The ports that the test expects, or told to the programs; not all else that it counts."""
    told = " ".join(program.command for program in evidence.programs)
    numbers = [*re.findall(r"\b\d{2,5}\b", told),
               *re.findall(r"\bport (\d{2,5})\b", evidence.expected)]
    return {port for port in map(int, numbers) if port < 65536}


def _ports_heard(call: Call) -> set[int]:
    """The ports in what CALL received: as PORT and PASV have them, or EPRT and EPSV."""
    if call.name not in RECEIVE:
        return set()
    in_bytes = re.findall(r"\b(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})\b", call.arguments)
    extended = re.findall(r"\|\d?\|[^|]*\|(\d{1,5})\|", call.arguments)
    return {int(high) * 256 + int(low) for high, low in in_bytes} | set(map(int, extended))


@in_any
def address_swapped(program: Seen) -> Optional[str]:
    """127.0.0.1 is in bind() or connect() as 1.0.0.127."""
    for call in program.log.calls:
        if (_address(call) or ("",))[0] == "1.0.0.127":
            return f"{call.name}() of `{program.name}` was given the address 1.0.0.127"
    return None


@in_any
def taken_without_reuse(program: Seen) -> Optional[str]:
    """bind() failed with EADDRINUSE, and SO_REUSEADDR was not set."""
    calls = program.log.calls
    taken = [call for call in calls if call.name == "bind" and call.error == "EADDRINUSE"]
    if not taken or any("SO_REUSEADDR, [1]" in call.arguments for call in calls):
        return None
    return f"bind() of `{program.name}` failed with EADDRINUSE, and SO_REUSEADDR was not set"


@in_any
def accepts_without_listening(program: Seen) -> Optional[str]:
    """accept() failed with EINVAL: the socket does not listen."""
    if any(call.name in ("accept", "accept4") and call.error == "EINVAL"
           for call in program.log.calls) and not _listens(program):
        return f"accept() of `{program.name}` failed with EINVAL, and it never called listen()"
    return None


@in_any
def accepts_no_more(program: Seen) -> Optional[str]:
    """accept() failed with EBADF, EINVAL or ENOTSOCK, after it had succeeded."""
    return _failing_accept(program) if _has_accepted(program) else None


@in_any
def cannot_accept(program: Seen) -> Optional[str]:
    """The same of a server that listens, and not one accept() had succeeded."""
    return _failing_accept(program) if _listens(program) and not _has_accepted(program) else None


def _has_accepted(program: Seen) -> bool:
    return any(call.name in _ACCEPT and not call.failed and not call.lasts
               for call in program.log.calls)


def _failing_accept(program: Seen) -> Optional[str]:
    for call in program.log.calls:
        if call.name in _ACCEPT and call.error in ("EBADF", "EINVAL", "ENOTSOCK"):
            return f"{call} in `{program.name}`"
    return None


@in_any
def bound_everywhere(program: Seen) -> Optional[str]:
    """It is bound to every address of the host, and -a asked for one."""
    asked = re.search(r" -a (\S+)", program.command)
    if asked is None or asked[1] in ("0.0.0.0", "::"):
        return None
    for call in program.log.calls:
        host, port = _address(call) or ("", 0)
        if call.name == "bind" and host in ("0.0.0.0", "::") and not call.failed:
            return f"`{program.name}` called bind() for {host} port {port}: is -a obeyed?"
    return None


def printed_not_sent(evidence: Evidence) -> Optional[str]:
    """It sent nothing on the connection, and wrote to stdout what it had received there."""
    if not re.search(r"\breceives (?!end of file|a FIN)|\bncat\b", evidence.expected):
        return None
    if evidence.lab == CHAT:  # whose programs are to print it
        return None
    return _printed_not_sent(evidence)


@in_any
def _printed_not_sent(program: Seen) -> Optional[str]:
    got: list[str] = []
    printed = ""
    for call in program.log.calls:
        if call.name in SEND and "->" in call.about:
            return None
        text = re.search(r'"(.*)"', call.arguments)
        if text is None or (call.result or 0) <= 0:
            continue
        if call.name in RECEIVE and "->" in call.about:
            got.append(text[1][:_ENOUGH])
        elif call.name in SEND and call.descriptor == 1:
            printed += text[1]
    pieces = ["".join(got)[:_ENOUGH], *got]
    if not program.log.whole or not any(
            piece in printed for piece in pieces if len(piece) >= _A_WORD):
        return None
    return (f"`{program.name}` sends nothing on the connection, and writes to stdout what it has "
            "received there")


@in_any
def lingers_for_nothing(program: Seen) -> Optional[str]:
    """SO_LINGER with a time of 0 is set on a socket, and still is when that is closed."""
    lingering: set[tuple[int, Optional[int]]] = set()
    for call in program.log.calls:
        place = (call.process, call.descriptor)
        if call.name == "setsockopt" and "SO_LINGER" in call.arguments:
            if re.search(r"l_onoff=[1-9]\d*, l_linger=0\}", call.arguments):
                lingering.add(place)
            else:
                lingering.discard(place)
        elif place in lingering and call.name == "close":
            return f"`{program.name}` closes a socket with SO_LINGER and a time of 0"
    ended = program.exit is not None and lingering
    return f"`{program.name}` ends with SO_LINGER and a time of 0 on a socket" if ended else None


def datagrams_for_tcp(evidence: Evidence) -> Optional[str]:
    """It binds, connects or sends with SOCK_DGRAM, and has no SOCK_STREAM at all."""
    return _only(evidence, "tcp", "UDP", "SOCK_DGRAM", "SOCK_STREAM")


def streams_for_udp(evidence: Evidence) -> Optional[str]:
    """It binds, connects or sends with SOCK_STREAM, and has no SOCK_DGRAM at all."""
    return _only(evidence, "udp", "TCP", "SOCK_STREAM", "SOCK_DGRAM")


def _only(evidence: Evidence, wanted: str, used: str, kind: str, other: str) -> Optional[str]:
    """A program that is to use WANTED has sockets of KIND alone, and uses them."""
    uses = ("bind", "connect", "listen", "sendto", "send", "recvfrom", "accept")
    for program in evidence.programs:
        calls = program.log.calls
        if program.transport != wanted or any(
                call.name == "socket" and other in call.arguments for call in calls):
            continue
        if any(call.about.startswith(used) and call.name in uses for call in calls):
            return f"the only sockets of `{program.name}` are {kind}"
    return None


def never_closes(evidence: Evidence) -> Optional[str]:
    """A server got the end of file of a connection, waits for other things, and never closed it."""
    return None if evidence.lab == CHAT else _never_closes(evidence)


@in_any
def _never_closes(program: Seen) -> Optional[str]:
    if "server" not in program.name or not program.blocked or not program.log.whole:
        return None
    ended: dict[str, Call] = {}
    for call in program.log.calls:
        if call.name in RECEIVE and call.result == 0 and "->" in call.about:
            ended[call.about] = call
        elif call.name in ("close", "shutdown"):
            ended.pop(call.about, None)
        elif call.name == "exit_group":
            ended = {about: at for about, at in ended.items() if at.process != call.process}
    ended = {about: at for about, at in ended.items() if at.process not in program.log.dead}
    if not ended or any(call.lasts and call.about in ended for call in program.log.calls):
        return None
    return f"`{program.name}` has got the end of file of a connection, and never closed that"


@in_any
def rest_not_sent(program: Seen) -> Optional[str]:
    """The last send() on a connection took a part only, and then that was closed."""
    short: set[tuple[int, str]] = set()
    for call in program.log.calls:
        place = (call.process, call.about)
        if call.name in ("send", "sendto", "write") and call.result is not None:
            asked = length(call)
            short.discard(place)
            if asked is not None and 0 < call.result < asked:
                short.add(place)
        elif call.name in ("close", "shutdown") and place in short:
            return f"a send() or write() of `{program.name}` took a part, and no other followed"
    return None


def length(call: Call) -> Optional[int]:
    """How many bytes a call was to send."""
    found = re.search(r'"(?:[^"\\]|\\.)*"(?:\.\.\.)?, (\d+)', call.arguments)
    return int(found[1]) if found else None


@in_any
def sends_more_than_it_got(program: Seen) -> Optional[str]:
    """After a recv() of a few bytes, a send() of far more, a round number of them."""
    got = None
    for call in program.log.calls:
        if call.name in ("recv", "recvfrom", "read") and (call.result or 0) > 0:
            got = call.result if call.about[:3] in ("TCP", "UDP") else None
        elif call.name in ("send", "sendto", "write") and call.about[:3] in ("TCP", "UDP"):
            size = length(call)
            if got is not None and size is not None and size > got and size % 64 == 0:
                return (f"`{program.name}` got {got} byte{'s'[got == 1:]} "
                        f"and then called {call.name}() for {size}")
    return None


@in_any
def too_big_for_a_datagram(program: Seen) -> Optional[str]:
    """send() failed with EMSGSIZE, as it was given more than had been received."""
    got: Optional[int] = None
    for call in program.log.calls:
        if call.about.startswith("UDP") and call.name in RECEIVE and not call.failed:
            got = call.result
        elif call.error == "EMSGSIZE" and got is not None and (length(call) or 0) > got:
            return (f"`{program.name}` got {counted(got, 'byte')}, and then {call}: it was "
                    f"called for {length(call)} bytes")
    return None


def another_process_holds_it(evidence: Evidence) -> Optional[str]:
    """A FIN does not come, although a process has closed the connection."""
    if not re.search(r"end of file|\bFIN\b|teardown\.|`peer closed`", evidence.expected):
        return None
    return _held_by_another(evidence)


@in_any
def _held_by_another(program: Seen) -> Optional[str]:
    """A process that used a connection closed it or ended, and another one still has it open."""
    held: dict[int, set[str]] = {}
    """By process: its connections, as strace calls them."""
    leaders: dict[int, int] = {}
    """Of a thread: its process."""
    used: set[tuple[int, str]] = set()
    let_go: set[str] = set()
    for call in program.log.calls:
        process = leaders.get(call.process, call.process)
        own = held.setdefault(process, set())
        about = call.made if call.name in ("accept", "accept4") else call.about
        if call.child and "CLONE_THREAD" in call.arguments:
            leaders[call.child] = process
        elif call.child:
            held[call.child] = set(own)
        elif call.name == "close" and call.result == 0 or call.name == "exit_group":
            closed = own & {about} if call.name == "close" else own & own
            let_go |= {each for each in closed if (process, each) in used}
            own -= closed
        elif "->" in about and about.startswith("TCP"):
            own.add(about)
            if call.name in (*SEND, *RECEIVE):
                used.add((process, about))
    for process in program.log.dead:
        let_go |= {each for each in held.pop(process, ()) if (process, each) in used}
    if any(let_go & own for own in held.values()):
        return f"one process of `{program.name}` has closed the connection, and another has not"
    return None


# -- Output --------------------------------------------------------------------


def nothing_written(evidence: Evidence) -> Optional[str]:
    """A program should print, waits, and has written nothing."""
    if not re.search(r"\bprints\b|\bstdout\b", evidence.expected) or nothing_to_print(evidence):
        return None
    return _waits_without_a_word(evidence)


@in_any
def _waits_without_a_word(program: Seen) -> Optional[str]:
    """It waits, and has not written to its stdout yet, whatever it put into stdio's buffer."""
    log = program.log
    if program.exit is not None or not program.blocked or not log.calls or not log.whole:
        return None
    if any(call.name in ("write", "writev", "sendfile") and call.descriptor == 1
           for call in log.calls):
        return None
    return f"`{program.name}` waits, and has not called write() for its stdout yet"


# -- What is not so ------------------------------------------------------------


def never_interrupted(evidence: Evidence) -> Optional[str]:
    """No call of any program failed with EINTR."""
    if _in_no_log(evidence, lambda call: call.error == "EINTR"):
        return "no call of a program was interrupted"
    return None


def never_lingers(evidence: Evidence) -> Optional[str]:
    """No program sets SO_LINGER."""
    if _in_no_log(evidence, lambda call: "SO_LINGER" in call.arguments):
        return "no program sets SO_LINGER"
    return None


def no_sigpipe(evidence: Evidence) -> Optional[str]:
    """SIGPIPE ended nothing."""
    programs = evidence.programs
    if killed_by_sigpipe(evidence) or not all(p.exit is not None or p.strace for p in programs):
        return None
    return "SIGPIPE ended no program" if programs else None


def reuses(evidence: Evidence) -> Optional[str]:
    """It sets SO_REUSEADDR."""
    for program in evidence.programs:
        if any("SO_REUSEADDR, [1]" in call.arguments for call in program.log.calls):
            return f"`{program.name}` sets SO_REUSEADDR"
    return None


def exited(evidence: Evidence) -> Optional[str]:
    """Every program has ended by itself, and exit() writes what stdio still holds."""
    ends = [program.exit for program in evidence.programs]
    if ends and all(end is not None and end.status is not None for end in ends):
        return "the end of a program writes what is in stdio's buffers"
    return None


def nothing_received(evidence: Evidence) -> Optional[str]:
    """No program ever received a byte on a socket."""
    if _in_no_log(evidence, lambda call: call.name in RECEIVE and call.about[:3] in ("TCP", "UDP")
                  and (call.result or 0) > 0):
        return "no program ever received a byte"
    return None


def nothing_to_print(evidence: Evidence) -> Optional[str]:
    """Every program has ended, and exit() writes what stdio holds; or nothing came to be printed.
    """
    named = re.match(r"`\./(\w+).* (?:writes \d+ bytes? to stdout|in a line)", evidence.expected)
    own = [program for program in evidence.programs if named and program.name == named[1]]
    if _in_no_log(replace(evidence, programs=own),
                  lambda call: _gets(call) and (call.result != 0 or call.about[:3] == "UDP")):
        return f"`{own[0].name}` never received anything to print"
    return exited(evidence)


def never_bound(evidence: Evidence) -> Optional[str]:
    """No program ever called bind()."""
    if _in_no_log(evidence, lambda call: call.name == "bind"):
        return "no program ever called bind()"
    return None


def still_runs(evidence: Evidence) -> Optional[str]:
    """No program has ended."""
    programs = evidence.programs
    if not programs or any(program.exit is not None for program in programs):
        return None
    return "no program has ended"


def took_all(evidence: Evidence) -> Optional[str]:
    """Every send() and write() took all that it was given, and no epoll tells when to go on."""
    if _in_no_log(evidence, lambda call: call.name.startswith("epoll") or call.name in SEND and (
            call.failed or call.lasts or (length(call) or 0) > (call.result or 0)
            or call.name not in ("send", "sendto", "write"))):
        return "every send() and write() took all that it was given"
    return None


def has_ipv6(evidence: Evidence) -> Optional[str]:
    """All its sockets are IPv6 ones, and bind() failed."""
    for program in evidence.programs:
        calls = program.log.calls
        families = {call.arguments.partition(",")[0] for call in calls if call.name == "socket"}
        made = "AF_INET6" in families and "AF_INET" not in families
        bind = next((call for call in calls if call.name == "bind" and call.failed
                     and "AF_INET6" in call.arguments), None)
        if made and bind is not None:
            return f"`{program.name}` has an IPv6 socket, and {bind}"
    return None


def _in_no_log(evidence: Evidence, is_it: Callable[[Call], bool]) -> bool:
    """Every program has a whole log, and no call in any of them IS_IT."""
    logs = [program.log for program in evidence.programs]
    return bool(logs) and all(log.calls and log.whole for log in logs) and not any(
        is_it(call) for log in logs for call in log.calls)


def looked_at(evidence: Evidence) -> str:
    """The facts that were looked at, where they do not decide: a sentence for each program."""
    return "; ".join(map(_facts, evidence.programs))


def _facts(program: Seen) -> str:
    calls = program.log.calls
    state = f"`{program.name}` {program.exit}"
    if program.exit is None:
        waits = f"waits in {calls[-1].name}()" if calls and calls[-1].lasts else "waits"
        state = f"`{program.name}` still runs and {waits if program.blocked else 'does not wait'}"
    failed = next((call for call in reversed(calls) if call.failed and call.error not in (
        "EAGAIN", "EINPROGRESS", "ENOENT")), None)
    return state if failed is None else f"{state}, and its {failed}"
