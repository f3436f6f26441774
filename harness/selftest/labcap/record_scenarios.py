"""What happens around a recorder, inside a private network.

Run as a program: `unshare -Urn python3 record_scenarios.py SCENARIO LABCAP FOLDER`. Each
scenario prints one JSON object, an Outcome. All traffic is over loopback, and every wait is for
an event: the recorder's own word, a stopped process, an end of file.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Callable

DEADLINE = 30  # seconds
BURST = 300  # datagrams
PORT = 6000


@dataclass
class Outcome:
    """How recorders ended: exit statuses, what they said, what they wrote."""

    statuses: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    ready: list[bool] = field(default_factory=list)
    sent: int = 0


class Recorder:
    """A running `labcap record` on `interface`; its constructor returns when it is ready."""

    def __init__(self, labcap: Path, file: str, *options: str, interface: str = "lo") -> None:
        self.file = file
        ready, told = os.pipe()
        self.process = subprocess.Popen(
            [labcap, "record", "-i", interface, "-w", file, "--ready-fd", str(told), *options],
            pass_fds=[told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.close(told)
        self.ready = os.read(ready, 1) == b"\n"
        os.close(ready)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; after SIGSTOP, return once the recorder really has stopped."""
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitpid(self.process.pid, os.WUNTRACED)

    def end(self, outcome: Outcome) -> bytes:
        """Note how the recorder ends; its stdout."""
        try:
            output, errors = self.process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        outcome.statuses.append(self.process.returncode)
        outcome.errors.append(errors.decode())
        outcome.files.append(self.file)
        outcome.ready.append(self.ready)
        return output

    def stop(self, outcome: Outcome) -> bytes:
        """SIGTERM, then end()."""
        self.signal(signal.SIGTERM)
        return self.end(outcome)


def send_datagrams(count: int, size: int = 20, port: int = PORT) -> int:
    """Send numbered datagrams to a port of loopback; their number."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(count):
            sender.sendto(number.to_bytes(4, "big").ljust(size, b"."), ("127.0.0.1", port))
    return count


def burst_then_stop(labcap: Path, folder: Path) -> Outcome:
    """Twenty times: ready, a burst at once, SIGTERM at once."""
    outcome = Outcome()
    for run in range(20):
        recorder = Recorder(labcap, str(folder / f"{run}.pcapng"), "udp")
        outcome.sent = send_datagrams(BURST)
        recorder.stop(outcome)
    return outcome


def stop_before_it_looks(labcap: Path, folder: Path) -> Outcome:
    """The recorder cannot run while all packets and the signal arrive."""
    outcome = Outcome()
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "udp")
    recorder.signal(signal.SIGSTOP)
    outcome.sent = send_datagrams(BURST)
    recorder.signal(signal.SIGTERM)
    recorder.signal(signal.SIGCONT)
    recorder.end(outcome)
    return outcome


def stop_by_interrupt(labcap: Path, folder: Path) -> Outcome:
    """As Ctrl-C does."""
    outcome = Outcome()
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "udp")
    outcome.sent = send_datagrams(BURST)
    recorder.signal(signal.SIGINT)
    recorder.end(outcome)
    return outcome


def overrun(labcap: Path, folder: Path) -> Outcome:
    """More packets than the smallest ring holds, while the recorder cannot run."""
    outcome = Outcome()
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "-B", "1", "udp")
    recorder.signal(signal.SIGSTOP)
    outcome.sent = send_datagrams(3000, 1400)
    recorder.signal(signal.SIGCONT)
    recorder.stop(outcome)
    return outcome


def endless_traffic(labcap: Path, folder: Path) -> Outcome:
    """After SIGTERM more packets arrive than are taken from the recorder's pipe.

    So the ring never is empty; 12,000 packets are fewer than it holds with slots of 2,000 bytes.
    """
    outcome = Outcome()
    recorder = Recorder(labcap, "-", "-s", "2000", "udp")
    outcome.sent = send_datagrams(2000, 1400)
    recorder.signal(signal.SIGTERM)
    pipe = recorder.process.stdout
    assert pipe is not None
    while outcome.sent < 12_000 and os.read(pipe.fileno(), 3 * 1476):
        outcome.sent += send_datagrams(4, 1400)
    recorder.end(outcome)
    return outcome


def filtered(labcap: Path, folder: Path) -> Outcome:
    """Two ports, one of them asked for by a filter in two words and a half."""
    outcome = Outcome()
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "udp", "dst port", str(PORT + 1))
    send_datagrams(5)
    outcome.sent = send_datagrams(7, port=PORT + 1)
    recorder.stop(outcome)
    return outcome


def short_snaplen(labcap: Path, folder: Path) -> Outcome:
    """Only the headers are wanted."""
    outcome = Outcome()
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "-s", "60", "udp")
    outcome.sent = send_datagrams(10, 1400)
    recorder.stop(outcome)
    return outcome


def end_of_stdin(labcap: Path, folder: Path) -> Outcome:
    """No signal at all; communicate() closes the recorder's stdin."""
    outcome = Outcome()
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "--until-eof", "udp")
    outcome.sent = send_datagrams(BURST)
    recorder.end(outcome)
    return outcome


def echo(labcap: Path, folder: Path) -> Outcome:
    """A TCP connection, stopped when both sockets are closed."""
    outcome = Outcome(sent=7)
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "tcp")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"hello!\n")
        server.sendall(server.recv(7, socket.MSG_WAITALL))
        client.recv(7, socket.MSG_WAITALL)
        client.shutdown(socket.SHUT_WR)
        server.recv(1)
        server.close()
        client.recv(1)
        client.close()
    recorder.stop(outcome)
    return outcome


def to_stdout(labcap: Path, folder: Path) -> Outcome:
    """`-w -`; the stream is kept for the test to read."""
    outcome = Outcome()
    recorder = Recorder(labcap, "-", "udp")
    outcome.sent = send_datagrams(5)
    output = recorder.stop(outcome)
    (folder / "stdout.pcapng").write_bytes(output)
    return outcome


def into_flows(labcap: Path, folder: Path) -> Outcome:
    """`record -w - | flows -`, with a burst that is more than their pipe holds."""
    outcome = Outcome()
    recorder = Recorder(labcap, "-", "udp")
    assert recorder.process.stdout is not None
    with (folder / "flows.json").open("wb") as told:
        flows = subprocess.Popen([labcap, "flows", "--json", "-"], stdin=recorder.process.stdout,
                                 stdout=told, stderr=subprocess.PIPE)
    recorder.process.stdout.close()
    recorder.process.stdout = None
    outcome.sent = send_datagrams(BURST, 1400)
    recorder.signal(signal.SIGINT)
    recorder.end(outcome)
    _, errors = flows.communicate(timeout=DEADLINE)
    outcome.statuses.append(flows.returncode)
    outcome.errors.append(errors.decode())
    return outcome


def reader_gone(labcap: Path, folder: Path) -> Outcome:
    """The reader of `-w -` leaves; the next packet cannot be written."""
    outcome = Outcome()
    recorder = Recorder(labcap, "-", "udp")
    stdout = recorder.process.stdout
    assert stdout is not None
    stdout.close()
    recorder.process.stdout = None
    send_datagrams(1)
    recorder.end(outcome)
    return outcome


def full_disk(labcap: Path, folder: Path) -> Outcome:
    """A file system of 64 KiB (needs a mount namespace of its own)."""
    outcome = Outcome()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=True)
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "udp")
    outcome.sent = send_datagrams(BURST, 1400)
    recorder.end(outcome)
    outcome.files = [str(path) for path in folder.iterdir()]
    return outcome


def dev_full(labcap: Path, folder: Path) -> Outcome:
    """Not even the head of the file can be written."""
    outcome = Outcome()
    Recorder(labcap, "/dev/full").end(outcome)
    return outcome


def interface_vanishes(labcap: Path, folder: Path) -> Outcome:
    """One end of a cable is taken away while its packets are recorded."""
    return lose_interface(labcap, folder, "ip", "link", "del", "near")


def interface_goes_down(labcap: Path, folder: Path) -> Outcome:
    """The interface stays but is turned off."""
    return lose_interface(labcap, folder, "ip", "link", "set", "near", "down")


def lose_interface(labcap: Path, folder: Path, *how: str) -> Outcome:
    """Record three packets of a cable, then do to it what `how` says."""
    outcome = Outcome()
    cable = ["ip", "link", "add", "near", "type", "veth", "peer", "name", "far"]
    subprocess.run(cable, check=True)
    for end in ("near", "far"):
        subprocess.run(["ip", "link", "set", end, "up"], check=True)
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "ether proto 0x88b5", interface="near")
    frame = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + b"\x88\xb5" + bytes(46)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("near", 0))
        for _ in range(3):
            outcome.sent += sender.send(frame) > 0
    subprocess.run(how, check=True)
    recorder.end(outcome)
    return outcome


def bad_filter_over_old_file(labcap: Path, folder: Path) -> Outcome:
    """FILE exists, the filter is nonsense."""
    outcome = Outcome()
    old = folder / "t.pcapng"
    old.write_text("precious")
    Recorder(labcap, str(old), "no", "such", "filter").end(outcome)
    return outcome


def plain(labcap: Path, folder: Path) -> Outcome:
    """A recorder that is stopped as soon as it is ready, if it ever is."""
    outcome = Outcome()
    recorder = Recorder(labcap, str(folder / "t.pcapng"), "--until-eof")
    recorder.end(outcome)
    return outcome


SCENARIOS: dict[str, Callable[[Path, Path], Outcome]] = {
    scenario.__name__: scenario
    for scenario in (
        burst_then_stop, stop_before_it_looks, stop_by_interrupt, overrun, endless_traffic,
        filtered, short_snaplen, end_of_stdin, echo, to_stdout, into_flows, reader_gone,
        full_disk, dev_full, interface_vanishes, interface_goes_down, bad_filter_over_old_file,
        plain,
    )
}  # fmt: skip


def main() -> None:
    """Set the loopback up as a wire of 1500 bytes and run the scenario named."""
    name, labcap, folder = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up", "mtu", "1500"], check=False)
    print(json.dumps(asdict(SCENARIOS[name](Path(labcap), Path(folder)))))


if __name__ == "__main__":
    main()
