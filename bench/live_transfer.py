"""One transfer over the loopback of a private network, recorded or not; live_speed.py runs it.

    live_transfer.py MTU OFFLOAD MIB [RECORDER ARGUMENT...]

OFFLOAD is 1 where the kernel may hand over up to 64 KiB at a time, whatever the MTU, and 0 where
each packet is a frame. Prints a Transfer as JSON. The recorder, which must say a line when it has
begun, ends by SIGINT, and with this process in any case.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, Optional

CHUNK = 1 << 20
PR_SET_PDEATHSIG = 1
INTERFACES = Path("/proc/self/net/dev")  # /sys shows those of the network that mounted it


class Transfer(NamedTuple):
    """Seconds from the first byte to the last one's arrival; packets that lo carried; seconds of
    processor time of both ends, and of the recorder; what the recorder said at its end."""

    seconds: float
    packets: int
    ends_cpu: float
    recorder_cpu: float
    said: str


def cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def set_up(mtu: str, offload: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", "mtu", mtu, "up"], check=True)
    state = "on" if offload == "1" else "off"
    subprocess.run(["ethtool", "-K", "lo", "tso", state, "gso", state, "gro", state], check=True,
                   stdout=subprocess.DEVNULL, env={**os.environ, "PATH": "/usr/sbin:/sbin:" + (
                       os.environ.get("PATH", ""))})


def carried() -> int:
    """How many packets lo has carried."""
    line = next(line for line in INTERFACES.read_text().splitlines() if "lo:" in line)
    return int(line.split()[2])


def end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(recorder: list[str]) -> subprocess.Popen[bytes]:
    """Returns once it has said its first line that tells of a beginning."""
    process = subprocess.Popen(recorder, stderr=subprocess.PIPE, preexec_fn=end_with_parent)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith((b"ready", b"File:", b"tcpdump: listening")):
            return process
    raise SystemExit(f"{recorder[0]}: {process.wait()}")


def receive(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    room = bytearray(CHUNK)
    while connection.recv_into(room):
        pass


def send(address: tuple[str, int], chunks: int) -> None:
    data = memoryview(bytes(CHUNK))
    with socket.create_connection(address) as connection:
        for _ in range(chunks):
            connection.sendall(data)


def transfer(chunks: int) -> tuple[float, float]:
    """Moves so many chunks; the seconds, and those of processor time."""
    before = cpu(resource.getrusage(resource.RUSAGE_SELF))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receiver = os.fork()
        if receiver == 0:
            end_with_parent()
            receive(listener)
            os._exit(0)
        began = time.perf_counter()
        send(listener.getsockname(), chunks)
        _, _, usage = os.wait4(receiver, 0)
    seconds = time.perf_counter() - began
    return seconds, cpu(resource.getrusage(resource.RUSAGE_SELF)) - before + cpu(usage)


def stop(process: Optional[subprocess.Popen[bytes]]) -> tuple[float, str]:
    """The recorder's seconds of processor time, and what it said."""
    if process is None:
        return 0.0, ""
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    said = process.stderr.read().decode()
    _, _, usage = os.wait4(process.pid, 0)
    return cpu(usage), said


def main() -> int:
    mtu, offload, mib, *recorder = sys.argv[1:]
    set_up(mtu, offload)
    process = start(recorder) if recorder else None
    before = carried()
    seconds, ends_cpu = transfer(int(mib) * 1024 * 1024 // CHUNK)
    packets = carried() - before
    print(json.dumps(Transfer(seconds, packets, ends_cpu, *stop(process))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
