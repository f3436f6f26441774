"""From evidence to cause: what strace's log tells, what it shows, and which cause that is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import pytest

from labkit.causes import CAUSES, document
from labkit.causes.of_limits import OF_LIMITS
from labkit.diagnosis import diagnosed, verdict_on
from labkit.diagnosis.calls import HEAD, TAIL, read_log
from labkit.diagnosis.evidence import Evidence, Seen
from labkit.diagnosis.rules import RULED_OUT, RULES
from labkit.feedback import Mismatch
from labkit.program import Exit
from labkit.sandbox import Excess
from workbench import World

CONNECTION = "4<TCP:[127.0.0.1:4321->127.0.0.1:40000]>"
LISTENS = "listen(3<TCP:[127.0.0.1:4321]>, 4096) = 0 <0.000012>"
ACCEPTS = f"accept(3<TCP:[127.0.0.1:4321]>, NULL, NULL) = {CONNECTION} <0.000012>"
PEER = '{sa_family=AF_INET, sin_port=htons(40000), sin_addr=inet_addr("127.0.0.1")}'
RECEIVES = f'recvfrom({CONNECTION}, "hello", 4096, 0, NULL, NULL) = 5 <0>'
ENDS = f'recvfrom({CONNECTION}, "", 4096, 0, NULL, NULL) = 0 <0>'
FORKS = "clone(child_stack=NULL, flags=SIGCHLD) = 3 /* 9 in strace's PID NS */ <0>"
KILLED = "9 1795292228.9 +++ killed by SIGKILL +++"
SOCKET = "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3<TCP:[1]> <0>"
CROWDED = Excess("too-many-processes", "5 s of processor time in a crowd")
SAYS = 'write(2<pipe:[7]>, "server: failed\\n", 15) = 15 <0.000012>'


def log_of(*lines: str) -> bytes:
    """strace's log of LINES, each of process 5, or of the one that it begins with."""
    whole = [line if line[0].isdigit() else f"5 1795292228.976792338 {line}" for line in lines]
    return "\n".join(whole).encode() + b"\n"


def program(
    *lines: str, status: Optional[int] = None, signal: Optional[int] = None, name: str = "server",
    **how: Any,
) -> Seen:
    """One that did what LINES of strace's log say; it still runs where it has no end."""
    ended = status is not None or signal is not None
    how.setdefault("command", f"./{name} -p 4321")
    what = {"stderr": "", "seconds": 0.0, "blocked": not ended, "transport": "tcp", **how}
    return Seen(name, exit=Exit(status, signal, 0.0, []) if ended else None,
                strace=log_of(*lines) if lines else b"", **what)


def evidence(
    *programs: Seen, suspicion: str = "other", expected: str = "this", lab: str = "01-tcp-echo",
    seen: str = "that",
) -> Evidence:
    return Evidence(expected, seen, suspicion, programs, Path("/nowhere"), lab)


def clients(number: int, found: Evidence) -> Evidence:
    """FOUND with so many connections in its trace."""
    found.__dict__["flows"] = [{"type": "tcp"}] * number
    return found


def selects(first: int, *, reads: str = "0<pipe:[7]>", writes: str = "NULL") -> Seen:
    """A client whose socket is 3, and that waits in select() with these arguments."""
    return program(
        SOCKET, f"connect(3<TCP:[1]>, {PEER}, 16) = 0 <0>", 'read(0<pipe:[7]>, "a", 9) = 1 <0>',
        f"pselect6({first}, [{reads}], {writes}, NULL, NULL, NULL <detached ...>", name="client")


def echoes(*pairs: tuple[str, int, int], kind: str = "UDP") -> Seen:
    """A server that gets each time a text of so many bytes, and calls sendto() for so many."""
    about = f"3<{kind}:[127.0.0.1:4321{'->127.0.0.1:40000' if kind == 'TCP' else ''}]>"
    return program(*(line for text, got, sent in pairs for line in (
        f'recvfrom({about}, "{text}", 65536, 0, {PEER}, [16]) = {got} <0>',
        f'sendto({about}, "{text}", {sent}, 0, {PEER}, 16) = {sent} <0>')), transport=kind.lower())


CASES: dict[str, tuple[Evidence, str]] = {
    **{limit: (evidence(program(signal=9, excess=Excess(limit, "9 MiB")), suspicion="no-answer"),
               limit) for limit in OF_LIMITS},
    "a stub": (evidence(program(stderr="server: not written yet: step 3: bind\n", status=1),
                        suspicion="not-listening"), "not-written-yet"),
    "a crash": (evidence(program(signal=11), suspicion="exit-status"), "crash"),
    "a crash of a child": (evidence(program(
        LISTENS, "9 1795292228.9 +++ killed by SIGABRT +++"), suspicion="no-answer"), "crash"),
    "a crash that the test was made for": (
        evidence(program(signal=11), suspicion="lookup-error"), "lookup-error"),
    "a crash by what was sent": (evidence(program(
        ACCEPTS, f'recvfrom({CONNECTION}, "%s%s%n", 99, 0, NULL, NULL) = 6 <0>', signal=11),
        suspicion="messages"), "format-string"),
    "SIGPIPE": (evidence(program(signal=13), suspicion="one-client-only"), "sigpipe"),
    "SIGPIPE, suspected and not seen": (
        evidence(program(SAYS, status=0, name="client"), suspicion="sigpipe"), "no-packets"),
    "an interrupted call": (evidence(program(
        LISTENS, "accept(3<TCP:[127.0.0.1:4321]>, NULL, NULL) = -1 EINTR (Interrupted) <0.1>",
        SAYS, "exit_group(1) = ?", status=1), suspicion="one-client-only"), "eintr"),
    "an interrupted call, as a child has given up": (evidence(program(
        FORKS, "9 1.1 recvfrom(4<TCP:[1]>, 0x1, 9, 0, NULL, NULL) = -1 ETIMEDOUT (Timed out) <0>",
        "9 1.1 close(4<TCP:[1]>) = 0 <0>", "9 1.1 poll([{fd=0}], 1, 0) = 1 <0>",
        "9 1.1 exit_group(1) = ?",
        "read(0<pipe:[1]>, 0x1, 9) = ? ERESTARTSYS (To be restarted) <1>",
        "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---",
        "wait4(-1, NULL, WNOHANG, NULL) = 3 <0>", "exit_group(1) = ?", status=1),
        suspicion="own-timeout"), "own-timeout"),
    "an interrupted call, as it says itself": (evidence(program(
        status=1, stderr="server: listening\nserver: accept: Interrupted system call\n"),
        suspicion="one-client-only"), "eintr"),
    "an interrupted call, as it says itself, at a signal that asks it to end": (evidence(program(
        status=1, stderr="server: accept: Interrupted system call\n"),
        suspicion="exit-status"), "exit-status"),
    "an interrupted call, by Ctrl-C": (evidence(program(
        "recvfrom(4<UDP:[127.0.0.1:1]>, 0x1, 9, 0, NULL, NULL) = ? ERESTARTSYS (To be) <0.1>",
        "--- SIGINT {si_signo=SIGINT, si_code=SI_USER} ---",
        "exit_group(1) = ?", status=1), suspicion="cut-file-kept"), "cut-file-kept"),
    "an interrupted call, and the children are told to end": (evidence(program(
        LISTENS, ACCEPTS, FORKS,
        "accept(3<TCP:[127.0.0.1:4321]>, NULL, NULL) = ? ERESTARTSYS (To be restarted) <0.1>",
        "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---",
        "wait4(-1, NULL, WNOHANG, NULL) = 3 <0>", "wait4(-1, NULL, WNOHANG, NULL) = 0 <0>", SAYS,
        "exit_group(1) = ?",
        f"9 1795292228.9 recvfrom({CONNECTION}, 0x1, 9, 0, NULL, NULL) = ? ERESTARTSYS (To be) <0>",
        "9 1795292228.9 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER} ---", status=1),
        suspicion="one-client-only"), "eintr"),
    "a reset that ends a server": (evidence(program(
        LISTENS, ACCEPTS, f"recvfrom({CONNECTION}, 0x1, 9, 0, NULL, NULL) = -1 ECONNRESET (C) <0>",
        SAYS, "exit_group(1) = ?", status=1), suspicion="one-client-only"), "reset-ends-server"),
    "a reset that ends a server of one peer, which should end otherwise": (evidence(program(
        LISTENS, ACCEPTS, f"recvfrom({CONNECTION}, 0x1, 9, 0, NULL, NULL) = -1 ECONNRESET (C) <0>",
        SAYS, "exit_group(0) = ?", status=0), suspicion="exit-status",
        expected="`./turn_server` exits with status 1"), "exit-status"),
    "a reset that ends a client": (evidence(program(
        f"recvfrom({CONNECTION}, 0x1, 9, 0, NULL, NULL) = -1 ECONNRESET (C) <0>",
        SAYS, "exit_group(1) = ?", status=1), suspicion="no-packets"), "ended-early"),
    "no more descriptors": (evidence(program(
        LISTENS, "accept4(3<TCP:[127.0.0.1:4321]>, NULL, NULL, 0) = -1 EMFILE (Too many) <0>",
        SAYS, "exit_group(1) = ?", status=1), suspicion="exit-status"), "out-of-descriptors"),
    "data on stdout in place of the connection": (evidence(program(
        LISTENS, ACCEPTS, RECEIVES, 'write(1<pipe:[8]>, "hello", 5) = 5 <0>'),
        suspicion="single-read", expected="the client receives 5 bytes"), "messages"),
    "data of which a byte is on stdout by chance": (evidence(program(
        LISTENS, 'write(1<pipe:[8]>, "listening", 9) = 9 <0>', ACCEPTS,
        RECEIVES.replace("hello", "e").replace("= 5", "= 1")),
        suspicion="single-read", expected="the client receives 1 byte"), "no-answer"),
    "a port in host byte order": (evidence(program(
        'connect(3<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(57616), '
        'sin_addr=inet_addr("127.0.0.1")}, 16) = -1 ECONNREFUSED (Connection refused) <0>',
        status=1), suspicion="no-packets"), "byte-order"),
    "a client's port that is a count of clients with its bytes exchanged": (evidence(program(
        'sendto(3<UDP:[127.0.0.1:4321]>, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(59395), '
        'sin_addr=inet_addr("127.0.0.1")}, 16) = 1 <0>', transport="udp"),
        suspicion="no-answer", expected="client 1000 of 1100 receives a datagram"), "no-answer"),
    "the port of a reply to PASV with its bytes exchanged": (evidence(program(
        'recvfrom(3<TCP:[1]>, "227 Entering Passive Mode (127,0,0,1,4,0).\\r\\n", 512, 0, '
        'NULL, NULL) = 44 <0>',
        'connect(4<TCP:[2]>, {sa_family=AF_INET, sin_port=htons(4), '
        'sin_addr=inet_addr("127.0.0.1")}, 16) = -1 ECONNREFUSED (Connection refused) <0>',
        status=1), suspicion="transfer-port"), "byte-order"),
    "a port as EPRT has it that another one gives by chance with its bytes exchanged": (evidence(
        program(
            'recvfrom(3<TCP:[1]>, "PORT 127,0,0,1,197,224\\r\\n", 512, 0, NULL, NULL) = 25 <0>',
            'connect(4<TCP:[2]>, {sa_family=AF_INET, sin_port=htons(50656), '
            'sin_addr=inet_addr("127.0.0.1")}, 16) = -1 ECONNREFUSED (Connection refused) <0>',
            'recvfrom(3<TCP:[1]>, "EPRT |1|127.0.0.1|57541|\\r\\n", 512, 0, NULL, NULL) = 27 <0>',
            'connect(4<TCP:[2]>, {sa_family=AF_INET, sin_port=htons(57541), '
            'sin_addr=inet_addr("127.0.0.1")}, 16) = -1 ECONNREFUSED (Connection refused) <0>'),
        suspicion="no-answer"), "no-answer"),
    "a port as EPRT has it with its bytes exchanged": (evidence(program(
        'recvfrom(3<TCP:[1]>, "EPRT |1|127.0.0.1|1024|\\r\\n", 512, 0, NULL, NULL) = 26 <0>',
        'connect(4<TCP:[2]>, {sa_family=AF_INET, sin_port=htons(4), '
        'sin_addr=inet_addr("127.0.0.1")}, 16) = -1 ECONNREFUSED (Connection refused) <0>'),
        suspicion="transfer-port"), "byte-order"),
    "a port printed in host byte order": (evidence(program(
        LISTENS, ACCEPTS, 'write(1<pipe:[8]>, "connection from 127.0.0.1 port 16540\\n", 37) = 37 '
        "<0>"), suspicion="out-of-descriptors"), "byte-order"),
    "another port printed": (evidence(program(
        LISTENS, ACCEPTS, 'write(1<pipe:[8]>, "connection from 127.0.0.1 port 16541\\n", 37) = 37 '
        "<0>"), suspicion="messages"), "messages"),
    "a port heard, with its bytes exchanged, in a line that is not the program's": (evidence(
        program(ACCEPTS, RECEIVES.replace("hello", "16540"),
                'write(1<pipe:[8]>, "16540", 5) = 5 <0>'), suspicion="out-of-turn"), "out-of-turn"),
    "an ERROR without its NUL": (evidence(
        program(LISTENS), suspicion="disk-full",
        seen="'\\x00\\x05\\x00\\x03No space': its message has no NUL at the end"), "error-packet"),
    "a message in other letters": (evidence(
        program(LISTENS), suspicion="no-half-close", seen="on stderr: 'Peer closed.\\n'",
        expected="`./server` prints the line `peer closed` to stderr"), "messages"),
    "a message without its newline, of a program that sends more than it has got": (evidence(
        program(RECEIVES, f'sendto({CONNECTION}, "hello"..., 4096, 0, NULL, 0) = 4096 <0>'),
        suspicion="messages", seen="it ended; on stderr: 'peer closed'",
        expected="`./server` prints the line `peer closed` to stderr"), "messages"),
    "a message that is another one": (evidence(
        program(LISTENS), suspicion="no-half-close", seen="on stderr: 'recv: reset\\n'",
        expected="`./server` prints the line `peer closed` to stderr"), "no-half-close"),
    "a number that is another one": (evidence(
        program(LISTENS), suspicion="c-string", seen="on stdout: 'round 1: 5 bytes, 5 in al\\n'",
        expected="`./prompt_server` prints 'round 1: 6 bytes, 6 in all\\n'"), "c-string"),
    "as many bytes as should be, and others": (evidence(
        program(LISTENS), suspicion="c-string", seen="on stdout: '...'... (99 bytes)",
        expected="`./hello_server` prints '\\x00\\x01\\x02'... (99 bytes)"), "messages"),
    "fewer bytes than should be": (evidence(
        program(LISTENS), suspicion="c-string", seen="on stdout: 'ab'",
        expected="`./hello_server` prints 'ab\\x00d'"), "c-string"),
    "select() below the socket": (evidence(
        selects(3), suspicion="stdout-not-flushed"), "waits-for-one"),
    "select() without the socket": (evidence(
        selects(4), suspicion="stdout-not-flushed"), "waits-for-one"),
    "poll() without the socket": (evidence(program(
        SOCKET, f"connect(3<TCP:[1]>, {PEER}, 16) = 0 <0>",
        "poll([{fd=0<pipe:[7]>, events=POLLIN}], 1, -1 <detached ...>", name="client"),
        suspicion="slow-end"), "waits-for-one"),
    "select() with the socket": (evidence(
        selects(4, reads="3<TCP:[127.0.0.1:9->127.0.0.1:4321]>"), suspicion="no-answer"),
        "no-answer"),
    "select() to write": (evidence(
        selects(4, reads="", writes="[1<pipe:[8]>]"), suspicion="no-answer"), "no-answer"),
    "nothing printed, and nothing heard": (evidence(
        program(SOCKET, name="client"), suspicion="stdout-not-flushed",
        expected="`./client -p 4321` writes 15 bytes to stdout"), "other"),
    "nothing printed, and something heard": (evidence(
        program(RECEIVES, name="client"), suspicion="stdout-not-flushed",
        expected="`./client -p 4321` writes 15 bytes to stdout"), "stdout-not-flushed"),
    "a line of its own not printed": (evidence(
        program(LISTENS), suspicion="stdout-not-flushed",
        expected="`./server` prints the line `listening on ::1 port 80`"), "stdout-not-flushed"),
    "a process for each of many clients, all of which spin": (clients(65, evidence(program(
        LISTENS, signal=9, excess=CROWDED))), "busy-wait"),
    "as many processes, for few clients": (clients(9, evidence(program(
        LISTENS, signal=9, excess=CROWDED))), "too-many-processes"),
    "a peer that ends with its stdin": (evidence(program(
        "exit_group(0) = ?", status=0, transport="udp", name="peer"), suspicion="waits-for-one"),
        "ended-early"),
    "an address in host byte order": (evidence(program(
        'bind(3<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(4321), '
        'sin_addr=inet_addr("1.0.0.127")}, 16) = -1 EADDRNOTAVAIL (Cannot assign) <0>',
        status=1), suspicion="not-listening"), "byte-order"),
    "another port, not swapped": (evidence(program(
        'connect(3<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(4322), '
        'sin_addr=inet_addr("127.0.0.1")}, 16) = -1 ECONNREFUSED (Connection refused) <0>',
        status=1), suspicion="wrong-port"), "wrong-port"),
    "no SO_REUSEADDR": (evidence(program(
        "bind(3<TCP:[1]>, {sa_family=AF_INET}, 16) = -1 EADDRINUSE (Address already in use) <0>",
        SAYS, "exit_group(1) = ?", status=1), suspicion="not-listening"), "no-reuseaddr"),
    "SO_REUSEADDR, suspected and there": (evidence(program(
        "setsockopt(3<TCP:[1]>, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0 <0>"),
        suspicion="no-reuseaddr"), "other"),
    "accept() without listen()": (evidence(program(
        "accept(3<TCP:[1]>, NULL, NULL) = -1 EINVAL (Invalid argument) <0>"),
        suspicion="no-answer"), "not-listening"),
    "UDP for TCP": (evidence(program(
        "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 3<UDP:[1]> <0>",
        "bind(3<UDP:[1]>, {sa_family=AF_INET}, 16) = 0 <0>"),
        suspicion="not-listening"), "udp-not-tcp"),
    "TCP for UDP": (evidence(program(
        "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3<TCP:[1]> <0>",
        "bind(3<TCP:[1]>, {sa_family=AF_INET}, 16) = 0 <0>", transport="udp"),
        suspicion="no-answer"), "tcp-not-udp"),
    "processor time": (
        evidence(program(seconds=2.0, blocked=False), suspicion="no-answer"), "busy-wait"),
    "the same calls again and again": (evidence(program(
        *["poll([{fd=0}], 1, 0) = 0 (Timeout) <0>"] * 300, blocked=False),
        suspicion="no-answer"), "busy-wait"),
    "the same calls, with something to do": (evidence(program(
        *['read(0<pipe:[1]>, "x", 1) = 1 <0>'] * 300, blocked=False),
        suspicion="no-answer"), "no-answer"),
    "SO_LINGER 0": (evidence(program(
        ACCEPTS, f"setsockopt({CONNECTION}, SOL_SOCKET, SO_LINGER, {{l_onoff=1, l_linger=0}}, 8)"
        " = 0 <0>", f"close({CONNECTION}) = 0 <0>"), suspicion="unread-input-rst"), "linger-rst"),
    "SO_LINGER 0, taken back": (evidence(program(
        ACCEPTS, f"setsockopt({CONNECTION}, SOL_SOCKET, SO_LINGER, {{l_onoff=1, l_linger=0}}, 8)"
        " = 0 <0>", f"setsockopt({CONNECTION}, SOL_SOCKET, SO_LINGER, {{l_onoff=0, l_linger=0}}, "
        "8) = 0 <0>", f"close({CONNECTION}) = 0 <0>"),
        suspicion="unread-input-rst"), "unread-input-rst"),
    "SO_LINGER 0, suspected and not there": (evidence(program(
        ACCEPTS, f"close({CONNECTION}) = 0 <0>"), suspicion="linger-rst"), "other"),
    "another process has it": (evidence(program(
        ACCEPTS, FORKS,
        f'9 1795292228.9 recvfrom({CONNECTION}, "", 9, 0, NULL, NULL) = 0 <0>',
        f"9 1795292228.9 close({CONNECTION}) = 0 <0>"),
        suspicion="descriptor-leak", expected="the client receives end of file (a FIN)"),
        "shared-descriptor"),
    "no other process has it": (evidence(program(
        ACCEPTS, FORKS,
        f"close({CONNECTION}) = 0 <0>",
        f'9 1795292228.9 recvfrom({CONNECTION}, "", 9, 0, NULL, NULL) = 0 <0>'),
        suspicion="descriptor-leak", expected="the client receives end of file (a FIN)"),
        "descriptor-leak"),
    "no process has it any more": (evidence(program(
        ACCEPTS, FORKS,
        f'9 1795292228.9 recvfrom({CONNECTION}, "", 9, 0, NULL, NULL) = 0 <0>',
        f"9 1795292228.9 close({CONNECTION}) = 0 <0>", f"close({CONNECTION}) = 0 <0>"),
        suspicion="descriptor-leak", expected="the client receives end of file (a FIN)"),
        "descriptor-leak"),
    "a process that was killed has it no more": (evidence(program(
        ACCEPTS, FORKS, ENDS, f"close({CONNECTION}) = 0 <0>", KILLED),
        suspicion="descriptor-leak", expected="the client receives end of file (a FIN)"),
        "descriptor-leak"),
    "a process that was killed had it, and another has": (evidence(program(
        ACCEPTS, FORKS, f"9 1795292228.9 {RECEIVES}", KILLED),
        suspicion="descriptor-leak", expected="the client receives end of file (a FIN)"),
        "shared-descriptor"),
    "what a process that was killed never closed": (evidence(program(
        ACCEPTS, FORKS, f"9 1795292228.9 {ENDS}", KILLED), suspicion="slow-end"), "slow-end"),
    "what a thread that has ended never closed": (evidence(program(
        ACCEPTS, "clone(flags=CLONE_VM|CLONE_THREAD) = 9 <0>", f"9 1795292228.9 {ENDS}",
        "9 1795292228.9 +++ exited with 0 +++"), suspicion="slow-end"), "descriptor-leak"),
    "a whole buffer is sent": (evidence(program(
        ACCEPTS, f'recvfrom({CONNECTION}, "hello", 4096, 0, NULL, NULL) = 5 <0>',
        f'sendto({CONNECTION}, "hello\\0\\0"..., 4096, 0, NULL, 0) = 4096 <0>'),
        suspicion="messages"), "fixed-length"),
    "part of a buffer is sent": (evidence(program(
        ACCEPTS, f'recvfrom({CONNECTION}, "hello", 4096, 0, NULL, NULL) = 5 <0>',
        f'sendto({CONNECTION}, "hello"..., 5, 0, NULL, 0) = 5 <0>'),
        suspicion="messages"), "messages"),
    "a part, and then the end": (evidence(program(
        ACCEPTS, f'sendto({CONNECTION}, "hello"..., 4096, 0, NULL, 0) = 100 <0>',
        f"shutdown({CONNECTION}, SHUT_WR) = 0 <0>"), suspicion="closes-both"), "partial-write"),
    "a part, and then the rest": (evidence(program(
        ACCEPTS, f'sendto({CONNECTION}, "hello"..., 4096, 0, NULL, 0) = 100 <0>',
        f'sendto({CONNECTION}, "o"..., 3996, 0, NULL, 0) = 3996 <0>',
        f"shutdown({CONNECTION}, SHUT_WR) = 0 <0>"), suspicion="closes-both"), "closes-both"),
    "no socket": (evidence(program(SAYS), suspicion="no-packets"), "no-packets"),
    "a server that ends at once": (evidence(
        program("exit_group(0) = ?", status=0), suspicion="own-timeout",
        expected="`./server` listens on ::1 port 4321 and goes on"), "ended-early"),
    "a client that ends at once": (evidence(
        program("exit_group(0) = ?", status=0), suspicion="wrong-port",
        expected="a connection to port 4321"), "no-packets"),
    "an error of its own": (evidence(program(status=1), suspicion="no-answer"), "ended-early"),
    "one gives up, the other still runs": (evidence(
        program(status=1, name="client"), program(LISTENS), suspicion="no-answer"), "no-answer"),
    "nothing printed": (
        evidence(program(LISTENS), expected="`./server` prints a line"), "stdout-not-flushed"),
    "nothing printed, nor to be": (evidence(program(LISTENS)), "other"),
    "not flushed, suspected after exit()": (
        evidence(program(RECEIVES, status=0, name="client"), suspicion="stdout-not-flushed"),
        "other"),
    "accept() fails, and had not before": (evidence(program(
        ACCEPTS, "accept(3, NULL, NULL) = -1 EBADF (Bad file descriptor) <0>"),
        suspicion="not-listening"), "one-client-only"),
    "accept() never succeeds": (evidence(program(
        LISTENS, "accept(3<TCP:[127.0.0.1:4321]>, 0x1, [-1]) = -1 EINVAL (Invalid argument) <0>"),
        suspicion="stdout-not-flushed"), "not-accepted"),
    "-a is ignored": (evidence(program(
        'bind(3<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(8080), '
        'sin_addr=inet_addr("0.0.0.0")}, 16) = 0 <0>', command="./server -a localhost"),
        suspicion="dotted-only"), "wrong-address"),
    "every address was asked for": (evidence(program(
        'bind(3<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(8080), '
        'sin_addr=inet_addr("0.0.0.0")}, 16) = 0 <0>', command="./server -a 0.0.0.0"),
        suspicion="dotted-only"), "dotted-only"),
    "printed in place of sent": (evidence(program(
        ACCEPTS, f'recvfrom({CONNECTION}, "hello, net\\n", 99, 0, NULL, NULL) = 11 <0>',
        'write(1<pipe:[7]>, "hello, net\\n", 11) = 11 <0>'), suspicion="no-answer",
        expected="the test's client receives 11 bytes from it"), "messages"),
    "printed and sent": (evidence(program(
        ACCEPTS, f'recvfrom({CONNECTION}, "hello, net\\n", 99, 0, NULL, NULL) = 11 <0>',
        'write(1<pipe:[7]>, "hello, net\\n", 11) = 11 <0>',
        f'sendto({CONNECTION}, "hell", 4, 0, NULL, 0) = 4 <0>'), suspicion="no-answer",
        expected="the test's client receives 11 bytes from it"), "no-answer"),
    "the end of file, again and again": (evidence(program(
        ACCEPTS, *[f'recvfrom({CONNECTION}, "", 99, 0, NULL, NULL) = 0 <0>'] * 300,
        blocked=False), suspicion="no-answer"), "busy-wait"),
    "a buffer that is no datagram": (evidence(program(
        'recvfrom(3<UDP:[127.0.0.1:4321]>, "hello", 65536, 0, {}, [16]) = 5 <0>',
        f'sendto(3<UDP:[127.0.0.1:4321]>, "hello"..., 65536, 0, {PEER}, 16) = -1 EMSGSIZE (M) <0>',
        transport="udp"), suspicion="no-answer"), "fixed-length"),
    "a UDP server that has ended": (evidence(program(
        "exit_group(0) = ?", status=0, transport="udp"), suspicion="no-answer"), "ended-early"),
    "a reset that ends a server, which still runs": (
        evidence(program(LISTENS), suspicion="reset-ends-server"), "other"),
    "no IPv6, where bind() of it failed": (evidence(program(
        "socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP) = 3<TCPv6:[1]> <0>",
        "bind(3<TCPv6:[1]>, {sa_family=AF_INET6}, 16) = -1 EINVAL (Invalid argument) <0>"),
        suspicion="no-ipv6"), "other"),
    "IPv6 for one of two sockets": (evidence(program(
        "socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP) = 3<TCPv6:[1]> <0>",
        "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4<TCP:[2]> <0>",
        "bind(4<TCP:[2]>, {sa_family=AF_INET6}, 16) = -1 EINVAL (Invalid argument) <0>"),
        suspicion="no-ipv6"), "no-ipv6"),
    "all was taken": (evidence(program(
        ACCEPTS, f'sendto({CONNECTION}, "hell", 4, 0, NULL, 0) = 4 <0>'),
        suspicion="partial-write"), "other"),
    "a part was taken, and no end": (evidence(program(
        ACCEPTS, f'sendto({CONNECTION}, "hell", 4, 0, NULL, 0) = 3 <0>'),
        suspicion="partial-write"), "partial-write"),
    "listen() without bind()": (
        evidence(program(SOCKET, LISTENS), suspicion="wrong-port"), "not-listening"),
    "listen() after bind()": (evidence(program(
        SOCKET, "bind(3<TCP:[1]>, {sa_family=AF_INET}, 16) = 0 <0>", LISTENS),
        suspicion="wrong-port"), "wrong-port"),
    "a server that ends after socket()": (
        evidence(program(SOCKET, status=0), suspicion="dotted-only"), "ended-early"),
    "a server that ends as its port is taken": (evidence(program(
        SOCKET, "setsockopt(3<TCP:[1]>, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0 <0>",
        "bind(3<TCP:[1]>, {sa_family=AF_INET}, 16) = -1 EADDRINUSE (Address already in use) <0>",
        status=0), suspicion="address-in-use"), "address-in-use"),
    "a taken port, and no bind()": (
        evidence(program(SOCKET), suspicion="address-in-use"), "other"),
    "a length that is no address's": (evidence(program(
        SOCKET, "bind(3<TCP:[1]>, {sa_family=AF_INET6}, 16) = -1 EINVAL (Invalid argument) <0>",
        SAYS, "exit_group(1) = ?", status=1), suspicion="wrong-address"), "ended-early"),
    "an address that no host has": (evidence(program(
        SOCKET, "bind(3<TCP:[1]>, {sa_family=AF_INET}, 16) = -1 EADDRNOTAVAIL (Cannot) <0>",
        SAYS, "exit_group(1) = ?", status=1), suspicion="dotted-only"), "dotted-only"),
    "send() on the listening socket": (evidence(program(
        LISTENS, ACCEPTS, RECEIVES,
        'sendto(3<TCP:[127.0.0.1:4321]>, "hello", 5, 0, NULL, 0) = -1 EPIPE (Broken pipe) <0>'),
        suspicion="closes-both"), "wrong-descriptor"),
    "send() after the other side has gone": (evidence(program(
        LISTENS, ACCEPTS, RECEIVES,
        'sendto(4<TCP:[99]>, "hello", 5, 0, NULL, 0) = -1 EPIPE (Broken pipe) <0>'),
        suspicion="closes-both"), "closes-both"),
    "send() after shutdown()": (evidence(program(
        f"shutdown({CONNECTION}, SHUT_WR) = 0 <0>",
        f'sendto({CONNECTION}, "hello", 5, 0, NULL, 0) = -1 EPIPE (Broken pipe) <0>'),
        suspicion="no-ipv6"), "early-fin"),
    "send() after shutdown() of the other direction": (evidence(program(
        f"shutdown({CONNECTION}, SHUT_RD) = 0 <0>",
        f'sendto({CONNECTION}, "hello", 5, 0, NULL, 0) = -1 EPIPE (Broken pipe) <0>'),
        suspicion="no-ipv6"), "no-ipv6"),
    "processor time, and no end": (
        evidence(program(seconds=2.0, blocked=False), suspicion="waits-for-ever"), "busy-wait"),
    "SHUT_RDWR": (evidence(program(
        f"shutdown({CONNECTION}, SHUT_RDWR) = 0 <0>"), suspicion="single-read"), "closes-both"),
    "SHUT_RDWR at the end of file": (evidence(program(
        RECEIVES, ENDS, f"shutdown({CONNECTION}, SHUT_RDWR) = 0 <0>", name="client"),
        suspicion="single-read"), "single-read"),
    "one read, that got nothing": (evidence(program(
        ENDS, name="client"), suspicion="single-read"), "other"),
    "strlen() of what came": (evidence(
        echoes(("hi\\0there", 8, 2)), suspicion="cut-datagram"), "c-string"),
    "strlen() of what came before": (evidence(
        echoes(("hello, network", 14, 14), ("hi", 2, 14)), suspicion="no-ipv6"), "c-string"),
    "datagrams, as they came": (evidence(
        echoes(("hi\\0there", 8, 8), ("hi", 2, 2)), suspicion="cut-datagram"), "cut-datagram"),
    "a byte less each time": (evidence(
        echoes(("hello", 5, 4), ("hello", 5, 4), kind="TCP"), suspicion="single-read"), "other"),
    "a server that never sends": (evidence(program(
        ACCEPTS, RECEIVES, ENDS, f"close({CONNECTION}) = 0 <0>"), suspicion="closes-both"),
        "no-answer"),
    "a server that waits for more": (evidence(program(
        ACCEPTS, RECEIVES, f"recvfrom({CONNECTION}, 0x1, 9, 0, NULL, NULL) = ? <unfinished ...>"),
        suspicion="partial-write"), "no-answer"),
    "a connection that is never closed": (evidence(program(
        ACCEPTS, ENDS, LISTENS), suspicion="slow-end"), "descriptor-leak"),
    "a server that ends with data": (evidence(program(
        LISTENS, ACCEPTS, RECEIVES, "exit_group(0) = ?", status=0), suspicion="closes-both"),
        "ended-early"),
    "a server that ends with its client": (evidence(program(
        LISTENS, ACCEPTS, RECEIVES, ENDS, "exit_group(0) = ?", status=0),
        suspicion="connection-refused"), "one-client-only"),
    "a server of one peer": (evidence(program(
        LISTENS, ACCEPTS, RECEIVES, ENDS, "exit_group(0) = ?", status=0), lab="02-p2p-chat",
        suspicion="connection-refused"), "connection-refused"),
    "nothing is known": (evidence(program()), "other"),
}


@pytest.mark.parametrize("case", CASES, ids=[name.replace(" ", "-") for name in CASES])
def test_a_cause_follows_from_evidence(case: str) -> None:
    found, cause = CASES[case]
    assert verdict_on(found)[0] == cause


def test_every_rule_has_a_case() -> None:
    for rule in RULES:
        assert any(verdict_on(found) == (rule.cause, rule.words(found))
                   for found, _ in CASES.values()), rule
    assert RULED_OUT.keys() - {found.suspicion for found, _ in CASES.values()} == {"eintr"}


def test_rules_speak_of_causes_that_are_explained() -> None:
    for rule in RULES:
        assert {rule.cause, *(rule.over or ()), *rule.but} <= CAUSES.keys(), rule
    assert RULED_OUT.keys() <= CAUSES.keys()


def test_the_page_of_causes_is_current() -> None:
    assert document.DOCUMENT.read_text("utf-8") == document.text(), "see labkit/causes/document.py"
    assert document.text().count("\n### ") == len(CAUSES)


def test_every_sign_says_what_it_is() -> None:
    for sign in [*(rule.sign for rule in RULES), *RULED_OUT.values()]:
        assert sign.__doc__ and sign.__doc__.split("\n")[0].endswith("."), sign


def test_without_a_log_nothing_is_ruled_out_by_it() -> None:
    for suspicion in ("eintr", "linger-rst", "no-reuseaddr"):
        assert verdict_on(evidence(program(), suspicion=suspicion)) == (suspicion, "")
        if suspicion != "no-reuseaddr":
            assert verdict_on(evidence(program(LISTENS), suspicion=suspicion))[0] == "other"


def test_what_was_looked_at_is_told_where_it_does_not_decide() -> None:
    assert verdict_on(evidence(program(
        "listen(3<TCP:[1]>, 1) = -1 EACCES (no) <0>", "accept(3<TCP:[127.0.0.1:4321]>, "))) == (
        "other", "`server` still runs and waits in accept(), and its listen() failed with EACCES")


# -- The log -------------------------------------------------------------------


def test_a_call_in_two_halves_is_one() -> None:
    log = read_log(log_of(
        f"recvfrom({CONNECTION},  <unfinished ...>",
        '9 1795292228.9 write(1<pipe:[7]>, "a", 1) = 1 <0.1>',
        '<... recvfrom resumed>"", 16384, 0, NULL, NULL) = 0 <0.1>',
        "accept(3<TCP:[127.0.0.1:4321]>,  <detached ...>"))
    assert [(call.process, call.name, call.result) for call in log.calls] == [
        (5, "recvfrom", 0), (9, "write", 1), (5, "accept", None)]
    assert log.calls[0].about == "TCP:[127.0.0.1:4321->127.0.0.1:40000]"
    assert log.calls[2].lasts and log.whole


@pytest.mark.parametrize("line, result, error, made", [
    ("poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}]) <0.1>", 1, "", ""),
    (f"{ACCEPTS}", 4, "", "TCP:[127.0.0.1:4321->127.0.0.1:40000]"),
    ("fork() = 3 /* 9 in strace's PID NS */ <0.1>", 3, "", "9"),
    ("read(0<pipe:[1]>, 0x1, 9) = ? ERESTARTSYS (To be restarted) <0.1>", None, "EINTR", ""),
    ("fcntl(3<TCP:[1]>, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK) <0.1>", 0x802, "", ""),
    ('write(1<pipe:[7]>, ") = -1 EINTR (", 13) = 13 <0.1>', 13, "", ""),
])
def test_a_result_is_read(line: str, result: Optional[int], error: str, made: str) -> None:
    [call] = read_log(log_of(line)).calls
    assert (call.result, call.error, call.made) == (result, error, made)


def test_of_a_long_log_the_two_ends_are_read() -> None:
    line = 'read(0<pipe:[1]>, "x", 1) = 1 <0.1>'
    log = read_log(log_of(LISTENS, *[line] * 20_000, ACCEPTS))
    assert not log.whole and log.calls[0].name == "listen" and log.calls[-1].name == "accept"
    assert len(log.calls) < (HEAD + TAIL) / len(line)


@pytest.mark.parametrize("log", [b"\0" * 999, b"5 1.0 \xff(", b"5 1 +++ killed by", b"5 1 --- x"])
def test_what_is_no_log_shows_nothing(log: bytes) -> None:
    found = replace(program(), strace=log)
    assert verdict_on(evidence(found, suspicion="no-answer")) == ("no-answer", "")


# -- Real programs -------------------------------------------------------------


REAL = [
    ("kill -SEGV $$", "crash"),
    ("kill -PIPE $$", "sigpipe"),
    ("echo 'server: not written yet: step 3: bind the address' >&2; exit 1", "not-written-yet"),
    ("exit 1", "ended-early"),
]


@pytest.mark.parametrize("world", [True], indirect=True, ids=["recorded"])
@pytest.mark.parametrize("script, cause", REAL, ids=[cause for _, cause in REAL])
def test_of_a_program_that_has_ended(world: World, script: str, cause: str) -> None:
    lab = world(server=script)
    with pytest.raises(Mismatch) as caught:
        lab.start_server("server", port=4321)
    mismatch = diagnosed(lab, "01-tcp-echo", caught.value)
    assert mismatch.cause == cause
    told = dict(mismatch.parts())["likely cause"]
    if cause == "not-written-yet":
        assert told.startswith("Step 3 is not written yet: bind the address. What comes after")
        assert dict(mismatch.parts())["read on"] == "the handout's step 3"
    else:
        assert told.startswith(CAUSES[cause].text) and "`server`" in told
