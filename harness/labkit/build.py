"""Building a submission, or the labs themselves, in a copy and inside the sandbox."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import selectors
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

from labkit import sandbox
from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import HarnessError, Mismatch, clean, clean_line
from labkit.network import NO_NAMESPACES
from labkit.intake import Refused, copy_reference, copy_submission, misplaced
from labkit.paths import LABS
from labkit.processes import tree_of
from labkit.trees import DEPTH, measure

PROGRAMS = {
    "01-tcp-echo": ("server", "client", "server_fork", "server_thread", "server_poll",
                    "hello_server", "prompt_server"),
    "02-p2p-chat": ("turn_server", "turn_client", "server", "client"),
    "03-udp": ("server", "client", "peer"),
    "04-file-transfer": ("send_server", "send_client", "server", "client", "udp_server",
                         "udp_client"),
}
"""The programs of each lab, as its table names them."""

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
"""What make takes, in its order."""

DEADLINE = 60.0
"""Seconds one build may take."""
LOG_BYTES = 64 * 1024
"""Bytes of make's output that are kept."""
OUTPUT_BYTES = 64 * 1024 * 1024
"""Bytes of output after which make is ended."""
FOLDER_BYTES = 512 * 1024 * 1024
FOLDER_FILES = 20_000
"""What a build may leave in its folder, at most."""
ERROR_LINES = 12
"""Lines of the compiler's message that feedback shows."""

_ERROR = re.compile(
    r"\berror\b|undefined reference|multiple definition|\*\*\*|No rule|^not built: ", re.I
)
_IN_A_FILE = re.compile(r"(?:\./)?([^\s:]+):\d+:(?:\d+:)? (?:fatal )?error: ")
_REFUSED = "refused: "
_LEFT_OUT = "left out: "
_MISPLACED = "not in its place: "
_UNDEFINED = re.compile(r"undefined reference to [`'\u2018](\w+)")
_IMPLICIT = re.compile(r"implicit declaration of function [`'\u2018](\w+)")


@dataclass(frozen=True)
class Build:
    """What came out of one build."""

    folder: Path
    programs: dict[str, Path]
    """The executables of the lab's table that are there."""
    log: str
    ok: bool
    """make succeeded and every program is there."""

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "programs": {name: str(path) for name, path in self.programs.items()},
            "log": self.log,
            "ok": self.ok,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Build:
        programs = {name: Path(path) for name, path in data["programs"].items()}
        return cls(Path(data["folder"]), programs, data["log"], data["ok"])

    def program(self, name: str) -> Path:
        """The executable NAME. Raises Mismatch, the compiler's message in it, if there is none."""
        if name in self.programs:
            return self.programs[name]
        expected = f"`make` builds {name}"
        lines = self.log.splitlines()
        about = re.compile(rf"\b{re.escape(name)}(\.[cho])?\b")
        errors = [i for i, line in enumerate(lines) if _ERROR.search(line)]
        own = [i for i in errors if about.search(lines[i]) and "No rule" not in lines[i]]
        if own or (self.folder / f"{name}.c").is_file() or self.log.startswith(_REFUSED):
            told = _compiler_errors(lines, name)
            linker = [] if told else _linkers_words(lines, name)
            first = (told or own or errors or [max(0, len(lines) - ERROR_LINES)])[0]
            shown = [line[:200] for line in (linker or lines[first:])[:ERROR_LINES]]
            seen = "\n".join(shown) or f"make said nothing, and made no {name}"
            raise Mismatch(expected, seen, cause="not-built")
        seen = f"there is no {name}.c, and make made no {name}"
        notes = [line for line in lines if line.startswith(_LEFT_OUT) and about.search(line)
                 or line.startswith(f"{_MISPLACED}{name}.c,")]
        raise Mismatch(expected, "\n".join([seen, *notes]), cause="program-missing")


def _compiler_errors(lines: Sequence[str], name: str) -> list[int]:
    """Which of make's LINES tell an error in NAME's own file, or else in a module's."""
    programs = {f"{program}.c" for programs in PROGRAMS.values() for program in programs}
    told = [(i, m[1]) for i, line in enumerate(lines) if (m := _IN_A_FILE.match(line))]
    own = [i for i, file in told if file == f"{name}.c"]
    return own or [i for i, file in told if file not in programs]


def _linkers_words(lines: Sequence[str], name: str) -> list[str]:
    """Those of make's LINES that the command that links NAME has said, its errors and on.

    It is echoed before them, and make says behind them that it failed. Before them stands where
    the compiler took what is undefined for a function: that tells how it is spelt, and where.
    """
    ends = [i for i, line in enumerate(lines) if line.startswith("make") and f": {name}]" in line]
    begins = [i for i, line in enumerate(lines[: ends[0]]) if f"-o {name} " in line] if ends else []
    if not begins:
        return []
    said = list(lines[begins[-1] + 1 : ends[0]])
    errors = list(itertools.dropwhile(lambda line: not _ERROR.search(line), said))
    undefined = {match[1] for line in errors for match in _UNDEFINED.finditer(line)}
    guessed: dict[str, str] = {}
    for line in (*said, *lines):
        if (match := _IMPLICIT.search(line)) and match[1] in undefined:
            guessed.setdefault(match[1], line)
    warnings = list(guessed.values())
    return warnings + [line for line in errors if line not in warnings]


def build(
    lab: str, source: Path, work: Path, reference: bool, name: Optional[str] = None
) -> Build:
    """Builds SOURCE as LAB in a new folder of WORK, a sandbox.workspace().

    name: of that folder, LAB's where there is none. reference: SOURCE is the lab itself,
    whose programs need not be built again when they are newer than their sources.
    Raises HarnessError.
    """
    folder = work / (name or lab)
    programs = PROGRAMS[lab]
    if reference:
        copy_reference(source, folder)
        notes: list[str] = []
        elsewhere: list[str] = []
    else:
        try:
            notes = copy_submission(source, folder, programs)
        except Refused as refusal:
            return Build(folder, {}, f"{_REFUSED}{refusal}", False)
        elsewhere = misplaced(folder, programs)
    _add_makefile(lab, folder)
    made, log = _make(work, folder)
    folder.chmod(0o755)  # make may have taken away everybody's rights
    found = {name: path for name in programs if _is_program(path := folder / name)}
    log += "".join(f"{_LEFT_OUT}{note}\n" for note in notes[:20])
    log += "".join(f"{_MISPLACED}{note}\n" for note in elsewhere)
    return Build(folder, found, clean(log, LOG_BYTES), made and len(found) == len(programs))


def _add_makefile(lab: str, folder: Path) -> None:
    if any((folder / name).is_file() for name in MAKEFILES):
        return
    try:
        shutil.copyfile(LABS / lab / "Makefile", folder / "Makefile")
    except OSError as error:
        raise HarnessError(f"{error.filename}: {error.strerror}") from error


def _make(work: Path, folder: Path) -> tuple[bool, str]:
    """Runs make in FOLDER of WORK; returns whether it succeeded, and what it said."""
    try:
        folder.chmod(0o755)
        sandbox.give_to_guest(folder)
        process = subprocess.Popen(
            [*sandbox.build_argv(work, folder), "make", "-k"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=sandbox.ENVIRONMENT,
        )
    except OSError as error:
        raise HarnessError(f"make cannot be run: {error.filename}: {error.strerror}") from error
    output = _Output(process, folder)
    complaint = output.take()
    log = output.kept.decode(errors="backslashreplace")
    excess = sandbox.excess_of_build(process.returncode)
    if excess is not None:
        complaint = f"make was ended, for together its commands used too much: {excess}"
    if process.returncode == 1:  # make has other words for its failures, see labinit.c
        said = log.partition("\n")[0]
        raise HarnessError(f"no sandbox: {clean_line(said)}; {NO_NAMESPACES}")
    if complaint:
        return False, f"not built: {complaint}\n{log}\n"
    return process.returncode == 0, log


class _Output:
    """make's output, its beginning kept and the rest thrown away."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        assert process.stdout is not None
        self.kept = bytearray()
        self._process = process
        self._fd = process.stdout.fileno()
        self._folder = folder
        self._ended = False
        self._said = 0
        self._too_much: Optional[str] = None

    def take(self) -> Optional[str]:
        """Waits for make's end; returns why it was ended before, or None."""
        loop = EventLoop(DEADLINE)
        loop.watch(self._fd, selectors.EVENT_READ, lambda _: self._read())
        loop.add_probe(self._measure)
        complaint = None
        try:
            loop.wait(lambda: self._ended or self._too_much is not None)
        except DeadlinePassed:
            complaint = f"make took more than {DEADLINE:.0f} s"
        finally:
            loop.close()
            if not self._ended:
                self._end_sandbox()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
        return self._too_much or complaint

    def _end_sandbox(self) -> None:
        """Ends its pid 1: bwrap, who waits for that, ends when all others in there are gone."""
        first = tree_of(self._process.pid)[1:2]
        for pid in first or [self._process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _read(self) -> None:
        data = os.read(self._fd, 1 << 16)
        self._ended = not data
        self._said += len(data)
        if self._said > OUTPUT_BYTES:
            self._too_much = f"make printed more than {OUTPUT_BYTES >> 20} MiB"
        self.kept += data[: max(0, LOG_BYTES - len(self.kept))]

    def _measure(self) -> None:
        found = measure(self._folder, FOLDER_FILES)
        if found.files > FOLDER_FILES or found.bytes > FOLDER_BYTES or found.deep:
            self._too_much = (f"make filled its folder with more than {FOLDER_BYTES >> 20} MiB, "
                              f"{FOLDER_FILES} files, or folders {DEPTH} deep")


def _is_program(path: Path) -> bool:
    """PATH is a compiled program, and neither a link nor a script in its place."""
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode) or not mode & 0o111:
            return False
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False
