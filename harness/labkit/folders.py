"""A folder that programs work in, in the hands of the test.

What lies in it may have been made by a hostile program: the test goes down by descriptors,
follows no symbolic link, waits for no FIFO.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Iterator, Optional

from labkit.feedback import Mismatch
from labkit.peer import difference, first_difference
from labkit.sandbox import FILES, GUEST_ID, Shown, guests_switch

_ENTRY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_SHOWN = 12
"""Names that feedback lists."""
_MOST = 128 * 1024 * 1024
"""Bytes that read() takes; a hostile program may make a file of any size that has no bytes."""
_DEEP = 32
"""Folders within folders that names() goes down; a hostile program may make any number."""
_NO_FILE = {
    errno.ENOENT: "it is not there", errno.ELOOP: "it is a symbolic link",
    errno.EINVAL: "it is not a regular file", errno.ENXIO: "it is a socket",
    errno.ENOTDIR: "its folder is no folder", errno.EACCES: "its folder is closed to all",
}
"""What a program can do that a file cannot be read; other errors are the harness's."""


class Folder:
    """A folder with a file system of its own, which programs see at Folder.inside.

    A NAME is a path in it, without a leading /. What the test makes belongs to the programs,
    which may replace and remove it where SHOWN is not read-only. Methods raise OSError where
    the system does, so with ENOSPC where the folder is full.
    """

    inside = FILES

    def __init__(self, root: int, shown: Shown) -> None:
        """ROOT: a descriptor of it, which is closed in the end."""
        self._root = root
        self.shown = shown

    def close(self) -> None:
        """Gives back the descriptor; nothing can be asked any more."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    # What is in it

    def write(self, name: str, data: bytes) -> None:
        """File NAME has DATA from now on; one that is there is cut and written again."""
        self._write(name, data, os.O_TRUNC)

    def append(self, name: str, data: bytes) -> None:
        """File NAME grows by DATA."""
        self._write(name, data, os.O_APPEND)

    def cut(self, name: str, size: int) -> None:
        """File NAME has SIZE bytes from now on."""
        with self._opened(name, os.O_WRONLY) as fd:
            os.ftruncate(fd, size)

    def make_folder(self, name: str) -> None:
        """Makes NAME and the folders on the way to it, where they are not there."""
        with self._parent(f"{name}/.", make=True):
            pass

    def make_fifo(self, name: str) -> None:
        """Makes a named pipe that nobody writes to."""
        with self._parent(name, make=True) as (parent, base):
            os.mkfifo(base, 0o644, dir_fd=parent)
            _give(parent, base)

    def link(self, name: str, target: str) -> None:
        """Makes a symbolic link to TARGET, which may be anything."""
        with self._parent(name, make=True) as (parent, base):
            os.symlink(target, base, dir_fd=parent)
            _give(parent, base)

    def rename(self, old: str, new: str) -> None:
        """OLD is NEW from now on; what was NEW before is gone, in one step."""
        with self._parent(old) as (before, base), self._parent(new) as (after, name):
            os.rename(base, name, src_dir_fd=before, dst_dir_fd=after)

    def remove(self, name: str) -> None:
        """Removes NAME, whatever it is; a folder must be empty."""
        with self._parent(name) as (parent, base):
            if stat.S_ISDIR(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode):
                os.rmdir(base, dir_fd=parent)
            else:
                os.unlink(base, dir_fd=parent)

    def read(self, name: str, cause: str = "partial-file", expected: str = "") -> bytes:
        """What is in the file NAME, which a program has made; Mismatch where there is none.

        CAUSE is why then; expected: what to say of it.
        """
        try:
            return self._read(name)
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            raise Mismatch(expected or f"the file {name} is there",
                           f"{_NO_FILE[error.errno]}; in the folder: {self._listed()}",
                           cause) from None

    def _read(self, name: str) -> bytes:
        with self._opened(name, os.O_RDONLY) as fd:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", name)
            with os.fdopen(os.dup(fd), "rb") as file:
                return file.read(_MOST)

    def names(self) -> list[str]:
        """The paths of all in it, sorted: hidden ones too, empty folders with a / behind."""
        return sorted(_below(self._root, "", _DEEP))

    # The verdict

    def expect_file(
        self, name: str, data: bytes, cause: str = "partial-file", before: int = 0
    ) -> None:
        """File NAME is there and has DATA; else CAUSE is why, where the bytes tell no other.

        before: as fault_of_file() has it.
        """
        expected = f"the file {name} has the {len(data)} bytes that were sent"
        got = self.read(name, cause, expected)
        if got != data:
            fault = fault_of_file(data, got, before)
            raise Mismatch(expected, difference(data, got), fault or cause)

    def expect_names(self, *names: str, cause: str = "cut-file-kept") -> None:
        """The folder has exactly NAMES in it, as names() tells them; else CAUSE is why."""
        if self.names() != sorted(names):
            raise Mismatch(f"in the folder: {_list(sorted(names))}", self._listed(), cause)

    def _listed(self) -> str:
        return _list(self.names())

    # The way down

    def _write(self, name: str, data: bytes, how: int) -> None:
        with self._opened(name, os.O_WRONLY | os.O_CREAT | how) as fd:
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(data)
            if guests_switch():
                os.fchown(fd, GUEST_ID, GUEST_ID)

    @contextlib.contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[int]:
        with self._parent(name, make=bool(flags & os.O_CREAT)) as (parent, base):
            try:
                fd = os.open(base, flags | _ENTRY, 0o644, dir_fd=parent)
            except PermissionError:
                fd = _open_closed(parent, base, flags)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _parent(self, name: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that NAME is in, made where it is missing with MAKE, and its base name."""
        *above, base = name.split("/")
        if ".." in above or "" in above:
            raise ValueError(f"{name!r} is no path in a folder")
        fd = os.dup(self._root)
        try:
            for part in above:
                if make:
                    _make_folder(fd, part)
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _ENTRY, dir_fd=fd)
                os.close(fd)
                fd = below
            yield fd, base
        finally:
            os.close(fd)


def _open_closed(parent: int, name: str, flags: int) -> int:
    """As open(2), of a file of ours that its mode keeps us from; its mode stays as it is."""
    path = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.fstat(path).st_mode)
        os.chmod(f"/proc/self/fd/{path}", 0o600)
        try:
            return os.open(name, flags | _ENTRY, dir_fd=parent)
        finally:
            os.chmod(f"/proc/self/fd/{path}", mode)
    finally:
        os.close(path)


def _make_folder(parent: int, name: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
        _give(parent, name)


def _give(parent: int, name: str) -> None:
    """To the programs, who are somebody else where the harness is root."""
    if guests_switch():
        os.chown(name, GUEST_ID, GUEST_ID, dir_fd=parent, follow_symlinks=False)


def _below(folder: int, path: str, deep: int) -> Iterator[str]:
    """The paths of all in FOLDER, which has PATH in front of them."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        inner = list(_within(folder, f"{path}{name}/", deep - 1)) if is_folder and deep else []
        yield from inner or [f"{path}{name}/" if is_folder else f"{path}{name}"]


def _within(parent: int, path: str, deep: int) -> Iterator[str]:
    name = Path(path).name
    try:
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _ENTRY, dir_fd=parent)
    except OSError:  # removed meanwhile, or closed to all
        return
    try:
        yield from _below(fd, path, deep)
    finally:
        os.close(fd)


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more if names else "nothing"


# -- What a wrong file shows -----------------------------------------------------


def fault_of_file(data: bytes, got: bytes, before: int = 0) -> Optional[str]:
    """The fault that GOT, a wrong copy of DATA, shows by itself: a key of CAUSES, if it does.

    before: bytes that came in front of the file, and may have filled a block with it.
    """
    at = first_difference(data, got)
    if data[at:at + 1] == b"\0":
        return "c-string"
    if got.replace(b"\r", b"") == data.replace(b"\r", b""):
        return "text-mode"
    if data.startswith(got):
        return None
    if got.startswith(data):
        return "fixed-length"
    borders = {at, at + 1, at + before, at + before + 1}  # the last byte missing, or the next
    return "block-border" if at and any(border % 512 == 0 for border in borders) else None
