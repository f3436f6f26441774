"""Lab 04: send_server and send_client, each alone, as a pair, and with ncat."""

from __future__ import annotations

import random
import signal
from typing import Optional, Union

import pytest

from labkit.echo import WRONG_PORTS, break_off, expect_usage_error, half_close, vanish
from labkit.feedback import Mismatch
from labkit.folders import Folder, fault_of_file
from labkit.grading import counts_waking, first, graded, many_packets
from labkit.losses import disturb, expect_unnoticed
from labkit.peer import Listener, Peer, describe, difference
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, NAMES_IT, PAIR, TOOL, VALUES, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"
PORT = 6666
NAME = "photo.raw"
BLOCK = 65536
"""What many programs take for a buffer's size, and a multiple of all smaller ones."""


def contents(size: int) -> bytes:
    """SIZE bytes that never repeat themselves: NUL, CR and LF among them, but not as the first."""
    return b"\x89" * bool(size) + random.Random(size).randbytes(max(size - 1, 0))


SMALL = contents(5_000)
BIG = contents(1024 * 1024 + 7)
"""More than all buffers between two programs hold together."""
SIZES = {"empty": 0, "a-byte": 1, "a-block": BLOCK, "a-byte-less": BLOCK - 1,
         "a-byte-more": BLOCK + 1}

SMALL_BUFFER = 32768
"""Of a client that does not read for a while: the server has to wait for it."""

each_size = pytest.mark.parametrize("size", list(SIZES.values()), ids=list(SIZES))
of_server = dict(programs=("send_server",))
of_client = dict(programs=("send_client",))
of_pair = dict(programs=("send_server", "send_client"))


# -- send_server: the command line ---------------------------------------------


@graded(step=0, points=2, **of_server)
def test_send_server_explains_wrong_arguments(lab: Scenario) -> None:
    """Wrong options or ports, no FILE or two: a usage line on stderr, exit status 2."""
    ports = [[*words, NAME] for words in WRONG_PORTS.values()]
    for arguments in (*ports, ["-x", NAME], [], [NAME, "surplus"]):
        expect_usage_error(lab, "send_server", arguments)


@because(NAMES_IT)
@graded(step=0, points=1, **of_server)
def test_send_server_listens_at_its_own_port(lab: Scenario) -> None:
    """Without options: 127.0.0.1 and port 6666, and the start line says so."""
    server = serve(lab, SMALL)
    lab.expect_line(server, "listening on 127.0.0.1 port 6666")


@graded(step=0, points=1, **of_server)
def test_send_server_listens_where_it_is_told(lab: Scenario) -> None:
    """`-a ::1 -p 0`: an IPv6 address and any free port; the start line tells the real one."""
    server = lab.start("send_server", "-a", "::1", "-p", "0", NAME,
                       folder=lab.folder({NAME: SMALL}))
    port = lab.listening_port(server, cause="no-ipv6")
    lab.expect_line(server, f"listening on ::1 port {port}")
    take_file(lab, SMALL, port=port, host="::1", cause="no-ipv6")
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server")


@graded(step=0, points=1, **of_server)
def test_send_server_understands_a_name(lab: Scenario) -> None:
    """`-a localhost` is looked up like any name; the start line shows a number."""
    server = lab.start("send_server", "-a", "localhost", "-p", "5000", NAME,
                       folder=lab.folder({NAME: SMALL}))
    lab.listening_port(server, cause="dotted-only")
    lab.expect_line_matching(server, r"listening on (127\.0\.0\.1|::1) port 5000",
                             cause="dotted-only")


@graded(step=0, points=1, **of_server)
def test_send_server_says_that_its_port_is_taken(lab: Scenario) -> None:
    """A port in use: `send_server: ...: Address already in use` on stderr, exit status 1."""
    lab.listen(PORT)
    lab.expect_port_taken("send_server", NAME, folder=lab.folder({NAME: SMALL}))


@graded(step=0, points=1, **of_server)
def test_send_server_says_that_there_is_no_file(lab: Scenario) -> None:
    """No such file: `send_server: ...: No such file or directory` on stderr, exit status 1."""
    server = lab.start("send_server", NAME, folder=lab.folder({"other": SMALL}))
    lab.expect_exit(server, 1, cause="no-error-told")
    lab.expect_complaint(server, r"send_server: .*: No such file or directory")


@pytest.mark.parametrize("kind", ["folder", "fifo"])
@graded(step=0, points=1, **of_server)
def test_send_server_says_that_it_is_no_file(lab: Scenario, kind: str) -> None:
    """A folder or a FIFO in place of the file: an error at once, exit status 1."""
    folder = lab.folder()
    if kind == "folder":
        folder.make_folder(NAME)
    else:
        folder.make_fifo(NAME)
    server = lab.start("send_server", NAME, folder=folder)
    lab.expect_exit(server, 1, cause="not-a-file")
    lab.expect_complaint(server, r"send_server: .+")


# -- send_server: the name line ------------------------------------------------


@first
@pytest.mark.parametrize("path, line", [
    (NAME, NAME), ("albums/1998/summer 05.raw", "summer 05.raw"),
    ("./100%s%n.txt", "100%s%n.txt"), ("n" * 255, "n" * 255), ("Zürich", "Zürich"),
], ids=["plain", "in-folders", "as-a-format", "the-longest", "utf-8"])
@because(VALUES)
@graded(step=1, points=1, **of_server)
def test_send_server_tells_the_base_name(lab: Scenario, path: str, line: str) -> None:
    """The first line is FILE's base name, whatever its path; the file begins right behind it."""
    serve(lab, SMALL, path)
    take_file(lab, SMALL, name=line)
    lab.expect_orderly(0, len(f"{line}\n".encode()) + len(SMALL), first_closer="server")


# -- send_server: the file -----------------------------------------------------


@first
@each_size
@because(NAMES_IT)
@graded(step=2, points=1, **of_server)
def test_send_server_sends_the_file(lab: Scenario, size: int) -> None:
    """Of any size, byte for byte, NUL and line ends as they are; then comes the FIN."""
    serve(lab, contents(size))
    take_file(lab, contents(size))
    lab.expect_orderly(0, len(NAME) + 1 + size, first_closer="server")


@counts_waking
@because(NAMES_IT)
@graded(step=2, points=1, **of_server)
def test_send_server_waits_for_a_slow_reader(lab: Scenario) -> None:
    """1 MiB, read only when all buffers are full and after Ctrl-Z and `fg`: nothing is lost."""
    server = serve(lab, BIG)
    peer = lab.connect(PORT, receive_buffer=SMALL_BUFFER)
    lab.wait_blocked(server)
    lab.expect_idle(server)
    lab.pause(server)
    lab.resume(server)
    take_all(peer, BIG, cause="partial-write")
    peer.close()
    lab.expect_orderly(0, len(NAME) + 1 + len(BIG), first_closer="server")


@because(NAMES_IT)
@graded(step=2, points=2, **of_server)
def test_send_server_begins_anew_for_each_client(lab: Scenario) -> None:
    """Ten clients in a row have the whole file each, not what the last one left of it."""
    serve(lab, SMALL)
    take_file(lab, SMALL)
    for _ in range(9):
        peer = lab.connect(PORT, cause="one-client-only")
        take_all(peer, SMALL, cause="shared-offset", reset="one-client-only",
                 silence="one-client-only")
        peer.close()
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server", connections=10)


@many_packets
@because(NAMES_IT)
@graded(step=2, points=1, **of_server)
def test_send_server_has_the_client_wait_that_came_later(lab: Scenario) -> None:
    """A client that connects while another has half of the file gets all of it in the end."""
    server = serve(lab, BIG)
    first = lab.connect(PORT, label="the first client", receive_buffer=SMALL_BUFFER)
    lab.wait_blocked(server)
    second = lab.connect(PORT, label="the second client")
    lab.wait_blocked(server)
    take_all(first, BIG, cause="shared-offset")
    first.close()
    take_all(second, BIG, cause="shared-offset")
    second.close()
    lab.expect_orderly(0, len(NAME) + 1 + len(BIG), first_closer="server", connections=2)


@graded(step=2, points=1, **of_server)
def test_send_server_opens_its_file_once(lab: Scenario) -> None:
    """The file is removed, or another takes its name: the one that was opened is sent."""
    folder = lab.folder({NAME: SMALL, "other": b"not this one"})
    serve(lab, folder)
    take_file(lab, SMALL)
    folder.rename("other", NAME)
    take_file(lab, SMALL, cause="partial-file")
    folder.remove(NAME)
    take_file(lab, SMALL, cause="no-answer")
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server", connections=3)


@graded(step=2, points=1, **of_server)
def test_send_server_outlives_a_file_that_shrinks(lab: Scenario) -> None:
    """The file is cut while it is sent: that client's connection ends, and the next is served."""
    folder = lab.folder({NAME: BIG})
    server = serve(lab, folder)
    peer = lab.connect(PORT, label="the client of the cut file", receive_buffer=SMALL_BUFFER)
    lab.wait_blocked(server)
    folder.cut(NAME, 100)
    take_what_comes(peer)
    peer.close()
    lab.expect_running(server, cause="partial-file")
    folder.write(NAME, BIG)
    take_file(lab, BIG, cause="partial-file")


@graded(step=2, points=1, **of_server)
def test_send_server_outlives_a_file_that_grows(lab: Scenario) -> None:
    """The file grows while it is sent: the client has all that was there, then comes the FIN."""
    folder = lab.folder({NAME: BIG})
    server = serve(lab, folder)
    peer = lab.connect(PORT, receive_buffer=SMALL_BUFFER)
    lab.wait_blocked(server)
    folder.append(NAME, SMALL)
    got, whole = take_what_comes(peer), line_of(NAME) + BIG + SMALL
    if got not in (whole, whole[: -len(SMALL)]):
        raise Mismatch(f"{peer.label} receives the file as it was, or as it is now",
                       difference(whole, got), "partial-file")
    peer.close()
    lab.expect_packets("connections=1", "teardown.kind=fin", "teardown.first_closer=server",
                       cause="partial-file")


@because(TOOL)
@graded(step=2, points=1, **of_server)
def test_send_server_serves_ncat(lab: Scenario) -> None:
    """A client that no one here wrote: ncat prints the line and the file, and goes."""
    serve(lab, SMALL)
    ncat = lab.start_tool("ncat", "--recv-only", "127.0.0.1", str(PORT))
    lab.expect_output(ncat, line_of(NAME) + SMALL, cause="partial-file")
    lab.expect_exit(ncat, 0, cause="descriptor-leak")
    lab.expect_silence(ncat)
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server")


# -- send_server: its end of the connection ------------------------------------


@because(NAMES_IT)
@graded(step=3, points=2, **of_server)
def test_send_server_closes_first(lab: Scenario) -> None:
    """Right behind the file's last byte comes the server's FIN: that is the end of the file."""
    serve(lab, SMALL)
    peer = lab.connect(PORT, cause="linger-rst")  # perhaps all was sent, and reset, already
    take_all(peer, SMALL, silence="first-closer")
    peer.close()
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server")


@graded(step=3, points=1, **of_server)
def test_send_server_takes_what_a_client_says(lab: Scenario) -> None:
    """A client that talks, though nobody asked, still gets the whole file, a FIN and no reset."""
    serve(lab, SMALL)
    peer = lab.connect(PORT)
    peer.send(SMALL)
    take_all(peer, SMALL, reset="unread-input-rst")
    peer.close()
    lab.expect_orderly(len(SMALL), len(NAME) + 1 + len(SMALL), first_closer="server")


@graded(step=3, points=1, **of_server)
def test_send_server_sends_all_after_the_clients_fin(lab: Scenario) -> None:
    """A client that half-closes at once, as ncat does at end of stdin, still gets it all."""
    server = serve(lab, BIG)
    lab.pause(server)
    peer = lab.connect(PORT, receive_buffer=SMALL_BUFFER)
    peer.half_close()
    peer.wait_acknowledged()
    lab.resume(server)
    take_all(peer, BIG, cause="closes-both", reset="closes-both")
    peer.close()
    lab.expect_orderly(0, len(NAME) + 1 + len(BIG))


@because(NAMES_IT)
@graded(step=3, points=1, **of_server)
def test_send_server_keeps_nothing_of_its_clients(lab: Scenario) -> None:
    """After twenty clients: no more descriptors and processes than before the first."""
    server = serve(lab, SMALL)
    before = lab.footprint(server)
    for _ in range(20):
        take_file(lab, SMALL)
    lab.expect_back_to(server, before)
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server", connections=20)


@pytest.mark.parametrize("how", ["reset", "fin-and-reset"])
@because(VALUES)
@graded(step=3, points=1, **of_server)
def test_send_server_outlives_a_client_that_breaks_off(lab: Scenario, how: str) -> None:
    """A client that goes in the middle of the file (SIGPIPE, ECONNRESET) ends nothing else."""
    server = serve(lab, BIG)
    before = lab.footprint(server)
    rude = lab.connect(PORT, label="the client that breaks off", receive_buffer=SMALL_BUFFER)
    lab.wait_blocked(server)
    if how == "reset":
        break_off(lab, rude)
    else:
        vanish(lab, rude)
    lab.expect_running(server, cause="reset-ends-server")
    take_file(lab, BIG, label="the next client", cause="reset-ends-server")
    lab.expect_back_to(server, before)
    lab.expect_packets("connections=2", "1:teardown.reset_by=client", "2:teardown.kind=fin",
                       "2:teardown.first_closer=server")


@graded(step=3, points=1, **of_server)
def test_send_server_can_be_started_again_at_once(lab: Scenario) -> None:
    """It closed first, so the TIME-WAIT is on its side: the port is free even so, then only."""
    folder = lab.folder({NAME: SMALL})
    first = serve(lab, folder)
    take_file(lab, SMALL)
    lab.expect_port_taken("send_server", NAME, folder=folder)
    lab.settle()
    first.kill()
    lab.wait_gone(first)
    serve(lab, folder, cause="no-reuseaddr")
    take_file(lab, SMALL)
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server", connections=2)


@counts_waking
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(NAMES_IT)
@graded(step=0, points=1, **of_server)
def test_send_server_ends_by_a_signal(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM ends a server that waits for a client: exit status 0."""
    server = serve(lab, SMALL)
    lab.expect_idle(server)
    lab.end_by_signal(server, number)


@graded(step=0, points=1, **of_server)
def test_send_server_ends_while_it_sends(lab: Scenario) -> None:
    """SIGTERM ends a server whose client does not read, and no process of it is left."""
    server = serve(lab, BIG)
    lab.connect(PORT, receive_buffer=SMALL_BUFFER)
    lab.wait_blocked(server)
    lab.end_by_signal(server, signal.SIGTERM)


# -- send_client: the command line ---------------------------------------------


@graded(step=0, points=2, **of_client)
def test_send_client_explains_wrong_arguments(lab: Scenario) -> None:
    """Wrong options or ports, two HOSTs: a usage line on stderr, exit status 2."""
    for arguments in (*WRONG_PORTS.values(), ["-x"], ["-o"], ["localhost", "surplus"]):
        expect_usage_error(lab, "send_client", arguments)


@first
@pytest.mark.parametrize("arguments, host, port", [
    ([], "127.0.0.1", 6666), (["-p", "5000", "localhost"], "127.0.0.1", 5000),
    (["localhost"], "::1", 6666), (["::1"], "::1", 6666),
], ids=["default", "name-and-port", "name-of-ipv6", "ipv6"])
@because(NAMES_IT)
@graded(step=0, points=1, **of_client)
def test_send_client_connects_where_it_is_told(
    lab: Scenario, arguments: list[str], host: str, port: int
) -> None:
    """127.0.0.1 port 6666, or what HOST and -p say: a name, IPv6; every address is tried."""
    folder, listener = lab.folder(), lab.listen(port, host)
    client = lab.start("send_client", *arguments, folder=folder)
    causes = {"127.0.0.1": "dotted-only" if arguments else None, "::1": "no-ipv6"}
    give_file(lab, listener, SMALL, cause=causes[host])
    expect_saved(lab, client, folder, SMALL)
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server",
                       packets="ip6" if ":" in host else "ip")


@graded(step=0, points=1, **of_client)
def test_send_client_says_that_nobody_listens(lab: Scenario) -> None:
    """A closed port: `send_client: ...: Connection refused`, status 1, and no file."""
    folder = lab.folder()
    client = lab.start("send_client", folder=folder)
    expect_failure(lab, client, r"send_client: .*: Connection refused")
    folder.expect_names(cause="left-over-file")
    lab.expect_packets("connections=1", "handshake.refused=true")


@graded(step=0, points=1, **of_client)
def test_send_client_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A name that nobody knows: a line `send_client: ...` on stderr, exit status 1."""
    client = lab.start("send_client", "no-such-host.invalid", folder=lab.folder())
    lab.expect_unknown_name(client, "send_client")
    lab.expect_silence(client)


# -- send_client: the name line ------------------------------------------------


@first
@graded(step=4, points=2, **of_client)
def test_send_client_saves_under_the_name_it_is_told(lab: Scenario) -> None:
    """Line and file come in one segment: all behind the newline is the file, and stdout silent."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    data = b"\n\nbegins with two empty lines\n"
    give_file(lab, listener, data)
    expect_saved(lab, client, folder, data, cause="name-line")
    lab.expect_orderly(0, len(NAME) + 1 + len(data), first_closer="server")


@because(NAMES_IT)
@graded(step=4, points=1, **of_client)
def test_send_client_takes_the_line_in_pieces(lab: Scenario) -> None:
    """Line and file come byte by byte, a segment each: it is the same."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    peer.send(line_of(NAME)[:1])
    lab.wait_blocked(client)  # it has read that, and waits for more
    peer.send_in_pieces(line_of(NAME)[1:] + SMALL[:20])
    peer.send(SMALL[20:])
    close_first(peer)
    expect_saved(lab, client, folder, SMALL, cause="single-read")
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server")


@counts_waking
@graded(step=4, points=1, **of_client)
def test_send_client_waits_for_its_server(lab: Scenario) -> None:
    """A server that is silent, also in the middle of line or file, and Ctrl-Z: it only waits."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    lab.expect_idle(client)
    lab.outwait(peer)
    for piece in (NAME[:5].encode(), line_of(NAME)[5:] + SMALL[:100], SMALL[100:]):
        lab.wait_blocked(client)
        lab.pause(client)
        lab.resume(client)
        peer.send(piece)
    close_first(peer)
    expect_saved(lab, client, folder, SMALL, cause="eintr")
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server")


@graded(step=4, points=2, **of_client)
def test_send_client_takes_any_name(lab: Scenario) -> None:
    """Whatever the name is made of, up to 255 bytes: the file has that name."""
    for name in ("100%s%n.txt", " two  words ", "n" * 255, "Zürich", "-rf", ".hidden", "a CR\r"):
        folder, listener = lab.folder(), lab.listen(PORT)
        client = lab.start("send_client", folder=folder)
        give_file(lab, listener, SMALL, name=name)
        expect_saved(lab, client, folder, SMALL, name=name, cause=name_fault(name))


@because(NAMES_IT)
@graded(step=4, points=1, **of_client)
def test_send_client_saves_under_the_name_the_user_tells(lab: Scenario) -> None:
    """`-o NAME`: the name in the line is not used."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", "-o", "copy", folder=folder)
    give_file(lab, listener, SMALL)
    expect_saved(lab, client, folder, SMALL, name="copy", cause="name-line")
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server")


@pytest.mark.parametrize("line", [
    b"inner/file", b"/files/inner/file", b"../files/inner/file", b"./inner/../inner/file",
], ids=["in-a-folder", "absolute", "up-and-down", "roundabout"])
@because(NAMES_IT)
@graded(step=4, points=2, **of_client)
def test_send_client_leaves_its_folder_for_no_name(lab: Scenario, line: bytes) -> None:
    """A path in the line: it is refused, or its last part is the name; nothing gets elsewhere."""
    folder, listener = lab.folder({"inner/other": b""}), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    peer.send(line + b"\n" + SMALL)
    half_close(peer)
    lab.wait_for(lambda: client.exit is not None, f"`{client.command}` ends",
                 lambda: "it still runs", "slow-end")
    saved = client.exit is not None and client.exit.status == 0
    if not saved:
        expect_failure(lab, client, cause="path-traversal")
    folder.expect_names("inner/other", *["file"] * saved, cause="path-traversal")
    if saved:
        folder.expect_file("file", SMALL)


@graded(step=5, points=1, **of_client)
def test_send_client_says_that_a_folder_has_the_name(lab: Scenario) -> None:
    """A folder of that name is there: an error, exit status 1; the folder stays, nothing else."""
    folder, listener = lab.folder({f"{NAME}/other": b""}), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    peer.send(line_of(NAME) + SMALL)
    half_close(peer)
    expect_failure(lab, client)
    folder.expect_names(f"{NAME}/other", cause="left-over-file")


@pytest.mark.parametrize("line", [b"\n", b".\n", b"..\n", b"", NAME.encode(), b"n" * 300 + b"\n"],
                         ids=["empty", "dot", "dot-dot", "no-line", "no-end", "too-long"])
@because(NAMES_IT)
@graded(step=4, points=1, **of_client)
def test_send_client_refuses_what_is_no_name(lab: Scenario, line: bytes) -> None:
    """No line, or one that is no file's name: an error, exit status 1, and no file."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    peer.send(line + (SMALL if line.endswith(b"\n") else b""))
    half_close(peer)
    expect_failure(lab, client, cause="name-line")
    folder.expect_names(cause="left-over-file")


@because(NAMES_IT)
@graded(step=4, points=1, **of_client)
def test_send_client_reads_no_line_without_end(lab: Scenario) -> None:
    """1 MiB without a newline is no name: an error, exit status 1, and no file."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    peer.send(b"n" * (1 << 20))
    half_close(peer)
    expect_failure(lab, client, cause="unbounded")
    folder.expect_names(cause="left-over-file")


# -- send_client: the file -----------------------------------------------------


@each_size
@because(NAMES_IT)
@graded(step=4, points=1, **of_client)
def test_send_client_saves_the_file(lab: Scenario, size: int) -> None:
    """Of any size, byte for byte, NUL and line ends as they are."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    lab.wait_blocked(client)
    lab.pause(client)  # so that it has much to read at once
    peer.send(line_of(NAME) + contents(size))
    lab.resume(client)
    close_first(peer)
    expect_saved(lab, client, folder, contents(size))
    lab.expect_orderly(0, len(NAME) + 1 + size, first_closer="server")


@because(NAMES_IT)
@graded(step=4, points=1, **of_client)
def test_send_client_saves_a_big_file(lab: Scenario) -> None:
    """1 MiB, more than any buffer holds, arrives byte for byte."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    give_file(lab, listener, BIG)
    expect_saved(lab, client, folder, BIG)
    lab.expect_orderly(0, len(NAME) + 1 + len(BIG), first_closer="server")


@graded(step=5, points=1, **of_client)
def test_send_client_replaces_an_old_file(lab: Scenario) -> None:
    """A longer file of that name was there before: now the new one is, and nothing of the old."""
    folder, listener = lab.folder({NAME: BIG}), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    give_file(lab, listener, SMALL)
    lab.expect_exit(client, 0)
    if folder.read(NAME)[len(SMALL):] == BIG[len(SMALL):]:
        raise Mismatch(f"the file {NAME} has the {len(SMALL)} bytes that were sent",
                       f"{len(BIG)} bytes: behind them is the rest of the old file",
                       "partial-file", read="open(2), O_TRUNC; rename(2)")
    expect_saved(lab, client, folder, SMALL)


@pytest.mark.parametrize("sent", [0, len(SMALL), BLOCK], ids=["no-byte", "some", "a-block"])
@because(NAMES_IT)
@graded(step=5, points=2, **of_client)
def test_send_client_keeps_no_cut_file(lab: Scenario, sent: int) -> None:
    """The connection is reset before the file's end: an error, exit status 1, and no file."""
    folder, listener = lab.folder(), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    peer.send(line_of(NAME) + contents(BLOCK)[:sent])
    peer.wait_acknowledged()
    lab.wait_blocked(client)
    break_off(lab, peer)
    expect_failure(lab, client, cause="cut-file-kept")
    expect_nothing_kept(folder)


@graded(step=5, points=1, **of_client)
def test_send_client_says_that_the_disk_is_full(lab: Scenario) -> None:
    """No room for all of it: `...: No space left on device`, exit status 1, and no file."""
    folder, listener = lab.folder(size=16384), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    peer.send(line_of(NAME) + contents(BLOCK))
    half_close(peer)
    expect_failure(lab, client, r"send_client: .*: No space left on device", "disk-full")
    expect_nothing_kept(folder)


@because(NAMES_IT)
@graded(step=5, points=1, **of_client)
def test_send_client_says_that_it_cannot_write(lab: Scenario) -> None:
    """A folder that is read-only: `...: Read-only file system`, exit status 1."""
    folder, listener = lab.folder(read_only=True), lab.listen(PORT)
    client = lab.start("send_client", folder=folder)
    peer = lab.accept(listener)
    peer.send(line_of(NAME) + SMALL)
    half_close(peer)
    expect_failure(lab, client, r"send_client: .*: Read-only file system", "disk-full")


@because(TOOL)
@graded(step=4, points=1, **of_client)
def test_send_client_takes_a_file_of_ncat(lab: Scenario) -> None:
    """A server that no one here wrote: ncat sends a line and a file, and closes."""
    folder = lab.folder()
    ncat = lab.start_tool("ncat", "--send-only", "-l", "127.0.0.1", str(PORT),
                          stdin=line_of(NAME) + SMALL)
    lab.wait_listening(ncat, PORT)
    client = lab.start("send_client", folder=folder)
    expect_saved(lab, client, folder, SMALL)
    lab.expect_exit(ncat, 0)
    lab.expect_orderly(0, len(NAME) + 1 + len(SMALL), first_closer="server")


# -- The pair ------------------------------------------------------------------


@because(PAIR)
@graded(step=4, points=2, **of_pair)
def test_pair_sends_a_file(lab: Scenario) -> None:
    """The file of the server's folder is in the clients', twice, byte for byte."""
    serve(lab, BIG)
    for arguments, name in (([], NAME), (["-o", "copy"], "copy")):
        folder = lab.folder()
        client = lab.start("send_client", *arguments, folder=folder)
        expect_saved(lab, client, folder, BIG, name=name)
    lab.expect_orderly(0, len(NAME) + 1 + len(BIG), first_closer="server", connections=2)


@pytest.mark.parametrize("rules, seen", [
    (["drop data from 6666 1", "drop data from 6666 every 5"], "to_client.lost>=10"),
    (["reorder data from 6666 3", "duplicate data from 6666 5", "corrupt data from 6666 7"],
     "to_client.reordered>=1"),
    (["drop fin from 6666 1"], "to_client.lost=1"),
], ids=["lost", "mixed-up", "no-fin"])
@because(BAD_NETWORK)
@graded(step=2, points=1, **of_pair)
def test_pair_sends_over_a_bad_network(lab: Scenario, rules: list[str], seen: str) -> None:
    """Line, file or FIN are lost, doubled, reordered, damaged: the file arrives all the same."""
    disturb(lab, *rules)
    data = BIG[:100_000]
    serve(lab, data)
    folder = lab.folder()
    client = lab.start("send_client", folder=folder)
    expect_saved(lab, client, folder, data, cause="own-timeout")
    expect_unnoticed(lab, 0, len(NAME) + 1 + len(data), seen, first_closer="server")


# -- What several tests do -----------------------------------------------------


def line_of(name: str) -> bytes:
    """The name line."""
    return f"{name}\n".encode()


def serve(
    lab: Scenario, what: Union[bytes, Folder], path: str = NAME, cause: Optional[str] = None
) -> Program:
    """Starts send_server with file PATH, which has WHAT in it, or is in that folder."""
    folder = what if isinstance(what, Folder) else lab.folder({path: what})
    return lab.start_server("send_server", path, port=PORT, folder=folder, cause=cause)


def take_file(
    lab: Scenario, data: bytes, *, name: str = NAME, port: int = PORT, host: str = "127.0.0.1",
    label: str = "the test's client", cause: Optional[str] = None,
) -> None:
    """A client comes, is sent NAME and DATA, and leaves; where it cannot, CAUSE is why."""
    peer = lab.connect(port, host, label=label, cause=cause)
    take_all(peer, data, name, cause)
    peer.close()


def take_all(
    peer: Peer, data: bytes, name: str = NAME, cause: Optional[str] = None,
    reset: str = "linger-rst", silence: str = "descriptor-leak",
) -> None:
    """PEER is sent NAME and DATA, and then the FIN; CAUSE is why not, where no other shows.

    reset, silence: why there is a reset in place of the FIN, or nothing.
    """
    line = line_of(name)
    try:
        got = peer.read_rest(cause=silence)
    except Mismatch as error:
        raise Mismatch(error.expected, error.seen, reset if peer.was_reset else silence) from None
    if not got.startswith(line):
        raise Mismatch(f"{peer.label} receives the line {describe(line)}",
                       difference(line, got[: len(line)]), name_fault(name))
    got = got[len(line):]
    if got != data:
        fault = "name-line" if got.endswith(data) and data else fault_of_file(data, got)
        if fault == "block-border":  # a guess, of which the test may know better
            fault = cause or fault
        raise Mismatch(f"behind the name line {peer.label} receives the file's {len(data)} bytes",
                       difference(data, got), fault or cause or "partial-file")


def name_fault(name: str) -> str:
    """Why NAME is not what was sent, or not what a file was saved under."""
    return "format-string" if "%" in name else "name-line"


def take_what_comes(peer: Peer) -> bytes:
    """All that PEER is sent until the FIN, or a reset, which must come."""
    peer.expect_reset()
    return bytes(peer.received)


def give_file(
    lab: Scenario, listener: Listener, data: bytes, *, name: str = NAME,
    cause: Optional[str] = None,
) -> None:
    """A scripted server sends NAME and DATA in one go, and closes first."""
    peer = lab.accept(listener, cause=cause)
    peer.send(line_of(name) + data)
    close_first(peer)
    listener.close()


def close_first(peer: Peer) -> None:
    """The scripted server's FIN, then the client's; one that has ended before is judged later."""
    half_close(peer)
    try:
        peer.expect_eof(cause="descriptor-leak")
    except Mismatch:
        if not peer.was_reset:
            raise
    peer.close()


def expect_saved(
    lab: Scenario, client: Program, folder: Folder, data: bytes, *, name: str = NAME,
    cause: Optional[str] = None,
) -> None:
    """The client ends with success, and FOLDER has the file and nothing else."""
    lab.expect_exit(client, 0, cause=cause)
    lab.expect_silence(client)
    folder.expect_file(name, data, cause or "partial-file", before=len(line_of(NAME)))
    folder.expect_names(name, cause="left-over-file")


def expect_failure(
    lab: Scenario, client: Program, complaint: str = r"send_client: .+",
    cause: Optional[str] = None,
) -> None:
    """The client ends with status 1, and a line like COMPLAINT on stderr says why."""
    lab.expect_exit(client, 1, cause=cause)
    lab.expect_complaint(client, complaint)
    lab.expect_silence(client)


def expect_nothing_kept(folder: Folder) -> None:
    """There is no file in FOLDER, neither a cut one nor a temporary one."""
    folder.expect_names(cause="cut-file-kept" if NAME in folder.names() else "left-over-file")
