"""What the graded tests of lab 04's FTP client have in common: a client at work."""

from __future__ import annotations

import signal
from typing import Any, NamedTuple, Optional

from labkit.echo import half_close
from labkit.feedback import Mismatch
from labkit.folders import Folder
from labkit.ftp_server import COMPLETE, OPENING, FtpServer, FtpSession
from labkit.ftp_wire import expect_connections
from labkit.peer import describe
from labkit.program import Program
from labkit.repeated import repeated
from labkit.scenario import Scenario

HOST, HOST_6 = "127.0.0.1", "::1"
TEXT = b"A file\nof two lines.\n"
BINARY = bytes([*range(128, 256), *range(128)]) * 8 + b"\r\n\n\r\0\xff\xfb\n"
"""Every byte; line ends of all kinds; a telnet command."""
BIG = repeated(bytes(1 + i * 7 % 251 for i in range(251)), 3 << 20)
"""3 MiB: more than all buffers between two programs hold together. Without a NUL: where it
stops, it was not taken for a string."""

MISSING = "550 There is no such file."


class Use(NamedTuple):
    """A client that runs, its session with the scripted server, and the folder it is in."""

    client: Program
    session: FtpSession
    folder: Folder


def start(
    lab: Scenario, *command: str, folder: Optional[Folder] = None, host: str = HOST,
    greeted: bool = True, cause: Optional[str] = None, options: tuple[str, ...] = (), **how: Any,
) -> Use:
    """A client is started with COMMAND and connects to a server at HOST.

    folder: the client's current one, an empty one without. greeted: whether the server has
    said that it is ready. cause: why the client does not come. HOW: as for Scenario.start().
    """
    server = FtpServer(lab, host=host)
    folder = folder or lab.folder()
    client = lab.start("client", *options, host, *command, folder=folder, **how)
    session = server.greet(cause) if greeted else server.accept(cause)
    server.close()
    return Use(client, session, folder)


def give(use: Use, data: bytes, name: Optional[str] = None, cause: Optional[str] = None) -> None:
    """The client asks for a file, NAME if it is given, and is sent DATA; CAUSE: why not."""
    use.session.size = len(data)
    command = use.session.until("RETR", cause=cause)
    if name is not None:
        expect_argument(command.argument, name, cause)
    use.session.send(data, cause=cause)


def offer(use: Use, data: bytes, cause: Optional[str] = None) -> None:
    """The client may ask for a file and break it off, or not ask; then the session has ended.

    cause: why it does something else.
    """
    use.session.size = len(data)
    while use.session.until_or_end("RETR", cause=cause):
        serve_in_vain(use, data)
    use.session.leave()


def serve_in_vain(use: Use, data: bytes) -> None:
    """Sends DATA to a client that has asked for it, and may break it off."""
    peer = use.session.open_data()
    use.session.reply(OPENING)
    peer.send(data)
    if peer.was_reset:
        use.session.break_off(peer)
        use.session.reply("426 You have broken it off.")
    else:
        half_close(peer)
        use.session.break_off(peer, reset=False)
        use.session.reply(COMPLETE)


def refuse(use: Use, verb: str, reply: str = MISSING, cause: Optional[str] = None) -> None:
    """The transfer VERB is asked for, and refused with REPLY; CAUSE: why it is not asked for."""
    use.session.until(verb, cause=cause)
    use.session.refuse(reply)


def expect_argument(got: str, name: str, cause: Optional[str] = None) -> None:
    """NAME is what a command was about, which was about GOT; CAUSE: why it was not."""
    if got != name:
        raise Mismatch(expected=f"the client asks for `{name}`", seen=f"for `{got}`",
                       cause=cause or "messages")


def finish(
    lab: Scenario, use: Use, status: int = 0, cause: Optional[str] = None, orderly: bool = True
) -> None:
    """The session ends, the client exits with STATUS, and the packets are as they should be.

    What it prints to stdout has been read. cause: why it does not end so. orderly: whether
    the control connection ends with FINs.
    """
    use.session.end(cause)
    expect_end(lab, use, status, cause, orderly)


def wait_gone(lab: Scenario, use: Use) -> None:
    """The session ends and the client, however that is: what it leaves can be looked at."""
    use.session.end()
    lab.wait_for(lambda: use.client.exit is not None, "the client ends",
                 lambda: "it still runs", "slow-end")


def expect_end(
    lab: Scenario, use: Use, status: int = 0, cause: Optional[str] = None, orderly: bool = True
) -> None:
    """The same for a session that has ended."""
    lab.expect_exit(use.client, status, cause)
    lab.expect_silence(use.client)
    if status:
        lab.expect_complaint(use.client, r"client: .+")
    expect_connections(lab, *use.session.data, besides=use.session.unused, orderly=orderly)


def expect_told(use: Use, reply: str) -> None:
    """The client, which has ended, has printed the server's REPLY to stderr."""
    if reply.encode() not in use.client.stderr:
        raise Mismatch(expected=f"the server's reply on stderr: {reply}",
                       seen=f"on stderr: {describe(bytes(use.client.stderr))}",
                       cause="no-error-told")


def wait_told(lab: Scenario, use: Use, text: str, cause: str = "no-error-told") -> None:
    """Waits until the client has printed TEXT to stderr."""
    lab.wait_for(lambda: text.encode() in use.client.stderr or use.client.exit is not None,
                 f"`{use.client.command}` prints to stderr: {text}",
                 lambda: f"on stderr: {describe(bytes(use.client.stderr))}", cause)
    if use.client.exit is not None and use.client.exit.signal == signal.SIGPIPE:
        raise Mismatch(expected=f"`{use.client.command}` goes on", seen=f"it {use.client.exit}",
                       cause="sigpipe")
    expect_told(use, text)


def expect_not_yet(use: Use, name: str, old: Optional[bytes] = None) -> None:
    """NAME is not there yet, or is the OLD file still: the new one is not whole."""
    if old is not None:
        use.folder.expect_file(name, old, "cut-file-kept")
    elif name in use.folder.names():
        got = use.folder.read(name, "cut-file-kept")
        raise Mismatch(expected=f"no file {name} before all of it has come, and the reply to it",
                       seen=f"it is there: {describe(got)}",
                       cause="cut-file-kept")
