"""Lab 04: the FTP server on a network that loses, on all its connections: it only waits."""

from __future__ import annotations

import contextlib
from typing import Iterator

from labkit.causes import NOT_THERE
from labkit.echo import BIG
from labkit.feedback import HarnessError, Mismatch
from labkit.ftp_client import FtpClient
from labkit.ftp_serving import ACCOUNT, BINARY, HELLO, LOGIN, for_server, serve
from labkit.ftp_wire import CLIENT, CONTROL_PORT, SERVER, Data, expect_connections
from labkit.losses import disturb
from labkit.reasons import BAD_NETWORK, NAMES_IT, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"
ACTIVE_PORT = 5555
"""Where a client listens, so that rules can name its data connections."""
SOME = BIG[:100_000]
"""Some 70 segments, of which every fifth is some more than a dozen."""


@because(BAD_NETWORK)
@for_server(step=6, points=1)
def test_server_waits_for_lost_commands(lab: Scenario) -> None:
    """The control connection loses a command, a reply, and the FIN of each side."""
    with unnoticed(lab, f"drop data to {CONTROL_PORT} 2", f"drop data from {CONTROL_PORT} 4",
                   f"drop fin from {CONTROL_PORT} 1", f"drop fin to {CONTROL_PORT} 1"):
        serve(lab, lab.folder({"a.txt": HELLO}))
        client = FtpClient(lab).login().binary()
        client.expect_file("a.txt", HELLO)
        client.quit()
        expect_connections(lab, Data(len(HELLO), SERVER, CLIENT))


@because(NAMES_IT)
@for_server(step=9, points=1)
def test_server_waits_for_a_late_data_connection(lab: Scenario) -> None:
    """After PASV the client's SYN is lost, then segments of the file, then the server's FIN."""
    with unnoticed(lab, "drop syn 2", "drop fin 1", "duplicate fin 2", "drop data every 9"):
        serve(lab, lab.folder({"some": SOME}))
        client = FtpClient(lab).login().binary()
        client.expect_file("some", SOME, "PASV", late=True)
        client.quit()
        expect_connections(lab, Data(len(SOME), SERVER, CLIENT))


@because(BAD_NETWORK)
@for_server(step=10, points=1)
def test_server_connects_although_its_syn_is_lost(lab: Scenario) -> None:
    """After PORT the server's SYN is lost, then its FIN; the file comes, whole."""
    with unnoticed(lab, f"drop syn to {ACTIVE_PORT} 1", f"drop fin to {ACTIVE_PORT} 1",
                   f"drop data to {ACTIVE_PORT} every 5"):
        serve(lab, lab.folder({"some": SOME}))
        client = FtpClient(lab).login().binary()
        data = client.begin("RETR some", "PORT", port=ACTIVE_PORT)
        data.expect(SOME)
        data.expect_eof()
        client.finish(data)
        client.quit()
        expect_connections(lab, Data(len(SOME), SERVER, SERVER))


@because(BAD_NETWORK)
@for_server(step=13, points=1)
def test_server_stores_a_file_from_a_bad_network(lab: Scenario) -> None:
    """Every fifth segment of a file is lost, two are reordered, the FIN is lost: it is whole."""
    with unnoticed(lab, f"drop data from {ACTIVE_PORT} every 5",
                   f"reorder data from {ACTIVE_PORT} 2", f"drop fin from {ACTIVE_PORT} 1,2"):
        folder = lab.folder()
        serve(lab, folder, *ACCOUNT)
        client = FtpClient(lab).login(*LOGIN).binary()
        data = client.begin("STOR some", "EPRT", port=ACTIVE_PORT)
        data.send(SOME)
        client.end_of_file(data)
        folder.expect_file("some", SOME)
        client.store("binary", BINARY)
        folder.expect_file("binary", BINARY)
        client.quit()
        expect_connections(lab, Data(len(SOME), CLIENT, SERVER), Data(len(BINARY), CLIENT, CLIENT))


# -- What several tests do ------------------------------------------------------------


@contextlib.contextmanager
def unnoticed(lab: Scenario, *rules: str) -> Iterator[None]:
    """The network does what RULES say; where a session is given up, that is why."""
    disturb(lab, *rules)
    try:
        yield
    except Mismatch as error:
        if error.cause in NOT_THERE:
            raise
        raise Mismatch(error.expected, error.seen, "own-timeout") from None
    if not lab.changes:
        raise HarnessError(f"none of the rules {rules} met a packet")
