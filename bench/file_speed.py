"""How fast lab 04's programs move files, beside FTP and TFTP programs of others.

All servers run in one private network, whose loopback is as wide as any, and all files are in
memory. Each round has every way once, one after the other, so that a ratio is one of two
transfers of the same round. A client's time is from its start to its end.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import statistics
import sys
from typing import Iterator, NamedTuple, Sequence

from echo_speed import TOOLS, print_ratios
from labkit import sandbox
from labkit.build import PROGRAMS
from labkit.feedback import HarnessError
from labkit.paths import HARNESS, LABS
from labkit.program import Program

sys.path.append(str(HARNESS / "selftest"))

import ftp_tools  # noqa: E402
import tftp_tools  # noqa: E402
from meeting import LAB, Meeting, meeting, write_big  # noqa: E402

MIB, GIB = 1 << 20, 1 << 30
NAME, COPY = "big", "copy"
ADDRESS = "127.0.0.1"
OURS, OTHERS, BARE = 7001, 7002, 7003
"""The ports of the servers: the lab's, another's, one that does nothing but send."""
HPA = 7004
BARE_PROGRAMS = ("timed", "bare_file", "bare_blocks")
SECONDS = 1800.0
"""What a part may take."""


class Way(NamedTuple):
    """One way to fetch the file: what it is called, and the client's command."""

    name: str
    argv: Sequence[str]


class Took(NamedTuple):
    """What a program took, as timed.c tells it."""

    seconds: float
    memory: int
    """Bytes that it had at most, or the largest of its children."""


class Results(NamedTuple):
    """By the way's name: the seconds of each round; SIZE is the file's."""

    size: int
    seconds: dict[str, list[float]]

    def ratios(self, way: str, to: str) -> list[float]:
        """How fast WAY is in units of TO, round by round."""
        return [b / a for a, b in zip(self.seconds[way], self.seconds[to])]


class Place:
    """The network, with a file of SIZE bytes for the servers and a folder for the clients."""

    def __init__(self, lab: Meeting, size: int) -> None:
        self.lab, self.size = lab, size
        self.served, self.own = lab.folder(size=size + MIB), lab.folder(size=size + MIB)
        write_big(lab, self.served, NAME, size)

    def start(self, name: str, *args: str) -> Program:
        """Starts program NAME in the served folder."""
        return self.lab.start(name, *args, folder=self.served)

    def fetch(self, way: Way, check: bool = False) -> Took:
        """Fetches the file and throws it away; CHECK: where it was kept, it must be right."""
        client = self.lab.start("timed", *way.argv, folder=self.own)
        self.lab.expect_exit(client, 0)
        if COPY in self.own.names():
            if check:
                self.lab.administer("cmp", str(self.served.shown.path / NAME),
                                    str(self.own.shown.path / COPY))
            self.own.remove(COPY)
        return told_by(client)

    def measure(self, ways: Sequence[Way], rounds: int) -> Results:
        """Each of WAYS once in each of ROUNDS, after one that is checked and not counted."""
        for way in ways:
            self.fetch(way, check=True)
        took = [[self.fetch(way).seconds for way in ways] for _ in range(rounds)]
        return Results(self.size, {way.name: list(each) for way, each in zip(ways, zip(*took))})


def told_by(program: Program) -> Took:
    """What timed says of the PROGRAM that it ran, which has ended."""
    seconds, kib = program.stdout.decode().splitlines()[-1].split()
    return Took(float(seconds), int(kib) * 1024)


@contextlib.contextmanager
def place(size: int) -> Iterator[Place]:
    """Raises HarnessError where a program is missing."""
    with sandbox.workspace() as work:
        programs = work / "programs"
        programs.mkdir()
        programs.chmod(0o755)
        for file in (*(LABS / LAB / name for name in PROGRAMS[LAB]),
                     *(TOOLS / name for name in BARE_PROGRAMS)):
            if not file.is_file():
                raise HarnessError(f"{file} is missing: run 'make'")
            shutil.copy2(file, programs)
        with meeting(work, work, programs, recorded=False, seconds=SECONDS) as lab:
            lab.be_patient(10)
            lab.administer("ip", "link", "set", "dev", "lo", "mtu", "65536")
            lab.administer("ethtool", "-K", "lo", "sg", "on", "tso", "on", "gso", "on", "gro", "on",
                           "tx", "on")
            yield Place(lab, size)


# -- FTP ---------------------------------------------------------------------

PAIR, OUR_SERVER, OUR_CLIENT = "our pair", "our server, curl", "vsftpd, our client"
OTHER_PAIR, SENDFILE = "vsftpd, curl", "sendfile alone"
NO_COPY = "our server, curl to /dev/null"
OTHER_NO_COPY, SENDFILE_NO_COPY = "vsftpd, curl to /dev/null", "sendfile alone to /dev/null"
ACCOUNT = f"{ftp_tools.USER}:{ftp_tools.PASSWORD}"


def curl(port: int, user: str, to: str) -> list[str]:
    """curl, active: passive it may wait a second before it connects, whatever the server."""
    return ["curl", "-sS", "--ftp-port", "-", "-u", user, "-o", to,
            f"ftp://{ADDRESS}:{port}/{NAME}"]


def our_client(port: int, *options: str) -> list[str]:
    return ["/lab/client", "-p", str(port), *options, ADDRESS, "get", NAME, COPY]


def bare_file(to: str) -> list[str]:
    return ["/lab/bare_file", "receive", str(BARE), to]


FTP_WAYS = [
    Way(PAIR, our_client(OURS, "-u", ACCOUNT)),
    Way(OUR_SERVER, curl(OURS, ACCOUNT, COPY)),
    Way(OUR_CLIENT, our_client(OTHERS)),
    Way(OTHER_PAIR, curl(OTHERS, "anonymous:me", COPY)),
    Way(SENDFILE, bare_file(COPY)),
    Way(NO_COPY, curl(OURS, ACCOUNT, "/dev/null")),
    Way(OTHER_NO_COPY, curl(OTHERS, "anonymous:me", "/dev/null")),
    Way(SENDFILE_NO_COPY, bare_file("/dev/null")),
]


def measure_ftp(rounds: int) -> Results:
    """Raises HarnessError where a program is missing."""
    with place(GIB) as here:
        ftp_tools.start_ours(here.lab, here.served, ADDRESS, OURS)
        ftp_tools.start_vsftpd(here.lab, here.served, ADDRESS, OTHERS)
        bare = here.start("bare_file", "send", str(BARE), NAME)
        here.lab.wait_listening(bare, BARE)
        return here.measure(FTP_WAYS, rounds)


def report_ftp(rounds: int) -> None:
    """Measures in so many ROUNDS and prints the result."""
    results = measure_ftp(rounds)
    print_speeds("FTP, 1 GiB", results)
    print_ratios("how fast, in each round", {
        "our pair / vsftpd, curl": results.ratios(PAIR, OTHER_PAIR),
        "our server / vsftpd, curl": results.ratios(OUR_SERVER, OTHER_PAIR),
        "the same, curl to /dev/null": results.ratios(NO_COPY, OTHER_NO_COPY),
        "our pair / sendfile alone": results.ratios(PAIR, SENDFILE)})
    print("The medians are to be at least 1.00; that to sendfile alone, which needs no commands,"
          "\nnear it.")
    print()
    print_memory("FTP", ftp_memory(MIB), ftp_memory(GIB))


# -- TFTP --------------------------------------------------------------------

TFTP_SIZE = 32 * MIB
BLOCK, WINDOW = 1428, 16
LOCKSTEP, HPA_CURL, HPA_ATFTP = "our pair", "tftpd-hpa, curl", "tftpd-hpa, atftp"
SMALL, HPA_PAIR = "our pair, 512 bytes", "tftp-hpa, 512 bytes"
WINDOWS, ATFTP_PAIR, BLOCKS = "our pair, window 16", "atftp, window 16", "bare loop, window 16"
BARE_LOCKSTEP = "bare loop, window 1"


def our_tftp(*options: str) -> list[str]:
    return ["/lab/udp_client", "-p", str(OURS), *options, "-o", COPY, ADDRESS, "get", NAME]


def atftp(port: int, *options: str) -> list[str]:
    asked = [word for option in options for word in ("--option", option)]
    return ["atftp", *asked, "-g", "-r", NAME, "-l", COPY, ADDRESS, str(port)]


def bare_blocks(window: int) -> list[str]:
    return ["/lab/bare_blocks", "receive", str(BARE), COPY, str(window)]


TFTP_WAYS = [
    Way(SMALL, our_tftp()),
    Way(HPA_PAIR, ["tftp", "-m", "octet", ADDRESS, str(HPA), "-c", "get", NAME, COPY]),
    Way(LOCKSTEP, our_tftp("-b", str(BLOCK))),
    Way(HPA_CURL, ["curl", "-sS", "--tftp-blksize", str(BLOCK), "-o", COPY,
                   f"tftp://{ADDRESS}:{HPA}/{NAME}"]),
    Way(HPA_ATFTP, atftp(HPA, f"blksize {BLOCK}")),
    Way(BARE_LOCKSTEP, bare_blocks(1)),
    Way(WINDOWS, our_tftp("-b", str(BLOCK), "-w", str(WINDOW))),
    Way(ATFTP_PAIR, atftp(OTHERS, f"blksize {BLOCK}", f"windowsize {WINDOW}")),
    Way(BLOCKS, bare_blocks(WINDOW)),
]


def measure_tftp(rounds: int) -> Results:
    """Raises HarnessError where a program is missing."""
    with place(TFTP_SIZE) as here:
        tftp_tools.start_ours(here.lab, here.served, ADDRESS, OURS)
        tftp_tools.start_atftpd(here.lab, here.served, ADDRESS, OTHERS)
        tftp_tools.start_tftpd_hpa(here.lab, here.served, ADDRESS, HPA)
        bare = here.start("bare_blocks", "send", str(BARE), NAME)
        here.lab.wait_bound(bare, BARE)
        return here.measure(TFTP_WAYS, rounds)


def report_tftp(rounds: int) -> None:
    """Measures in so many ROUNDS and prints the result."""
    results = measure_tftp(rounds)
    print_speeds(f"TFTP, 32 MiB, blocks of {BLOCK}", results)
    print_ratios("how fast, in each round", {
        "our pair / tftp-hpa, 512 bytes": results.ratios(SMALL, HPA_PAIR),
        "our pair / tftpd-hpa, curl": results.ratios(LOCKSTEP, HPA_CURL),
        "our pair / tftpd-hpa, atftp": results.ratios(LOCKSTEP, HPA_ATFTP),
        "our pair / bare loop": results.ratios(LOCKSTEP, BARE_LOCKSTEP),
        "window 16 / tftpd-hpa, curl": results.ratios(WINDOWS, HPA_CURL),
        "window 16 / atftp, window 16": results.ratios(WINDOWS, ATFTP_PAIR),
        "window 16 / bare loop, window 16": results.ratios(WINDOWS, BLOCKS)})
    print("The medians are to be at least 1.00, with a window to tftpd-hpa 2.00; those to loops"
          "\nthat look at nothing, near 1.00.")
    print()
    print_memory("TFTP", tftp_memory(MIB), tftp_memory(GIB))


# -- Memory ------------------------------------------------------------------


def ftp_memory(size: int) -> list[Took]:
    """What server and client took for one file of SIZE bytes."""
    with place(size) as here:
        server = here.start("timed", "/lab/server", "-p", str(OURS), "-u", ACCOUNT)
        here.lab.wait_listening(server, OURS)
        client = here.fetch(Way(PAIR, our_client(OURS, "-u", ACCOUNT)))
        return [ended(here.lab, server), client]


def tftp_memory(size: int) -> list[Took]:
    """The same for TFTP, in windows."""
    with place(size) as here:
        server = here.start("timed", "/lab/udp_server", "-p", str(OURS))
        here.lab.wait_bound(server, OURS)
        client = here.fetch(Way(WINDOWS, our_tftp("-b", str(BLOCK), "-w", str(WINDOW))))
        return [ended(here.lab, server), client]


def ended(lab: Meeting, server: Program) -> Took:
    """What SERVER took, which is ended as its user would."""
    server.send_signal(signal.SIGTERM)
    lab.expect_exit(server, 0)
    return told_by(server)


# -- For a terminal of 80 columns --------------------------------------------


def print_speeds(title: str, results: Results) -> None:
    """The median of each way."""
    print(f"{title:<36}{'seconds':>10}{'MB/s':>10}")
    for name, seconds in results.seconds.items():
        median = statistics.median(seconds)
        print(f"{name:<36}{median:>10.3f}{results.size / median / 1e6:>10,.0f}")
    print()


def print_memory(title: str, small: list[Took], big: list[Took]) -> None:
    """What server and client had at most, for a file of 1 MiB and of 1 GiB."""
    print(f"{title + ', memory at most (KiB)':<36}{'1 MiB':>10}{'1 GiB':>10}")
    for name, one, other in zip(("our server", "our client"), small, big):
        print(f"{name:<36}{one.memory // 1024:>10,}{other.memory // 1024:>10,}")
