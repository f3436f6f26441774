"""Folders that a hostile program may have filled: measured and removed, whatever is in them."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import NamedTuple

DEPTH = 100
"""Folders within folders that are measured; what is below counts for nothing."""


class Measured(NamedTuple):
    """What is in a folder."""

    files: int
    """Folders among them."""
    bytes: int
    """On the disk."""
    deep: bool
    """It has folders more than DEPTH deep."""


def measure(folder: Path, most_files: int) -> Measured:
    """What is below FOLDER, until there are more than MOST_FILES; others may be at work in it."""
    files = size = 0
    deep = False
    waiting = [(os.fspath(folder), 0)]
    while waiting and files <= most_files:
        path, depth = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                files += 1
                with contextlib.suppress(OSError):  # it was a temporary file
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
                if files > most_files:
                    break
        deep |= depth > DEPTH
        if deep:
            break
    return Measured(files, size, deep)


def remove_tree(folder: Path) -> None:
    """Removes FOLDER, also where a build has taken away its own rights to it.

    However deep its folders are: each is moved to the top before it is emptied. What cannot
    be removed stays, and nothing is raised.
    """
    with contextlib.suppress(OSError):
        os.chmod(folder, 0o700)
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(folder)


def _empty(top: int) -> None:
    prefix, count = f".gone-{secrets.token_hex(8)}-", 0
    waiting = ["."]
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(OSError):
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                with os.scandir(fd) as found:
                    entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
                for inner, is_folder in entries:
                    with contextlib.suppress(OSError):
                        if not is_folder:
                            os.unlink(inner, dir_fd=fd)
                            continue
                        os.chmod(inner, 0o700, dir_fd=fd)
                        count += 1
                        os.rename(inner, f"{prefix}{count}", src_dir_fd=fd, dst_dir_fd=top)
                        waiting.append(f"{prefix}{count}")
            finally:
                os.close(fd)
            if name != ".":
                os.rmdir(name, dir_fd=top)
