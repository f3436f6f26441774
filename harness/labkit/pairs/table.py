"""Which pairs there are, how each is started, and what its programs do when they are run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Mapping, Optional

from labkit.asked import known_labs
from labkit.run import UsageProblem

if TYPE_CHECKING:
    from labkit.pairs.stage import Stage

FILE, TEXT = "hello.txt", b"Hello, world!\n"
"""What is sent where a pair sends files."""


@dataclass(frozen=True)
class Command:
    """A program of a submission, as one types it."""

    program: str
    args: tuple[str, ...] = ()
    name: str = ""
    """What it is called on the screen."""
    files: Optional[Mapping[str, bytes]] = None
    """What lies in the folder where it works; None: that is the submission's own, read-only."""

    @property
    def argv(self) -> list[str]:
        return [f"./{self.program}", *self.args]


@dataclass(frozen=True)
class Pair:
    """Two programs of LAB that belong together."""

    lab: str
    name: str
    what: str
    """What is to be seen, in a few words."""
    server: Command
    client: Command
    play: Callable[[Stage], None]
    """What they do for `make run`."""
    port: int
    udp: bool = False


# -- Plays -----------------------------------------------------------------------


def _message(stage: Stage) -> None:
    stage.serve()
    stage.ends(stage.start("-m", "hello"))


def _two_clients(stage: Stage) -> None:
    stage.serve()
    first = stage.start(name="client 1")
    stage.types(first, "good morning")
    stage.prints(first, "good morning\n")
    stage.ends(stage.start("-m", "hello", name="client 2"))
    stage.ends_input(first)
    stage.ends(first)


def _line(stage: Stage) -> None:
    stage.serve()
    client = stage.start()
    stage.types(client, "hello")
    stage.prints(client, "hello\n")
    stage.ends_input(client)
    stage.ends(client)


def _greeting(stage: Stage) -> None:
    stage.serve()
    client = stage.start()
    stage.types(client, "hi")
    stage.prints(client, "Hello, you are connected!\n")
    stage.ends(client)


def _prompts(stage: Stage) -> None:
    stage.serve("-n", "2")
    client = stage.start()
    stage.prints(client, "welcome !!!\n")
    for line in ("first", "again"):
        stage.types(client, line)
        stage.prints(client, "Please enter the data:")
    stage.ends(client)


def _turns(stage: Stage) -> None:
    server = stage.serve()
    client = stage.start()
    stage.types(client, "hello")
    stage.prints(server, "hello\n")
    stage.types(server, "hi")
    stage.prints(client, "hi\n")
    stage.types(client, "exit")
    stage.ends(client)
    stage.ends(server)


def _chat(stage: Stage) -> None:
    server = stage.serve()
    client = stage.start()
    stage.types(client, "good night")
    stage.prints(server, "good night\n")
    stage.ends_input(client)
    stage.types(server, "sleep well")
    stage.prints(client, "sleep well\n")
    stage.ends_input(server)
    stage.ends(client)
    stage.ends(server)


def _peers(stage: Stage) -> None:
    one = stage.serve()
    other = stage.start()
    stage.bound(other, 6001)
    stage.types(one, "hello")
    stage.prints(other, "127.0.0.1:6000 hello\n")
    stage.types(other, "hi")
    stage.prints(one, "127.0.0.1:6001 hi\n")


def _get(stage: Stage) -> None:
    stage.serve()
    client = stage.start()
    stage.ends(client)
    stage.has(client, FILE, TEXT)


def _put(stage: Stage) -> None:
    server = stage.serve()
    client = stage.start()
    stage.ends(client)
    stage.has(server, FILE, TEXT)


def _ftp_get(stage: Stage) -> None:
    stage.serve()
    client = stage.start("get", FILE)
    stage.ends(client)
    stage.has(client, FILE, TEXT)


def _ftp_put(stage: Stage) -> None:
    server = stage.serve()
    stage.ends(stage.start("put", FILE))
    stage.has(server, FILE, TEXT)


# -- The pairs -------------------------------------------------------------------


def _echo(server: str, what: str, play: Callable[[Stage], None], port: int = 4321) -> Pair:
    elsewhere = () if port == 4321 else ("-p", str(port))
    return Pair("01-tcp-echo", server, what, Command(server), Command("client", elsewhere), play,
                port)


def _files(
    name: str, what: str, server: Command, client: Command, play: Callable[[Stage], None],
    port: int = 6666,
) -> Pair:
    return Pair("04-file-transfer", name, what, server, client, play, port,
                udp=name.startswith("tftp"))


_HAS: Mapping[str, bytes] = {FILE: TEXT}
_USER = ("-u", "alice:secret")
_HOST = "127.0.0.1"

PAIRS = (
    _echo("server", "a line there and back", _message),
    _echo("server_fork", "two clients at once, a process for each", _two_clients),
    _echo("server_thread", "two clients at once, a thread for each", _two_clients),
    _echo("server_poll", "two clients at once, one loop for both", _two_clients),
    _echo("hello_server", "a server that closes first", _greeting, 8000),
    _echo("prompt_server", "a server that asks, twice", _prompts, 55555),
    Pair("02-p2p-chat", "chat", "both talk at once, and half-close",
         Command("server"), Command("client"), _chat, 5188),
    Pair("02-p2p-chat", "turns", "they talk in turns",
         Command("turn_server"), Command("turn_client"), _turns, 2018),
    Pair("03-udp", "server", "a datagram there and back",
         Command("server"), Command("client"), _line, 6000, udp=True),
    Pair("03-udp", "peers", "two peers, and no server",
         Command("peer", ("-l", "6000", _HOST, "6001"), "peer 6000"),
         Command("peer", ("-l", "6001", _HOST, "6000"), "peer 6001"), _peers, 6000, udp=True),
    _files("send", "a file: its name, its bytes, the end",
           Command("send_server", (FILE,), files=_HAS), Command("send_client", files={}), _get),
    _files("ftp-get", "FTP, a file is fetched",
           Command("server", files=_HAS), Command("client", (_HOST,), files={}), _ftp_get, 2121),
    _files("ftp-put", "FTP, a file is stored", Command("server", _USER, files={}),
           Command("client", (*_USER, _HOST), files=_HAS), _ftp_put, 2121),
    _files("tftp-get", "TFTP, a file is fetched", Command("udp_server", files=_HAS),
           Command("udp_client", (_HOST, "get", FILE), files={}), _get),
    _files("tftp-put", "TFTP, a file is stored", Command("udp_server", ("-w",), files={}),
           Command("udp_client", (_HOST, "put", FILE), files=_HAS), _put),
)
"""All of them; the first of each lab is the one that is meant when none is named."""


def listed() -> str:
    """All pairs, a line each, in the order of their labs."""
    return "pairs:\n" + "".join(f"  {pair.lab[:2]}  {pair.name:14} {pair.what}\n" for pair in PAIRS)


def find(lab: Optional[str], name: Optional[str]) -> Pair:
    """The pair NAME of LAB, both as a user typed them. Raises UsageProblem."""
    if lab is None:
        raise UsageProblem("which lab? LAB=01 for instance; the labs are "
                           + ", ".join(dict.fromkeys(pair.lab for pair in PAIRS)))
    there = [pair for pair in PAIRS if [pair.lab] == known_labs([lab])]
    for pair in there:
        if name in (pair.name, None):
            return pair
    raise UsageProblem(f"there is no pair {name!r} in {there[0].lab}; its pairs are "
                       + ", ".join(pair.name for pair in there))
