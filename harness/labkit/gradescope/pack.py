"""make gradescope: packs what grades one lab into a zip that Gradescope takes as an autograder.

Exit status: 0 it is written, 2 usage, 3 it cannot be written.
"""

from __future__ import annotations

import argparse
import os
import stat
import zipfile
from pathlib import Path
from typing import Iterator, Optional, Sequence, Union

from labkit import asked, paths
from labkit.feedback import HarnessError
from labkit.gradescope.config import CONFIG, config_of, with_lab
from labkit.run import UsageProblem

_ON_TOP = ("setup.sh", "run_autograder")
"""What Gradescope looks for in the zip's root."""
_BUILT = (b"\x7fELF", b"!<arch>\n")
_NOT_PACKED = {"__pycache__", "selftest"}
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def main(argv: Optional[Sequence[str]] = None) -> int:
    return asked.exit_status("gradescope", lambda: _run(_parse(argv)))


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = asked.Parser("make gradescope", __doc__)
    parser.add_lab()
    parser.add_out(paths.OUT, "the zip")
    return parser.parse_args(argv)


def _run(options: argparse.Namespace) -> int:
    if options.lab is None:
        raise UsageProblem("which LAB? An autograder grades one, as in: make gradescope LAB=01")
    [lab] = asked.known_labs([options.lab])
    path = Path(os.path.abspath(options.out)) / f"gradescope-{lab[:2]}.zip"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pack(lab, path)
    except OSError as error:
        raise HarnessError(f"{error.filename or path}: {error.strerror}") from error
    shown = os.path.relpath(path)
    asked.say(f"{path if shown.startswith('..') else shown}: upload this file as the assignment's "
              "autograder\n")
    return asked.OK


def pack(lab: str, path: Path) -> None:
    """Writes the zip PATH that grades LAB; twice the same makes the same bytes.

    Raises OSError, and UsageProblem where gradescope/config is not right.
    """
    config = with_lab((paths.REPO / CONFIG).read_text("utf-8"), lab[:2])
    config_of(config)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _ON_TOP:
            _add(archive, name, paths.REPO / CONFIG.parent / name)
        _add(archive, str(CONFIG), config.encode())
        for file in _files(lab):
            _add(archive, str(file.relative_to(paths.REPO)), file)


def _files(lab: str) -> Iterator[Path]:
    """What grading LAB needs: the harness with that lab's tests, and the lab itself."""
    for top in (paths.HARNESS, paths.REPO / "labs" / lab):
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders
                                if name not in _NOT_PACKED and name[0] != ".")
            for name in sorted(names):
                file = Path(folder) / name
                others = (file.parent == paths.HARNESS / "tests" and name.startswith("test_")
                          and not name.startswith(f"test_{lab[:2]}_"))
                if name[0] != "." and not others and _is_source(file):
                    yield file


def _is_source(file: Path) -> bool:
    if not stat.S_ISREG(os.lstat(file).st_mode) or file.suffix in (".o", ".a", ".d", ".pyc"):
        return False
    with open(file, "rb") as opened:
        return not opened.read(8).startswith(_BUILT)


def _add(archive: zipfile.ZipFile, name: str, what: Union[Path, bytes]) -> None:
    """Adds the file or bytes WHAT as NAME, with the mode that git would give it."""
    runs = isinstance(what, Path) and os.access(what, os.X_OK)
    info = zipfile.ZipInfo(name, _NO_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, whose modes these are
    info.external_attr = (stat.S_IFREG | (0o755 if runs else 0o644)) << 16
    archive.writestr(info, what.read_bytes() if isinstance(what, Path) else what)
