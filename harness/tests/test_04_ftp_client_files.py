"""Lab 04: the files that the FTP client gets and puts: whole, or not there at all."""

from __future__ import annotations

import signal
from typing import Optional

import pytest

from labkit.echo import vanish
from labkit.feedback import Mismatch
from labkit.folders import fault_of_file
from labkit.ftp_server import COMPLETE, OPENING
from labkit.ftp_user import (
    BIG, BINARY, MISSING, TEXT, Use, expect_end, expect_not_yet, expect_told, finish, give, offer,
    refuse, serve_in_vain, start, wait_gone, wait_told,
)
from labkit.ftp_wire import CLIENT, SERVER, Data
from labkit.grading import first, graded, many_packets
from labkit.peer import describe, difference
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"
SIZES = [0, 1, 511, 512, 513, 4095, 4096, 4097, 8192, 16_383, 16_384, 16_385, 65_535, 65_536,
         65_537, 131_072]
"""Around the borders that blocks and buffers have."""
OLD = b"what was there before\n"

client_test = dict(programs=("client",))


# -- Step 5: a temporary name until the file is whole ---------------------------------------


@pytest.mark.parametrize("old", [None, OLD], ids=["new", "old"])
@because(NAMES_IT)
@graded(step=5, points=2, **client_test)
def test_client_shows_a_file_when_it_is_whole(lab: Scenario, old: Optional[bytes]) -> None:
    """Before the last byte and the reply to it there is no file of that name, or the old one."""
    folder = lab.folder({} if old is None else {"name": old})
    use = start(lab, "get", "name", folder=folder)
    use.session.until("RETR")
    expect_not_yet(use, "name", old)
    peer = use.session.open_data()
    use.session.reply(OPENING)
    for part in (BIG[:100_000], BIG[100_000:200_001]):
        peer.send(part)
        lab.wait_blocked(use.client)
        expect_not_yet(use, "name", old)
    use.session.finish(peer, 200_001)
    lab.wait_blocked(use.client)
    expect_not_yet(use, "name", old)
    use.session.complete(peer)
    finish(lab, use)
    folder.expect_file("name", BIG[:200_001])
    folder.expect_names("name", cause="left-over-file")


CUTS = {
    "reset-426": (True, "426 Connection closed; transfer aborted."),
    "reset-226": (True, COMPLETE),
    "fin-426": (False, "426 Connection closed; transfer aborted."),
    "fin-451": (False, "451 Local error."),
    "fin-550": (False, "550 It is gone."),
}


@pytest.mark.parametrize("reset, reply", list(CUTS.values()), ids=list(CUTS))
@because(NAMES_IT)
@graded(step=20, points=2, **client_test)
def test_client_keeps_no_cut_file(lab: Scenario, reset: bool, reply: str) -> None:
    """A transfer is broken off: nothing of it stays, an old file does, the session goes on."""
    folder = lab.folder({"old": OLD})
    use = start(lab, stdin=b"get old\nget new\nget last\n", folder=folder)
    for name in ("old", "new"):
        use.session.until("RETR", cause="control-closed")
        peer = use.session.open_data()
        use.session.reply(OPENING)
        peer.send(TEXT)
        lab.wait_blocked(use.client)
        use.session.break_off(peer, reset)
        use.session.reply(reply)
    give(use, TEXT, "last", cause="control-closed")
    wait_gone(lab, use)
    folder.expect_file("old", OLD, "cut-file-kept")
    folder.expect_file("last", TEXT)
    folder.expect_names("last", "old")
    expect_end(lab, use, 1)
    if not reset:
        expect_told(use, reply)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "reset"])
@pytest.mark.parametrize("whole", [False, True], ids=["within-the-file", "before-its-reply"])
@because(NAMES_IT)
@graded(step=20, points=1, **client_test)
def test_client_keeps_no_file_of_a_server_that_has_gone(
    lab: Scenario, whole: bool, reset: bool
) -> None:
    """The control connection ends within a file, or when all of it has come but no 226."""
    folder = lab.folder({"name": OLD})
    use = start(lab, "get", "name", folder=folder)
    use.session.until("RETR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    peer.send(TEXT)
    if whole:
        use.session.finish(peer, len(TEXT))
        lab.wait_blocked(use.client)
        use.session.vanish(reset)
    else:
        lab.wait_blocked(use.client)
        use.session.vanish(reset)
        use.session.break_off(peer, reset)
    lab.wait_for(lambda: use.client.exit is not None, "the client ends",
                 lambda: "it still runs", "slow-end")
    folder.expect_file("name", OLD, "cut-file-kept")
    folder.expect_names("name")
    lab.expect_exit(use.client, 1)
    lab.expect_complaint(use.client, r"client: .+")


@graded(step=5, points=1, **client_test)
def test_client_that_is_ended_leaves_no_cut_file(lab: Scenario) -> None:
    """SIGTERM within a file: the client ends, and there is no file of that name."""
    use = start(lab, "get", "name")
    use.session.until("RETR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    peer.send(TEXT)
    lab.wait_blocked(use.client)
    use.client.send_signal(signal.SIGTERM)
    lab.wait_for(lambda: use.client.exit is not None, "SIGTERM ends the client",
                 lambda: "it still runs", "slow-end")
    expect_not_yet(use, "name")


# -- Step 20: get -------------------------------------------------------------------------------


@because(NAMES_IT)
@graded(step=20, points=2, **client_test)
def test_client_gets_files_of_any_size(lab: Scenario) -> None:
    """Files of 0 bytes, 1 byte, a block, a block more or less: byte for byte."""
    use = start(lab, stdin=b"".join(b"get of-%d\n" % size for size in SIZES))
    for size in SIZES:
        give(use, BIG[:size], f"of-{size}", cause="control-closed")
    finish(lab, use)
    for size in SIZES:
        use.folder.expect_file(f"of-{size}", BIG[:size])


@many_packets
@graded(step=20, points=2, **client_test)
def test_client_gets_a_big_file(lab: Scenario) -> None:
    """3 MiB; on stderr, which is no terminal, nothing is said while they come."""
    use = start(lab, "get", "name")
    use.session.size = len(BIG)
    use.session.until("RETR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    peer.send(BIG[:1 << 20])
    said = len(use.client.stderr)
    for start_ in range(1 << 20, len(BIG), 1 << 18):
        peer.send(BIG[start_:start_ + (1 << 18)])
    lab.wait_blocked(use.client)
    progress = bytes(use.client.stderr[said:])
    use.session.finish(peer, len(BIG))
    use.session.complete(peer)
    finish(lab, use)
    use.folder.expect_file("name", BIG)
    if progress:
        raise Mismatch(expected="progress is shown on a terminal only",
                       seen=f"on stderr: {describe(progress)}", cause="messages")


@because(NAMES_IT)
@graded(step=20, points=2, **client_test)
def test_client_gets_every_byte(lab: Scenario) -> None:
    """All byte values, line ends of all kinds, in segments of a few bytes: nothing changes."""
    use = start(lab, "get", "name")
    use.session.until("RETR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    for part in (BINARY[:1], BINARY[1:14], BINARY[14:]):
        peer.send_in_pieces(part, 700)
    use.session.finish(peer, len(BINARY))
    use.session.complete(peer)
    finish(lab, use)
    use.folder.expect_file("name", BINARY, "text-mode")


@because(NAMES_IT)
@graded(step=20, points=1, **client_test)
def test_client_saves_under_the_name_it_is_told(lab: Scenario) -> None:
    """`get REMOTE LOCAL`: RETR has REMOTE as it is, the file is LOCAL, in whatever folder."""
    folder = lab.folder()
    folder.make_folder("sub")
    names = [("one", "two"), ("/deep/er/one", "sub/three"), ("a b", "c d"), ("%s%n", "\u00e4")]
    for remote, local in names:
        use = start(lab, "get", remote, local, folder=folder)
        give(use, TEXT, remote, cause="messages")
        finish(lab, use)
        folder.expect_file(local, TEXT, "messages")
    folder.expect_names(*(local for _, local in names), cause="left-over-file")


@because(NAMES_IT)
@graded(step=20, points=2, **client_test)
def test_client_says_that_a_file_is_missing(lab: Scenario) -> None:
    """550 to RETR: the reply on stderr, exit status 1, no file; an old one stays."""
    folder = lab.folder({"old": OLD})
    for name in ("old", "new"):
        use = start(lab, "get", name, folder=folder)
        refuse(use, "RETR")
        finish(lab, use, 1, cause="no-error-told")
        expect_told(use, MISSING)
    folder.expect_file("old", OLD, "cut-file-kept")
    folder.expect_names("old", cause="left-over-file")


OTHER_CODES = pytest.mark.parametrize(
    "opening, closing", [("125 Already open.", "250 Done."), ("150 Comes.", "250 Done.")],
    ids=["125", "150"],
)


@OTHER_CODES
@because(NAMES_IT)
@graded(step=20, points=1, **client_test)
def test_client_takes_other_codes_for_success(lab: Scenario, opening: str, closing: str) -> None:
    """125 says the same as 150, 250 the same as 226 (RFC 959, 5.4): the first digit tells."""
    use = start(lab, "get", "name")
    use.session.until("RETR")
    use.session.send(TEXT, opening, closing, cause="reply-code")
    finish(lab, use, cause="reply-code")
    use.folder.expect_file("name", TEXT, "reply-code")


@because(NAMES_IT)
@graded(step=20, points=2, **client_test)
def test_client_reads_up_to_the_end_of_the_data(lab: Scenario) -> None:
    """226 overtakes the data, which is on another connection: the file still has all of it."""
    use = start(lab, "get", "name")
    use.session.size = 200_000
    use.session.until("RETR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    peer.send(BIG[:1000])
    use.session.reply(COMPLETE)
    lab.wait_blocked(use.client)
    expect_not_yet(use, "name")
    peer.send(BIG[1000:200_000])
    use.session.finish(peer, 200_000, "partial-file")
    peer.expect_eof()
    peer.close()
    finish(lab, use, cause="partial-file")
    use.folder.expect_file("name", BIG[:200_000])


@pytest.mark.parametrize("reply", ["425 Not from there.", "451 Local error."],
                         ids=["425", "451"])
@because(NAMES_IT)
@graded(step=20, points=1, **client_test)
def test_client_hears_a_reply_while_it_waits_for_data(lab: Scenario, reply: str) -> None:
    """An error after 150, while the data connection stays open and silent: no hang, no file."""
    use = start(lab, stdin=b"get name\nget last\n")
    use.session.until("RETR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    if reply.startswith("451"):
        peer.send(TEXT)
    lab.wait_blocked(use.client)
    use.session.reply(reply)
    wait_told(lab, use, reply, "slow-end")
    use.session.data.append(Data(None, SERVER))
    give(use, TEXT, "last", cause="control-closed")
    peer.close()
    finish(lab, use, 1)
    use.folder.expect_names("last")


@because(NAMES_IT)
@many_packets
@graded(step=20, points=2, **client_test)
def test_client_says_that_the_disk_is_full(lab: Scenario) -> None:
    """The disk fills up within a file: an error, nothing of it stays, the session goes on."""
    folder = lab.folder({"old": OLD}, size=256 * 1024)
    use = start(lab, stdin=b"get old\nget new\nget last\n", folder=folder)
    for name in ("old", "new"):
        use.session.size = len(BIG)
        use.session.until("RETR", cause="disk-full")
        serve_in_vain(use, BIG)
    give(use, TEXT, "last", cause="disk-full")
    finish(lab, use, 1, cause="disk-full")
    lab.expect_complaint(use.client, r"client: .*No space left on device")
    folder.expect_file("old", OLD, "disk-full")
    folder.expect_file("last", TEXT, "disk-full")
    folder.expect_names("last", "old", cause="left-over-file")


@because(NAMES_IT)
@graded(step=20, points=1, **client_test)
def test_client_says_that_it_cannot_write(lab: Scenario) -> None:
    """A folder that can only be read: an error, exit status 1; `put` works from there."""
    folder = lab.folder({"mine": TEXT}, read_only=True)
    use = start(lab, "get", "name", folder=folder)
    offer(use, TEXT)
    expect_end(lab, use, 1)
    lab.expect_complaint(use.client, r"client: .*(Read-only file system|Permission denied)")
    use = start(lab, "put", "mine", folder=folder)
    use.session.until("STOR")
    if use.session.receive() != TEXT:
        raise Mismatch(expected="the file's bytes", seen="others", cause="partial-file")
    use.session.end()
    lab.expect_exit(use.client, 0)


@pytest.mark.parametrize(
    "local, wanted",
    [("sub", "[Dd]irectory|folder|exists|[Nn]ot (empty|a file)"),
     ("none/name", "No such file or directory"), ("x" * 256, "File name too long")],
    ids=["a-folder", "in-no-folder", "too-long"],
)
@because("names that the file system refuses, where others refuse what the server named")
@graded(step=20, points=1, **client_test)
def test_client_says_that_a_name_cannot_be_had(lab: Scenario, local: str, wanted: str) -> None:
    """LOCAL is a folder, is in a folder that is not there, or is too long: nothing is left."""
    folder = lab.folder()
    folder.make_folder("sub")
    use = start(lab, "get", "name", local, folder=folder)
    offer(use, TEXT)
    expect_end(lab, use, 1)
    lab.expect_complaint(use.client, rf"client: .*({wanted})")
    folder.expect_names("sub/", cause="left-over-file")


@graded(step=20, points=1, **client_test)
def test_client_saves_a_file_of_the_longest_name(lab: Scenario) -> None:
    """A name of 255 bytes can be a file's: so it can be this one's."""
    use = start(lab, "get", "x" * 255)
    give(use, TEXT, "x" * 255, cause="partial-file")
    finish(lab, use)
    use.folder.expect_names("x" * 255, cause="left-over-file")


# -- Step 21: put ---------------------------------------------------------------------------------


@because(NAMES_IT)
@graded(step=21, points=2, **client_test)
def test_client_puts_files_of_any_size(lab: Scenario) -> None:
    """Files of 0 bytes, 1 byte, a block, a block more or less: byte for byte."""
    folder = lab.folder({f"of-{size}": BIG[:size] for size in SIZES})
    use = start(lab, stdin=b"".join(b"put of-%d\n" % size for size in SIZES), folder=folder)
    for size in SIZES:
        take(use, f"of-{size}", BIG[:size], "control-closed")
    finish(lab, use)


@many_packets
@because(NAMES_IT)
@graded(step=21, points=2, **client_test)
def test_client_puts_a_big_file_to_a_slow_server(lab: Scenario) -> None:
    """3 MiB for a server that begins to read late and has little room: all of it arrives."""
    folder = lab.folder({"name": BIG})
    use = start(lab, "put", "name", folder=folder)
    use.session.receive_buffer = 8192
    use.session.until("STOR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    lab.wait_blocked(use.client)
    expect_same(peer.read_rest("partial-write"), BIG, "partial-write")
    peer.close()
    use.session.data.append(Data(len(BIG), CLIENT))
    use.session.reply(COMPLETE)
    finish(lab, use)


@first
@because(NAMES_IT)
@graded(step=21, points=2, **client_test)
def test_client_puts_every_byte(lab: Scenario) -> None:
    """All byte values, line ends of all kinds: nothing changes."""
    use = start(lab, "put", "name", folder=lab.folder({"name": BINARY}))
    take(use, "name", BINARY)
    finish(lab, use)


def take(use: Use, name: str, data: bytes, cause: Optional[str] = None) -> None:
    """The client puts NAME, which is DATA; CAUSE: why it does not."""
    command = use.session.until("STOR", cause=cause)
    if command.argument != name:
        raise Mismatch(expected=f"`STOR {name}`", seen=f"`{command}`", cause="messages")
    expect_same(use.session.receive(), data)


def expect_same(got: bytes, data: bytes, cause: str = "partial-file") -> None:
    """GOT, which the client has put, is DATA."""
    if got != data:
        raise Mismatch(expected=f"the {len(data)} bytes of the file", seen=difference(data, got),
                       cause=fault_of_file(data, got) or cause)


@because(NAMES_IT)
@graded(step=21, points=1, **client_test)
def test_client_puts_under_the_name_it_is_told(lab: Scenario) -> None:
    """`put LOCAL REMOTE`: STOR has REMOTE as it is."""
    folder = lab.folder({"one": TEXT, "sub/a b": TEXT, "%s%n": TEXT})
    for local, remote in (("one", "/deep/er/two"), ("sub/a b", "c d"), ("%s%n", "\u00e4")):
        use = start(lab, "put", local, remote, folder=folder)
        take(use, remote, TEXT)
        finish(lab, use)


@because(NAMES_IT)
@graded(step=21, points=1, **client_test)
def test_client_puts_no_file_that_is_not_there(lab: Scenario) -> None:
    """A missing file: an error, exit status 1, and no empty file on the server."""
    use = start(lab, "put", "none")
    use.session.end("no-error-told")
    expect_end(lab, use, 1)
    lab.expect_complaint(use.client, r"client: .*No such file or directory")


@because(NAMES_IT)
@graded(step=21, points=1, **client_test)
def test_client_puts_no_folder(lab: Scenario) -> None:
    """A folder is no file: an error, exit status 1, and no empty file on the server."""
    folder = lab.folder()
    folder.make_folder("sub")
    use = start(lab, "put", "sub", folder=folder)
    use.session.end("not-a-file")
    expect_end(lab, use, 1)


@because(NAMES_IT)
@graded(step=21, points=1, **client_test)
def test_client_waits_until_a_file_is_stored(lab: Scenario) -> None:
    """After the last byte the reply is waited for: only then is the file there."""
    use = start(lab, "put", "name", folder=lab.folder({"name": TEXT}))
    use.session.until("STOR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    expect_same(peer.read_rest(), TEXT)
    peer.close()
    use.session.data.append(Data(len(TEXT), CLIENT))
    lab.wait_blocked(use.client)
    use.session.control.expect_nothing("out-of-turn")
    use.session.reply(COMPLETE)
    finish(lab, use)


@OTHER_CODES
@because(NAMES_IT)
@graded(step=21, points=1, **client_test)
def test_client_puts_in_spite_of_other_codes(lab: Scenario, opening: str, closing: str) -> None:
    """For STOR, too, 125 says the same as 150, and 250 the same as 226 (RFC 959, 5.4)."""
    use = start(lab, "put", "name", folder=lab.folder({"name": TEXT}))
    use.session.until("STOR")
    got = use.session.receive(opening, closing, cause="reply-code")
    if got != TEXT:
        raise Mismatch(expected=f"after `{opening}` the {len(TEXT)} bytes of the file",
                       seen=difference(TEXT, got), cause="reply-code")
    finish(lab, use, cause="reply-code")


@because(NAMES_IT)
@graded(step=21, points=2, **client_test)
def test_client_says_that_a_file_was_not_stored(lab: Scenario) -> None:
    """Refused before the data, or after it: the reply on stderr, exit status 1."""
    replies = {"before": "553 Not here.", "after": "452 The disk is full.", "broken": "426 No."}
    folder = lab.folder({"name": TEXT})
    use = start(lab, stdin=b"put name\n" * 4, folder=folder)
    refuse(use, "STOR", replies["before"])
    use.session.until("STOR", cause="control-closed")
    use.session.receive(closing=replies["after"])
    use.session.until("STOR", cause="control-closed")
    use.session.receive(closing=replies["broken"])
    take(use, "name", TEXT, "control-closed")
    finish(lab, use, 1, cause="no-error-told")
    for reply in replies.values():
        expect_told(use, reply)


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "stops-reading"])
@because(NAMES_IT)
@graded(step=21, points=1, **client_test)
def test_client_says_that_its_file_was_broken_off(lab: Scenario, reset: bool) -> None:
    """The server's disk is full within a file: it resets, or reads no more; its reply is told."""
    folder = lab.folder({"big": BIG, "small": TEXT})
    use = start(lab, stdin=b"put big\nput small\n", folder=folder)
    use.session.receive_buffer = 8192
    use.session.until("STOR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    lab.wait_blocked(use.client)
    use.session.data.append(Data(None, CLIENT))
    if reset:
        vanish(lab, peer)
    use.session.reply("452 The disk is full.")
    wait_told(lab, use, "452 The disk is full.", "slow-end")
    take(use, "small", TEXT, "sigpipe")
    peer.close()
    finish(lab, use, 1, cause="sigpipe")


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "reset"])
@because(NAMES_IT)
@graded(step=21, points=1, **client_test)
def test_client_says_that_the_server_has_gone_within_its_file(
    lab: Scenario, reset: bool
) -> None:
    """Both connections end while the client sends: an error, exit status 1."""
    use = start(lab, "put", "name", folder=lab.folder({"name": BIG}))
    use.session.receive_buffer = 8192
    use.session.until("STOR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    lab.wait_blocked(use.client)
    use.session.vanish(reset)
    use.session.break_off(peer, reset)
    lab.expect_exit(use.client, 1)
    lab.expect_complaint(use.client, r"client: .+")


@graded(step=21, points=1, **client_test)
def test_client_keeps_no_descriptor(lab: Scenario) -> None:
    """Eighty transfers, some of which fail, where only 20 descriptors can be open at once."""
    folder = lab.folder({"mine": TEXT})
    lines = b"get one\nput mine\nget none\nput none\nls\nput mine\n" * 16
    use = start(lab, stdin=lines, folder=folder, descriptors=20)
    for _ in range(16):
        give(use, TEXT, cause="descriptor-leak")
        take(use, "mine", TEXT, "descriptor-leak")
        refuse(use, "RETR", cause="descriptor-leak")
        use.session.until("NLST", cause="descriptor-leak")
        use.session.send(b"", cause="descriptor-leak")
        refuse(use, "STOR", cause="descriptor-leak")
    finish(lab, use, 1)
