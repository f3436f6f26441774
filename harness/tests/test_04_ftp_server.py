"""Lab 04: the FTP server's sessions: its command line, commands, login, folders, clients."""

from __future__ import annotations

import signal
from collections.abc import Collection

import pytest

from labkit.echo import BIG, WRONG_PORTS, break_off, expect_usage_error, half_close
from labkit.feedback import Mismatch
from labkit.ftp_client import (
    DONE, NO_FILE, NOT_WRITTEN, OPENING, PASSIVE, SYNTAX, UNKNOWN, WAYS, FtpClient, expect_bytes,
    expect_sessions,
)
from labkit.ftp_serving import (
    ACCOUNT, BINARY, HALF, HELLO, LOGIN, LONG, OPENER, all_that_comes,
    expect_answer_or_end, expect_folder, expect_names_listed, expect_dropped,
    expect_nothing_allowed, expect_service, for_server, half_a_file, reader, serve, writer,
)
from labkit.ftp_wire import CLIENT, CONTROL_PORT, SERVER, Data, expect_connections
from labkit.grading import counts_waking, first, half_written, many_packets, takes
from labkit.reasons import NAMES_IT, TOOL, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"

each_way = pytest.mark.parametrize("how", WAYS)


# -- The command line, the start, the end ------------------------------------------------


@for_server(step=0, points=1)
def test_server_explains_wrong_arguments(lab: Scenario) -> None:
    """Wrong arguments to the server: a usage line on stderr, exit status 2."""
    for arguments in (*WRONG_PORTS.values(), ["-x"], ["surplus"]):
        expect_usage_error(lab, "server", arguments)


@for_server(step=0, points=1)
def test_server_says_why_it_cannot_begin(lab: Scenario) -> None:
    """An unknown name, a missing folder, a port in use: `server: ...` on stderr, exit status 1."""
    lab.listen(CONTROL_PORT)
    server = lab.start("server", "-p", "5000", "-a", "no-such-host.invalid")
    lab.expect_unknown_name(server, "server")
    lab.expect_silence(server)
    for arguments, why, cause in (
        (["-p", "5000", "-d", "no-such-folder"], "server: .+", "no-error-told"),
        ([], "server: .*Address already in use", "address-in-use"),
    ):
        server = lab.start("server", *arguments)
        lab.expect_exit(server, 1, cause=cause)
        lab.expect_complaint(server, why)
        lab.expect_silence(server)


@because(NAMES_IT)
@for_server(step=0, points=1)
def test_server_serves_the_current_folder(lab: Scenario) -> None:
    """Without options it is at 127.0.0.1, port 2121, and nowhere else, and serves its folder."""
    server = lab.start_server("server", port=CONTROL_PORT, folder=lab.folder({"a.txt": HELLO}))
    lab.expect_line(server, "listening on 127.0.0.1 port 2121")
    if lab.network.sockets.udp():
        raise Mismatch(expected="a TCP socket only", seen="a UDP socket", cause="udp-not-tcp")
    client = reader(lab)
    client.expect_file("a.txt", HELLO)
    client.quit()
    expect_connections(lab, Data(len(HELLO), SERVER, CLIENT))


@first
@for_server(step=0, points=1)
def test_server_is_where_it_is_told(lab: Scenario) -> None:
    """`-a 0.0.0.0 -p 5000`, and a name, and any free port: the start line tells numbers."""
    folder = lab.folder({"a.txt": HELLO})
    everywhere = lab.start_server("server", "-a", "0.0.0.0", "-p", "5000", "-d", folder.inside,
                                  port=5000, address="0.0.0.0", folder=folder)
    lab.expect_line(everywhere, "listening on 0.0.0.0 port 5000")
    client = FtpClient(lab, port=5000).login().binary()
    for how in WAYS:  # PASV names the address that the client has come to
        client.expect_file("a.txt", HELLO, how)
    client.quit()
    other = FtpClient(lab, "127.0.0.200", 5000, source="127.0.0.1").login().binary()
    for how in PASSIVE:
        other.expect_file("a.txt", HELLO, how)
    other.quit()
    lab.end_by_signal(everywhere, signal.SIGTERM)
    free = lab.start("server", "-p", "0", folder=folder)
    port = lab.listening_port(free)
    lab.expect_line(free, f"listening on 127.0.0.1 port {port}")
    lab.end_by_signal(free, signal.SIGTERM)
    named = lab.start("server", "-a", "localhost", folder=folder)
    lab.listening_port(named, cause="dotted-only")
    lab.expect_line_matching(named, r"listening on (127\.0\.0\.1|::1) port 2121",
                             cause="dotted-only")
    expect_connections(lab, *[Data(len(HELLO), SERVER, OPENER[how]) for how in (*WAYS, *PASSIVE)],
                       port=5000, sessions=2)


@for_server(step=0, points=1)
def test_server_can_be_started_again_at_once(lab: Scenario) -> None:
    """It closes first, so its port is in TIME-WAIT; the next one can have it, then only."""
    folder = lab.folder({"a.txt": HELLO})
    first = serve(lab, folder)
    client = reader(lab)
    client.expect_file("a.txt", HELLO)
    client.quit()
    lab.expect_port_taken("server", folder=folder)
    first.kill()
    lab.wait_gone(first)
    lab.settle()
    lab.start_server("server", port=CONTROL_PORT, folder=folder, cause="no-reuseaddr")
    second = FtpClient(lab)
    second.quit()
    expect_sessions(lab, client, second)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(NAMES_IT)
@for_server(step=0, points=1)
def test_server_ends_by_a_signal(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM ends a server that has served, and waits: exit status 0."""
    server = serve(lab, lab.folder({"a.txt": HELLO}))
    client = reader(lab)
    client.expect_file("a.txt", HELLO)
    client.quit()
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)
    expect_connections(lab, Data(len(HELLO), SERVER, CLIENT))


@because(NAMES_IT)
@for_server(step=16, points=2)
def test_server_ends_whatever_its_clients_do(lab: Scenario) -> None:
    """SIGTERM ends the server in all its sessions; no process stays, no cut file by its name."""
    folder = lab.folder({"long": LONG})
    server = serve(lab, folder, *ACCOUNT)
    stranger = FtpClient(lab)
    users = [writer(lab) for _ in range(4)]
    users[0].begin("RETR long", receive_buffer=4096)
    half_a_file(users[1].begin("STOR new"))
    users[2].passive_port()
    users[2].say("RETR long")
    lab.wait_blocked(server)
    lab.end_by_signal(server, signal.SIGTERM)
    all_that_comes(users[3].peer, "left-over-process")
    if "new" in folder.names():
        raise Mismatch("a file that came only in part has not got its name",
                       "the file new is there", "cut-file-kept")
    expect_sessions(lab, stranger, *users, orderly=False)


# -- Step 6: command lines ---------------------------------------------------------------


@first
@half_written
@for_server(step=6, points=2)
def test_server_answers_who_has_not_logged_in(lab: Scenario) -> None:
    """Without a login: an unknown command gets 500, 502 or 530, one about files 530, QUIT 221."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    client = FtpClient(lab)
    client.command("XYZZY", *UNKNOWN, 530)
    client.command("RETR a.txt", 530, cause="no-login")
    client.command("QUIT", 221)


@for_server(step=6, points=2)
def test_server_takes_commands_however_they_come(lab: Scenario) -> None:
    """Byte by byte, several in a segment, one and a half, in small letters: each is answered."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    client = FtpClient(lab)
    client.peer.send_in_pieces(b"USER anonymous\r\n")
    client.reply(331, 230, cause="single-read")
    client.peer.send(b"PASS guest@example.net\r\nNOOP\r\nSYST\r\nTYPE I\r\nNOO")
    expect_replies(client, "PASS, NOOP, SYST, TYPE I", (230, 202), (200,), (215,), (200,))
    client.peer.wait_acknowledged()
    client.peer.expect_nothing("single-read")
    client.peer.send(b"P\r\nMODE S\r\nSTRU F\r\nPWD\r\n")
    expect_replies(client, "NOOP, MODE S, STRU F, PWD", (200,), (200,), (200,), (257,))
    for line, code in (("pwd", 257), ("mode s", 200), ("Stru F", 200), ("type i", 200)):
        client.command(line, code)
    data = client.begin("retr a.txt", "EPSV")
    expect_bytes("retr a.txt", HELLO, data.read_rest())
    client.finish(data)
    client.quit()
    expect_connections(lab, Data(len(HELLO), SERVER, CLIENT))


def expect_replies(client: FtpClient, what: str, *due: Collection[int]) -> None:
    """WHAT, commands that came together, are answered, each with one of the codes that are DUE.

    Where as many replies come, and none calls its line no command, all have been taken.
    """
    codes = [client.reply(cause="single-read").code for _ in due]
    if not all(code in each for code, each in zip(codes, due)):
        raise Mismatch(f"{what}: answered with {', '.join(str(min(each)) for each in due)}",
                       ", ".join(map(str, codes)),
                       "single-read" if {*codes} & {*SYNTAX} else "reply-code")


@because(NAMES_IT)
@for_server(step=6, points=1)
def test_server_forgets_no_command_behind_a_transfer(lab: Scenario) -> None:
    """More commands in the segment with RETR, and with STOR: they are answered as well."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    for line in ("RETR a.txt", "STOR new"):
        data = client.connect_data(client.passive_port())
        client.peer.send(line.encode() + b"\r\nNOOP\r\nPWD\r\n")
        if line == "RETR a.txt":
            expect_bytes(line, HELLO, data.read_rest())
        else:
            data.send(BINARY)
            half_close(data)
        codes = [client.reply(*OPENING, *DONE, 200, 257, cause="single-read").code
                 for _ in range(4)]
        if [code for code in codes if code in (200, 257)] != [200, 257]:
            raise Mismatch(f"{line}, NOOP and PWD are answered, each once",
                           ", ".join(map(str, codes)), "single-read")
        data.close()
    folder.expect_file("new", BINARY)
    client.quit()
    expect_sessions(lab, client)


@for_server(step=6, points=2)
def test_server_refuses_what_it_does_not_understand(lab: Scenario) -> None:
    """Unknown commands, missing and wrong parameters: the RFC's codes; the session goes on."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder)
    client = reader(lab)
    for line in ("XYZZY", "HELLO there", "NOOPS", "RET a.txt", "RETRa.txt"):
        client.command(line, *UNKNOWN)
    for line in ("TYPE", "RETR", "STOR", "SIZE", "MODE", "STRU", "PORT", "EPRT"):
        client.command(line, *SYNTAX, 504, *NO_FILE, 425, 530, 553)
    client.command("CWD", 250, *SYNTAX, 504, *NO_FILE, 553)
    for line in ("TYPE E", "TYPE X", "MODE B", "MODE X", "STRU R", "STRU X"):
        client.command(line, *SYNTAX, 504)
    for line in ("DELE a.txt", "RMD /", "MKD new", "APPE a.txt", "STOU"):
        client.command(line, *SYNTAX, *UNKNOWN, *NOT_WRITTEN, 425, 503, 504,
                       cause="anonymous-writes")
    folder.expect_names("a.txt", cause="anonymous-writes")
    client.command("NOOP", 200)
    client.expect_file("a.txt", HELLO)  # still in type I
    client.quit()
    expect_sessions(lab, client)


@many_packets
@for_server(step=6, points=2)
def test_server_takes_no_endless_line(lab: Scenario) -> None:
    """4 MiB that never become a line are not kept; the session is told, or ended."""
    server = serve(lab, lab.folder({"a.txt": HELLO}))
    client = FtpClient(lab)
    lab.wait_blocked(server)
    before = server.memory().private
    client.peer.send(b"A" * (4 << 20))
    lab.wait_blocked(server)
    grown = server.memory().private - before
    if grown > 1 << 20:
        raise Mismatch("a line without an end is not kept in memory",
                       f"after 4 MiB of it the server's memory has grown by {grown >> 10} KiB",
                       "unbounded")
    client.peer.send(b"\r\nNOOP\r\n")
    expect_answer_or_end(client, 200)
    other = expect_service(lab, "unbounded")
    expect_sessions(lab, client, other, orderly=False)


@for_server(step=6, points=2)
def test_server_takes_any_byte_in_a_line(lab: Scenario) -> None:
    """NUL bytes, control characters, conversions of printf, long names: refused, no crash."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder)
    client = FtpClient(lab)
    for line in (bytes(range(1, 10)) + bytes(range(14, 240)), b"NOOP\0\0", b"%n%s%n%s%n",
                 b"USER %s%s%s%n%n", b"PASS %s%s%s%n%n"):
        client.command(line, cause="format-string")
    client.close()
    strangers = [client]
    for command in (b"USER ", b"PASS "):
        for length in (0, 64, 256, 3000):
            strangers.append(FtpClient(lab))
            if command == b"PASS ":
                strangers[-1].command("USER anonymous", 230, 331)
            strangers[-1].command(command + b"x" * length, 202, 230, 331, 332, 530, *SYNTAX,
                                  cause="unbounded")
            strangers[-1].close()
    client = reader(lab)
    for name, cause in ((b"a.txt\0b", "c-string"), (b"%s" * 100, "format-string"),
                        (b"%n" * 100, "format-string"), (b"x" * 3000, "unbounded"),
                        (b"x/" * 1500, "unbounded"),
                        (b"a.txt; true", "path-traversal"), (b"`echo a.txt`", "path-traversal")):
        for command in (b"SIZE ", b"RETR "):
            client.expect_refused(command + name, *NO_FILE, *SYNTAX, 553, cause=cause,
                                  how="EPSV" if command == b"RETR " else None)
        client.command(b"CWD " + name, *NO_FILE, *SYNTAX, 553, cause=cause)
    client.expect_file("a.txt", HELLO)
    client.quit()
    expect_sessions(lab, *strangers, client)


# -- Step 7: the login -------------------------------------------------------------------


@because(NAMES_IT)
@for_server(step=7, points=3)
def test_server_needs_a_login(lab: Scenario) -> None:
    """Before the login, after half of it and after a wrong one: 530 for everything with files."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = FtpClient(lab)
    expect_nothing_allowed(client)
    client.command("PASS walrus", 503, 530, cause="no-login")
    client.command("USER student", 331, cause="no-login")
    expect_nothing_allowed(client)
    client.command("USER student", 331)
    client.command("PASS penguin", 530, cause="no-login")
    expect_nothing_allowed(client)
    if len(lab.listening()) > 1:
        raise Mismatch("no data connection is prepared before the login", "a listening socket",
                       "no-login")
    client.login(*LOGIN).binary()
    client.expect_file("a.txt", HELLO)
    folder.expect_names("a.txt", cause="no-login")
    client.quit()
    expect_connections(lab, Data(len(HELLO), SERVER, CLIENT))


@for_server(step=7, points=2)
def test_server_checks_user_and_password(lab: Scenario) -> None:
    """With -u only this user is let in, and only with this password; nobody else, nor anonymous."""
    serve(lab, lab.folder({"a.txt": HELLO}), *ACCOUNT)
    for user, password in (("student", "walru"), ("student", "walruss"), ("student", "WALRUS"),
                           ("student", "student"), ("studen", "walrus"), ("walrus", "walrus"),
                           ("students", "walrus"), ("student:walrus", "walrus"),
                           ("anonymous", "guest@example.net"), ("anonymous", "walrus"),
                           ("ftp", "guest@example.net"), ("ftp", "walrus"), ("root", "walrus")):
        client = FtpClient(lab)
        if client.command(f"USER {user}", 331, 530, cause="no-login").code == 331:
            client.command(f"PASS {password}", 530, cause="no-login")
        client.command("PWD", 530, 550, cause="no-login")
        client.close()
    client = FtpClient(lab).login(*LOGIN)
    client.command("PWD", 257)
    client.quit()
    expect_connections(lab, sessions=14)


@because(NAMES_IT)
@for_server(step=7, points=1)
def test_server_checks_the_whole_password(lab: Scenario) -> None:
    """A long name and a long password, with a colon: whatever byte is wrong or missing, nobody is
    let in."""
    user, password = "student-of-networks", "the walrus sends packets: not letters"
    serve(lab, lab.folder({"a.txt": HELLO}), "-u", f"{user}:{password}")
    clients = []
    for wrong_user, wrong in (
        *((user, password[:n]) for n in (1, 8, 16, 24, 32, len(password) - 1)),
        (user, password + "x"),
        *((user, f"{password[:n]}?{password[n + 1:]}") for n in (0, 8, len(password) - 1)),
        (user[:8], password), (user[:-1] + "S", password), (user + "s", password),
    ):
        clients.append(FtpClient(lab))
        if clients[-1].command(f"USER {wrong_user}", 331, 530, cause="no-login").code == 331:
            clients[-1].command(f"PASS {wrong}", 530, cause="no-login")
        clients[-1].command("RETR a.txt", 530, cause="no-login")
        clients[-1].close()
    clients.append(FtpClient(lab).login(user, password, cause="no-login").binary())
    clients[-1].expect_file("a.txt", HELLO)
    clients[-1].quit()
    expect_sessions(lab, *clients)


@for_server(step=7, points=2)
def test_server_lets_anonymous_users_only_read(lab: Scenario) -> None:
    """Without -u anonymous is let in, nobody else is, and nothing can be written."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder)
    strangers = []
    for user in ("student", "root", "nobody", "anonym", "anonymou", "anonymouss", "anonymous2",
                 "anonymous/", "an0nymous"):
        strangers.append(FtpClient(lab))
        if strangers[-1].command(f"USER {user}", 331, 530, cause="no-login").code == 331:
            strangers[-1].command("PASS guest@example.net", 530, cause="no-login")
        expect_nothing_allowed(strangers[-1])
        strangers[-1].close()
    client = reader(lab)
    for path in ("new", "a.txt"):
        client.expect_refused(f"STOR {path}", *NOT_WRITTEN, cause="anonymous-writes")
    folder.expect_names("a.txt", cause="anonymous-writes")
    folder.expect_file("a.txt", HELLO, cause="anonymous-writes")
    client.expect_file("a.txt", HELLO)
    client.quit()
    expect_sessions(lab, *strangers, client)


@for_server(step=7, points=1)
def test_server_forgets_a_login_when_another_begins(lab: Scenario) -> None:
    """USER again: refused, or what was allowed before is not until the new login is whole."""
    serve(lab, lab.folder({"a.txt": HELLO}), *ACCOUNT)
    client = FtpClient(lab).login(*LOGIN)
    if client.command("USER somebody").code == 331:
        client.command("RETR a.txt", 530, cause="no-login")
        client.command("PASS walrus", 530, cause="no-login")
        client.command("RETR a.txt", 530, cause="no-login")
    client.quit()
    expect_sessions(lab, client)


# -- Step 8: the folder we are in --------------------------------------------------------


@for_server(step=8, points=2)
def test_server_goes_from_folder_to_folder(lab: Scenario) -> None:
    """CWD, CDUP, PWD: names are taken from the folder we are in; with / in front from the top."""
    serve(lab, lab.folder({"a.txt": HELLO, "sub/b.txt": BINARY, "sub/deep/a.txt": BINARY,
                           "two words/c.txt": HELLO}))
    client = reader(lab)
    expect_folder(client, "/")
    client.expect_file("sub/b.txt", BINARY)
    client.command("CWD sub", 250)
    expect_folder(client, "/sub")
    client.expect_file("b.txt", BINARY)
    client.expect_file("deep/a.txt", BINARY)
    client.expect_file("/a.txt", HELLO)
    client.command("SIZE a.txt", 550)
    client.command("CWD /sub/deep", 250)
    client.expect_file("a.txt", BINARY)
    for path in ("nowhere", "a.txt", "/a.txt", "../../a.txt"):
        client.command(f"CWD {path}", *NO_FILE, cause="not-a-file")
    expect_folder(client, "/sub/deep")
    client.command("CDUP", 200, 250)
    expect_folder(client, "/sub")
    client.command("CWD /", 250)
    client.command("CWD two words", 250)
    expect_folder(client, "/two words")
    client.expect_file("c.txt", HELLO)
    if client.command("CWD ../sub/./deep", 250, *NO_FILE, *SYNTAX, 553).code == 250:
        expect_folder(client, "/sub/deep")
    client.command("CWD /", 250)
    client.command("CDUP", 200, 250, *NO_FILE)  # there is nothing above
    expect_folder(client, "/")
    client.quit()
    expect_sessions(lab, client)


@for_server(step=8, points=1)
def test_server_quotes_the_folder_it_is_in(lab: Scenario) -> None:
    """PWD doubles each quote in the folder's name (RFC 959, appendix II)."""
    serve(lab, lab.folder({'the "best" of/a.txt': HELLO}))
    client = FtpClient(lab).login()
    client.command('CWD the "best" of', 250)
    expect_folder(client, '/the "best" of')
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=8, points=1)
def test_server_keeps_each_clients_folder(lab: Scenario) -> None:
    """One client's CWD is not another's, and not the next one's."""
    serve(lab, lab.folder({"a.txt": HELLO, "sub/a.txt": BINARY}))
    first, second = (reader(lab) for _ in range(2))
    first.command("CWD sub", 250)
    second.expect_file("a.txt", HELLO, cause="shared-folder")
    first.expect_file("a.txt", BINARY)
    first.quit()
    third = reader(lab)
    third.expect_file("a.txt", HELLO, cause="shared-folder")
    for client in (second, third):
        expect_folder(client, "/")
        client.quit()
    expect_sessions(lab, first, second, third)


# -- Step 16: many clients ---------------------------------------------------------------


@many_packets
@takes(6)
@counts_waking
@for_server(step=16, points=3)
def test_server_serves_others_while_a_client_is_silent(lab: Scenario) -> None:
    """Clients that say nothing more, wherever in their session, keep nobody waiting."""
    folder = lab.folder({"a.txt": HELLO, "long": LONG})
    server = serve(lab, folder, *ACCOUNT)
    silent = [FtpClient(lab, label="a silent client")]
    silent.append(FtpClient(lab, label="a client with half a line", cause="idle-client-blocks"))
    silent[-1].peer.send(b"USER stu")
    silent += [writer(lab, f"client {n} that stops")
               for n in range(5)]
    silent[2].passive_port()
    data = silent[3].begin("RETR long", receive_buffer=4096)
    upload = half_a_file(silent[4].begin("STOR new"))
    silent[5].passive_port()
    silent[5].say("RETR a.txt")  # and never connects
    silent[6].offer("PORT")
    lab.wait_blocked(server)
    lab.expect_idle(server)
    lab.outwait(*(client.peer for client in silent[:3]), cause="own-timeout")
    other = expect_service(lab, "idle-client-blocks", LOGIN)
    silent[1].peer.send(b"dent\r\n")
    silent[1].reply(331)
    expect_bytes("RETR long", LONG, data.read_rest(), "partial-write")
    silent[3].finish(data)
    upload.send(BINARY)
    silent[4].end_of_file(upload)
    folder.expect_file("new", HALF + BINARY)
    silent[0].login(*LOGIN)
    for client in silent[:5]:
        client.quit()
    expect_sessions(lab, *silent, other, orderly=False)


@many_packets
@for_server(step=16, points=3)
def test_server_serves_a_hundred_clients_at_once(lab: Scenario) -> None:
    """A hundred sessions at once, each with a transfer under way; then nothing of them stays."""
    lab.take_longer(40)  # on a busy machine; who hangs is given up as ever
    folder = lab.folder({"a.bin": BIG[:20_000]})
    server = serve(lab, folder)
    before = lab.footprint(server)
    clients = [FtpClient(lab, label=f"client {number} of 100", cause="too-few-clients")
               for number in range(1, 101)]
    transfers = {}
    for client in clients:
        client.login(cause="too-few-clients").binary()
        transfers[client] = client.begin("RETR a.bin", cause="too-few-clients")
    for client, data in transfers.items():
        expect_bytes("RETR a.bin", BIG[:20_000], data.read_rest())
        client.finish(data)
    for client in reversed(clients):
        client.quit()
    lab.expect_back_to(server, before)
    expect_connections(lab, *[Data(20_000, SERVER, CLIENT)] * 100, sessions=100)


@because(NAMES_IT)
@for_server(step=16, points=2)
def test_server_keeps_nothing_of_clients_that_have_gone(lab: Scenario) -> None:
    """Twenty sessions, ended with QUIT or without: no process, thread or descriptor is left."""
    server = serve(lab, lab.folder({"a.txt": HELLO}))
    before = lab.footprint(server)
    for number in range(20):
        client = FtpClient(lab, cause="one-client-only").login().binary()
        client.expect_file("a.txt", HELLO, WAYS[number % len(WAYS)])
        if number % 2:
            client.quit()
        else:
            half_close(client.peer)
            all_that_comes(client.peer)
            client.close()
    lab.expect_back_to(server, before)
    expect_connections(lab, *[Data(len(HELLO), SERVER, OPENER[WAYS[n % len(WAYS)]])
                              for n in range(20)], sessions=20)


@because(NAMES_IT)
@for_server(step=16, points=2)
def test_server_outlives_resets(lab: Scenario) -> None:
    """Clients that reset all they have, at each step of a session, cost nothing for good."""
    folder = lab.folder({"a.txt": HELLO, "long": LONG})
    server = serve(lab, folder, *ACCOUNT)
    before = lab.footprint(server)
    clients = []
    for step in ("connected", "half a line", "logged in", "a port told", "sends", "is sent to"):
        client, data = FtpClient(lab), None
        clients.append(client)
        if step == "half a line":
            client.peer.send(b"USER stu")
        elif step != "connected":
            client.login(*LOGIN).binary()
        if step == "a port told":
            client.passive_port()
        if step in ("sends", "is sent to"):
            data = client.begin("STOR new" if step == "sends" else "RETR long",
                                receive_buffer=4096)
            lab.wait_blocked(server)
        for peer in (data, client.peer):
            if peer is not None:
                break_off(lab, peer)
        lab.expect_running(server, cause="reset-ends-server")
    clients.append(expect_service(lab, "reset-ends-server", LOGIN))
    lab.expect_back_to(server, before)
    expect_dropped(lab, folder, "new", "a.txt", "long")
    expect_sessions(lab, *clients, orderly=False)


@counts_waking
@for_server(step=16, points=2)
def test_server_outlives_more_clients_than_it_can_serve(lab: Scenario) -> None:
    """250 clients, and 40 descriptors: each is served, told so, or waits; then all is as before."""
    server = lab.start_server("server", port=CONTROL_PORT, descriptors=40,
                              folder=lab.folder({"a.txt": HELLO}))
    before = lab.footprint(server)
    lab.be_patient(2.5)  # a server may look again a second later
    peers = lab.connect_some(250, CONTROL_PORT)
    lab.expect_running(server, cause="out-of-descriptors")
    lab.expect_idle(server, wakes=30)  # nothing tells that a descriptor is free again
    if len(peers) < 8:
        raise Mismatch("some clients are served with 40 descriptors",
                       f"{len(peers)} can connect", "out-of-descriptors")
    for peer in peers:
        peer.reset()
    expect_service(lab, "out-of-descriptors")
    lab.expect_back_to(server, before)
    lab.expect_packets(f"connections>={len(peers) + 1}")


# -- curl -------------------------------------------------------------------------------


CURL = {"EPSV": (), "PASV": ("--disable-epsv",), "EPRT": ("--ftp-port", "-"),
        "PORT": ("--ftp-port", "-", "--disable-eprt")}
"""What makes curl take each way."""
_CURL_WAITS = 4.0
"""Seconds; now and then it does nothing for one, where the server is very quick."""
URL = "ftp://127.0.0.1:2121/"


@each_way
@because(TOOL)
@for_server(step=11, points=2)
def test_server_serves_curl(lab: Scenario, how: str) -> None:
    """A client that no one here wrote: curl reads two files in one session, and writes one."""
    lab.be_patient(_CURL_WAITS)
    folder = lab.folder({"a.bin": BINARY, "sub/big": BIG})
    serve(lab, folder, *ACCOUNT)
    options = ("-sS", "--user", ":".join(LOGIN), *CURL[how])
    curl = lab.start_tool("curl", *options, URL + "a.bin", URL + "sub/big")
    lab.expect_exit(curl, 0, cause="data-connection")
    expect_bytes("curl", BINARY + BIG, bytes(curl.stdout))
    curl = lab.start_tool("curl", *options, "--upload-file", "-", URL + "new", stdin=BINARY)
    lab.expect_exit(curl, 0, cause="data-connection")
    folder.expect_file("new", BINARY)
    expect_connections(lab, Data(len(BINARY), SERVER, OPENER[how]),
                       Data(len(BIG), SERVER, OPENER[how]),
                       Data(len(BINARY), CLIENT, OPENER[how]), sessions=2)


@because(TOOL)
@for_server(step=15, points=1)
def test_server_lists_for_curl(lab: Scenario) -> None:
    """curl lists a folder over IPv6."""
    lab.be_patient(_CURL_WAITS)
    folder = lab.folder({"sub/a.txt": HELLO, "sub/b.txt": BINARY})
    lab.start_server("server", "-a", "::1", port=CONTROL_PORT, address="::1", folder=folder,
                     cause="no-ipv6")
    curl = lab.start_tool("curl", "-sS", "--list-only", "ftp://[::1]:2121/sub/")
    lab.expect_exit(curl, 0, cause="data-connection")
    expect_names_listed(bytes(curl.stdout).decode().split(), ["a.txt", "b.txt"], "", [])
    expect_connections(lab, Data(len("a.txt\r\nb.txt\r\n"), SERVER, CLIENT))
