"""What happens before a watcher's eyes, inside a private network.

Run as a program: `unshare -Urn python3 watch_scenarios.py SCENARIO LABCAP FOLDER`. Each scenario
prints one JSON object, a Sight. Every wait is for an event: the watcher's own word, a row on its
screen, a stopped process, an end of file.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

DEADLINE = 30  # seconds
PORT = 6000
FIN_WAIT_2 = b"\5"  # as TCP_INFO begins then
FLOWS = 100_000
ADDRESS_SPACE = 72 << 20  # what 60,000 flows would need, and the buffers of packets and screen
INTERRUPT = b"\x03"
COLUMNS = 80
PLAIN = {"LC_ALL": "C", "COLUMNS": str(COLUMNS), "TERM": "xterm"}


@dataclass
class Sight:
    """How a watcher ended, what was on its screen, what it said on stderr."""

    status: int = -1
    screen: str = ""
    said: str = ""
    more: dict[str, Any] = field(default_factory=dict)


class Watcher:
    """A running `labcap watch`; its constructor returns when not one later packet can be missed.

    screen: where it writes, by default a pipe. terminal: that is its controlling terminal.
    """

    def __init__(
        self, labcap: Path, *options: str, interface: str = "lo", screen: Optional[int] = None,
        terminal: bool = False, words: tuple[str, ...] = (), limits: Callable[[], object] = bool,
    ) -> None:  # fmt: skip
        def prepare() -> None:
            limits()
            if terminal:
                fcntl.ioctl(1, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [*words, labcap, "watch", "-i", interface, *options],
            stdin=screen if terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE if screen is None else screen,
            stderr=subprocess.PIPE,
            env={**os.environ, **PLAIN},
            start_new_session=terminal,
            preexec_fn=prepare,
        )
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()
        self.screen = bytearray()
        self._seen = 0  # so far, see() has looked

    def see(self, text: bytes, descriptor: Optional[int] = None) -> None:
        """Return once that is on the screen: behind what was asked for before."""
        if descriptor is None:
            assert self.process.stdout is not None
            descriptor = self.process.stdout.fileno()
        while (place := self.screen.find(text, self._seen)) < 0:
            chunk = read(descriptor)
            assert chunk, self.screen.decode()
            self._seen = max(self._seen, len(self.screen) - len(text))
            self.screen += chunk
        self._seen = place + len(text)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; after SIGSTOP, return once the watcher really has stopped."""
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitpid(self.process.pid, os.WUNTRACED)

    def end(self, **more: Any) -> Sight:
        """How it ends."""
        try:
            output, errors = self.process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.screen += output or b""
        said = (self.said + errors).decode()
        return Sight(self.process.returncode, self.screen.decode(), said, more)

    def stop(self, number: signal.Signals = signal.SIGTERM, **more: Any) -> Sight:
        """A signal, then end()."""
        self.send(number)
        return self.end(**more)


def read(descriptor: int) -> bytes:
    """The next bytes; none at its end, which a terminal reports as EIO."""
    assert select.select([descriptor], [], [], DEADLINE)[0], "nothing more comes"
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


class Terminal:
    """A terminal of COLUMNS columns: what a program has of it, and what a person has."""

    def __init__(self) -> None:
        self.person, self.program = pty.openpty()
        self.resize(COLUMNS)

    def resize(self, columns: int) -> None:
        """Its programs learn of it at once."""
        fcntl.ioctl(self.program, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read_all(self, watcher: Watcher) -> None:
        """Take what there is until the watcher has ended and closed it."""
        os.close(self.program)
        while chunk := read(self.person):
            watcher.screen += chunk


def send_datagrams(count: int, size: int = 20, port: int = PORT) -> int:
    """Send datagrams to a port of loopback where somebody listens; their number."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(count):
                sender.sendto(bytes(size), ("127.0.0.1", port))
    return count


class Echo:
    """A TCP connection over loopback, step by step: always the same packets."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._client = socket.create_connection(self._listener.getsockname())
        self._server, _ = self._listener.accept()

    def send(self, data: bytes) -> None:
        """To the server, whose kernel is told not to wait with its ACK: two packets."""
        self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self._client.sendall(data)

    def close(self) -> None:
        """The client closes first, the server when its kernel has acknowledged: four packets."""
        self._client.shutdown(socket.SHUT_WR)
        while self._client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != FIN_WAIT_2:
            os.sched_yield()
        while self._server.recv(4096):
            pass
        self._server.close()
        self._client.recv(1)
        self._client.close()
        self._listener.close()


# ---- What is on the screen


def each_packet_at_once(labcap: Path, folder: Path) -> Sight:
    """Nothing more happens before a packet has been seen."""
    watcher = Watcher(labcap, "--payload")
    echo = Echo()
    watcher.see(b"3/3 ACK")
    for word in (b"first", b"second", b"third"):
        echo.send(word)
        watcher.see(b'"' + word + b'"')
    echo.close()
    return watcher.stop(signal.SIGINT)


def two_at_a_time(labcap: Path, folder: Path) -> Sight:
    """Two connections, in turns."""
    watcher = Watcher(labcap)
    one = Echo()
    watcher.see(b"3/3 ACK")
    two = Echo()
    watcher.see(b"3/3 ACK")
    one.send(b"x")
    watcher.see(b"len 1")
    two.close()
    one.close()
    return watcher.stop()


def any_interface(labcap: Path, folder: Path) -> Sight:
    """`-i any` sees what goes over loopback, too."""
    watcher = Watcher(labcap, interface="any")
    Echo().close()
    return watcher.stop()


def filtered(labcap: Path, folder: Path) -> Sight:
    """Two ports, one of them asked for."""
    watcher = Watcher(labcap, "udp", "dst port", str(PORT + 1))
    send_datagrams(5)
    send_datagrams(3, port=PORT + 1)
    return watcher.stop()


def echo_request(labcap: Path, folder: Path) -> Sight:
    """ICMP that is about no flow, and about one."""
    watcher = Watcher(labcap)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(b"\x08\x00\xf7\xff\0\0\0\0", ("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"anybody?", ("127.0.0.1", PORT))
    return watcher.stop()


def two_points(labcap: Path, folder: Path) -> Sight:
    """The middle of a wire, where the frames pass that the test has left in the folder."""
    frames = [bytes.fromhex(line) for line in (folder / "frames").read_text().split()]
    cable = ["ip", "link", "add", "near", "type", "veth", "peer", "name", "far"]
    subprocess.run(cable, check=True)
    for end in ("near", "far"):
        subprocess.run(["sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1"], check=True)
        subprocess.run(["ip", "link", "set", end, "arp", "off", "up"], check=True)
    watcher = Watcher(labcap, interface="near")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("near", 0))
        for frame in frames:
            sender.send(frame)
    return watcher.stop()


# ---- How it ends


def reader_leaves(labcap: Path, folder: Path) -> Sight:
    """As with `| head`: no packet comes after that."""
    watcher = Watcher(labcap)
    Echo().close()
    watcher.see(b"4/4 ACK")
    assert watcher.process.stdout is not None
    watcher.process.stdout.close()
    watcher.process.stdout = None
    return watcher.end()


def reader_takes_nothing(labcap: Path, folder: Path) -> Sight:
    """The pipe is full, and the watcher has something to write when the signal comes."""
    ours, theirs = os.pipe()
    os.write(theirs, bytes(fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)))
    watcher = Watcher(labcap, screen=theirs)
    os.close(theirs)
    send_datagrams(1)
    sight = watcher.stop(signal.SIGINT)
    os.close(ours)
    return sight


def full_disk(labcap: Path, folder: Path) -> Sight:
    """Its stdout is a file that takes nothing."""
    with open("/dev/full", "w") as full:
        watcher = Watcher(labcap, screen=full.fileno())
    send_datagrams(1)
    return watcher.end()


def into_a_file(labcap: Path, folder: Path) -> Sight:
    """Its stdout is a file in which something stands already."""
    with (folder / "screen.txt").open("w") as file:
        file.write("before\n")
        file.flush()
        watcher = Watcher(labcap, screen=file.fileno())
        Echo().close()
        sight = watcher.stop()
    sight.screen = (folder / "screen.txt").read_text()
    return sight


def interface_vanishes(labcap: Path, folder: Path) -> Sight:
    """One end of a cable is taken away."""
    cable = ["ip", "link", "add", "near", "type", "veth", "peer", "name", "far"]
    subprocess.run(cable, check=True)
    for end in ("near", "far"):
        subprocess.run(["ip", "link", "set", end, "up"], check=True)
    watcher = Watcher(labcap, "udp", "port", "9", interface="near")
    subprocess.run(["ip", "link", "del", "near"], check=True)
    return watcher.end()


def plain(labcap: Path, folder: Path) -> Sight:
    """A watcher that is stopped at once, if it ever begins."""
    watcher = Watcher(labcap)
    return watcher.stop() if watcher.said.startswith(b"watching") else watcher.end()


def wrong_filter(labcap: Path, folder: Path) -> Sight:
    """A filter that libpcap does not know."""
    return Watcher(labcap, "no", "such", "filter").end()


# ---- Floods


def overrun(labcap: Path, folder: Path) -> Sight:
    """More packets than the ring holds, while the watcher cannot run; then one more."""
    watcher = Watcher(labcap, "udp")
    watcher.send(signal.SIGSTOP)
    sent = send_datagrams(30_000, 1000)
    watcher.send(signal.SIGCONT)
    watcher.see(b"shown.)")
    sent += send_datagrams(1, 7)
    watcher.see(b"7 bytes")
    return watcher.stop(sent=sent)


def flood_of_flows(labcap: Path, folder: Path) -> Sight:
    """So many flows that remembering them all would take more memory than the watcher gets."""

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))

    watcher = Watcher(labcap, limits=limits)
    address = socket.inet_aton("127.0.0.1")
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sender:
        for number in range(FLOWS):
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, address, address)
            udp = struct.pack("!HHHH", number % 65536, 1 + number // 65536, 8, 0)
            sender.sendto(ip + udp, ("lo", 0x0800, 0, 0, bytes(6)))
            if number % 256 == 255:
                watcher.see(f"\n{number + 1:4} ".encode())
    sight = watcher.stop()
    sight.more["lines"] = sight.screen.count("\n")
    sight.more["anew"] = " ".join(sight.screen.split()).count("from here on every one is new")
    sight.screen = sight.screen[-4000:]
    return sight


# ---- A terminal


def on_a_terminal(labcap: Path, folder: Path) -> Sight:
    """A person looks on, makes the window smaller, and presses Ctrl-C."""
    terminal = Terminal()
    before = termios.tcgetattr(terminal.program)
    watcher = Watcher(labcap, screen=terminal.program, terminal=True)
    echo = Echo()
    watcher.see(b"3/3 ACK", terminal.person)
    wide = watcher.screen.decode()
    terminal.resize(50)
    echo.close()
    watcher.see(b"4/4 ACK", terminal.person)
    os.write(terminal.person, INTERRUPT)
    after = termios.tcgetattr(terminal.program)
    terminal.read_all(watcher)
    narrow = watcher.screen[len(wide):].decode()
    return watcher.end(wide=wide, narrow=narrow, same=before == after)


def in_tmux(labcap: Path, folder: Path) -> Sight:
    """A pane of tmux shows it; Ctrl-C goes back to the shell, which says how it ended."""
    tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
    ready = folder / "ready"
    os.mkfifo(ready)
    command = (f"trap : INT; {labcap} watch -i lo --ascii 2>{ready}; "
               f"echo status $?; {' '.join(tmux)} wait-for -S ended; exec cat")
    environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "TMUX_PANE")}
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", str(COLUMNS), "-y", "40", command],
        env={**environment, "TERM": "xterm", "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8"}, check=True,
    )  # fmt: skip
    try:
        with ready.open() as said:
            first = said.readline()
            Echo().close()
            subprocess.run([*tmux, "send-keys", "C-c"], check=True)
            subprocess.run([*tmux, "wait-for", "ended"], check=True, timeout=DEADLINE)
            rest = said.read()
        pane = b""
        end = time.monotonic() + DEADLINE
        while b"status" not in pane and time.monotonic() < end:  # tmux has read all of it then
            pane = subprocess.check_output([*tmux, "capture-pane", "-p"])
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    return Sight(0, pane.decode(), first + rest)


SCENARIOS: dict[str, Callable[[Path, Path], Sight]] = {
    scenario.__name__: scenario
    for scenario in (
        each_packet_at_once, two_at_a_time, any_interface, filtered, echo_request, two_points,
        reader_leaves, reader_takes_nothing, full_disk, into_a_file, interface_vanishes, plain,
        wrong_filter, overrun, flood_of_flows, on_a_terminal, in_tmux,
    )
}  # fmt: skip


def main() -> None:
    """Set the loopback up and run the scenario named."""
    name, labcap, folder = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up", "mtu", "1500"], check=False)
    print(json.dumps(asdict(SCENARIOS[name](Path(labcap), Path(folder)))))


if __name__ == "__main__":
    main()
