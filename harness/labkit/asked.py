"""What a command of the harness is asked for, and how it says that it cannot do it.

Exit status of every command: 0 all is well, 1 a submission is not, 2 usage, 3 the harness
itself failed. A complaint is one line on stderr; no fault of a submission is ever one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Callable, NoReturn, Optional, Sequence

from labkit import paths
from labkit.build import PROGRAMS
from labkit.feedback import HarnessError, clean_line
from labkit.run import UsageProblem

OK, SOME_FAILED, USAGE, HARNESS_FAILED = 0, 1, 2, 3


class Parser(argparse.ArgumentParser):
    """The words of COMMAND, of which ABOUT, its module's docstring, is the help.

    One line for each mistake.
    """

    def __init__(self, command: str, about: Optional[str], epilog: Optional[str] = None) -> None:
        super().__init__(prog=command, description=about, epilog=epilog, allow_abbrev=False,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def add_lab(self) -> None:
        """One lab, or None where it is not named."""
        self.add_argument("lab", metavar="LAB", nargs="?", help="01, 01-tcp-echo, ...")

    def add_labs(self) -> None:
        """Any number of labs, for known_labs()."""
        self.add_argument("labs", metavar="LAB", nargs="*",
                          help="01, 01-tcp-echo, ...; all if none")

    def add_submission(self, use: str) -> None:
        """USE: what it is for, with and without it."""
        self.add_argument("-s", dest="submission", metavar="SUBMISSION", help=use)

    def add_out(self, default: Path, use: str) -> None:
        """The folder for USE."""
        self.add_argument("-o", dest="out", metavar="OUT", type=folder, default=str(default),
                          help=f"folder for {use} (%(default)s)")

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message} ({self.prog} -h tells the usage)")


def exit_status(name: str, work: Callable[[], int], interrupted: str = "interrupted") -> int:
    """What WORK returns, or what its exception stands for, told as a line of command NAME.

    INTERRUPTED: what to say after Ctrl-C, SIGTERM or SIGHUP, which all end WORK alike.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return work()
    except UsageProblem as problem:
        return complain(name, problem, USAGE)
    except HarnessError as problem:
        return complain(name, problem, HARNESS_FAILED)
    except KeyboardInterrupt:
        return complain(name, interrupted, HARNESS_FAILED)
    except Exception:
        traceback.print_exc()
        return complain(name, "a fault of the harness, told above", HARNESS_FAILED)


def complain(name: str, problem: object, status: int = HARNESS_FAILED) -> int:
    """Says PROBLEM as a line of command NAME on stderr; returns STATUS."""
    with contextlib.suppress(OSError):
        print(f"{name}: {clean_line(str(problem))}", file=sys.stderr, flush=True)
    return status


def folder(text: str) -> str:
    """TEXT as a folder's name, for argparse."""
    if not text:
        raise argparse.ArgumentTypeError("no folder is named")
    return text


def known_labs(words: Sequence[str]) -> list[str]:
    """The labs that WORDS name, each once; all when there is none."""
    names = {**{lab: lab for lab in PROGRAMS}, **{lab[:2]: lab for lab in PROGRAMS}}
    for word in words:
        if word not in names:
            raise UsageProblem(f"there is no lab {word!r}; the labs are {', '.join(PROGRAMS)}")
    return sorted({names[word] for word in words} or PROGRAMS)


def known_submission(text: Optional[str], labs: Sequence[str]) -> Optional[Path]:
    """The folder that TEXT names, a submission of the one of LABS."""
    if text is None:
        return None
    if len(labs) != 1:
        raise UsageProblem("-s SUBMISSION needs the one LAB it is of")
    path = Path(os.path.abspath(text))
    if not text or not path.is_dir():
        raise UsageProblem(f"SUBMISSION: {text!r} is not a folder")
    if not os.access(path, os.R_OK | os.X_OK):
        raise UsageProblem(f"SUBMISSION: {text!r} cannot be read")
    return path


def keep_apart(submission: Optional[Path], out: Path) -> None:
    """Nothing in a submission's folder is changed, and so OUT cannot be there."""
    if submission is None:
        return
    path = submission.resolve()
    if path in (out.resolve(), *out.resolve().parents):
        raise UsageProblem(f"OUT: {out} lies in the submission, which is not to be changed")


def check_parts(parts: Sequence[Path]) -> None:
    """Each of PARTS, programs of the harness, is built. Raises HarnessError."""
    for part in parts:
        if not os.access(part, os.X_OK):
            shown = os.path.relpath(part, paths.REPO)
            raise HarnessError(f"{shown} is not built: run 'make' in {paths.REPO} first")


def say(text: str, lost: str = "") -> None:
    """Writes TEXT to stdout at once; a reader who has seen enough may have gone.

    LOST: what is not lost where stdout does not take it. Raises HarnessError.
    """
    data = text.encode(sys.stdout.encoding or "ascii", errors="backslashreplace")
    try:
        sys.stdout.flush()
        with os.fdopen(os.dup(1), "wb") as out:
            out.write(data)
    except BrokenPipeError:
        pass
    except OSError as error:
        raise HarnessError(f"stdout: {error.strerror}{lost}") from error
