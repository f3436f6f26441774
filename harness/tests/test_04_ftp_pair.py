"""Lab 04: FTP server and client together: in one session, on two hosts, on a bad network."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import pytest

from labkit.feedback import Mismatch
from labkit.folders import Folder
from labkit.ftp_user import BIG, BINARY, HOST, HOST_6, TEXT
from labkit.ftp_wire import CLIENT, CONTROL_PORT, SERVER, Data, expect_connections
from labkit.grading import graded, many_packets
from labkit.losses import disturb
from labkit.network import HOSTS
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, PAIR, TWO_HOSTS, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"
SIZES = [0, 1, 512, 4096, 4097, 65_536]
SOME = BIG[:60_000]
"""Some 42 segments."""
USER = ("-u", "alice:s3 cret")

pair_test = dict(programs=("server", "client"))


class Pair(NamedTuple):
    """A server, and where its files and those of its client are."""

    server: Program
    served: Folder
    own: Folder


def start_server(
    lab: Scenario, served: dict[str, bytes], own: dict[str, bytes] = {}, address: str = HOST,
    user: Sequence[str] = USER, host: Optional[str] = None,
) -> Pair:
    """The server of the folder SERVED, and a folder OWN for its clients."""
    folder = lab.folder(served)
    server = lab.start_server("server", "-a", address, *user, "-d", ".", port=CONTROL_PORT,
                              address=address, host=host, folder=folder)
    lab.expect_line(server, f"listening on {address} port {CONTROL_PORT}")
    return Pair(server, folder, lab.folder(own))


def run_client(
    lab: Scenario, pair: Pair, *words: str, lines: Optional[bytes] = None, status: int = 0,
    user: Sequence[str] = USER, address: str = HOST, host: Optional[str] = None,
    cause: Optional[str] = None,
) -> Program:
    """The client does WORDS, or the LINES of stdin, and exits with STATUS; CAUSE: why not."""
    client = lab.start("client", *user, address, *words, stdin=lines, folder=pair.own, host=host)
    lab.expect_exit(client, status, cause)
    return client


# -- One host ------------------------------------------------------------------------


@pytest.mark.parametrize("address", [HOST, HOST_6], ids=["ipv4", "ipv6"])
@because(PAIR)
@graded(step=22, points=3, **pair_test)
def test_pair_transfers_files_of_any_size(lab: Scenario, address: str) -> None:
    """Files of 0 bytes to 64 KiB each way and a list, in one session; all bytes are right."""
    names = [f"of-{size}" for size in SIZES]
    files = {name: BIG[:size] for name, size in zip(names, SIZES)}
    pair = start_server(lab, {**files, "bytes": BINARY}, {"mine": BINARY}, address)
    lines = [line for name in names for line in (f"get {name}", f"put {name} back-{name}")]
    lines += ["get bytes", "put mine", "ls"]
    client = run_client(lab, pair, lines="\n".join(lines).encode(), address=address,
                        cause="no-ipv6" if address == HOST_6 else None)
    stored = {f"back-{name}": data for name, data in files.items()}
    expect_files(pair.own, {**files, "bytes": BINARY, "mine": BINARY})
    expect_files(pair.served, {**files, **stored, "bytes": BINARY, "mine": BINARY})
    listed = expect_listed(client, pair.served)
    moved = [size for size in SIZES for _ in range(2)] + 2 * [len(BINARY)]
    expect_connections(lab, *(Data(size, (SERVER, CLIENT)[number % 2])
                              for number, size in enumerate(moved)), Data(listed, SERVER))


def expect_files(folder: Folder, files: dict[str, bytes]) -> None:
    """FOLDER has FILES in it and nothing else."""
    for name, data in files.items():
        folder.expect_file(name, data)
    folder.expect_names(*files, cause="left-over-file")


def expect_listed(client: Program, served: Folder) -> int:
    """The client has printed the names of all that is SERVED; returns their bytes on the wire."""
    got = sorted(client.stdout.decode(errors="replace").splitlines())
    if got != served.names():
        raise Mismatch(expected=f"`ls` prints {', '.join(served.names())}",
                       seen=f"on stdout: {', '.join(got)}", cause="messages")
    return len(client.stdout) + len(got)


@many_packets
@because(PAIR)
@graded(step=20, points=2, **pair_test)
def test_pair_transfers_a_big_file(lab: Scenario) -> None:
    """3 MiB there and back: an old file of that name is replaced by the whole new one."""
    pair = start_server(lab, {"old": TEXT}, {"mine": BIG, "old": TEXT})
    run_client(lab, pair, lines=b"put mine old\nget old\n")
    expect_files(pair.served, {"old": BIG})
    expect_files(pair.own, {"mine": BIG, "old": BIG})
    expect_connections(lab, Data(len(BIG), CLIENT), Data(len(BIG), SERVER))


@because(PAIR)
@graded(step=22, points=2, **pair_test)
def test_pair_goes_on_after_refusals(lab: Scenario) -> None:
    """A missing file, one outside the folder, a folder: the server's reply, and then the next."""
    pair = start_server(lab, {"served": TEXT, "sub/inner": TEXT})
    client = run_client(lab, pair, status=1, lines=b"get none\nget ../x x\nget sub x\n"
                        b"get sub/inner inner\nget served\n")
    if client.stderr.count(b"550 ") + client.stderr.count(b"450 ") < 3:
        raise Mismatch(expected="the server's reply, 550 or 450, on stderr for each of three",
                       seen=client.last_words or "nothing", cause="no-error-told")
    expect_files(pair.own, {"inner": TEXT, "served": TEXT})


@because(PAIR)
@graded(step=17, points=1, **pair_test)
def test_pair_has_a_login(lab: Scenario) -> None:
    """Right, wrong and no password; only who has logged in gets the file."""
    pair = start_server(lab, {"name": TEXT})
    for user in (("-u", "alice:wrong"), ("-u", "bob:s3 cret"), ()):
        client = run_client(lab, pair, "get", "name", user=user, status=1, cause="no-login")
        if b"530" not in client.stderr:
            raise Mismatch(expected="the server's reply, 530, on stderr",
                           seen=client.last_words or "nothing", cause="no-error-told")
        pair.own.expect_names(cause="no-login")
    run_client(lab, pair, "get", "name", cause="no-login")
    expect_files(pair.own, {"name": TEXT})
    expect_connections(lab, Data(len(TEXT), SERVER), sessions=4)


@because(PAIR)
@graded(step=21, points=1, **pair_test)
def test_pair_without_accounts_only_reads(lab: Scenario) -> None:
    """Neither has `-u`: anonymous may get, and not put."""
    pair = start_server(lab, {"name": TEXT}, {"mine": TEXT}, user=())
    run_client(lab, pair, "get", "name", user=(), cause="no-login")
    run_client(lab, pair, "put", "mine", user=(), status=1, cause="anonymous-writes")
    expect_files(pair.served, {"name": TEXT})
    expect_files(pair.own, {"name": TEXT, "mine": TEXT})


@many_packets
@because(PAIR)
@graded(step=19, points=1, **pair_test)
def test_pairs_at_the_same_time(lab: Scenario) -> None:
    """Six clients get and put 300 kB at once, each with connections of its own."""
    part = BIG[:300_000]
    pair = start_server(lab, {"name": part})
    owns = [lab.folder({"mine": part}) for _ in range(6)]  # all have the same process ID
    clients = [lab.start("client", *USER, HOST, folder=own,
                         stdin=f"get name got-{number}\nput mine put-{number}\n".encode())
               for number, own in enumerate(owns)]
    for client in clients:
        lab.expect_exit(client, 0, "one-client-only")
    for number, own in enumerate(owns):
        expect_files(own, {"mine": part, f"got-{number}": part})
    expect_files(pair.served, {"name": part, **{f"put-{number}": part for number in range(6)}})
    lab.expect_packets("connections=18", "teardown.kind=fin", "teardown.reset=null")


# -- Two hosts --------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@because(TWO_HOSTS)
@graded(step=19, points=1, hosts=2, **pair_test)
def test_pair_on_two_hosts(lab: Scenario, family: str) -> None:
    """Server and client on two hosts: the data connection goes where the other one went."""
    address = getattr(HOSTS["b"], family)
    pair = start_server(lab, {"name": SOME}, {"mine": BINARY}, address, host="b")
    run_client(lab, pair, lines=b"get name\nput mine\n", address=address, host="a",
               cause="no-ipv6" if family == "ipv6" else "wrong-address")
    expect_files(pair.own, {"name": SOME, "mine": BINARY})
    expect_files(pair.served, {"name": SOME, "mine": BINARY})
    expect_connections(lab, Data(len(SOME), SERVER), Data(len(BINARY), CLIENT))


@because(BAD_NETWORK)
@graded(step=20, points=1, hosts=2, **pair_test)
def test_pair_on_two_hosts_with_losses(lab: Scenario) -> None:
    """The link between the hosts loses packets of every kind: nothing is missing."""
    disturb(lab, "drop packet random 4 seed 3")
    address = HOSTS["b"].ipv4
    pair = start_server(lab, {"name": SOME}, {"mine": SOME}, address, host="b")
    get_and_put(lab, pair, address, "a")


# -- A bad network ------------------------------------------------------------------------


CONTROL = {f"control-{name}": rule.format(port=CONTROL_PORT) for name, rule in {
    "commands": "drop data to {port} 2,5,8",
    "replies": "drop data from {port} every 4",
    "twice": "duplicate data to {port} all",
    "replies-twice": "duplicate data from {port} all",
    "late": "delay 30 data from {port} every 2",
    "damaged": "corrupt data from {port} 2,5",
}.items()}
BOTH = {
    "data-syn": "drop syn 2",
    "data-syn-ack": "drop syn-ack 2",
    "data": "drop data every 8",
    "acks": "drop ack every 3",
    "fin": "drop fin 1,2,4",
    "all-fins-late": "delay 40 fin all",
    "twice": "duplicate packet all",
    "reordered": "reorder data every 6",
    "damaged": "corrupt data every 10",
}


@pytest.mark.parametrize("rule", [*CONTROL.values(), *BOTH.values()], ids=[*CONTROL, *BOTH])
@because(BAD_NETWORK)
@graded(step=20, points=1, **pair_test)
def test_pair_on_a_bad_network(lab: Scenario, rule: str) -> None:
    """Packets of either connection are lost, doubled, late, damaged: the programs only wait."""
    disturb(lab, rule)
    pair = start_server(lab, {"name": SOME}, {"mine": SOME})
    get_and_put(lab, pair)
    if not lab.changes:
        raise Mismatch(expected=f"packets for the rule `{rule}`", seen="none", cause="no-packets")


def get_and_put(
    lab: Scenario, pair: Pair, address: str = HOST, host: Optional[str] = None
) -> None:
    """A session over a bad network, and the verdict: one transfer each way, all bytes right."""
    run_client(lab, pair, lines=b"get name\nput mine\n", address=address, host=host,
               cause="own-timeout")
    for folder in (pair.own, pair.served):
        expect_files(folder, {"name": SOME, "mine": SOME})
    expect_connections(lab, Data(len(SOME), SERVER), Data(len(SOME), CLIENT))
