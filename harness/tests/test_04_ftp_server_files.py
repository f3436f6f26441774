"""Lab 04: the files that the FTP server sends and stores."""

from __future__ import annotations

import functools
import signal

import pytest

from labkit.echo import BIG, break_off, half_close
from labkit.feedback import Mismatch
from labkit.ftp_client import (
    BROKEN_OFF, DONE, NO_FILE, NOT_WRITTEN, OPENING, SYNTAX, WAYS, FtpClient, expect_bytes,
    expect_sessions,
)
from labkit.ftp_serving import (
    descriptors, ACCOUNT, BINARY, HALF, HELLO, LOGIN, LONG, OPENER, SECRET, all_that_comes,
    expect_kept, expect_lines_for, expect_names_listed, expect_dropped, expect_text,
    expect_unseen, expect_whole_or_none, for_server, half_a_file, reader, serve, try_to_store,
    ways, writer,
)
from labkit.ftp_wire import CLIENT, CONTROL_PORT, SERVER, Data, expect_connections
from labkit.grading import counts_waking, many_packets
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"

CONTENT = BIG[1:] + b"."
"""1 MiB, of which the first byte is no NUL."""
SIZES = (0, 1, 511, 512, 513, 65_535, 65_536, 65_537, 1 << 20)
each_way = pytest.mark.parametrize("how", WAYS)


# -- Step 12: never out of the folder ----------------------------------------------------


OUTSIDE = {"secret.txt": SECRET, "served-too/secret.txt": SECRET}
INSIDE = {"served/a.txt": HELLO, "served/sub/b.txt": BINARY, "served/sub/deep/c.txt": HELLO}
WAYS_OUT = ("../secret.txt", "/../secret.txt", "sub/../../secret.txt", "../served-too/secret.txt",
            "sub/../../served-too/secret.txt", "/files/secret.txt", "//files/secret.txt",
            "./../secret.txt", "..//secret.txt", "sub/deep/../../../secret.txt", "..\\secret.txt",
            "a.txt/../../secret.txt", "....//secret.txt")
"""Names of a file that is there, but not for clients."""
FOLDERS_OUT = ("..", "/..", "../served-too", "sub/../..", "/files", "../../files", "sub/../../")


@because(NAMES_IT)
@for_server(step=12, points=3)
def test_server_never_leaves_its_folder(lab: Scenario) -> None:
    """With .. and absolute paths nothing outside is read, listed, told of, entered or written."""
    folder = lab.folder({**OUTSIDE, **INSIDE})
    serve(lab, folder, *ACCOUNT, below="/served")
    client = writer(lab)
    for path in WAYS_OUT:
        client.command(f"SIZE {path}", *NO_FILE, *SYNTAX, 553, cause="path-traversal")
        client.expect_refused(f"RETR {path}", *NO_FILE, *SYNTAX, 553, cause="path-traversal")
    for path in FOLDERS_OUT:
        expect_unseen(client, path, "secret.txt", "path-traversal")
    for path in ("../new", "/../served-too/new", "sub/../../new"):
        try_to_store(client, path, BINARY)
    for path in FOLDERS_OUT:
        client.command(f"CWD {path}", 250, *NO_FILE, *SYNTAX, 553)
        client.command("SIZE secret.txt", *NO_FILE, cause="path-traversal")
        client.command("CWD /", 250)
    expect_kept(folder, OUTSIDE, "served/", "path-traversal")
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=12, points=2)
def test_server_never_leaves_its_folder_from_below(lab: Scenario) -> None:
    """The same from a folder in it: .. that leads to the top, and one .. more, is not outside."""
    folder = lab.folder({**OUTSIDE, **INSIDE})
    serve(lab, folder, *ACCOUNT, below="/served")
    client = writer(lab)
    for here, up in (("sub", "../"), ("/sub/deep", "../../")):
        client.command(f"CWD {here}", 250)
        for path in ("../secret.txt", f"{up}../secret.txt", f"./{up}../served-too/secret.txt",
                     f"{up}../../files/secret.txt", "/../secret.txt"):
            client.command(f"SIZE {path}", *NO_FILE, *SYNTAX, 553, cause="path-traversal")
            client.expect_refused(f"RETR {path}", *NO_FILE, *SYNTAX, 553, cause="path-traversal")
        for path in (f"{up}..", f"-l {up}..", f"-a {up}../served-too", "-l ..", "-a ../served-too"):
            expect_unseen(client, path, "secret.txt", "path-traversal")
        for path in (f"{up}../new", f"{up}../served-too/new"):
            try_to_store(client, path, BINARY)
        for path in (f"{up}..", f"{up}../served-too", f"../{up}.."):
            client.command(f"CWD {path}", 250, *NO_FILE, *SYNTAX, 553)
            client.command("SIZE secret.txt", *NO_FILE, cause="path-traversal")
            client.expect_refused("RETR secret.txt", *NO_FILE, cause="path-traversal")
            client.command(f"CWD {'/sub/deep' if here != 'sub' else '/sub'}", 250)
        client.command("CWD /", 250)
    expect_kept(folder, OUTSIDE, "served/", "path-traversal")
    client.expect_file("sub/b.txt", BINARY)
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=12, points=3)
def test_server_follows_no_symbolic_link(lab: Scenario) -> None:
    """Links to files and folders, outside and inside: not read, not entered, not written to."""
    folder = lab.folder({**OUTSIDE, **INSIDE})
    for name, target in (("file", "../secret.txt"), ("absolute", "/files/secret.txt"),
                         ("inside", "a.txt"), ("folder", ".."), ("within", "sub"),
                         ("dangling", "../made"), ("sub/up", "../../served-too")):
        folder.link(f"served/{name}", target)
    serve(lab, folder, *ACCOUNT, below="/served")
    client = writer(lab)
    for path in ("file", "absolute", "inside", "folder/secret.txt", "within/b.txt",
                 "sub/up/secret.txt", "folder/served/a.txt"):
        client.command(f"SIZE {path}", *NO_FILE, 553, cause="symlink-escape")
        client.expect_refused(f"RETR {path}", *NO_FILE, 553, cause="symlink-escape")
    for path in ("folder", "within", "sub/up"):
        client.command(f"CWD {path}", *NO_FILE, 553, cause="symlink-escape")
    for path in ("folder", "folder/", "sub/up", "sub/up/"):
        expect_unseen(client, path, "secret.txt", "symlink-escape")
    for path in ("file", "dangling", "folder/new", "sub/up/secret.txt"):
        try_to_store(client, path, BINARY)
    expect_kept(folder, OUTSIDE, "served/", "symlink-escape")
    client.expect_file("sub/b.txt", BINARY)
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=12, points=2)
def test_server_gives_no_name_to_a_shell(lab: Scenario) -> None:
    """What a shell would run is a name as any other, of a file that is not there."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    for word in ("$(>made)", "`>made`", ";>made", "|tee made", "&& cp a.txt made", "' >made '",
                 '";>made;"', "a.txt;cp a.txt made", "-l;>made"):
        client.command(f"SIZE {word}", *NO_FILE, *SYNTAX, 553, cause="path-traversal")
        client.expect_refused(f"RETR {word}", *NO_FILE, *SYNTAX, 553, cause="path-traversal")
        client.command(f"CWD {word}", *NO_FILE, *SYNTAX, 553, cause="path-traversal")
        expect_unseen(client, word, "made", "path-traversal")
    folder.expect_names("a.txt", cause="path-traversal")
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=12, points=2)
def test_server_sends_regular_files_only(lab: Scenario) -> None:
    """A folder and a FIFO are refused like a file that is not there: 550, and nobody waits."""
    folder = lab.folder({"sub/a.txt": HELLO})
    folder.make_fifo("fifo")
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    for path in ("sub", "sub/", "/", ".", "fifo"):
        client.command(f"SIZE {path}", 550, cause="not-a-file")
        client.expect_refused(f"RETR {path}", *NO_FILE, cause="not-a-file")
    for path in ("sub", "fifo"):
        client.expect_refused(f"STOR {path}", *NOT_WRITTEN, cause="not-a-file")
    folder.expect_names("fifo", "sub/a.txt", cause="not-a-file")
    client.expect_file("sub/a.txt", HELLO)
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=12, points=1)
def test_server_sends_no_device(lab: Scenario) -> None:
    """Even where devices are in the folder: they are refused like a file that is not there."""
    lab.start_server("server", "-d", "/dev", port=CONTROL_PORT)
    client = reader(lab)
    for name in ("null", "zero"):
        client.command(f"SIZE {name}", 550, cause="not-a-file")
        client.expect_refused(f"RETR {name}", *NO_FILE, cause="not-a-file")
    client.quit()
    expect_sessions(lab, client)


# -- Step 5: whole files only ------------------------------------------------------------


@because(NAMES_IT)
@for_server(step=5, points=3)
def test_server_keeps_no_cut_file(lab: Scenario) -> None:
    """An upload that ends with a reset: no 226, nothing of the new file stays."""
    folder = lab.folder({"a.txt": HELLO})
    server = serve(lab, folder, *ACCOUNT)
    before = lab.footprint(server)
    client = writer(lab)
    data = half_a_file(client.begin("STOR new"))
    break_off(lab, data)
    client.reply(*BROKEN_OFF, cause="cut-file-kept", gone="reset-ends-server")
    expect_dropped(lab, folder, "new", "a.txt")
    client.store("new", BINARY)
    folder.expect_file("new", BINARY)
    data = half_a_file(client.begin("STOR newer"))
    break_off(lab, data)
    break_off(lab, client.peer)  # it has vanished altogether
    expect_dropped(lab, folder, "newer", "a.txt", "new")
    lab.expect_back_to(server, before)
    expect_sessions(lab, client, orderly=False)


@because(NAMES_IT)
@for_server(step=5, points=1)
def test_server_keeps_no_part_as_the_file_when_it_ends(lab: Scenario) -> None:
    """SIGTERM while a file is received: there is no file of that name."""
    folder = lab.folder({"a.txt": HELLO})
    server = serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    half_a_file(client.begin("STOR new"))
    lab.wait_blocked(server)
    lab.end_by_signal(server, signal.SIGTERM)
    if "new" in folder.names():
        raise Mismatch(expected="no file `new` in the folder", seen="a part of it",
                       cause="cut-file-kept")
    expect_sessions(lab, client, orderly=False)


@because(NAMES_IT)
@for_server(step=5, points=2)
def test_server_replaces_a_file_only_by_a_whole_one(lab: Scenario) -> None:
    """While an upload is under way a reader has the old file, or none, or waits: never a part."""
    folder = lab.folder({"doc": HELLO})
    server = serve(lab, folder, *ACCOUNT)
    sends, reads = writer(lab, "the writer"), writer(lab, "the reader")
    for name in ("doc", "new"):
        upload = half_a_file(sends.begin(f"STOR {name}"))
        data = reads.connect_data(reads.passive_port())
        reads.say(f"RETR {name}")
        lab.wait_blocked(server)
        upload.send(BINARY)
        sends.end_of_file(upload)
        expect_whole_or_none(reads, data, [HELLO] * (name == "doc") + [HALF + BINARY])
        reads.expect_file(name, HALF + BINARY)
    upload = half_a_file(sends.begin("STOR doc"))
    break_off(lab, upload)
    sends.reply(*BROKEN_OFF, cause="cut-file-kept", gone="reset-ends-server")
    data = reads.connect_data(reads.passive_port())
    reads.say("RETR doc")
    expect_whole_or_none(reads, data, [HALF + BINARY])
    for client in (sends, reads):
        client.quit()
    expect_sessions(lab, sends, reads)


@many_packets
@because(NAMES_IT)
@for_server(step=5, points=1)
def test_server_keeps_two_uploads_apart(lab: Scenario) -> None:
    """Two clients send a file of the same name at once: the file is one of them, whole."""
    folder = lab.folder()
    server = serve(lab, folder, *ACCOUNT)
    first, second = writer(lab, "one writer"), writer(lab, "another writer")
    contents = BIG, bytes(reversed(BIG))
    one = half_a_file(first.begin("STOR doc"))
    other = second.connect_data(second.passive_port())
    second.say("STOR doc")
    other.start_sending(contents[1])
    lab.wait_blocked(server)  # what it wants to write of the second is written then
    one.send(contents[0][len(HALF):])
    first.end_of_file(one)
    if second.reply(*OPENING, *NOT_WRITTEN).code in OPENING:
        other.send(b"")
        half_close(other)
        second.reply(*DONE, *BROKEN_OFF)
    if folder.read("doc") not in contents:
        raise Mismatch("the file doc is what one of two clients sent", "it is neither of them",
                       "cut-file-kept")
    folder.expect_names("doc", cause="left-over-file")
    for client in (first, second):
        client.quit()
    expect_sessions(lab, first, second)


@because(NAMES_IT)
@for_server(step=5, points=2)
def test_server_outlives_a_full_disk(lab: Scenario) -> None:
    """An upload that does not fit: an error, and nothing of it stays; the session goes on."""
    folder = lab.folder({"a.txt": HELLO}, size=256 * 1024)
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    data = client.begin("STOR big")
    data.start_sending(BIG)
    client.reply(*BROKEN_OFF, cause="disk-full")
    data.close()
    expect_dropped(lab, folder, "big", "a.txt")
    client.store("small", BINARY, cause="disk-full")
    folder.expect_file("small", BINARY)
    client.expect_file("a.txt", HELLO)
    client.quit()
    expect_connections(lab, Data(None, CLIENT), Data(len(BINARY), CLIENT, CLIENT),
                       Data(len(HELLO), SERVER, CLIENT))


@because(NAMES_IT)
@for_server(step=13, points=1)
def test_server_says_that_it_cannot_write(lab: Scenario) -> None:
    """A read-only folder, a folder that is not there: an error, and the session goes on."""
    folder = lab.folder({"a.txt": HELLO}, read_only=True)
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    for path in ("new", "a.txt", "nowhere/new"):
        client.expect_refused(f"STOR {path}", *NOT_WRITTEN, cause="disk-full")
    client.expect_file("a.txt", HELLO)
    client.quit()
    expect_sessions(lab, client)


# -- Step 11: files to the client --------------------------------------------------------


@because(NAMES_IT)
@for_server(step=11, points=3)
def test_server_sends_files_of_any_size(lab: Scenario) -> None:
    """From nothing to 1 MiB, every byte value: each on its own data connection, in one session."""
    files = {**{f"{size}.bin": CONTENT[:size] for size in SIZES}, "binary": BINARY}
    serve(lab, lab.folder(files))
    client = reader(lab)
    hows = ways(len(files))
    for (name, content), how in zip(files.items(), hows):
        client.expect_size(name, len(content))
        client.expect_file(name, content, how)
    client.quit()
    expect_connections(lab, *[Data(len(content), SERVER, OPENER[how])
                              for content, how in zip(files.values(), hows)])


@because(NAMES_IT)
@for_server(step=11, points=2)
def test_server_says_that_there_is_no_such_file(lab: Scenario) -> None:
    """550, with a data connection ready or not; without one 425; then all goes on."""
    serve(lab, lab.folder({"a.txt": HELLO, "sub/b.txt": BINARY}))
    client = reader(lab)
    for path in ("nothing", "sub/nothing", "nowhere/a.txt", "a.txt/b", "A.TXT", "a.txt ", "a.tx"):
        client.command(f"SIZE {path}", 550, cause="no-error-told")
        client.expect_refused(f"RETR {path}", *NO_FILE, cause="no-error-told")
    client.offer("PORT")
    client.expect_refused("RETR nothing", *NO_FILE, how=None, cause="no-error-told")
    client.expect_file("sub/b.txt", BINARY)
    client.quit()
    no_address = reader(lab)
    no_address.expect_refused("RETR a.txt", 425, 426, 451, 503, how=None)
    no_address.expect_file("a.txt", HELLO)
    no_address.quit()
    expect_sessions(lab, client, no_address)


@because(NAMES_IT)
@for_server(step=11, points=1)
def test_server_takes_names_as_they_are(lab: Scenario) -> None:
    """Names with spaces, a dash or a dot in front, wildcards, letters beyond ASCII and UTF-8."""
    names = ["two words", "-l", "*", "a?c", "grün", "\udc80\udcfe", "%s", "'\"", "a:b"]
    folder = lab.folder({name: name.encode(errors="surrogateescape") for name in names})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    for name in names:
        content = name.encode(errors="surrogateescape")
        client.expect_file(name, content)
        client.store(f"{name}+", content)
        folder.expect_file(f"{name}+", content, cause="no-error-told")
    client.quit()
    expect_sessions(lab, client)


@many_packets
@counts_waking
@because(NAMES_IT)
@for_server(step=11, points=2)
def test_server_waits_for_a_slow_reader(lab: Scenario) -> None:
    """6 MiB to a client that reads only when the server's buffers are full: nothing is missing."""
    server = serve(lab, lab.folder({"long": LONG}))
    client = reader(lab)
    data = client.begin("RETR long", receive_buffer=65536)
    lab.wait_blocked(server)
    lab.expect_idle(server)
    expect_bytes("RETR long", LONG, data.read_rest(), "partial-write")
    client.finish(data)
    client.quit()
    expect_connections(lab, Data(len(LONG), SERVER, CLIENT))


@because(NAMES_IT)
@for_server(step=11, points=2)
def test_server_outlives_a_broken_transfer(lab: Scenario) -> None:
    """The data connection is reset while a file is sent: 426, and the session goes on."""
    server = serve(lab, lab.folder({"a.txt": HELLO, "long": LONG}))
    before = lab.footprint(server)
    client = reader(lab)
    for how in ("EPSV", "PORT"):
        data = client.begin("RETR long", how, receive_buffer=4096)
        lab.wait_blocked(server)
        break_off(lab, data)
        client.reply(*BROKEN_OFF, gone="sigpipe")
        client.expect_file("a.txt", HELLO, how)
    client.quit()
    lab.expect_back_to(server, before)
    expect_connections(lab, *[Data(None, SERVER), Data(len(HELLO), SERVER)] * 2)


@because(NAMES_IT)
@for_server(step=11, points=2)
def test_server_tells_of_a_file_that_shrinks(lab: Scenario) -> None:
    """The file loses its end while it is sent: what the client has is not told to be whole."""
    folder = lab.folder({"a.txt": HELLO, "long": LONG})
    server = serve(lab, folder)
    client = reader(lab)
    data = client.begin("RETR long", receive_buffer=4096)
    lab.wait_blocked(server)
    folder.cut("long", 100_000)
    got = all_that_comes(data, "partial-file")
    data.close()
    if got != LONG:  # which a server that had read all of it before may send
        client.reply(*BROKEN_OFF, cause="partial-file", gone="reset-ends-server")
    else:
        client.reply(*DONE)
    client.expect_file("a.txt", HELLO)
    client.quit()
    expect_sessions(lab, client)


@many_packets
@because(NAMES_IT)
@for_server(step=11, points=1)
def test_server_sends_a_file_that_changes_its_name_or_grows(lab: Scenario) -> None:
    """What is sent is the file that was opened: replaced, or longer meanwhile, it is whole."""
    folder = lab.folder({"long": LONG, "other": BINARY})
    server = serve(lab, folder)
    client = reader(lab)
    data = client.begin("RETR long", receive_buffer=65536)
    lab.wait_blocked(server)
    folder.append("long", SECRET)
    folder.rename("other", "long")
    got = all_that_comes(data, "partial-file")
    if not (LONG + SECRET).startswith(got):
        expect_bytes("RETR long", LONG, got)
    expect_bytes("RETR long", LONG, got[:len(LONG)])
    client.finish(data)
    client.expect_file("long", BINARY)
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=11, points=1)
def test_server_keeps_nothing_of_a_transfer(lab: Scenario) -> None:
    """Transfers and errors of all kinds, again and again in one session: no descriptor stays."""
    folder = lab.folder({"a.txt": HELLO, "sub/b.txt": BINARY})
    server = serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    counts = []
    for _ in range(3):
        for how in WAYS:
            client.expect_file("a.txt", HELLO, how)
            client.store("new", BINARY, how)
            client.lines("NLST", how)
        client.expect_size("sub/b.txt", len(BINARY))
        client.expect_refused("RETR sub", *NO_FILE)
        client.expect_refused("STOR sub", *NOT_WRITTEN)
        for line in ("RETR a.txt", "STOR new", "NLST"):  # and nobody listens
            client.offer("PORT", port=5555).close()
            client.expect_refused(line, 421, 425, 426, how=None)
        client.command("CWD sub", 250)
        client.command("CWD a.txt", *NO_FILE)
        client.command("CWD /", 250)
        lab.wait_blocked(server)
        counts.append(descriptors(server))
    if counts[2] > counts[0]:
        raise Mismatch("nothing of a transfer stays open when it is over",
                       f"{counts[2] - counts[0]} more descriptors after "
                       f"{2 * len(WAYS)} of each kind", "descriptor-leak")
    client.quit()
    folder.expect_names("a.txt", "new", "sub/b.txt", cause="left-over-file")
    expect_sessions(lab, client)


# -- Step 13: files from the client ------------------------------------------------------


@because(NAMES_IT)
@for_server(step=13, points=3)
def test_server_stores_files_of_any_size(lab: Scenario) -> None:
    """From nothing to 1 MiB, every byte value: each is there, whole, when 226 comes."""
    folder = lab.folder({"sub/old": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    files = {f"{size}.bin": CONTENT[:size] for size in SIZES}
    files.update({"binary": BINARY, "sub/new": BINARY})
    hows = ways(len(files))
    for (name, content), how in zip(files.items(), hows):
        client.store(name, content, how,
                     look=functools.partial(folder.expect_file, name, content))
    folder.expect_names(*files, "sub/old", cause="left-over-file")
    client.quit()
    expect_connections(lab, *[Data(len(content), CLIENT, OPENER[how])
                              for content, how in zip(files.values(), hows)])


@many_packets
@because(NAMES_IT)
@for_server(step=13, points=2)
def test_server_replaces_an_old_file(lab: Scenario) -> None:
    """A longer file, then a shorter one, in small pieces: nothing of the old one stays."""
    folder = lab.folder({"doc": HELLO, "sub/doc": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    for content in (BIG, BINARY, b""):
        client.store("doc", content, pieces=100 if content == BINARY else 0)
        if len(folder.read("doc")) > len(content):
            raise Mismatch(f"a file of {len(content)} bytes replaces the old one",
                           "it is longer: its end is the old one's", "cut-file-kept")
        folder.expect_file("doc", content)
        client.expect_file("doc", content)
    client.command("CWD sub", 250)
    client.store("doc", BINARY)
    folder.expect_file("sub/doc", BINARY)
    folder.expect_names("doc", "sub/doc", cause="left-over-file")
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=13, points=1)
def test_server_stores_where_it_is_told(lab: Scenario) -> None:
    """Paths of STOR are taken from the folder we are in; with / in front from the top."""
    folder = lab.folder({"sub/deep/old": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    client.command("CWD sub", 250)
    contents = {}
    for told, path in (("new", "sub/new"), ("deep/new", "sub/deep/new"), ("/new", "new"),
                       ("/sub/deep/newer", "sub/deep/newer"), ("./newest", "sub/newest")):
        contents[path] = path.encode()
        client.store(told, contents[path], cause="no-error-told")
    folder.expect_names(*contents, "sub/deep/old", cause="left-over-file")
    for path, content in contents.items():
        folder.expect_file(path, content)
    client.quit()
    expect_sessions(lab, client)


# -- Step 14: type ASCII -----------------------------------------------------------------


TEXT = b"".join(b"line %d%s\n" % (number, b"." * (number % 97)) for number in range(3000))
"""170 KB, in lines that end anywhere in a buffer."""
NETWORK_TEXT = TEXT.replace(b"\n", b"\r\n")


@because(NAMES_IT)
@for_server(step=14, points=2)
def test_server_sends_text_with_network_line_ends(lab: Scenario) -> None:
    """A session begins in type A: each LF of a file becomes CR LF; in type I nothing changes."""
    files = {"text": TEXT, "empty": b"", "one": b"\n", "open": b"no end", "many": b"\n" * 3000}
    serve(lab, lab.folder(files))
    client = FtpClient(lab).login()
    sizes = []
    for switch, ends in ((None, b"\r\n"), ("TYPE I", b"\n"), ("TYPE A", b"\r\n")):
        if switch is not None:
            client.command(switch, 200)
        for name, content in files.items():
            content = content.replace(b"\n", ends)
            sizes.append(len(content))
            got = client.retrieve(f"RETR {name}")
            expect_text(f"RETR {name}", content, got, "ascii-type" if ends != b"\n" else None)
    client.quit()
    expect_connections(lab, *[Data(size, SERVER, CLIENT) for size in sizes])


@because(NAMES_IT)
@for_server(step=14, points=2)
def test_server_stores_text_with_its_own_line_ends(lab: Scenario) -> None:
    """In type A each CR LF becomes LF, also where a segment ends between them; a CR alone stays."""
    folder = lab.folder()
    serve(lab, folder, *ACCOUNT)
    client = FtpClient(lab).login(*LOGIN)
    client.store("text", NETWORK_TEXT)
    expect_text("STOR text", TEXT, folder.read("text"), "ascii-type")
    odd = b"\r\n\r\na\rb\r\nc\r\r\nd\0\xff\r\n\r\n"
    for pieces in (0, 1):
        client.store("odd", odd, pieces=pieces)
        expect_text("STOR odd", b"\n\na\rb\nc\r\nd\0\xff\n\n", folder.read("odd"), "ascii-type")
    for end in (b"\r", b"\r\n\r", b"a\r\r", b"a\n"):
        client.store("odd", b"a\r\n" + end)
        expect_text("STOR odd", b"a\n" + end.replace(b"\r\n", b"\n"), folder.read("odd"),
                    "ascii-type")
    client.binary().store("odd", odd)
    expect_text("STOR odd", odd, folder.read("odd"), None)
    client.quit()
    expect_sessions(lab, client)


# -- Step 15: lists ----------------------------------------------------------------------


@each_way
@because(NAMES_IT)
@for_server(step=15, points=1)
def test_server_lists_its_files(lab: Scenario, how: str) -> None:
    """NLST: a name a line and nothing else. LIST: a line for each, with its name at the end."""
    files = {"a.txt": HELLO, "two words": BINARY, "sub/b.txt": HELLO, "sub/c.txt": b""}
    serve(lab, lab.folder(files))
    client = FtpClient(lab).login()
    for folder, names in (("", ["a.txt", "two words"]), (" sub", ["b.txt", "c.txt"]),
                          (" /", ["a.txt", "two words"])):
        expect_names_listed(client.lines(f"NLST{folder}", how), names, folder.strip(), ["sub"])
        expect_lines_for(client.lines(f"LIST{folder}", how), names)
    client.command("CWD sub", 250)
    expect_names_listed(client.lines("NLST", how), ["b.txt", "c.txt"], "", [])
    client.binary().expect_file("b.txt", HELLO, how)
    client.quit()
    expect_sessions(lab, client)


@many_packets
@because(NAMES_IT)
@for_server(step=15, points=1)
def test_server_lists_many_files(lab: Scenario) -> None:
    """A thousand long names, on one data connection; and none in an empty folder."""
    names = [f"{number:04}-{'x' * (number % 200)}" for number in range(1000)]
    folder = lab.folder({f"many/{name}": b"" for name in names})
    folder.make_folder("empty")
    serve(lab, folder)
    client = FtpClient(lab).login()
    client.command("CWD many", 250)
    expect_names_listed(client.lines("NLST"), names, "", [])
    expect_lines_for(client.lines("LIST"), names)
    client.command("CWD /empty", 250)
    for command in ("NLST", "LIST"):
        data = client.connect_data(client.passive_port())
        if client.command(command, *OPENING, *NO_FILE).code in OPENING:
            got = data.read_rest()
            if got != b"total 0\r\n" or command == "NLST":  # that is how ls -l begins
                expect_bytes(f"{command} of an empty folder", b"", got)
            client.finish(data)
    for command in ("NLST", "LIST"):  # a file: it is listed, or is no folder
        expect_unseen(client, f"/many/{names[1]}", names[2], "partial-file")
        client.expect_refused(f"{command} /nowhere", *NO_FILE, 501, 553, cause="no-error-told")
    client.command("NOOP", 200)
    client.quit()
    expect_sessions(lab, client)
