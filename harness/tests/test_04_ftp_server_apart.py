"""Lab 04: several sessions with the FTP server at once: what is one's own stays its own."""

from __future__ import annotations

import pytest

from labkit.echo import BIG
from labkit.feedback import Mismatch
from labkit.ftp_client import FtpClient, expect_sessions
from labkit.ftp_serving import (
    ACCOUNT, HELLO, expect_nothing_allowed, expect_text, for_server, reader, serve, writer,
)
from labkit.grading import many_packets
from labkit.peer import difference
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"

ONE = BIG * 2
OTHER = ONE.translate(bytes(byte ^ 0x55 for byte in range(256)))
"""As long as ONE, and another byte everywhere."""
PIECE = 65_536


def expect_own(what: str, content: bytes, got: bytes) -> None:
    """GOT is CONTENT, and has nothing of what another client sends or is sent meanwhile."""
    if got != content:
        raise Mismatch(f"{what}: {len(content)} bytes, whatever other clients do",
                       difference(content, got), "shared-folder")


# -- What a session remembers ------------------------------------------------------------


@for_server(step=7, points=2)
def test_server_lets_in_only_who_has_logged_in(lab: Scenario) -> None:
    """One client's login is not another's, whether it came earlier or comes later."""
    folder = lab.folder({"a.txt": HELLO})
    serve(lab, folder, *ACCOUNT)
    early = FtpClient(lab, label="a client that has said nothing")
    half = FtpClient(lab, label="a client that has told its name only")
    half.command("USER student", 331)
    user = writer(lab)
    late = FtpClient(lab, label="a later client that has said nothing")
    for client in (early, half, late):
        expect_nothing_allowed(client)
    user.expect_file("a.txt", HELLO, cause="no-login")
    folder.expect_names("a.txt", cause="no-login")
    clients = early, half, user, late
    for client in clients:
        client.quit()
    expect_sessions(lab, *clients)


@for_server(step=14, points=1)
def test_server_keeps_each_clients_type(lab: Scenario) -> None:
    """One client's TYPE changes nothing for another, who is there already or comes later."""
    serve(lab, lab.folder({"a.txt": HELLO}))
    text = HELLO.replace(b"\n", b"\r\n")
    one, other = (FtpClient(lab, label=label).login() for label in ("one client", "another"))
    one.binary()
    for client, content in ((other, text), (one, HELLO)):
        expect_text("RETR a.txt", content, client.retrieve("RETR a.txt"), "ascii-type")
    other.command("TYPE A", 200)
    expect_text("RETR a.txt", HELLO, one.retrieve("RETR a.txt"), None)
    later = FtpClient(lab, label="a later client").login()
    expect_text("RETR a.txt", text, later.retrieve("RETR a.txt"), "ascii-type")
    for client in (one, other, later):
        client.quit()
    expect_sessions(lab, one, other, later)


# -- Transfers under way -----------------------------------------------------------------


@many_packets
@pytest.mark.parametrize("kind", ["I", "A"])
@because(NAMES_IT)
@for_server(step=11, points=1)
def test_server_sends_to_each_client_its_own(lab: Scenario, kind: str) -> None:
    """Two long files under way at once, in both types: neither has a byte of the other's."""
    files = {"one": ONE, "other": OTHER}
    server = serve(lab, lab.folder(files))
    clients = {name: reader(lab, f"the client of {name}") for name in files}
    data = {}
    for name, client in clients.items():
        client.command(f"TYPE {kind}", 200)
        data[name] = client.begin(f"RETR {name}", receive_buffer=4096)
        lab.wait_blocked(server)
    for name, client in clients.items():
        content = files[name].replace(b"\n", b"\r\n") if kind == "A" else files[name]
        expect_own(f"RETR {name}", content, data[name].read_rest("partial-write"))
        client.finish(data[name])
        client.quit()
    expect_sessions(lab, *clients.values())


@many_packets
@pytest.mark.parametrize("kind", ["I", "A"])
@because(NAMES_IT)
@for_server(step=13, points=1)
def test_server_stores_for_each_client_its_own(lab: Scenario, kind: str) -> None:
    """Two files come at once, piece by piece by turns, in both types: each is whole."""
    files = {"one": ONE, "other": OTHER}
    folder = lab.folder()
    serve(lab, folder, *ACCOUNT)
    clients = {name: writer(lab, f"the client of {name}") for name in files}
    data = {}
    for name, client in clients.items():
        client.command(f"TYPE {kind}", 200)
        data[name] = client.begin(f"STOR {name}")
    for start in range(0, len(ONE), PIECE):
        for name, content in files.items():
            data[name].send(content[start:start + PIECE])
    for name, client in clients.items():
        client.end_of_file(data[name])
        content = files[name].replace(b"\r\n", b"\n") if kind == "A" else files[name]
        expect_own(f"STOR {name}", content, folder.read(name))
        client.quit()
    expect_sessions(lab, *clients.values())
