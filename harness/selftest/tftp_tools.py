"""TFTP servers and TFTP clients: the lab's and those of others, all used in the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Optional, Sequence

from labkit.folders import Folder
from labkit.program import Program
from meeting import STALLED, Meeting, url_host, use

PORT = 6666
BLOCK = 512
"""Bytes of a block where no option says otherwise."""


class Options(NamedTuple):
    """What a client asks for; None is not asked for."""

    blksize: Optional[int] = None
    windowsize: Optional[int] = None
    tsize: bool = False
    timeout: Optional[int] = None

    @property
    def block(self) -> int:
        return self.blksize or BLOCK

    def __str__(self) -> str:
        said = [f"{name}-{value}" for name, value in self._asdict().items() if value]
        return "-".join(said) or "plain"


# -- Servers -----------------------------------------------------------------


def start_ours(
    lab: Meeting, folder: Folder, address: str, port: int = PORT
) -> Program:
    return lab.start_datagram_server(
        "udp_server", "-a", address, "-p", str(port), "-w", "-d", folder.inside, port=port,
        address=address, folder=folder)


def start_tftpd_hpa(
    lab: Meeting, folder: Folder, address: str, port: int = PORT
) -> Program:
    return lab.start_datagram_server(
        "tftpd", "-L", "-a", f"{url_host(address)}:{port}", "-u", "student", "-p", "-c", "-s",
        folder.inside, port=port, address=address, folder=folder)


def start_atftpd(
    lab: Meeting, folder: Folder, address: str, port: int = PORT
) -> Program:
    return lab.start_datagram_server(
        "atftpd", "--daemon", "--no-fork", "--port", str(port), "--bind-address", address,
        "--user", "student", "--group", "student", "--logfile", "/dev/null", folder.inside,
        port=port, address=address, folder=folder)


# -- Clients -----------------------------------------------------------------


class Client(ABC):
    """A client that moves files between a server's folder and its own."""

    def __init__(
        self, lab: Meeting, folder: Folder, address: str, options: Options = Options()
    ) -> None:
        self.lab, self.folder, self.address, self.options = lab, folder, address, options

    @abstractmethod
    def get(self, *names: str) -> Any:
        """Fetches files, which have their NAMES here then."""

    @abstractmethod
    def put(self, *names: str) -> Any:
        """Stores files under their NAMES."""

    def each(self, names: Sequence[str], *command: str) -> Program:
        """Runs COMMAND for each of NAMES, which is $name in it; each must succeed."""
        return use(self.lab, self.folder, "sh", "-c",
                   f'for name; do {" ".join(command)} || exit; done', "sh", *names)


class TftpHpa(Client):
    """It knows no options. Its exit status tells nothing: the files do."""

    def get(self, *names: str) -> None:
        self.each(names, "tftp", "-m octet", self.address, str(PORT), '-c get "$name"')

    def put(self, *names: str) -> None:
        self.each(names, "tftp", "-m octet", self.address, str(PORT), '-c put "$name"')


class Atftp(Client):
    def get(self, *names: str) -> None:
        self._each(names, '-g -r "$name" -l "$name"')

    def put(self, *names: str) -> None:
        self._each(names, '-p -l "$name" -r "$name"')

    def _each(self, names: Sequence[str], what: str) -> None:
        asked = {"blksize": self.options.blksize, "windowsize": self.options.windowsize,
                 "timeout": self.options.timeout, "tsize": 0 if self.options.tsize else None}
        options = [f'--option "{name} {value}"' for name, value in asked.items()
                   if value is not None]
        self.each(names, "atftp", *options, what, self.address, str(PORT), "2>&1")


class Curl(Client):
    """It always asks for tsize, blksize and timeout, where it is not told to ask for none."""

    def get(self, *names: str) -> None:
        self._curl("--remote-name-all", *(self._url + name for name in names))

    def put(self, *names: str) -> None:
        self._curl("-T", "{" + ",".join(names) + "}", self._url)

    @property
    def _url(self) -> str:
        return f"tftp://{url_host(self.address)}:{PORT}/"

    def _curl(self, *args: str) -> None:
        size = self.options.blksize
        asked = ["--tftp-blksize", str(size)] if size else ["--tftp-no-options"]
        use(self.lab, self.folder, "curl", "-sS", "--fail-early", *STALLED, *asked, *args)


class Ours(Client):
    """The lab's, once for each file."""

    def get(self, *names: str) -> None:
        self._each("get", names)

    def put(self, *names: str) -> None:
        self._each("put", names)

    def _each(self, what: str, names: Sequence[str]) -> None:
        asked = {"-b": self.options.blksize, "-w": self.options.windowsize}
        options = [word for option, value in asked.items() if value is not None
                   for word in (option, str(value))]
        for name in names:
            program = self.lab.start("udp_client", "-p", str(PORT), *options, self.address, what,
                                     name, folder=self.folder)
            self.lab.expect_exit(program, 0)
