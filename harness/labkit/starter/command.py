"""harness/starter: writes what a student starts from, the lab with its steps still to be written.

Exit status: 0 it is there, 2 usage, 3 it cannot be written.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Optional, Sequence

from labkit import asked, paths
from labkit.feedback import HarnessError
from labkit.run import UsageProblem
from labkit.starter.marks import steps
from labkit.starter.sources import starter_files


def main(argv: Optional[Sequence[str]] = None) -> int:
    return asked.exit_status("starter", lambda: _write(_parse(argv)))


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = asked.Parser("harness/starter", __doc__)
    parser.add_lab()
    parser.add_argument("folder", metavar="FOLDER", nargs="?",
                        help="a new folder, or an empty one")
    parser.add_argument("-n", dest="done", metavar="STEPS", type=_count, default=0,
                        help="how many of the first steps are written already (%(default)s)")
    return parser.parse_args(argv)


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 3:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps")
    return int(text)


def _write(options: argparse.Namespace) -> int:
    if not options.lab or not options.folder:
        raise UsageProblem("which LAB, and into which folder? As in: make starter LAB=01 "
                           "DIR=FOLDER")
    [lab] = asked.known_labs([options.lab])
    folder = Path(os.path.abspath(options.folder))
    place = Path(os.path.realpath(folder))
    if paths.LABS.resolve() in (place, *place.parents):
        raise UsageProblem(f"{options.folder}: lies in labs/, where each folder is a lab; "
                           "take one elsewhere")
    count = len(steps(lab))
    if options.done >= count:
        raise UsageProblem(f"-n {options.done}: lab {lab[:2]} has {count} steps, and some must "
                           "be left to write")
    done = range(1, options.done + 1)
    files = starter_files(lab, done)
    try:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise UsageProblem(f"{options.folder}: there is something in it already")
        for name, text in files.items():
            (folder / name).write_text(text)
    except FileExistsError:
        raise UsageProblem(f"{options.folder}: is no folder") from None
    except FileNotFoundError:
        raise UsageProblem(f"{options.folder}: the folder above it is not there") from None
    except OSError as error:
        raise HarnessError(f"{error.filename}: {error.strerror}") from error
    asked.say(f"{options.folder}: lab {lab[:2]}, {count - options.done} steps to write; "
              "begin with its README.md\n")
    return asked.OK
