"""Programs in their sandbox, scripted peers, and the waiting for both."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import labkit.events
from labkit import labhost, sandbox
from labkit.events import EventLoop
from labkit.feedback import HarnessError, Mismatch
from labkit.peer import Peer
from labkit.scenario import Scenario
from workbench import World, recorded_too

# -- What is known of a program that has ended -------------------------------


@recorded_too
def test_exit_status_and_output_are_known(world: World) -> None:
    lab = world(prog='echo "out $1"; echo err >&2; exit 7')
    program = lab.start("prog", "one two")
    lab.expect_exit(program, 7)
    assert (program.stdout, program.stderr) == (b"out one two\n", b"err\n")


@recorded_too
def test_the_signal_that_ended_a_program_is_known(world: World) -> None:
    lab = world(prog="kill -SEGV $$")
    program = lab.start("prog")
    lab.wait_gone(program)
    assert program.exit is not None
    assert (program.exit.status, program.exit.signal) == (None, signal.SIGSEGV)


@recorded_too
def test_processor_time_is_known(world: World) -> None:
    lab = world(prog="i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", idle="exit 0")
    busy, idle = lab.start("prog"), lab.start("idle")
    lab.wait_gone(busy)
    lab.wait_gone(idle)
    assert busy.exit is not None and idle.exit is not None
    assert busy.exit.processor_seconds > 5 * idle.exit.processor_seconds


@recorded_too
def test_processes_left_over_are_named(world: World) -> None:
    lab = world(prog="setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    program = lab.start("prog")
    lab.wait_gone(program)
    assert program.exit is not None
    assert program.exit.leftovers == ["sleep"]
    with pytest.raises(Mismatch, match="sleep"):
        lab.expect_exit(program, 0)


@recorded_too
def test_the_report_of_an_end_is_waited_for(world: World) -> None:
    lab = world(prog="setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    lab.stall = 0.2
    with pytest.raises(Mismatch) as caught:
        lab.expect_exit(lab.start("prog"), 0)
    assert caught.value.cause == "left-over-process"


@recorded_too
def test_a_process_that_ends_soon_after_is_not_left_over(world: World) -> None:
    lab = world(prog="sleep 0.2 &")
    program = lab.start("prog")
    lab.wait_gone(program)
    assert program.exit is not None and program.exit.leftovers == []


@recorded_too
def test_a_program_that_cannot_be_executed_is_an_error_of_the_harness(world: World) -> None:
    lab = world(prog="exit 0")
    with pytest.raises(HarnessError, match="could not be run"):
        lab.start("nothing")


@recorded_too
def test_endless_output_ends_the_program(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.program.OUTPUT_LIMIT", 1 << 20)
    lab = world(prog="exec cat /dev/zero")
    program = lab.start("prog")
    lab.wait_gone(program)
    assert program.overflowed and len(program.stdout) < 1 << 22


@recorded_too
def test_a_program_has_ended_before_that_is_reported(world: World) -> None:
    """A process that is left over has a second to end; the report comes then."""
    lab = world(prog="sleep 1000 & kill -PIPE $$")
    program = lab.start("prog")
    with pytest.raises(Mismatch) as caught:
        lab.expect_running(program, cause="reset-ends-server")
    assert caught.value.cause == "sigpipe"
    assert program.exit is not None and program.exit.leftovers == ["sleep"]


# -- stdin and stdout --------------------------------------------------------


@recorded_too
def test_stdin_is_fed_while_output_is_read(world: World) -> None:
    lab = world(prog="exec cat")
    data = bytes(range(256)) * 8192
    program = lab.start("prog", stdin=data)
    lab.expect_output(program, data)
    lab.expect_exit(program, 0)


@recorded_too
def test_a_program_that_never_reads_does_not_stop_the_harness(world: World) -> None:
    lab = world(prog="exit 0")
    program = lab.start("prog", stdin=b"x" * (1 << 20))
    lab.expect_exit(program, 0)
    assert program.stdin_pending == 0


@recorded_too
def test_held_output_stays_in_the_pipe(world: World) -> None:
    lab = world(prog="exec cat")
    program = lab.start("prog")
    program.hold_output()
    program.write(b"x" * (1 << 20))
    program.close_stdin()
    lab.wait_blocked(program)
    assert program.stdout == b"" and program.exit is None
    program.take_output()
    lab.expect_exit(program, 0)
    assert len(program.stdout) == 1 << 20


# -- Waiting -----------------------------------------------------------------


@recorded_too
def test_a_program_that_stands_still_is_given_up_long_before_the_deadline(world: World) -> None:
    lab = world(prog="exec sleep 1000")
    program = lab.start("prog")
    began = time.monotonic()
    with pytest.raises(Mismatch, match="still runs"):
        lab.expect_exit(program, 0)
    assert lab.stall < time.monotonic() - began < 10


def test_time_in_which_the_test_itself_did_not_run_is_no_standstill(world: World) -> None:
    lab = world(prog="exec sleep 1000")
    lab.stall = 0.35
    lab.start("prog")
    looks: list[None] = []

    def late() -> bool:
        time.sleep(0.3)  # as on a machine that has no processor for the test
        looks.append(None)
        return False

    with pytest.raises(Mismatch):
        lab.wait_for(late, "something", str)
    assert len(looks) >= 4


@recorded_too
def test_a_slow_program_is_waited_for(world: World) -> None:
    """It is quiet for less than the stall time each time, and longer in all."""
    lab = world(prog="for i in 1 2 3; do sleep 0.5; done; echo done")
    lab.stall = 1.0
    program = lab.start("prog")
    lab.expect_line(program, "done")


@recorded_too
def test_a_busy_program_meets_the_deadline_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.scenario.world.DEADLINE", 3.0)
    lab = world(prog="while :; do :; done")
    lab.stall = 0.5
    program = lab.start("prog")
    began = time.monotonic()
    with pytest.raises(Mismatch, match="still runs"):
        lab.expect_exit(program, 0)
    assert 1.5 < time.monotonic() - began < 10


def test_a_busy_wait_is_told_from_waiting(world: World) -> None:
    lab = world(spin="while :; do :; done", nap="while :; do sleep 0.01; done", wait="read line")
    lab.expect_idle(lab.start("wait"))
    for name in ("spin", "nap"):
        with pytest.raises(Mismatch) as caught:
            lab.expect_idle(lab.start(name))
        assert caught.value.cause == "busy-wait"


def test_to_look_again_now_and_then_is_allowed_where_nothing_would_tell(world: World) -> None:
    nap = "#include <unistd.h>\nint main(void) { for (;;) usleep(%d * 1000); }"
    lab = world(fifty=nap % 50, two=nap % 2, spin="while :; do :; done")
    fifty = lab.start("fifty")
    lab.expect_idle(fifty, wakes=30)
    for program in (lab.start("two"), lab.start("spin")):
        with pytest.raises(Mismatch):
            lab.expect_idle(program, wakes=30)
    with pytest.raises(Mismatch):
        lab.expect_idle(fifty)


# -- What a program can see and do -------------------------------------------


@recorded_too
def test_a_program_sees_its_folder_and_a_bare_system(world: World) -> None:
    lab = world(prog="pwd; ls -d /home /root /srv /mnt 2>/dev/null; ls")
    program = lab.start("prog")
    lab.expect_exit(program, 0)
    assert program.stdout == b"/lab\nprog\n"


@recorded_too
def test_a_program_cannot_write_to_its_folder_or_the_system(world: World) -> None:
    lab = world(prog="for f in /lab/x /usr/x /etc/x /x; do"
                     " (echo > $f) 2>/dev/null && echo $f; done")
    program = lab.start("prog")
    lab.wait_gone(program)
    assert program.stdout == b""


@recorded_too
def test_a_program_sees_no_other_process(world: World) -> None:
    lab = world(other="exec sleep 1000", prog="cat /proc/[0-9]*/comm")
    lab.start("other")
    program = lab.start("prog")
    lab.expect_exit(program, 0)
    assert b"labinit" in program.stdout and b"sleep" not in program.stdout


@recorded_too
def test_a_program_that_kills_everything_kills_itself_only(world: World) -> None:
    lab = world(other="read line; echo alive", prog="kill -9 -1; echo survived")
    other = lab.start("other")
    program = lab.start("prog")
    lab.wait_gone(program)
    other.write(b"go\n")
    lab.expect_line(other, "alive")
    lab.expect_packets("connections=0")  # and the recording goes on


@recorded_too
def test_a_program_has_no_privilege(world: World) -> None:
    lab = world(prog="id -u; grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/self/status")
    program = lab.start("prog")
    lab.expect_exit(program, 0)
    lines = program.stdout.decode().split("\n")
    assert lines[0] == "1000"
    assert "NoNewPrivs:\t1" in lines
    assert "CapEff:\t0000000000000000" in lines and "CapPrm:\t0000000000000000" in lines


@recorded_too
def test_a_submission_is_never_the_real_root(world: World) -> None:
    lab = world(prog="read line")
    program = lab.start("prog")
    owner = Path(f"/proc/{program.pid}").stat().st_uid
    assert owner == (sandbox.GUEST_ID if sandbox.guests_switch() else os.geteuid())
    assert owner != 0 or not sandbox.guests_switch()


@recorded_too
def test_a_program_cannot_forge_its_report(world: World) -> None:
    lab = world(prog="ls /proc/1/fd; for n in 3 4 5 6; do echo x >&$n; done; exit 3")
    program = lab.start("prog")
    lab.wait_gone(program)
    assert program.stdout == b"" and b"Permission denied" in program.stderr
    assert program.exit is not None and program.exit.status != 0


# -- Scripted peers ----------------------------------------------------------


def connected(lab: Scenario) -> tuple[Peer, Peer]:
    """Both ends of a connection, the client's first."""
    listener = lab.listen(4321)
    client = lab.connect(4321)
    return client, lab.accept(listener)


def test_a_reset_is_a_reset_on_the_wire(world: World) -> None:
    lab = world()
    client, server = connected(lab)
    client.reset()
    server.expect_reset()
    lab.expect_packets("connections=1", "teardown.kind=reset", "teardown.reset_by=client")


def test_a_connection_that_is_gone_cannot_be_half_closed_and_says_so_later(world: World) -> None:
    """A program that resets it is wrong; the grader has not failed."""
    lab = world()
    client, server = connected(lab)
    client.reset()
    server.expect_reset()
    server.half_close()
    with pytest.raises(Mismatch, match="reset"):
        server.expect_eof()


def test_pieces_are_segments_on_the_wire(world: World) -> None:
    lab = world()
    client, server = connected(lab)
    client.send_in_pieces(b"hello", 2)
    server.expect(b"hello")
    client.half_close()
    server.expect_eof()
    server.half_close()
    client.expect_eof()
    lab.expect_packets("to_server.segments=3", "to_server.bytes=5", "teardown.kind=fin",
                       "teardown.first_closer=client")


def test_a_wrong_byte_is_named(world: World) -> None:
    lab = world()
    client, server = connected(lab)
    server.send(b"hexlo")
    with pytest.raises(Mismatch, match="byte 2 is 0x78 and not 0x6c"):
        client.expect(b"hello")


def test_an_end_of_file_too_early_is_told(world: World) -> None:
    lab = world()
    client, server = connected(lab)
    server.send(b"hel")
    server.half_close()
    with pytest.raises(Mismatch, match="end of file after 3 bytes"):
        client.expect(b"hello")


def test_two_streams_each_way_at_once(world: World) -> None:
    lab = world()
    data = os.urandom(1 << 20)
    client, server = connected(lab)
    client.start_sending(data)
    server.start_sending(data)
    server.expect(data)
    client.expect(data)


def test_the_last_packet_is_in_the_trace(world: World) -> None:
    """Many short connections: each teardown is whole, down to the last ACK."""
    lab = world()
    listener = lab.listen(4321)
    for _ in range(50):
        client = lab.connect(4321)
        server = lab.accept(listener)
        client.close()
        server.close()
    lab.expect_packets("connections=50", "teardown.kind=fin", "handshake.complete=true")


def test_an_unmet_expectation_is_a_mismatch(world: World) -> None:
    lab = world()
    client, server = connected(lab)
    server.close()
    client.close()
    with pytest.raises(Mismatch, match="first_closer"):
        lab.expect_packets("teardown.first_closer=client")


def test_an_unknown_expectation_is_an_error_of_the_harness(world: World) -> None:
    lab = world()
    with pytest.raises(HarnessError):
        lab.expect_packets("teardown.first_closser=client")


def test_a_scenario_gives_back_its_descriptors(workspace: Path) -> None:
    (workspace / "prog").write_text("#!/bin/sh\necho hello\n")
    (workspace / "prog").chmod(0o755)
    counts = []
    for _ in range(3):
        lab = Scenario(workspace, lambda name: workspace / name, workspace / "trace.pcapng")
        lab.expect_exit(lab.start("prog"), 0)
        lab.listen(4321)
        lab.connect(4321)
        lab.close()
        counts.append(len(os.listdir("/proc/self/fd")))
    assert counts[0] == counts[1] == counts[2]


def test_a_program_ignores_no_signal_that_the_grader_ignores(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell's job in the background is started so."""
    monkeypatch.setattr(labhost, "_begun", {})  # a labhost that is begun now
    before = {number: signal.signal(number, signal.SIG_IGN)
              for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)}
    try:
        lab = world(prog="grep SigIgn /proc/self/status\n")
        program = lab.start("prog")
        lab.expect_exit(program, 0)
        lab.close()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        labhost.of_this_process().end()
    ignored = int(program.stdout.split()[1], 16)
    assert ignored & (1 << 31) - 1 == 0  # the C library has signals from 32 on for itself


TELLS_TOO_EARLY = r"""
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(5000) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1) < 0)
        return 1;
    fd = accept(fd, NULL, NULL);
    char asked;
    recv(fd, &asked, 1, 0);
    for (const char *part = "do\nne\n"; *part != '\0'; part++)
        send(fd, part, 1, 0);
    return creat("file", 0644) < 0;
}
"""


@recorded_too
def test_what_a_program_does_after_its_answer_is_not_done_when_that_is_heard(world: World) -> None:
    lab = world(prog=TELLS_TOO_EARLY)
    folder = lab.folder()
    prog = lab.start_server("prog", port=5000, folder=folder)
    peer = lab.connect(5000)
    with lab.stopped_by_answer(prog, peer):
        peer.send(b"?")
        assert [peer.read_line(), peer.read_line()] == [b"do\n", b"ne\n"]
        for _ in range(200):
            assert folder.names() == []
    lab.expect_exit(prog, 0)
    folder.expect_names("file")


def test_a_program_that_has_ended_is_not_stopped(world: World) -> None:
    lab = world(prog=TELLS_TOO_EARLY, gone="exit 0")
    folder = lab.folder()
    lab.start_server("prog", port=5000, folder=folder)
    gone = lab.start("gone")
    lab.expect_exit(gone, 0)
    with lab.stopped_by_answer(gone, lab.connect(5000)):
        pass


def test_events_have_their_time_where_a_look_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a thousand processes does not take all of it."""
    now, looks, turns = 0.0, 0, 0

    def look() -> None:
        nonlocal now, looks
        now, looks = now + 1.0, looks + 1

    def turn(self: EventLoop, timeout: float = 0.0) -> None:
        nonlocal now, turns
        now, turns = now + 0.01, turns + 1

    monkeypatch.setattr(labkit.events, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(EventLoop, "turn", turn)
    loop = EventLoop(deadline=60.0)
    loop.add_probe(look)
    loop.wait(lambda: turns == 300)
    assert 1 < looks < 5
    loop.close()
