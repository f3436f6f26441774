"""harness/setup on machines made of stubs: a PATH that holds only what a test puts there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Sequence

import pytest

SETUP = Path(__file__).resolve().parent.parent / "setup"
TOOLS = ("dirname", "env", "ln", "mkdir", "mktemp", "mv", "rm", "sh", "sort", "touch", "tr")
PEERS = {"vsftpd": "vsftpd", "tftpd-hpa": "in.tftpd", "atftpd": "atftpd"}
"""The servers that are only unpacked: package and program."""
ALL_PEERS = {**PEERS, "argus-server": "argus"}
"""With what is measured beside labcap."""

UNPACK = """[ "$1" = -x ] && [ -e "$2" ] || exit
case $2 in *vsftpd_*) name=vsftpd ;; *atftpd_*) name=atftpd ;;
    *argus-server_*) name=argus ;; *) name=in.tftpd ;; esac
mkdir -p "$3/usr/sbin" && ln -s "$HERE/bin/sh" "$3/usr/sbin/$name"
"""
"""What dpkg does: 'dpkg -x DEB FOLDER'."""


class Machine:
    """A copy of harness/setup with its own PATH; what its commands are given is in log()."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self.harness = folder / "suite" / "harness"
        self.harness.mkdir(parents=True)
        shutil.copy2(SETUP, self.harness)
        self.script(self.harness / "python", 'shift 2; echo "python $*" >>"$LOG"; echo "$LACKING"')
        self.command("cc", 'case $1 in -E) ;; *) echo "/lib/${1#*=}" ;; esac', logged=False)
        for name in ("make", "bwrap", "ncat", "nft", "curl", "strace", "tmux", "ip", "ethtool",
                     "groff", "zstd", "zsh", "fish", "tshark", "tcptrace", "valgrind", "xmllint",
                     "prove", "lftp", "tftp", "atftp", "chromium"):
            self.command(name)
        self.command("dpkg", UNPACK)
        self.user(0)
        for package in ALL_PEERS:
            self.unpack(package)

    def command(self, name: str, body: str = "", logged: bool = True) -> None:
        """Puts command NAME there, which notes its arguments and then does BODY."""
        note = f'echo "{name} $*" >>"$LOG"\n' if logged else ""
        self.script(self.bin / name, note + body)

    def user(self, number: int) -> None:
        self.command("id", f"echo {number}")

    def lack(self, *names: str) -> None:
        for name in names:
            (self.bin / name).unlink()

    def peer(self, package: str) -> Path:
        """Where the program of PACKAGE, one of ALL_PEERS, is looked for."""
        return self.harness.parent / "out/peers" / package / "usr/sbin" / ALL_PEERS[package]

    def unpack(self, package: str) -> None:
        self.peer(package).parent.mkdir(parents=True)
        self.script(self.peer(package), "")

    def clean(self) -> None:
        """As 'make clean' does."""
        shutil.rmtree(self.harness.parent / "out")

    def apt(
        self, *brings: str, simulate: str = "true", install: str = "true", download: str = "true",
    ) -> None:
        """An apt-get whose installing does INSTALL and, where that succeeds, brings commands.

        SIMULATE is what 'install -s' does, DOWNLOAD what comes before a download, which makes
        an empty .deb of each of ALL_PEERS that it is given. After 'update' there is a file 'lists',
        after an installation a file 'installed', in the folder where setup is run.
        """
        links = "".join(f" && ln -s sh bin/{name}" for name in brings)
        self.command("apt-get", f"""case " $* " in
*" -s "*) {simulate} ;;
*" update ") touch lists ;;
*" download "*) {download} || exit
    for name; do case $name in [a-z]*d | *-hpa | argus-*) touch "${{name}}_1_all.deb" ;; esac; done ;;
*) echo noise; echo "frontend $DEBIAN_FRONTEND" >>"$LOG"; {install} && touch installed{links} ;;
esac""")

    def run(self, *arguments: str, lacking: str = "", stdin: int = subprocess.DEVNULL,
            session: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Runs setup; LACKING are the modules that the Python does not have.

        SESSION are setsid's arguments where setup has a session of its own.
        """
        setsid = [shutil.which("setsid") or "setsid", "--wait", *session] if session else []
        environment = {"PATH": str(self.bin), "LOG": str(self.folder / "log"),
                       "LACKING": lacking, "HERE": str(self.folder)}
        return subprocess.run(
            [*setsid, self.harness / "setup", *arguments], env=environment, stdin=stdin,
            cwd=self.folder, capture_output=True, text=True, timeout=20,
        )

    def log(self) -> list[str]:
        """A line for each command that ran, in order, with its arguments."""
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def installed(self) -> list[str]:
        """The log's lines of real installations: no simulation, no 'apt-get update'."""
        return [line for line in self.log()
                if line.startswith("apt-get") and " install " in line and " -s " not in line]

    def updates(self) -> int:
        return sum(line.endswith(" update") for line in self.log())

    def downloaded(self) -> list[list[str]]:
        """The packages of each download."""
        return [line.split(" download ")[1].split() for line in self.log()
                if line.startswith("apt-get") and " download " in line]

    @staticmethod
    def script(path: Path, body: str) -> None:
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def terminal() -> Iterator[int]:
    """The descriptor of a terminal that nobody types at."""
    ours, theirs = os.openpty()
    yield theirs
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize("arguments", [(), ("build",), ("grade",), ("watch",), ("test",),
                                       ("bench",)])
def test_nothing_is_called_or_said_when_nothing_is_missing(
    machine: Machine, arguments: tuple[str, ...]
) -> None:
    machine.apt()
    machine.command("sudo")
    result = machine.run(*arguments)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert all(line.startswith("python") for line in machine.log())


@pytest.mark.parametrize("arguments", [("all",), ("grade", "test"), ("",), ("--help",)])
def test_another_argument_is_a_usage_error(machine: Machine, arguments: tuple[str, ...]) -> None:
    result = machine.run(*arguments)
    assert result.returncode == 2
    assert result.stderr == "usage: harness/setup [build|grade|watch|test|bench]\n"


def test_root_installs_just_what_is_missing_and_no_package_asks(machine: Machine) -> None:
    machine.lack("ncat")
    machine.apt("ncat")
    result = machine.run("grade")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert result.stderr == "setup: installing ncat\nnoise\n"
    [install] = machine.installed()
    assert install.endswith(" install --no-install-recommends --no-remove ncat")
    assert "frontend noninteractive" in machine.log()
    assert machine.updates() == 0


LEVELS = ("build", "grade", "watch", "test", "bench")
FIRST_NEEDED = {
    "grade": {"strace": "strace"},
    "watch": {"tmux": "tmux"},
    "test": {"groff": "groff-base", "zstd": "zstd", "zsh": "zsh", "fish": "fish",
             "tshark": "tshark", "tcptrace": "tcptrace",
             "xmllint": "libxml2-utils", "prove": "perl", "lftp": "lftp",
             "tftp": "tftp-hpa", "atftp": "atftp",
             "chromium": "chromium"},
}
"""Commands and their packages, by the level from which on they are needed."""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("first, command, package", [
    (first, command, package) for first, needs in FIRST_NEEDED.items()
    for command, package in needs.items()])
def test_a_level_needs_its_tools_and_those_of_the_levels_before(
    machine: Machine, level: str, first: str, command: str, package: str
) -> None:
    machine.lack(command)
    machine.apt(command)
    assert machine.run(level).returncode == 0
    wanted = LEVELS.index(level) >= LEVELS.index(first)
    assert [line.split()[-1] for line in machine.installed()] == [package] * wanted


@pytest.mark.parametrize("level, wanted", [("grade", False), ("watch", False), ("test", True),
                                           ("bench", True)])
def test_what_only_tests_import_is_wanted_of_python_where_it_is_used(
    machine: Machine, level: str, wanted: bool
) -> None:
    machine.run(level)
    assert machine.log() == ["python pytest xdist scapy jinja2" + " pyftpdlib jsonschema" * wanted]


@pytest.mark.parametrize("level, wanted", [("build", False), ("grade", True), ("test", True),
                                           ("bench", True)])
def test_building_needs_no_python_module(machine: Machine, level: str, wanted: bool) -> None:
    machine.apt()
    machine.run(level, lacking="xdist scapy")
    assert any(line.startswith("python") for line in machine.log()) == wanted
    assert [line.split()[-2:] for line in machine.installed()] == [
        ["python3-pytest-xdist", "python3-scapy"]
    ] * wanted


@pytest.mark.parametrize("browser", ["chromium-browser", "google-chrome"])
def test_a_browser_by_another_name_will_do(machine: Machine, browser: str) -> None:
    machine.lack("chromium")
    machine.command(browser)
    machine.apt()
    assert machine.run("test").returncode == 0
    assert machine.installed() == []


def test_a_header_counts_by_being_there(machine: Machine) -> None:
    machine.command("cc", "case $1 in -E) [ -e installed ] ;; esac")
    machine.apt()
    result = machine.run("build")
    assert result.returncode == 0, result.stderr
    assert machine.installed()[0].endswith(" libc6-dev libpcap-dev")


@pytest.mark.parametrize("level, wanted", [("grade", False), ("test", False), ("bench", True)])
def test_only_measuring_needs_the_event_libraries(
    machine: Machine, level: str, wanted: bool
) -> None:
    machine.command("cc", """[ "$1" = -E ] || { echo /lib/a.so; exit; }
read -r line
case $line in *"<uv.h>" | *"<ev.h>") [ -e installed ] ;; esac""")
    machine.apt()
    machine.run(level)
    assert [line.split()[-2:] for line in machine.installed()] == [
        ["libev-dev", "libuv1-dev"]
    ] * wanted


def test_the_sanitizers_library_counts_by_being_there(machine: Machine) -> None:
    machine.command("cc", "case $1 in -E) ;; *) [ ! -e installed ] || echo /lib/a.so ;; esac")
    machine.apt()
    assert machine.run("grade").returncode == 0
    assert machine.installed() == []
    assert machine.run("test").returncode == 0
    assert machine.installed()[0].endswith(" gcc libwrap0")


def test_lists_are_fetched_first_where_apt_does_not_know_the_packages(machine: Machine) -> None:
    machine.lack("ncat")
    machine.apt("ncat", simulate="[ -e lists ]", install="[ -e lists ]")
    assert machine.run().returncode == 0
    assert (len(machine.installed()), machine.updates()) == (1, 1)


def test_old_lists_are_fetched_again_when_installing_fails(machine: Machine) -> None:
    machine.lack("ncat")
    machine.apt("ncat", install="[ -e lists ]")
    assert machine.run().returncode == 0
    assert (len(machine.installed()), machine.updates()) == (2, 1)


def test_a_failing_apt_is_tried_twice_and_then_named(machine: Machine) -> None:
    machine.lack("ncat")
    machine.apt("ncat", install="echo no network >&2 && false")
    result = machine.run()
    assert result.returncode == 1
    assert result.stderr.endswith("no network\n"
                                  "setup: missing: ncat\n"
                                  "setup: apt-get failed (its message is above); once it works:\n"
                                  "setup:   apt-get install ncat\n")
    assert (len(machine.installed()), machine.updates()) == (2, 1)


def test_a_package_that_brings_nothing_is_told(machine: Machine) -> None:
    machine.lack("ncat")
    machine.apt()
    result = machine.run()
    assert result.returncode == 1
    assert result.stderr.splitlines()[-2:] == [
        "setup: missing: ncat",
        "setup: apt-get installed the packages, yet these are not found; is PATH right?",
    ]


def test_a_python_that_refuses_speaks_for_itself(machine: Machine) -> None:
    machine.apt()
    machine.script(machine.harness / "python", "echo it is too old >&2; exit 3")
    result = machine.run()
    assert result.returncode == 1
    assert result.stderr.splitlines()[-3] == "it is too old"


def test_an_ordinary_user_installs_with_sudo(machine: Machine) -> None:
    machine.user(1000)
    machine.lack("ncat")
    machine.apt("ncat")
    machine.command("sudo", 'case $1 in -n) ;; *) "$@" ;; esac')
    assert machine.run().returncode == 0
    assert [line for line in machine.log() if line.startswith("sudo")] == [
        "sudo -n true",
        "sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "
        "install --no-install-recommends --no-remove ncat",
    ]


def test_sudo_may_ask_on_a_terminal(machine: Machine, terminal: int) -> None:
    machine.user(1000)
    machine.lack("ncat")
    machine.apt("ncat")
    machine.command("sudo", 'case $1 in -n) exit 1 ;; *) "$@" ;; esac')
    result = machine.run(stdin=terminal, session=["--ctty"])
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("setup: sudo may ask for your password\n")
    assert len(machine.installed()) == 1


@pytest.mark.parametrize("session", [["--fork"], ["--ctty", "sh", "-c", '"$0" </dev/null']],
                         ids=["no-controlling-terminal", "stdin-closed"])
def test_sudo_does_not_ask_where_nobody_would_answer(
    machine: Machine, terminal: int, session: list[str]
) -> None:
    machine.user(1000)
    machine.lack("ncat")
    machine.apt("ncat")
    machine.command("sudo", "exit 1")
    result = machine.run(stdin=terminal, session=session)
    assert result.returncode == 1
    assert "there is no terminal to ask on" in result.stderr
    assert machine.installed() == []


def test_without_a_terminal_a_sudo_that_wants_a_password_is_told(machine: Machine) -> None:
    machine.user(1000)
    machine.lack("ncat")
    machine.apt("ncat")
    machine.command("sudo", "exit 1")
    result = machine.run("test", lacking="scapy")
    assert result.returncode == 1
    assert result.stderr == (
        "setup: missing: Python module scapy, ncat\n"
        "setup: sudo wants a password and there is no terminal to ask on; run first, in one:\n"
        "setup:   sudo apt-get install ncat python3-scapy\n"
    )
    assert machine.installed() == []


def test_without_sudo_the_administrators_command_is_named(machine: Machine) -> None:
    machine.user(1000)
    machine.lack("make")
    machine.apt("make")
    result = machine.run()
    assert result.returncode == 1
    assert result.stderr == (
        "setup: missing: make\n"
        "setup: you are not root and sudo is not installed; ask an administrator to run:\n"
        "setup:   apt-get install make\n"
    )
    assert machine.installed() == []


# -- The servers that are unpacked and never installed ------------------------


@pytest.mark.parametrize("level", ["build", "grade"])
def test_building_and_grading_unpack_nothing(machine: Machine, level: str) -> None:
    machine.clean()
    machine.apt()
    assert machine.run(level).returncode == 0
    assert machine.downloaded() == []


@pytest.mark.parametrize("level, wanted", [("test", list(PEERS)), ("bench", list(ALL_PEERS))])
def test_servers_are_unpacked_without_rights_and_nothing_is_installed(
    machine: Machine, level: str, wanted: list[str]
) -> None:
    machine.user(1000)
    machine.clean()
    machine.apt()
    result = machine.run(level)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"setup: unpacking {' '.join(wanted)}\n"
    assert machine.downloaded() == [wanted]
    assert machine.installed() == []
    assert all(os.access(machine.peer(package), os.X_OK) for package in wanted)
    folder = machine.harness.parent / "out/peers"
    assert sorted(path.name for path in folder.iterdir()) == sorted(wanted)


@pytest.mark.parametrize("package", PEERS)
def test_only_the_server_that_is_missing_is_unpacked(machine: Machine, package: str) -> None:
    shutil.rmtree(machine.peer(package).parent)  # as an unpacking that was broken off leaves it
    machine.apt()
    assert machine.run("test").returncode == 0
    assert machine.downloaded() == [[package]]
    assert machine.peer(package).exists()


def test_what_is_installed_does_not_need_the_unpacked_and_the_other_way_round(
    machine: Machine
) -> None:
    machine.clean()
    machine.lack("lftp")
    machine.apt("lftp")
    assert machine.run("test").returncode == 0
    assert [line.split()[-1] for line in machine.installed()] == ["lftp"]
    assert len(machine.downloaded()) == 1


def test_lists_are_fetched_before_a_second_download(machine: Machine) -> None:
    machine.clean()
    machine.apt(download='[ -e "$HERE/lists" ]')
    result = machine.run("test")
    assert result.returncode == 0, result.stderr
    assert (len(machine.downloaded()), machine.updates()) == (2, 1)


def test_without_rights_the_fetching_of_lists_is_named(machine: Machine) -> None:
    machine.user(1000)
    machine.clean()
    machine.apt(download="false")
    result = machine.run("test")
    assert result.returncode == 1
    assert result.stderr.endswith("ask an administrator to run:\nsetup:   apt-get update\n")
    assert machine.updates() == 0


def test_a_failing_download_is_named_and_leaves_nothing(machine: Machine) -> None:
    machine.clean()
    machine.apt(download="echo no network >&2 && false")
    result = machine.run("test")
    assert result.returncode == 1
    assert result.stderr.endswith(
        "no network\n"
        "setup: missing: vsftpd, in.tftpd, atftpd\n"
        "setup: apt-get failed (its message is above); what it is to do once it works:\n"
        "setup:   apt-get download vsftpd tftpd-hpa atftpd\n")
    assert list((machine.harness.parent / "out/peers").iterdir()) == []


def test_a_package_that_cannot_be_unpacked_is_named_and_leaves_nothing(machine: Machine) -> None:
    machine.clean()
    machine.command("dpkg", "exit 2")
    machine.apt()
    result = machine.run("test")
    assert result.returncode == 1
    assert result.stderr.endswith("setup:   apt-get download vsftpd tftpd-hpa atftpd\n")
    assert list((machine.harness.parent / "out/peers").iterdir()) == []


def test_where_nothing_can_be_unpacked_installed_servers_count(machine: Machine) -> None:
    machine.clean()
    for command in PEERS.values():
        machine.command(command)
    machine.command("dnf")
    result = machine.run("test")
    assert (result.returncode, result.stderr) == (0, "")
    machine.lack("vsftpd", "in.tftpd")
    result = machine.run("test")
    assert result.returncode == 1
    assert result.stderr == ("setup: missing: vsftpd, in.tftpd\n"
                             "setup: install with:  sudo dnf install vsftpd tftp-server\n")


# -- Elsewhere ----------------------------------------------------------------

ELSEWHERE = {
    "dnf": "install with:  sudo dnf install gcc libpcap-devel python3-scapy bubblewrap nmap-ncat",
    "pacman": "install with:  sudo pacman -S --needed gcc libpcap scapy bubblewrap nmap",
    "brew": "install with:  brew install gcc libpcap nmap\n"
    "setup:          and:  python3 -m pip install scapy\n"
    "setup: grading needs Linux, for instance in a virtual machine (docs/troubleshooting.md)",
    "other": "no apt-get, dnf, pacman or brew here; Debian's names of the packages:  "
    "gcc libpcap-dev libc6-dev python3-scapy bubblewrap ncat",
}


@pytest.mark.parametrize("manager", ELSEWHERE)
def test_elsewhere_the_packages_are_named_and_nothing_is_run(
    machine: Machine, manager: str
) -> None:
    machine.lack("cc", "bwrap", "ncat")
    machine.command(manager)
    result = machine.run(lacking="scapy")
    assert result.returncode == 1
    assert result.stderr == (
        "setup: missing: cc, <pcap/pcap.h>, Python module scapy, bwrap, ncat\n"
        f"setup: {ELSEWHERE[manager]}\n"
    )
    assert machine.log() == ["python pytest xdist scapy jinja2"]
