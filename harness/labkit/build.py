"""Building a submission, or the labs themselves, in a copy and inside the sandbox."""

from __future__ import annotations

import contextlib
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
from labkit.compiler_words import errors_of, tells_of
from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import HarnessError, Mismatch, clean, clean_line
from labkit.intake import Refused, copy_reference, copy_submission, misplaced
from labkit.labhost import NO_NAMESPACES
from labkit.paths import LABS
from labkit.pipes import Pipe, Result
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

_NOT_BUILT = "not built: "
_REFUSED = "refused: "
_LEFT_OUT = "left out: "
_MISPLACED = "not in its place: "


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
        lines = self.log.splitlines()
        if self.log.startswith(_REFUSED):
            raise Mismatch(f"`make` builds {name}", self.log[len(_REFUSED):], "not-taken")
        if (self.folder / f"{name}.c").is_file() or tells_of(lines, name):
            raise _not_made(name, lines)
        seen = f"there is no {name}.c, and make made no {name}"
        about = re.compile(rf"\b{re.escape(name)}(\.[cho])?\b")
        notes = [line for line in lines if line.startswith(_LEFT_OUT) and about.search(line)
                 or line.startswith(f"{_MISPLACED}{name}.c,")]
        raise Mismatch(f"`make` builds {name}", "\n".join([seen, *notes]), "program-missing")


def _not_made(name: str, lines: Sequence[str]) -> Mismatch:
    """LINES: what make said, NAME's source being there."""
    programs = {program for programs in PROGRAMS.values() for program in programs}
    told = errors_of(lines, name, programs)
    seen = "\n".join(told) or f"make said nothing, and made no {name}"
    mismatch = Mismatch(f"`make` builds {name}", seen, "not-built")
    if seen.startswith(_NOT_BUILT):
        mismatch.likely = ("make was stopped: it, or what its Makefile runs, took more than a "
                           "build may. Without a Makefile of yours the lab's is used.")
    return mismatch


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
        return False, f"{_NOT_BUILT}{complaint}\n{log}\n"
    return process.returncode == 0, log


class _Output:
    """make's output, its beginning kept and the rest thrown away."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.kept = bytearray()
        self._process = process
        self._folder = folder
        self._ended = False
        self._said = 0
        self._too_much: Optional[str] = None

    def take(self) -> Optional[str]:
        """Waits for make's end; returns why it was ended before, or None."""
        assert self._process.stdout is not None
        loop = EventLoop(DEADLINE)
        pipe = Pipe(os.dup(self._process.stdout.fileno()), loop)
        self._process.stdout.close()
        pipe.watch(selectors.EVENT_READ,
                   lambda _: pipe.call(lambda: os.read(pipe.fd, 1 << 16), self._take_in))
        loop.add_probe(self._measure)
        complaint = None
        try:
            loop.wait(lambda: self._ended or self._too_much is not None)
        except DeadlinePassed:
            complaint = f"make took more than {DEADLINE:.0f} s"
        finally:
            if not self._ended:
                self._end_sandbox()
            self._process.wait()
            pipe.close(alone=True)
            loop.close()
        return self._too_much or complaint

    def _end_sandbox(self) -> None:
        """Ends its pid 1: bwrap, who waits for that, ends when all others in there are gone."""
        first = tree_of(self._process.pid)[1:2]
        for pid in first or [self._process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _take_in(self, result: Result[bytes]) -> None:
        try:
            data = result()
        except BlockingIOError:
            return
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
