"""FTP servers and FTP clients: the lab's and those of others, all used in the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Optional, Sequence

from labkit.folders import Folder
from labkit.program import Program
from meeting import PYTHON, STALLED, Meeting, url_host, use

PORT = 2121
USER, PASSWORD = "ann", "se:cret"


class Site(NamedTuple):
    """A server as its clients are told of it."""

    address: str
    user: str = USER
    password: str = PASSWORD
    program: Optional[Program] = None
    port: int = PORT

    @property
    def url(self) -> str:
        return f"ftp://{url_host(self.address)}:{self.port}/"


# -- Servers -----------------------------------------------------------------


def start_ours(lab: Meeting, folder: Folder, address: str, port: int = PORT) -> Site:
    program = lab.start_server(
        "server", "-a", address, "-p", str(port), "-u", f"{USER}:{PASSWORD}", "-d", folder.inside,
        port=port, address=address, folder=folder)
    return Site(address, program=program, port=port)


def start_ours_for_anyone(lab: Meeting, folder: Folder, address: str) -> Site:
    program = lab.start_server("server", "-a", address, "-p", str(PORT), port=PORT,
                               address=address, folder=folder)
    return Site(address, "anonymous", "me@example.org", program)


def start_vsftpd(lab: Meeting, folder: Folder, address: str, port: int = PORT) -> Site:
    """Users need PAM, which a sandbox does not have: anonymous, who may write."""
    settings = {
        "background": "NO", "run_as_launching_user": "YES", "seccomp_sandbox": "NO",
        "isolate": "NO", "isolate_network": "NO", "nopriv_user": "student",
        "listen": "NO", "listen_ipv6": "NO", "listen_port": port, "anonymous_enable": "YES",
        "ftp_username": "student", "anon_root": folder.inside, "anon_umask": "022",
        "anon_world_readable_only": "NO", "allow_writeable_chroot": "YES",
        "write_enable": "YES", "anon_upload_enable": "YES", "anon_other_write_enable": "YES",
    }
    if ":" in address:
        settings.update(listen_ipv6="YES", listen_address6=address)
    else:
        settings.update(listen="YES", listen_address=address)
    program = lab.start_server("vsftpd", *(f"-o{key}={value}" for key, value in settings.items()),
                               port=port, address=address, folder=folder)
    return Site(address, "anonymous", "me@example.org", program, port)


def start_pyftpdlib(lab: Meeting, folder: Folder, address: str) -> Site:
    program = lab.start_tool(
        PYTHON, "-Wignore", "-m", "pyftpdlib", "-i", address, "-p", str(PORT), "-w",
        "-u", USER, "-P", PASSWORD, "-d", folder.inside, folder=folder)
    lab.wait_listening(program, PORT, address)
    return Site(address, program=program)


# -- Clients -----------------------------------------------------------------


class Client(ABC):
    """A client that moves files between a server's folder and its own."""

    def __init__(self, lab: Meeting, folder: Folder, site: Site, active: bool = False) -> None:
        self.lab, self.folder, self.site, self.active = lab, folder, site, active

    @abstractmethod
    def get(self, *names: str) -> Any:
        """Fetches files, which have their NAMES here then."""

    @abstractmethod
    def put(self, *names: str) -> Any:
        """Stores files under their NAMES."""

    @abstractmethod
    def names(self) -> list[str]:
        """The names of the server's files."""

    def use(self, name: str, *args: str, **how: Any) -> list[str]:
        """Runs program NAME to its end, which must be a success; the lines that it prints."""
        return use(self.lab, self.folder, name, *args, **how).stdout.decode().splitlines()


class Curl(Client):
    """One control connection, as all the files are asked for at once."""

    options: Sequence[str] = ()

    def get(self, *names: str) -> None:
        self._curl("--remote-name-all", *(self.site.url + name for name in names))

    def put(self, *names: str) -> None:
        self._curl("-T", "{" + ",".join(names) + "}", self.site.url)

    def names(self) -> list[str]:
        return self._curl("--list-only", self.site.url)

    def _curl(self, *args: str) -> list[str]:
        active = ["--ftp-port", "-"] if self.active else []
        return self.use("curl", "-sS", "--fail-early", *STALLED, *self.options, *active,
                        "-u", f"{self.site.user}:{self.site.password}", *args)


class OldCurl(Curl):
    """PASV and PORT, where curl would say EPSV and EPRT."""

    options = ("--disable-epsv", "--disable-eprt")


class Lftp(Client):
    def __init__(self, lab: Meeting, folder: Folder, site: Site, active: bool = False) -> None:
        super().__init__(lab, folder, site, active)
        if ":" in site.address:  # without another address than ::1 it sees no IPv6 at all
            lab.administer("ip", "address", "replace", "fd09::9/128", "dev", "lo")

    def get(self, *names: str) -> None:
        self.run("mget " + " ".join(names))

    def put(self, *names: str) -> None:
        self.run("mput " + " ".join(names))

    def names(self) -> list[str]:
        return self.run("nlist")

    def run(self, command: str) -> list[str]:
        """What lftp prints at COMMAND."""
        commands = [
            "set cmd:fail-exit yes", "set net:max-retries 1", "set net:timeout 5",
            f"set ftp:passive-mode {'no' if self.active else 'yes'}",
            f"open -u {self.site.user},{self.site.password} {self.site.url}", command]
        return self.use("lftp", "-c", "; ".join(commands))


class Ftplib(Client):
    """Python's own; PASV and PORT over IPv4, else EPSV and EPRT."""

    script = """
import ftplib, sys
host, port, user, password, active, what, *names = sys.argv[1:]
ftp = ftplib.FTP(timeout=10)
ftp.connect(host, int(port))
ftp.login(user, password)
ftp.set_pasv(active == "False")
for name in names:
    if what == "get":
        with open(name, "wb") as file:
            ftp.retrbinary("RETR " + name, file.write)
    elif what == "put":
        with open(name, "rb") as file:
            ftp.storbinary("STOR " + name, file)
    elif what == "get-text":
        with open(name, "w", newline="") as file:
            ftp.retrlines("RETR " + name, lambda line: file.write(line + "\\n"))
    elif what == "put-text":
        with open(name, "rb") as file:
            ftp.storlines("STOR " + name, file)
if what == "names":
    print(*ftp.nlst(), sep="\\n")
ftp.quit()
"""

    def get(self, *names: str) -> None:
        self._run("get", *names)

    def put(self, *names: str) -> None:
        self._run("put", *names)

    def get_text(self, *names: str) -> None:
        self._run("get-text", *names)

    def put_text(self, *names: str) -> None:
        self._run("put-text", *names)

    def names(self) -> list[str]:
        return self._run("names")

    def _run(self, what: str, *names: str) -> list[str]:
        site = self.site
        return self.use(PYTHON, "-Wignore", "-c", self.script, site.address, str(site.port),
                        site.user, site.password, str(self.active), what, *names)


class Ours(Client):
    """The lab's: all in one session, and always passive."""

    def get(self, *names: str) -> None:
        self._session(f"get {name}" for name in names)

    def put(self, *names: str) -> None:
        self._session(f"put {name}" for name in names)

    def names(self) -> list[str]:
        return self._session(["ls"])

    def _session(self, commands: Any) -> list[str]:
        user = [] if self.site.user == "anonymous" else ["-u", f"{USER}:{PASSWORD}"]
        program = self.lab.start("client", "-p", str(self.site.port), *user, self.site.address,
                                 stdin="".join(f"{line}\n" for line in commands).encode(),
                                 folder=self.folder)
        self.lab.expect_exit(program, 0)
        return program.stdout.decode().splitlines()
