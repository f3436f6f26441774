"""Taking in a submission: a copy of its regular files, whatever else lies in its folder."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO, Iterator

from labkit.feedback import HarnessError, clean_line

FILE_COUNT = 2000
FILE_BYTES = 16 * 1024 * 1024
"""A larger file is no source; it is left out."""
TOTAL_BYTES = 64 * 1024 * 1024
DEPTH = 8

_OBJECT_CODE = (b"\x7fELF", b"!<arch>\n")


class Refused(Exception):
    """The submission is no folder of sources that anybody would hand in."""


def copy_submission(source: Path, target: Path, programs: tuple[str, ...]) -> list[str]:
    """Copies SOURCE's files to the new folder TARGET; returns what was left out, and why.

    No link is followed and nothing but a regular file is opened. Object code, hidden
    folders and anything that has the name of one of PROGRAMS stays behind: those are
    built from source; so do a huge file, and a second name of one that is not the submission's
    owner's.
    Raises Refused when there is too much; HarnessError when a file cannot be read or written.
    """
    left_out: list[str] = []
    total = 0
    largest = 0, ""
    owner = os.stat(source).st_uid
    for entry, place in _walk(source, target, left_out):
        if place.parent == target and entry.name in programs:
            left_out.append(f"{_shown(source, entry)}: is built from source")
            continue
        with _open_regular(Path(entry.path)) as file:
            status = os.fstat(file.fileno())
            size = status.st_size
            if status.st_nlink > 1 and status.st_uid != owner:
                left_out.append(f"{_shown(source, entry)}: hard link to somebody else's file")
                continue
            if size > FILE_BYTES:
                left_out.append(f"{_shown(source, entry)}: larger than {FILE_BYTES >> 20} MiB")
                continue
            total += size
            largest = max(largest, (size, _shown(source, entry)))
            if total > TOTAL_BYTES:
                raise Refused(f"the submission is larger than {TOTAL_BYTES >> 20} MiB, and "
                              f"{largest[1]} has {largest[0]} bytes of that")
            if file.peek(8)[:8].startswith(_OBJECT_CODE):  # type: ignore[attr-defined]
                left_out.append(f"{_shown(source, entry)}: object code")
                continue
            _write(file, place, size)
    return left_out


def misplaced(folder: Path, programs: tuple[str, ...]) -> list[str]:
    """What lies in FOLDER, copy_submission()'s, as if it were the source of one of PROGRAMS.

    As 'server.c, which is here as my-lab/server.c', of those whose source is not there; one for
    each program.
    """
    missing = {f"{name}.c" for name in programs if not (folder / f"{name}.c").is_file()}
    found: dict[str, str] = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.lower() in missing:
                path = os.path.relpath(os.path.join(place, name), folder)
                found.setdefault(name.lower(), clean_line(path))
    return [f"{name}, which is here as {found[name]}" for name in sorted(found)]


def copy_reference(source: Path, target: Path) -> None:
    """Copies the folder SOURCE with its programs and times, so that make has nothing to do.

    Raises HarnessError.
    """
    try:
        shutil.copytree(source, target, symlinks=True)
    except (OSError, shutil.Error) as error:
        raise HarnessError(f"{source} cannot be copied: {error}") from error


def _walk(
    source: Path, target: Path, left_out: list[str]
) -> Iterator[tuple["os.DirEntry[str]", Path]]:
    """The regular files below SOURCE, each with its place below TARGET, which is made."""
    count = 0
    waiting = [(source, target, 0)]
    while waiting:
        folder, into, depth = waiting.pop()
        if depth > DEPTH:
            raise Refused(f"the submission has folders more than {DEPTH} deep")
        try:
            into.mkdir()
            with os.scandir(folder) as entries:
                found = list(itertools.islice(entries, FILE_COUNT + 1))
        except OSError as error:
            raise HarnessError(_why(error)) from error
        count += len(found)
        if count > FILE_COUNT:
            raise Refused(f"the submission has more than {FILE_COUNT} files and folders")
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                if entry.name.startswith("."):
                    left_out.append(f"{_shown(source, entry)}: hidden folder")
                else:
                    waiting.append((Path(entry.path), into / entry.name, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                yield entry, into / entry.name
            else:
                kind = "symbolic link" if entry.is_symlink() else "not a file"
                left_out.append(f"{_shown(source, entry)}: {kind}")


def _open_regular(path: Path) -> BinaryIO:
    """Opens PATH; if it has become something else meanwhile, neither follows nor waits."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    except OSError as error:
        raise HarnessError(_why(error)) from error
    return open(fd, "rb")


def _write(file: BinaryIO, place: Path, size: int) -> None:
    try:
        with open(place, "xb") as out:
            while size > 0 and (data := file.read(min(size, 1 << 20))):
                out.write(data)
                size -= len(data)
    except OSError as error:
        raise HarnessError(_why(error)) from error


def _shown(source: Path, entry: "os.DirEntry[str]") -> str:
    return clean_line(os.path.relpath(entry.path, source))


def _why(error: OSError) -> str:
    return f"the submission cannot be copied: {clean_line(str(error.filename))}: {error.strerror}"
