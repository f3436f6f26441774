"""harness/setup on machines made of stubs: a PATH that holds only what a test puts there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Sequence

import pytest

SETUP = Path(__file__).resolve().parent.parent / "setup"
TOOLS = ("dirname", "env", "ln", "sh", "sort", "touch", "tr")


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
        shutil.copy2(SETUP, folder / "setup")
        self.script(folder / "python", 'echo python >>"$LOG"; echo "$LACKING"')
        self.command("cc", 'case $1 in -E) ;; *) echo "/lib/${1#*=}" ;; esac', logged=False)
        for name in ("make", "bwrap", "ncat", "nft", "ip", "ethtool", "tshark"):
            self.command(name)
        self.user(0)

    def command(self, name: str, body: str = "", logged: bool = True) -> None:
        """Puts command NAME there, which notes its arguments and then does BODY."""
        note = f'echo "{name} $*" >>"$LOG"\n' if logged else ""
        self.script(self.bin / name, note + body)

    def user(self, number: int) -> None:
        self.command("id", f"echo {number}")

    def lack(self, *names: str) -> None:
        for name in names:
            (self.bin / name).unlink()

    def apt(self, *brings: str, simulate: str = "true", install: str = "true") -> None:
        """An apt-get whose installing does INSTALL and, where that succeeds, brings commands.

        SIMULATE is what 'install -s' does. After 'update' there is a file 'lists', after an
        installation a file 'installed', in the folder where both are run.
        """
        links = "".join(f" && ln -s sh bin/{name}" for name in brings)
        self.command("apt-get", f"""case " $* " in
*" -s "*) {simulate} ;;
*" update ") touch lists ;;
*) echo noise; echo "frontend $DEBIAN_FRONTEND" >>"$LOG"; {install} && touch installed{links} ;;
esac""")

    def run(self, *arguments: str, lacking: str = "", stdin: int = subprocess.DEVNULL,
            session: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Runs setup; LACKING are the modules that the Python does not have.

        SESSION are setsid's arguments where setup has a session of its own.
        """
        setsid = [shutil.which("setsid") or "setsid", "--wait", *session] if session else []
        environment = {"PATH": str(self.bin), "LOG": str(self.folder / "log"),
                       "LACKING": lacking}
        return subprocess.run(
            [*setsid, self.folder / "setup", *arguments], env=environment, stdin=stdin,
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


@pytest.mark.parametrize("arguments", [(), ("build",), ("grade",), ("test",), ("bench",)])
def test_nothing_is_called_or_said_when_nothing_is_missing(
    machine: Machine, arguments: tuple[str, ...]
) -> None:
    machine.apt()
    machine.command("sudo")
    result = machine.run(*arguments)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert set(machine.log()) <= {"python"}


@pytest.mark.parametrize("arguments", [("all",), ("grade", "test"), ("",), ("--help",)])
def test_another_argument_is_a_usage_error(machine: Machine, arguments: tuple[str, ...]) -> None:
    result = machine.run(*arguments)
    assert result.returncode == 2
    assert result.stderr == "usage: harness/setup [build|grade|test|bench]\n"


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


@pytest.mark.parametrize("level, wanted", [("build", False), ("grade", False), ("test", True),
                                           ("bench", True)])
def test_tests_and_measuring_need_tshark(machine: Machine, level: str, wanted: bool) -> None:
    machine.lack("tshark")
    machine.apt("tshark")
    assert machine.run(level).returncode == 0
    assert [line.split()[-1] for line in machine.installed()] == ["tshark"] * wanted


@pytest.mark.parametrize("level, wanted", [("build", False), ("grade", True), ("test", True),
                                           ("bench", True)])
def test_building_needs_no_python_module(machine: Machine, level: str, wanted: bool) -> None:
    machine.apt()
    machine.run(level, lacking="xdist scapy")
    assert ("python" in machine.log()) == wanted
    assert [line.split()[-2:] for line in machine.installed()] == [
        ["python3-pytest-xdist", "python3-scapy"]
    ] * wanted


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
    assert machine.installed()[0].endswith(" gcc")


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
    machine.script(machine.folder / "python", "echo it is too old >&2; exit 3")
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
    assert machine.log() == ["python"]
