"""Lab 04: the FTP client: command line, replies, login, the data connection."""

from __future__ import annotations

import pytest

from labkit.echo import WRONG_PORTS, expect_usage_error
from labkit.feedback import Mismatch
from labkit.ftp_server import COMPLETE, LOGGED_IN, OPENING, READY, FtpServer
from labkit.ftp_user import (
    HOST, HOST_6, MISSING, TEXT, Use, expect_argument, expect_end, expect_told, finish, give,
    refuse, start,
)
from labkit.grading import counts_waking, first, graded, half_written, takes
from labkit.peer import describe
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"

client_test = dict(programs=("client",))


# -- The command line ------------------------------------------------------------------


WRONG = {
    "port": [[*words, HOST, "ls"] for words in WRONG_PORTS.values()],
    "options": [["-x", HOST, "ls"], ["-u"], ["-p"]],
    "words": [[], [HOST, "get"], [HOST, "get", "a", "b", "c"],
              [HOST, "put"], [HOST, "put", "a", "b", "c"]],
}


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
@because(NAMES_IT)
@graded(step=0, points=1, **client_test)
def test_client_explains_wrong_arguments(lab: Scenario, wrong: list[list[str]]) -> None:
    """Wrong arguments to the client: a usage line on stderr, exit status 2; nobody is called."""
    for arguments in wrong:
        expect_usage_error(lab, "client", arguments)
    lab.expect_packets("connections=0")


@graded(step=0, points=1, **client_test)
def test_client_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A name that nobody knows: a line `client: ...` on stderr, exit status 1."""
    client = lab.start("client", "no-such-host.invalid", "ls")
    lab.expect_unknown_name(client, "client")


@graded(step=0, points=1, **client_test)
def test_client_says_that_nobody_listens(lab: Scenario) -> None:
    """A closed port: `client: connect to 127.0.0.1 port 2121: Connection refused`, status 1."""
    client = lab.start("client", HOST, "ls")
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: connect to 127\.0\.0\.1 port 2121: Connection refused")
    lab.expect_packets("connections=1", "handshake.refused=true")


@first
@graded(step=0, points=1, **client_test)
def test_client_connects_to_the_right_port(lab: Scenario) -> None:
    """Without options the client calls port 2121; `-p` takes another."""
    folder = lab.folder()
    for port, options in ((2121, []), (5000, ["-p", "5000"])):
        server = FtpServer(lab, port)
        client = lab.start("client", *options, HOST, "get", f"from {port}", folder=folder)
        use = Use(client, server.greet(), folder)
        server.close()
        give(use, TEXT, f"from {port}")
        use.session.end()
        lab.expect_exit(client, 0)
    folder.expect_names("from 2121", "from 5000")
    lab.expect_packets("connections=4", "teardown.kind=fin")


@pytest.mark.parametrize("address", [HOST, HOST_6], ids=["ipv4", "ipv6"])
@because(NAMES_IT)
@graded(step=0, points=1, **client_test)
def test_client_tries_every_address_of_a_name(lab: Scenario, address: str) -> None:
    """`localhost` has two addresses: the one that answers is used."""
    server, folder = FtpServer(lab, host=address), lab.folder()
    client = lab.start("client", "localhost", "get", "name", folder=folder)
    use = Use(client, server.greet("no-ipv6" if address == HOST_6 else "dotted-only"), folder)
    give(use, TEXT)
    use.session.end()
    lab.expect_exit(client, 0)
    folder.expect_file("name", TEXT)
    lab.expect_packets("connections=2", "teardown.kind=fin",
                       packets="ip6" if address == HOST_6 else "ip")


# -- Step 18: a reply, of one line or many ------------------------------------------------


MANY_LINES = {
    "220": ["220-Welcome.", " 220 stands within the text", "221 is another code",
            "", "220-and so on", "  550 No.", "220 Ready."],
    "331": ["331-Who", "230 Logged in, says the text,", "331-are you?", "331 Password?"],
    "230": ["230-", "530 is what others get", "230 Logged in."],
    "150": ["150-The file", "226 will be complete soon", "150 comes."],
    "226": ["226-It was", "550 not missing", "and not", "426 broken off", "226 Complete."],
}
"""Replies of many lines, each with something in the middle that looks like an end."""


@half_written
@graded(step=18, points=2, **client_test)
def test_client_hears_all_of_a_greeting(lab: Scenario) -> None:
    """A greeting of many lines, and then `quit`: exit status 0."""
    use = start(lab, "quit", greeted=False)
    use.session.reply(*MANY_LINES["220"])
    finish(lab, use, cause="reply-lines")


@because(NAMES_IT)
@graded(step=18, points=2, **client_test)
def test_client_reads_replies_of_many_lines(lab: Scenario) -> None:
    """A reply that begins with `220-` ends with the line `220 ...`, whatever is in between."""
    use = start(lab, "get", "name", greeted=False)
    use.session.answers.update(USER="\r\n".join(MANY_LINES["331"]),
                               PASS="\r\n".join(MANY_LINES["230"]))
    use.session.reply(*MANY_LINES["220"])
    use.session.until("RETR", cause="reply-lines")
    use.session.send(TEXT, "\r\n".join(MANY_LINES["150"]), "\r\n".join(MANY_LINES["226"]),
                     cause="reply-lines")
    finish(lab, use, cause="reply-lines")
    use.folder.expect_file("name", TEXT, "reply-lines")


@graded(step=18, points=2, **client_test)
def test_client_reads_replies_in_pieces(lab: Scenario) -> None:
    """Each reply comes byte by byte, in a segment for each: nothing changes."""
    use = start(lab, "get", "name", greeted=False)
    use.session.piece = 1
    use.session.reply("220-Welcome.", "220 Ready.")
    give(use, TEXT, cause="single-read")
    finish(lab, use, cause="single-read")
    use.folder.expect_file("name", TEXT)


@because(NAMES_IT)
@graded(step=18, points=2, **client_test)
def test_client_reads_several_replies_at_once(lab: Scenario) -> None:
    """150 and 226 come in one segment: the second is kept for when it is its turn."""
    use = start(lab, stdin=b"get one\nget two\nget three\n")
    for name in ("one", "three"):
        give_at_once(use, name)
        if name == "one":
            refuse(use, "RETR", cause="reply-lines")
    finish(lab, use, 1, cause="reply-lines")
    expect_told(use, MISSING)
    for name in ("one", "three"):
        use.folder.expect_file(name, TEXT, "reply-lines")
    use.folder.expect_names("one", "three")


def give_at_once(use: Use, name: str) -> None:
    """Both replies to RETR are sent when the whole file has been."""
    expect_argument(use.session.until("RETR", cause="reply-lines").argument, name)
    peer = use.session.open_data()
    peer.send(TEXT)
    use.session.finish(peer, len(TEXT))
    use.session.reply(OPENING, COMPLETE)
    peer.expect_eof()
    peer.close()


@graded(step=18, points=1, **client_test)
def test_client_reads_long_replies(lab: Scenario) -> None:
    """A greeting of 500 lines, and one line of 4,000 bytes, are read to their end."""
    use = start(lab, "get", "name", greeted=False)
    use.session.reply("220-" + 4000 * "x", *500 * ["220-One of many lines."], READY)
    give(use, TEXT, cause="reply-lines")
    finish(lab, use, cause="reply-lines")
    use.folder.expect_file("name", TEXT)


@graded(step=18, points=1, **client_test)
def test_client_waits_for_a_server_that_is_not_ready(lab: Scenario) -> None:
    """120 says that the greeting is still to come, 220 that it is there (RFC 959, 5.4)."""
    use = start(lab, "get", "name", greeted=False)
    use.session.reply("120 Ready in a minute.")
    lab.wait_blocked(use.client)
    use.session.control.expect_nothing("out-of-turn")
    use.session.reply(READY)
    give(use, TEXT, cause="reply-code")
    finish(lab, use)
    use.folder.expect_file("name", TEXT)


@takes(3)
@counts_waking
@because(NAMES_IT)
@graded(step=18, points=1, **client_test)
def test_client_waits_without_using_the_processor(lab: Scenario) -> None:
    """A client that waits for a reply, for the file, or for what is typed, only waits."""
    use = start(lab)
    lab.expect_idle(use.client, seconds=0.15)
    use.client.write(b"get name\n")
    use.session.until("RETR")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    peer.send(TEXT)
    lab.expect_idle(use.client, seconds=0.15)
    lab.outwait(use.session.control, peer)
    use.session.finish(peer, len(TEXT))
    lab.expect_idle(use.client, seconds=0.15)
    use.session.complete(peer)
    lab.outwait(use.session.control)
    use.client.close_stdin()
    finish(lab, use)


@graded(step=18, points=1, **client_test)
def test_client_goes_on_after_being_stopped(lab: Scenario) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) while it waits for a reply or a file change nothing."""
    use = start(lab, "get", "name", greeted=False)
    stop_for_a_moment(lab, use)
    use.session.reply(READY)
    use.session.until("RETR", cause="eintr")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    for part in (TEXT[:5], TEXT[5:]):
        stop_for_a_moment(lab, use)
        peer.send(part)
    use.session.finish(peer, len(TEXT))
    stop_for_a_moment(lab, use)
    use.session.complete(peer, cause="eintr")
    finish(lab, use, cause="eintr")
    use.folder.expect_file("name", TEXT, "eintr")


def stop_for_a_moment(lab: Scenario, use: Use) -> None:
    lab.wait_blocked(use.client)
    lab.pause(use.client)
    lab.resume(use.client)


@because(NAMES_IT)
@graded(step=18, points=1, **client_test)
def test_client_prints_a_reply_as_it_is(lab: Scenario) -> None:
    """What a server says may hold `%s` and `%n`: it is printed, and never a format."""
    use = start(lab, "get", "name")
    reply = "550 %s%s%n%d: no such file, 100 % sure."
    refuse(use, "RETR", reply)
    finish(lab, use, 1, cause="format-string")
    if reply.encode() not in use.client.stderr:
        raise Mismatch(expected=f"the server's reply on stderr: {reply}",
                       seen=f"on stderr: {describe(bytes(use.client.stderr))}",
                       cause="format-string")


NO_REPLIES = [b"", b"2", b"220", b"SSH-2.0-OpenSSH_9.2\r\n", b"\r\n", b"\0\0\0\0\r\n",
              b"-20 Hi.\r\n", b"220-Never ends.\r\n22", b"\xff\xf4\xff\xf2\r\n", 70_000 * b"x"]


@because(NAMES_IT)
@graded(step=18, points=1, **client_test)
def test_client_takes_no_noise_for_a_reply(lab: Scenario) -> None:
    """A server that says something else, or ends within its greeting: an error, exit status 1."""
    server, folder = FtpServer(lab), lab.folder()
    for noise in NO_REPLIES:
        client = lab.start("client", HOST, "get", "name", folder=folder)
        control = server.accept().control
        control.start_sending(noise)
        lab.wait_blocked(client)
        control.close()
        lab.expect_exit(client, 1)
        lab.expect_complaint(client, r"client: .+")
    folder.expect_names()


# -- Step 17: login ---------------------------------------------------------------------------


@first
@because(NAMES_IT)
@graded(step=17, points=2, **client_test)
def test_client_logs_in_as_anonymous(lab: Scenario) -> None:
    """Without `-u`: `USER anonymous` (or ftp), and some password, before anything else."""
    use = start(lab, "get", "name")
    give(use, TEXT, cause="no-login")
    expect_user(use, "anonymous", "ftp")
    finish(lab, use)


@because(NAMES_IT)
@graded(step=17, points=2, **client_test)
def test_client_logs_in_as_a_user(lab: Scenario) -> None:
    """`-u USER:PASSWORD`: these two are sent, as they are."""
    use = start(lab, "get", "name", options=("-u", "al ice:s3%s: cret:"))
    give(use, TEXT, cause="no-login")
    expect_login(use, "al ice", "s3%s: cret:")
    finish(lab, use)


def expect_login(use: Use, user: str, password: str) -> None:
    expect_user(use, user)
    if use.session.password != password:
        raise Mismatch(expected=f"`PASS {password}`", seen=f"`PASS {use.session.password}`",
                       cause="no-login")


def expect_user(use: Use, *names: str) -> None:
    if use.session.user not in names:
        raise Mismatch(expected=f"`USER {names[0]}`", seen=f"`USER {use.session.user}`",
                       cause="no-login")


@graded(step=17, points=1, **client_test)
def test_client_sends_no_password_where_none_is_asked_for(lab: Scenario) -> None:
    """230 to USER: logged in already (RFC 959, 5.4); what else the client says of it is no harm."""
    use = start(lab, "get", "name", options=("-u", "alice:secret"))
    use.session.answers.update(USER=LOGGED_IN, PASS="230 That was so already.")
    give(use, TEXT, cause="reply-code")
    finish(lab, use)
    use.folder.expect_file("name", TEXT)


@graded(step=17, points=1, **client_test)
def test_client_takes_202_for_a_login(lab: Scenario) -> None:
    """202, the password was not needed, is success as 230 is (RFC 959, 5.4)."""
    use = start(lab, "get", "name", options=("-u", "alice:secret"))
    use.session.answers["PASS"] = "202 Not needed here."
    give(use, TEXT, cause="reply-code")
    finish(lab, use)
    use.folder.expect_file("name", TEXT)


REFUSALS = {
    "greeting": ("", "421 Too many are here."),
    "user": ("USER", "530 Not you."),
    "password": ("PASS", "530 Wrong password."),
    "account": ("PASS", "332 An account, too?"),
}


@pytest.mark.parametrize("verb, reply", list(REFUSALS.values()), ids=list(REFUSALS))
@because(NAMES_IT)
@graded(step=17, points=1, **client_test)
def test_client_says_that_it_is_not_let_in(lab: Scenario, verb: str, reply: str) -> None:
    """A refusal, of the client or of its login: the reply on stderr, exit status 1, no file."""
    use = start(lab, "get", "name", greeted=False)
    if verb:
        use.session.answers[verb] = reply
        use.session.reply(READY)
        use.session.end("reply-code")
    else:
        use.session.turn_away(reply)
    expect_end(lab, use, 1)
    if not reply.startswith("332"):  # a client may try and say ACCT
        expect_told(use, reply)
    use.folder.expect_names()


MOMENTS = {"user": ["USER"], "password": ["PASS"], "type": ["TYPE"],
           "data-connection": ["EPSV", "PASV", "EPRT", "PORT"], "transfer": ["RETR"]}


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "reset"])
@pytest.mark.parametrize("verbs", list(MOMENTS.values()), ids=list(MOMENTS))
@because(NAMES_IT)
@graded(step=17, points=1, **client_test)
def test_client_says_that_the_server_has_gone(
    lab: Scenario, verbs: list[str], reset: bool
) -> None:
    """The control connection ends in place of a reply: an error, exit status 1, no file."""
    use = start(lab, stdin=b"get name\nget other\n")
    use.session.until(*verbs)
    use.session.vanish(reset)
    lab.expect_exit(use.client, 1)
    lab.expect_complaint(use.client, r"client: .+")
    use.folder.expect_names()


# -- Step 19: the data connection ----------------------------------------------------------------


@first
@because(NAMES_IT)
@graded(step=19, points=3, **client_test)
def test_client_has_a_data_connection_for_each_transfer(lab: Scenario) -> None:
    """Three transfers, three data connections, one after the other; one control connection."""
    folder = lab.folder({"mine": TEXT})
    use = start(lab, stdin=b"get one\nput mine\nls\n", folder=folder)
    give(use, TEXT, "one", cause="data-connection")
    use.session.until("STOR", cause="control-closed")
    use.session.receive()
    use.session.until("NLST", cause="control-closed")
    use.session.send(b"one\r\nmine\r\n")
    lab.expect_output(use.client, b"one\nmine\n")
    finish(lab, use)


@pytest.mark.parametrize("reply", ["500 EPSV not understood.", "502 Not here.", "522 (2)"],
                         ids=["500", "502", "522"])
@because(NAMES_IT)
@graded(step=19, points=1, **client_test)
def test_client_falls_back_to_pasv(lab: Scenario, reply: str) -> None:
    """A server that does not know EPSV, which is newer: its transfers go without."""
    use = start(lab, stdin=b"get one\nget two\n")
    use.session.answers["EPSV"] = reply
    for name in ("one", "two"):
        give(use, TEXT, name, cause="data-connection")
    finish(lab, use)
    use.folder.expect_names("one", "two")


@pytest.mark.parametrize("form", ["227 ({})", "227 Entering Passive Mode. {}", "227 =({})"],
                         ids=["bare", "no-brackets", "equals-sign"])
@because(NAMES_IT)
@graded(step=19, points=1, **client_test)
def test_client_finds_the_numbers_in_the_reply_to_pasv(lab: Scenario, form: str) -> None:
    """The six numbers may stand anywhere in the text of 227 (RFC 1123, 4.1.2.6)."""
    use = start(lab, "get", "name")
    use.session.answers["EPSV"] = "500 Not understood."
    use.session.passive_form = form
    give(use, TEXT, cause="transfer-port")
    finish(lab, use)
    use.folder.expect_file("name", TEXT)


@pytest.mark.parametrize("verb", ["PASV", "EPSV"])
@because(NAMES_IT)
@graded(step=19, points=1, **client_test)
def test_client_finds_any_port(lab: Scenario, verb: str) -> None:
    """Ports from 1024 to 65,535: two bytes in the reply to PASV, one number in that to EPSV."""
    ports = [1024, 1151, 1152, 1279, 32_767, 65_280, 65_535]
    use = start(lab, stdin=b"".join(b"get %d\n" % port for port in ports))
    if verb == "PASV":
        use.session.answers["EPSV"] = "500 Not understood."
    for port in ports:
        use.session.passive_port = port
        give(use, TEXT, str(port), cause="transfer-port")
    finish(lab, use)
    use.folder.expect_names(*map(str, ports))


@because(NAMES_IT)
@graded(step=19, points=1, **client_test)
def test_client_transfers_over_ipv6(lab: Scenario) -> None:
    """HOST is `::1`: EPSV or EPRT, as PASV and PORT cannot tell such an address."""
    folder = lab.folder({"mine": TEXT})
    use = start(lab, stdin=b"get name\nput mine\n", host=HOST_6, folder=folder, cause="no-ipv6")
    give(use, TEXT, cause="no-ipv6")
    use.session.until("STOR")
    use.session.receive()
    finish(lab, use)


@because(NAMES_IT)
@graded(step=19, points=1, **client_test)
def test_client_connects_before_the_reply_to_its_command(lab: Scenario) -> None:
    """A server may say 150 when the data connection is there, or before: either is right."""
    use = start(lab, stdin=b"get one\nget two\n")
    give(use, TEXT, "one", cause="data-connection")
    use.session.until("RETR")
    use.session.reply(OPENING)
    lab.wait_blocked(use.client)
    peer = use.session.open_data()
    peer.send(TEXT)
    use.session.finish(peer, len(TEXT))
    use.session.complete(peer)
    finish(lab, use)
    use.folder.expect_names("one", "two")


@graded(step=20, points=1, **client_test)
def test_client_transfers_nothing_without_type_i(lab: Scenario) -> None:
    """TYPE I is refused: type ASCII would change the bytes, so no file is got or put; status 1."""
    folder = lab.folder({"mine": TEXT})
    use = start(lab, stdin=b"get name\nput mine\n", folder=folder)
    use.session.answers["TYPE"] = "504 Not that type."
    use.session.end("ascii-type")
    lab.expect_exit(use.client, 1)
    lab.expect_complaint(use.client, r"client: .+")
    folder.expect_names("mine", cause="left-over-file")


NOBODY_CAME = "425 You did not come."
"""To a client that sends its command and connects then."""
NO_WAY = {
    "refused": dict(EPSV="500 No.", PASV="502 No.", EPRT="500 No.", PORT="500 No."),
    "closed-port": dict(EPSV="229 Here. (|||1|)", PASV="227 Here. (127,0,0,1,0,1)",
                        EPRT="500 No.", PORT="500 No.", RETR=NOBODY_CAME),
    "no-numbers": dict(EPSV="229 Somewhere.", PASV="227 Somewhere.",
                       EPRT="500 No.", PORT="500 No."),
    "no-port": dict(EPSV="229 Here. (|||65536|)", PASV="227 Here. (127,0,0,1,256,1)",
                    EPRT="500 No.", PORT="500 No."),
    "port-0": dict(EPSV="229 Here. (|||0|)", PASV="227 Here. (127,0,0,1,0,0)",
                   EPRT="500 No.", PORT="500 No.", RETR=NOBODY_CAME),
}


@pytest.mark.parametrize("answers", list(NO_WAY.values()), ids=list(NO_WAY))
@because(NAMES_IT)
@graded(step=19, points=1, **client_test)
def test_client_says_that_there_is_no_data_connection(
    lab: Scenario, answers: dict[str, str]
) -> None:
    """No data connection can be had: an error, exit status 1, no file."""
    use = start(lab, "get", "name")
    use.session.answers.update(answers)
    use.session.end("data-connection")
    lab.expect_exit(use.client, 1)
    lab.expect_complaint(use.client, r"client: .+")
    use.folder.expect_names(cause="left-over-file")
