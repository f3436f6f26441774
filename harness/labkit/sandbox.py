"""The command line of bubblewrap around code that is not trusted.

A submission sees a read-only system, its own folder at /lab and an empty /tmp: no
home folders, no tests, no other process. What its network is, its caller decides.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional, Sequence

from labkit.feedback import HarnessError
from labkit.paths import LABINIT, REPO
from labkit.trees import remove_tree

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp", "TMPDIR": "/tmp",
               "ASAN_OPTIONS": "detect_leaks=0"}
"""LeakSanitizer cannot work where a process is traced already, and ends it with status 1."""

_MIB = 1024 * 1024
BUILD_LIMITS = {"core": 1, "cpu": 20, "as": 2048 * _MIB, "fsize": 256 * _MIB, "nproc": 512,
                "memory": 3072 * _MIB, "work": 60, "sessions": 32}
RUN_LIMITS = {"core": 1, "cpu": 30, "nproc": 2560,
              "memory": 512 * _MIB, "work": 5, "sessions": 32}
"""What labinit takes: of each process bytes, seconds of processor time, processes of the
sandbox (getrlimit(2)); and of all together bytes, processes, sessions, seconds (bounds.h).

A core limit of 1 and not 0: the system's own collector of core dumps is not called then (core(5)).
"""
PROCESSES = 1536
"""How many a program may consist of where a test does not say otherwise: a thousand clients
may have a process each."""
FILE_BYTES = 256 * _MIB
"""How large a file may become that a program writes, where a test does not say otherwise."""
SCRATCH_BYTES = 64 * _MIB
"""What fits into /tmp, and into /dev/shm."""
DESCRIPTORS = 1024
"""What a program may have open, where a test does not say otherwise."""

FILES = "/files"
"""Where a program sees the folder that it is to work in, if it has one."""

GUEST_ID = 65534
"""Who a guest of the real root is: nobody, as in labhost.c."""

_NEW, _LOCKED = "labkit-", "labkit."
"""What the names of workspaces begin with: before, and once their process holds their lock."""

_ETC = {
    "hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "host.conf": "multi on\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\n",
    "passwd": "student:x:1000:1000::/tmp:/bin/sh\n",
    "group": "student:x:1000:\n",
}


_SYSTEM_ETC = ("/etc/alternatives", "/etc/ld.so.cache")
"""What programs need of the system's own."""


class Shown(NamedTuple):
    """A folder outside that a program sees as FILES, its current folder."""

    path: Path
    read_only: bool


class Excess(NamedTuple):
    """What a program and all it started used too much of, for which it was ended."""

    cause: str
    """A key of CAUSES."""
    seen: str
    """In words behind 'it used'."""


def excess_of(crossed: int, used: int) -> Optional[Excess]:
    """What labinit tells: which bound was CROSSED (enum exceeded of bounds.h), with what."""
    told = {1: Excess("too-much-memory", f"{used >> 20} MiB of memory"),
            2: Excess("too-many-processes", f"{used} processes at a time"),
            3: Excess("too-many-processes", f"{used} s of processor time in a crowd of threads "
                                            "or processes"),
            4: Excess("too-many-processes", f"{used} sessions at a time (setsid)")}
    return told.get(crossed)


def excess_of_build(status: int) -> Optional[str]:
    """What a build used too much of, by the exit STATUS of a sandbox that build_argv() made."""
    return {191: "memory", 192: "processes", 193: "processor time",
            194: "sessions"}.get(status)


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder for what sandboxes show: labinit, a small /etc, and what the caller adds.

    Nobody but the caller, and the guests of the real root, can look into it; it is
    removed in the end, or, where its process is killed before, when the next one is made.
    Raises OSError.
    """
    top = Path(_open_to_guests() or tempfile.gettempdir())
    _remove_orphans(top)
    work = Path(tempfile.mkdtemp(prefix=_NEW, dir=top))
    lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        work = work.rename(top / f"{_LOCKED}{work.name[len(_NEW):]}")
        if guests_switch():
            os.chown(work, GUEST_ID, GUEST_ID)
        _fill_etc(_folder(work / "etc"))
        shutil.copy2(LABINIT, _folder(work / "run") / "labinit")
        yield work
    finally:
        remove_tree(work)
        os.close(lock)


def _folder(path: Path) -> Path:
    """PATH, a new folder that all may look into, whatever the umask."""
    path.mkdir()
    path.chmod(0o755)
    return path


def _fill_etc(etc: Path) -> None:
    for name, text in _ETC.items():
        (etc / name).write_text(text)
        (etc / name).chmod(0o644)
    for system in map(Path, filter(os.path.exists, _SYSTEM_ETC)):
        own = etc / system.name
        if system.is_dir():
            _folder(own)  # where it is mounted
        else:
            shutil.copyfile(system, own)
            own.chmod(0o644)


def _remove_orphans(top: Path) -> None:
    """Removes the workspaces in TOP that are ours and that no process holds any more."""
    own = GUEST_ID if guests_switch() else os.geteuid()
    for path in top.glob(f"{_LOCKED}*"):
        with contextlib.suppress(OSError):
            if path.lstat().st_uid != own:
                continue
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(path)
            finally:
                os.close(fd)


def run_argv(
    work: Path, lab: Path, argv: Sequence[str], descriptors: int = DESCRIPTORS,
    files: Optional[Shown] = None, processes: int = PROCESSES, file_bytes: int = FILE_BYTES,
) -> list[str]:
    """ARGV in a sandbox on the caller's network; folder LAB is /lab in it, read-only.

    The current folder is FILES, or /lab where there are none. labinit
    (see there) is given descriptors 3 to 6. WORK is a workspace().
    """
    own = [*_labinit(work), "--ro-bind", str(lab), "/lab"]
    if files is not None:
        own += ["--ro-bind" if files.read_only else "--bind", str(files.path), FILES]
    limits = _limits({**RUN_LIMITS, "nofile": descriptors, "processes": processes,
                      "fsize": file_bytes})
    return [*_bwrap(own, FILES if files else "/lab", work / "etc"), "/run/labinit", limits, *argv]


def build_argv(work: Path, folder: Path) -> list[str]:
    """The words before a command that builds in FOLDER: writable, and no network at all.

    Its stdin, stdout and stderr are the caller's. As the real root it runs as GUEST_ID,
    to whom FOLDER must belong then (see give_to_guest). WORK is a workspace().
    """
    guest = ["setpriv", f"--reuid={GUEST_ID}", f"--regid={GUEST_ID}", "--clear-groups"]
    return [
        *(guest if guests_switch() else []),
        *_bwrap(["--unshare-net", "--bind", str(folder), "/lab", *_labinit(work)]),
        *("/run/labinit", "-b", _limits(BUILD_LIMITS)),
    ]


def _labinit(work: Path) -> list[str]:
    return ["--as-pid-1", "--ro-bind", str(work / "run"), "/run"]


def _limits(limits: Mapping[str, int]) -> str:
    return ",".join(f"{name}={value}" for name, value in limits.items())


def guests_switch() -> bool:
    """Whether this is a root who can, and so must, run submissions as somebody else."""
    if os.geteuid() != 0:
        return False
    for line in Path("/proc/self/uid_map").read_text("ascii").splitlines():
        first, _, count = map(int, line.split())
        if first <= GUEST_ID < first + count:
            return True
    return False


def give_to_guest(folder: Path) -> None:
    """Lets a guest of the real root write below FOLDER. Raises OSError."""
    if not guests_switch():
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, GUEST_ID, GUEST_ID, follow_symlinks=False)


def _open_to_guests() -> Optional[str]:
    """Where a guest of the real root gets to: $TMPDIR may be closed to all but root."""
    path = Path(tempfile.gettempdir()).resolve()
    closed = any(not folder.stat().st_mode & 0o001 for folder in (path, *path.parents))
    return "/tmp" if closed and guests_switch() else None


def _bwrap(
    own: Sequence[str], current: str = "/lab", etc: Optional[Path] = None
) -> list[str]:
    """bwrap's command line with OWN in it; ETC: what is shown as /etc, with the system's in it."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise HarnessError("bwrap is missing: run 'make setup' (package bubblewrap)")
    return [
        bwrap,
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--uid", "1000", "--gid", "1000", "--hostname", "lab"),
        *("--die-with-parent", "--new-session"),
        *(["--disable-userns"] if "--disable-userns" in _bwrap_options(bwrap) else []),
        *_system(etc),
        *("--proc", "/proc", "--dev", "/dev"),
        *_scratch(bwrap, "/dev/shm"),
        *_scratch(bwrap, "/tmp"),
        *own,
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", current),
    ]


def _scratch(bwrap: str, path: str) -> list[str]:
    """An empty folder in memory at PATH; bounded at once, or by labinit where bwrap is old."""
    size = ["--size", str(SCRATCH_BYTES)] if "--size" in _bwrap_options(bwrap) else []
    return [*size, "--tmpfs", path]


@functools.lru_cache(maxsize=None)
def _bwrap_options(bwrap: str) -> frozenset[str]:
    """The options that this bwrap knows: 0.6 (Ubuntu 22.04) not all of those that 0.8 has."""
    try:
        told = subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise HarnessError(f"{bwrap} cannot be run: {error.strerror}") from error
    return frozenset(word for line in told.stdout.splitlines() for word in line.split()[:1])


def _system(etc: Optional[Path]) -> list[str]:
    args = ["--ro-bind", "/usr", "/usr"]
    for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(path):
            args += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            args += ["--ro-bind", path, path]
    if etc is not None:  # as one: bwrap looks through all mounts for each that it adds
        args += ["--ro-bind", str(etc), "/etc"]
    for path in filter(os.path.exists, _SYSTEM_ETC):
        if etc is None or os.path.isdir(path):
            args += ["--ro-bind", path, path]
    if Path("/usr") in REPO.parents:  # the tests and the solutions
        args += ["--tmpfs", str(REPO), "--remount-ro", str(REPO)]
    return args
