"""What the graded tests of the FTP server have in common, alone and on a bad network."""

from __future__ import annotations

import contextlib
import re
from typing import Callable, Mapping, Optional, Sequence

from labkit.echo import BIG, half_close
from labkit.feedback import Mismatch
from labkit.folders import Folder, fault_of_file
from labkit.ftp_client import (
    ACTIVE, BROKEN_OFF, DONE, NO_FILE, NOT_WRITTEN, OPENING, PASSIVE, SYNTAX, WAYS, FtpClient,
)
from labkit.ftp_wire import CLIENT, CONTROL_PORT, SERVER
from labkit.grading import Test, graded
from labkit.peer import Peer, describe, difference
from labkit.processes import descriptors_of, tree_of
from labkit.program import Program
from labkit.scenario import Scenario

GUEST = ("anonymous", "guest@example.net")
LOGIN = ("student", "walrus")
ACCOUNT = ("-u", ":".join(LOGIN))
HELLO = b"hello, file\n"
BINARY = bytes([*range(128, 256), *range(128)]) * 5 + b"\r\n\n\r\0\r\n"
SECRET = b"not for you\n"
HALF = BIG[:100_000]
"""Where an upload stops, for a while or for ever."""
LONG = BIG * 6
"""6 MiB: more than the buffers between two programs hold, so that the sender must wait."""
OPENER = {**dict.fromkeys(PASSIVE, CLIENT), **dict.fromkeys(ACTIVE, SERVER)}
"""Who opens the data connection."""

_FOR_USERS = ("PWD", "CWD /", "CDUP", "SIZE a.txt", "PASV", "EPSV", "PORT 127,0,0,1,20,20",
              "EPRT |1|127.0.0.1|5140|", "RETR a.txt", "STOR new", "NLST", "LIST", "retr a.txt",
              "stor new", "nlst", "pasv")
_NO_LOGIN = {"PWD": (530, 550)}
"""Where not 530 alone: RFC 959 has none for PWD."""


def for_server(*, step: int, points: int) -> Callable[[Test], Test]:
    """A rule of `server`."""
    return graded(step=step, points=points, programs=("server",))


def serve(lab: Scenario, folder: Folder, *args: str, below: str = "") -> Program:
    """Starts the server at its own port, for FOLDER or what is BELOW it (a path with / in front).

    ARGS: what else its command line has.
    """
    return lab.start_server("server", "-d", folder.inside + below, *args, port=CONTROL_PORT,
                            folder=folder)


def reader(lab: Scenario, label: str = "the test's client") -> FtpClient:
    """An anonymous client in type I."""
    return FtpClient(lab, label=label).login().binary()


def writer(lab: Scenario, label: str = "the test's client") -> FtpClient:
    """The client of ACCOUNT, in type I."""
    return FtpClient(lab, label=label).login(*LOGIN).binary()


def ways(count: int) -> list[str]:
    """COUNT of the WAYS, one after the other."""
    return [WAYS[number % len(WAYS)] for number in range(count)]


def descriptors(server: Program) -> int:
    """How many all processes of SERVER have open."""
    return sum(map(descriptors_of, tree_of(server.pid))) if server.pid is not None else 0


# -- A session that goes on ------------------------------------------------------------


def expect_service(
    lab: Scenario, cause: str, login: tuple[str, str] = GUEST
) -> FtpClient:
    """The next client, which is served: it reads a.txt, which is HELLO; else CAUSE is why."""
    client = FtpClient(lab, label="the next client", cause=cause).login(*login, cause=cause)
    client.binary().expect_file("a.txt", HELLO, cause=cause)
    client.quit(cause)
    return client


def expect_answer_or_end(client: FtpClient, code: int) -> None:
    """Errors, and at last CODE; or the server has ended the session."""
    with contextlib.suppress(SessionEnded):
        while _reply_or_end(client, code) != code:
            pass


class SessionEnded(Exception):
    """With a FIN or a reset."""


def _reply_or_end(client: FtpClient, code: int) -> int:
    try:
        return client.reply(code, 421, 530, *SYNTAX).code
    except Mismatch:
        if client.peer.eof or client.peer.was_reset:
            raise SessionEnded from None
        raise


def expect_nothing_allowed(client: FtpClient) -> None:
    """Each command that has to do with files is answered with 530."""
    for line in _FOR_USERS:
        client.command(line, *_NO_LOGIN.get(line, (530,)), cause="no-login")


def expect_folder(client: FtpClient, path: str) -> None:
    """PWD tells PATH, in quotes, and each quote in it twice."""
    reply = client.command("PWD", 257)
    wanted = '"' + path.replace('"', '""') + '"'
    if not re.match(re.escape(wanted) + r"(?!\")", reply.text):
        raise Mismatch(f"PWD is answered with 257 {wanted}", f"`{reply.lines[-1]}`", "messages")


# -- Parts of files -----------------------------------------------------------------------


def half_a_file(data: Peer) -> Peer:
    """Sends HALF on DATA, which the server has read when this returns as far as it will now."""
    data.send(HALF)
    data.wait_acknowledged()
    return data


def all_that_comes(peer: Peer, cause: Optional[str] = None) -> bytes:
    """All that comes up to the end of file or a reset; if neither comes, CAUSE is why."""
    try:
        return peer.read_rest(cause)
    except Mismatch:
        if not peer.was_reset:
            raise
        return bytes(peer.received)


def expect_dropped(lab: Scenario, folder: Folder, upload: str, *names: str) -> None:
    """FOLDER has exactly NAMES in it, soon: UPLOAD, which was broken off, is removed."""
    def why() -> str:
        return "cut-file-kept" if upload in folder.names() else "left-over-file"

    lab.wait_for(lambda: folder.names() == sorted(names), f"in the folder: {', '.join(names)}",
                 lambda: ", ".join(folder.names()), why, poll=0.002)


def expect_whole_or_none(client: FtpClient, data: Peer, contents: Sequence[bytes]) -> None:
    """RETR, which was said, brings one of CONTENTS on DATA, or an error: never another file."""
    if client.reply(*OPENING, *NO_FILE).code in OPENING:
        got = all_that_comes(data)
        if client.reply(*DONE, *BROKEN_OFF).code in DONE and got not in contents:
            raise Mismatch("what is not whole is not sent as a file",
                           f"{len(got)} bytes, told to be whole", "cut-file-kept")
    data.close()


# -- The way out -----------------------------------------------------------------------------


def expect_unseen(client: FtpClient, path: str, name: str, cause: str) -> None:
    """Neither NLST nor LIST of PATH, if they list it at all, tells NAME; else CAUSE is why."""
    for command in ("NLST", "LIST"):
        data = client.connect_data(client.passive_port())
        if client.command(f"{command} {path}", *OPENING, *NO_FILE, *SYNTAX, 553).code in OPENING:
            got = all_that_comes(data)
            client.reply(*DONE, *BROKEN_OFF)
            if name.encode() in got:
                raise Mismatch(f"{command} {path} does not list what is outside", describe(got),
                               cause)
        data.close()


def try_to_store(client: FtpClient, path: str, content: bytes) -> None:
    """STOR PATH with CONTENT, which the server may refuse, or may take for another path."""
    data = client.connect_data(client.passive_port())
    if client.command(f"STOR {path}", *OPENING, *NOT_WRITTEN, *SYNTAX).code in OPENING:
        data.send(content)
        half_close(data)
        client.reply(*DONE, *BROKEN_OFF, 553)
    data.close()


def expect_kept(folder: Folder, files: Mapping[str, bytes], but: str, cause: str) -> None:
    """FOLDER has FILES as they were, and nothing else but below BUT; else CAUSE is why."""
    outside = [name for name in folder.names() if not name.startswith(but)]
    if outside != sorted(files):
        raise Mismatch(f"outside the folder served: {', '.join(sorted(files))}",
                       ", ".join(outside), cause)
    for name, content in files.items():
        if (got := folder.read(name, cause)) != content:
            raise Mismatch(f"{name}, outside the folder served, is as it was",
                           difference(content, got), cause)


# -- A stranger --------------------------------------------------------------------------------


def connect_if_possible(client: FtpClient, port: int) -> Optional[Peer]:
    """A data connection to PORT, if there still is a socket that listens."""
    with contextlib.suppress(Mismatch):
        return client.connect_data(port)
    return None


def expect_given_nothing(stranger: Peer) -> None:
    """The stranger's connection is ended, and brought not a byte."""
    got = all_that_comes(stranger)
    if got:
        raise Mismatch("a stranger's data connection brings nothing", describe(got),
                       "port-bounce")


# -- Text and lists -----------------------------------------------------------------------------


def expect_text(what: str, content: bytes, got: bytes, cause: Optional[str]) -> None:
    """WHAT brought GOT, which must be CONTENT; CAUSE is why where only line ends differ."""
    if got != content:
        fault = fault_of_file(content, got)
        raise Mismatch(f"{what}: {len(content)} bytes", difference(content, got),
                       cause or fault if fault == "text-mode" else fault or cause)


def expect_names_listed(
    lines: Sequence[str], names: Sequence[str], path: str, folders: Sequence[str]
) -> None:
    """LINES, of NLST PATH, are these files' NAMES, in any order, and perhaps those of FOLDERS.

    Each alone, or with PATH in front, so that it can be given to RETR as it is.
    """
    def plain(line: str) -> str:
        for front in ("./", f"{path}/" if path else "", "/"):
            line = line[len(front):] if front and line.startswith(front) else line
        return line.rstrip("/")

    got = sorted(map(plain, lines))
    wanted = sorted(names)
    if sorted(name for name in got if name not in folders) != wanted:
        odd = [line for line in got if line not in wanted and line not in folders]
        missing = [name for name in wanted if name not in got]
        seen = f"the line {odd[0]!r}" if odd else f"not {missing[0]!r}" if missing else "one twice"
        raise Mismatch(f"NLST {path}: a line for each of {len(names)} files", seen, "partial-file")


def expect_lines_for(lines: Sequence[str], names: Sequence[str]) -> None:
    """Of LINES, of LIST, one for each of NAMES, which it ends with."""
    ends = {line.rpartition(mark)[2] for line in lines for mark in " /"}.union(lines)
    for name in names:
        if name not in ends and not any(line.endswith((f" {name}", f"/{name}")) for line in lines):
            raise Mismatch(f"LIST: a line that ends with {name}", f"none of {len(lines)}",
                           "partial-file")
