"""Lab 04: the FTP server's data connections: who opens them, and to whom."""

from __future__ import annotations

import pytest

from labkit.echo import half_close
from labkit.feedback import Mismatch
from labkit.ftp_client import (
    ACTIVE, DONE, OPENING, PASSIVE, REFUSED_PORT, SYNTAX, UNKNOWN, FtpClient, expect_bytes,
    expect_sessions, port_command,
)
from labkit.ftp_serving import (
    ACCOUNT, BINARY, HELLO, LOGIN, SECRET, all_that_comes, connect_if_possible,
    expect_given_nothing, for_server, reader, serve, writer,
)
from labkit.ftp_wire import CLIENT, CONTROL_PORT, SERVER, Data, expect_connections
from labkit.grading import half_written
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"


# -- Step 9: passive data connections ----------------------------------------------------


@pytest.mark.parametrize("how", PASSIVE)
@because(NAMES_IT)
@for_server(step=9, points=2)
def test_server_is_connected_to_for_data(lab: Scenario, how: str) -> None:
    """The client connects, before the command or after it; each transfer has its own port."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    for late in (False, True):
        client.expect_file("a.txt", HELLO, how, late=late)
        client.store(f"new-{late}", BINARY, how, late=late)
        folder.expect_file(f"new-{late}", BINARY)
    client.quit()
    expect_connections(lab, *[Data(len(HELLO), SERVER, CLIENT),
                              Data(len(BINARY), CLIENT, CLIENT)] * 2)


@because(NAMES_IT)
@for_server(step=9, points=2)
def test_server_serves_ipv6(lab: Scenario) -> None:
    """`-a ::1`: EPSV and EPRT, reading and writing; PASV, which cannot tell it, does no harm."""
    folder = lab.folder({"a.txt": HELLO})
    server = lab.start_server("server", "-a", "::1", *ACCOUNT, port=CONTROL_PORT, address="::1",
                              folder=folder, cause="no-ipv6")
    lab.expect_line(server, "listening on ::1 port 2121")
    client = FtpClient(lab, "::1").login(*LOGIN).binary()
    for how in ("EPSV", "EPRT"):
        client.expect_file("a.txt", HELLO, how, cause="no-ipv6")
        client.store(how, BINARY, how, cause="no-ipv6")
        folder.expect_file(how, BINARY)
    client.command("EPSV 2", 229)
    client.command("PASV", 227, 421, 425, *UNKNOWN, 501, 503, 504, 522)
    client.expect_file("a.txt", HELLO, "EPSV")
    client.quit()
    expect_connections(
        lab, Data(len(HELLO), SERVER, CLIENT), Data(len(BINARY), CLIENT, CLIENT),
        Data(len(HELLO), SERVER, SERVER), Data(len(BINARY), CLIENT, SERVER),
        Data(len(HELLO), SERVER, CLIENT))


@because(NAMES_IT)
@for_server(step=9, points=1)
def test_server_knows_the_protocols_of_epsv(lab: Scenario) -> None:
    """`EPSV 1` is IPv4; a protocol that there is not gets 522 (RFC 2428)."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    client = reader(lab)
    client.command("EPSV 1", 229)
    client.command("EPSV 9", 522)
    client.command("EPSV", 229)
    client.expect_file("a.txt", HELLO, "EPSV")
    client.quit()
    expect_sessions(lab, client)


@pytest.mark.parametrize("command", ["RETR a.txt", "STOR new"], ids=["RETR", "STOR"])
@because(NAMES_IT)
@for_server(step=9, points=2)
def test_server_takes_no_strangers_data_connection(lab: Scenario, command: str) -> None:
    """Somebody else connects to the port that PASV told: neither gets the file nor brings one."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    port = client.passive_port("PASV")
    stranger = client.connect_data(port, source="127.0.0.2", label="the stranger")
    stranger.start_sending(SECRET)
    client.say(command)
    data = connect_if_possible(client, port)
    if client.reply(*OPENING, 421, 425, 426, 500, cause="port-bounce").code in OPENING:
        if data and command == "STOR new":
            data.send(HELLO)
            half_close(data)
        if client.reply(*DONE, 425, 426, 451, cause="port-bounce").code in DONE and data:
            if command == "STOR new":
                folder.expect_file("new", HELLO, cause="port-bounce")
            else:
                expect_bytes(command, HELLO, all_that_comes(data), cause="port-bounce")
    if "new" in folder.names() and SECRET in folder.read("new", "port-bounce"):
        raise Mismatch("the client's file is stored", "it is the stranger's", "port-bounce")
    expect_given_nothing(stranger)
    lab.expect_packets("connections>=2")


@because(NAMES_IT)
@for_server(step=9, points=1)
def test_server_keeps_no_port_that_nobody_used(lab: Scenario) -> None:
    """Thirty times PASV and EPSV, and no transfer: one port is enough for a session."""
    server = serve(lab, lab.folder({"a.txt": HELLO}))
    before = lab.footprint(server)
    client = reader(lab)
    for _ in range(15):
        for how in PASSIVE:
            client.passive_port(how)
    client.command("NOOP", 200)
    if len(lab.listening()) > 3:
        raise Mismatch("a session has one data connection at a time",
                       f"{len(lab.listening()) - 1} sockets listen for its next one",
                       "descriptor-leak")
    client.expect_file("a.txt", HELLO)
    client.quit()
    lab.expect_back_to(server, before)
    expect_connections(lab, Data(len(HELLO), SERVER, CLIENT))


# -- Step 10: active data connections ----------------------------------------------------


@half_written
@for_server(step=10, points=2)
def test_server_accepts_an_address_of_its_client_only(lab: Scenario) -> None:
    """PORT with the client's own address: 200; with another one: 504 or 500."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    client = reader(lab)
    client.command(port_command("PORT", "127.0.0.1", 5555), 200)
    client.command(port_command("PORT", "127.0.0.2", 5555), *REFUSED_PORT, *SYNTAX,
                   cause="port-bounce")


@pytest.mark.parametrize("how", ACTIVE)
@because(NAMES_IT)
@for_server(step=10, points=2)
def test_server_connects_for_data(lab: Scenario, how: str) -> None:
    """The server connects to the port that the client told, from low byte to high."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder, *ACCOUNT)
    client = writer(lab)
    for _ in range(2):
        client.expect_file("a.txt", HELLO, how)
        client.store("new", BINARY, how)
        folder.expect_file("new", BINARY)
    client.quit()
    expect_connections(lab, *[Data(len(HELLO), SERVER, SERVER),
                              Data(len(BINARY), CLIENT, SERVER)] * 2)


@because(NAMES_IT)
@for_server(step=10, points=3)
def test_server_connects_to_its_client_only(lab: Scenario) -> None:
    """PORT and EPRT with any address but the client's own: 504 or 500, and not a packet to it."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    victim = lab.listen(5555, "127.0.0.2")
    client = reader(lab)
    for how, address in (("PORT", "127.0.0.2"), ("EPRT", "127.0.0.2"), ("PORT", "10.0.0.1"),
                         ("EPRT", "::1"), ("EPRT", "::ffff:127.0.0.2")):
        client.command(port_command(how, address, victim.port), *REFUSED_PORT, *SYNTAX, 522,
                       cause="port-bounce")
    client.expect_refused("RETR a.txt", 425, 426, 451, 503, how=None, cause="port-bounce")
    client.expect_file("a.txt", HELLO, "PORT")
    client.quit()
    other = FtpClient(lab, source="127.0.0.2", label="a client at 127.0.0.2").login().binary()
    other.command(port_command("PORT", "127.0.0.1", 5555), *REFUSED_PORT, cause="port-bounce")
    other.expect_file("a.txt", HELLO, "EPRT")
    other.quit()
    expect_connections(lab, *[Data(len(HELLO), SERVER, SERVER)] * 2, sessions=2)


@because(NAMES_IT)
@for_server(step=10, points=2)
def test_server_connects_to_its_client_only_by_ipv6(lab: Scenario) -> None:
    """EPRT over IPv6, with any address but the client's own: refused, and not a packet to it."""
    lab.start_server("server", "-a", "::1", port=CONTROL_PORT, address="::1",
                     folder=lab.folder({"a.txt": HELLO}), cause="no-ipv6")
    victim = lab.listen(5555, "127.0.0.1")
    client = FtpClient(lab, "::1").login().binary()
    for address in ("::2", "::", "2001:db8::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1",
                    "127.0.0.1"):
        client.command(port_command("EPRT", address, victim.port), *REFUSED_PORT, *SYNTAX, 522,
                       cause="port-bounce")
        client.expect_refused("RETR a.txt", 425, 426, 451, 503, how=None, cause="port-bounce")
    client.expect_file("a.txt", HELLO, "EPRT")
    client.quit()
    expect_connections(lab, Data(len(HELLO), SERVER, SERVER))


@because(NAMES_IT)
@for_server(step=10, points=1)
def test_server_uses_the_address_that_was_told_last(lab: Scenario) -> None:
    """PASV and then PORT, and the other way round: the later one is for the next transfer."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    client = reader(lab)
    for first, last in (("PASV", "PORT"), ("EPRT", "EPSV"), ("EPSV", "EPRT"), ("PORT", "PASV")):
        if first in PASSIVE:
            client.passive_port(first)
        else:
            client.offer(first, port=5555).close()
        client.expect_file("a.txt", HELLO, last, cause="transfer-port")
    client.quit()
    expect_sessions(lab, client)


@because(NAMES_IT)
@for_server(step=10, points=1)
def test_server_knows_wrong_addresses(lab: Scenario) -> None:
    """Ill-formed PORT and EPRT: 501 or 500; a protocol that there is not: 522 (RFC 2428)."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    client = reader(lab)
    for parameter in ("127,0,0,1", "127,0,0,1,20", "127,0,0,1,20,x", "127,0,0,1,256,1",
                      "127,0,0,1,20,256", "127.0.0.1:5555", "1270,0,0,1,20,20",
                      "127,0,0,1,20,20,20", "127,0,0,1,-1,20", ",,,,,"):
        client.command(f"PORT {parameter}", *SYNTAX, 504, cause="transfer-port")
    for parameter in ("|1|127.0.0.1|", "|1|127.0.0.1|65536|", "|1|127.0.0.1|x|", "|1|localhost|x|",
                      "1,127.0.0.1,5555", "|1|127.0.0.1.1|5555|", "||||", "|1|127.0.0.1|-1|"):
        client.command(f"EPRT {parameter}", *SYNTAX, 504, 522, cause="transfer-port")
    client.command("EPRT |9|127.0.0.1|5555|", 522)
    client.command("NOOP", 200)
    client.expect_file("a.txt", HELLO, "EPRT")
    client.quit()
    expect_connections(lab, Data(len(HELLO), SERVER, SERVER))


@because(NAMES_IT)
@for_server(step=10, points=1)
def test_server_says_that_it_cannot_connect(lab: Scenario) -> None:
    """Nobody listens at the port that the client told: 425, and the session goes on."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    client = reader(lab)
    for how in ACTIVE:
        client.offer(how, port=5555).close()
        client.expect_refused("RETR a.txt", 421, 425, 426, how=None, cause="control-closed")
    client.expect_file("a.txt", HELLO, "PORT")
    client.quit()
    expect_sessions(lab, client)
