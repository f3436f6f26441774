"""A program that holds its pipes' locks holds up neither the test nor the grading."""

from __future__ import annotations

import os
import selectors
import signal
import threading
from pathlib import Path
from typing import Callable, Optional, TypeVar

import pytest

from labkit import build as building
from labkit import pipes
from labkit.build import build
from labkit.events import EventLoop
from labkit.feedback import Mismatch
from labkit.pipes import Pipe
from labkit.processes import Activity, activity_of, tree_of
from labkit.program import Program
from workbench import World, recorded_too

T = TypeVar("T")
HOLDER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* A socket that takes no more, and from which nothing comes. */
static int jammed(void)
{
    static char octets[4096];
    int end[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, end) < 0)
        _exit(9);
    while (send(end[0], octets, sizeof octets, MSG_DONTWAIT) > 0)
        ;
    return end[0];
}
int main(int argc, char *argv[])
{
    int end = jammed();

    if (argc > 1 && strcmp(argv[1], "stdout") == 0) {
        if (write(1, "line\n", 5) != 5)
            return 9;
        return splice(end, NULL, 1, NULL, 1, 0) < 0;
    }
    return splice(0, NULL, end, NULL, 1 << 16, 0) < 0;
}
"""
STILL_RUNS = "still runs"


def timer(free: Callable[[], None]) -> threading.Timer:
    """Lets go what has held the harness up, so that it fails and does not hang."""
    later = threading.Timer(15, free)
    later.daemon = True
    later.start()
    return later


def freed_at_last(program: Program) -> threading.Timer:
    pid = program.pid
    assert pid is not None
    return timer(lambda: os.kill(pid, signal.SIGKILL))


@recorded_too
@pytest.mark.parametrize("touch", [lambda program: program.write(b"more"),
                                   lambda program: program.close_stdin()],
                         ids=["write", "close"])
def test_a_program_that_holds_its_stdin_is_given_up(
    world: World, touch: Callable[[Program], None]
) -> None:
    lab = world(prog=HOLDER)
    program = lab.start("prog")
    program.write(b"some")
    lab.wait_blocked(program)
    freed = freed_at_last(program)
    touch(program)
    with pytest.raises(Mismatch, match=STILL_RUNS):
        lab.expect_exit(program, 0)
    freed.cancel()


@recorded_too
def test_a_program_that_holds_its_stdout_is_given_up(world: World) -> None:
    lab = world(prog=HOLDER)
    program = lab.start("prog", "stdout")
    program.hold_output()
    lab.wait_blocked(program)
    freed = freed_at_last(program)
    program.take_output()
    with pytest.raises(Mismatch, match=STILL_RUNS):
        lab.expect_exit(program, 0)
    freed.cancel()


@recorded_too
@pytest.mark.parametrize("ended", [False, True], ids=["waits-for-ever", "has-ended"])
def test_output_in_hand_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """A busy machine may have no time for the thread that reads, while nothing else goes on."""
    lab = world(prog="read line; echo $line; exec cat")
    program = lab.start("prog")
    program.write(b"line\n")
    looks, go, take = [], threading.Event(), pipes._Job.run

    def look() -> None:
        looks.append(program.in_hand)
        if ended and looks.count(True) == 1:
            program.kill()
        if looks.count(True) == 30:
            go.set()

    def run(job: pipes._Job[bytes]) -> None:
        assert threading.current_thread() is threading.main_thread() or go.wait(15)
        take(job)

    monkeypatch.setattr(pipes._Job, "run", run)
    lab._loop.add_probe(look)
    lab.expect_line(program, "line")


def test_input_in_hand_is_not_waited_for_by_a_program_yet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = world(prog="read line; echo $line; exec cat")
    program = lab.start("prog")
    lab.wait_blocked(program)
    looks, go, take = [], threading.Event(), pipes._Job.run
    activity = program.activity

    def look() -> Activity:
        looks.append(program.in_hand)
        if len(looks) == 15:
            go.set()
        return activity()

    def run(job: pipes._Job[int]) -> None:
        assert threading.current_thread() is threading.main_thread() or go.wait(15)
        take(job)

    monkeypatch.setattr(pipes._Job, "run", run)
    monkeypatch.setattr(program, "activity", look)
    program.write(b"line\n")
    lab.wait_blocked(program)
    assert looks[0] and not program.in_hand


def holds(build: int) -> bool:
    """The holder is there below BUILD, and waits."""
    found = [pid for pid in tree_of(build) if name_of(pid) == "holder"]
    return bool(found) and activity_of(found).blocked


def name_of(pid: int) -> str:
    """"" where it has ended since."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_a_build_that_holds_its_output_is_ended(
    source: Path, workspace: Path, two_programs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "DEADLINE", 2.0)
    (source / "holder.c").write_text(HOLDER)
    (source / "Makefile").write_text("all:\n\tcc -o holder holder.c\n\t./holder stdout\n")
    took, in_time = building._Output.take, []

    def take(output: building._Output) -> Optional[str]:
        try:
            EventLoop(20.0).wait(lambda: holds(output._process.pid), poll=0.001)
        except BaseException:
            output._end_sandbox()  # else the end of what reads from it would be held up
            raise
        freed = timer(output._end_sandbox)
        try:
            return took(output)
        finally:
            in_time.append(freed.is_alive())
            freed.cancel()

    monkeypatch.setattr(building._Output, "take", take)
    built = build("01-tcp-echo", source, workspace, reference=False)
    with pytest.raises(Mismatch, match="make took more than 2 s"):
        built.program("server")
    assert in_time == [True]


# -- Calls that take long ------------------------------------------------------------


@pytest.fixture
def loop() -> EventLoop:
    return EventLoop(20.0)


def late(go: threading.Event, call: Callable[[], T]) -> Callable[[], T]:
    """CALL, held up until GO is set."""
    def held_up() -> T:
        go.wait()
        return call()

    return held_up


def test_what_a_late_call_returns_is_told_by_the_loop(loop: EventLoop) -> None:
    read_end, write_end = os.pipe()
    pipe, go, told = Pipe(read_end, loop), threading.Event(), []

    os.write(write_end, b"word")
    pipe.watch(selectors.EVENT_READ, lambda _: told.append(b"readable"))
    pipe.call(late(go, lambda: os.read(read_end, 10)), lambda result: told.append(result()))
    assert pipe.busy and told == []
    loop.turn()
    assert told == []  # who calls is not asked to call once more
    go.set()
    loop.wait(lambda: bool(told))
    assert told == [b"word"] and not pipe.busy
    os.write(write_end, b"more")
    loop.wait(lambda: len(told) > 1)
    assert told[1] == b"readable"
    pipe.close()
    os.close(write_end)


def test_what_a_late_call_raises_is_told(loop: EventLoop) -> None:
    read_end, write_end = os.pipe()
    pipe, go, told = Pipe(write_end, loop), threading.Event(), []

    os.close(read_end)
    pipe.call(late(go, lambda: os.write(write_end, b"word")), told.append)
    go.set()
    loop.wait(lambda: bool(told))
    with pytest.raises(BrokenPipeError):
        told[0]()
    pipe.close()


def test_a_pipe_is_closed_behind_a_late_call_which_is_told_no_more(loop: EventLoop) -> None:
    read_end, write_end = os.pipe()
    pipe, go, told = Pipe(write_end, loop), threading.Event(), []

    pipe.call(late(go, lambda: os.write(write_end, b"word")),
              lambda result: told.append(result()))
    pipe.close()
    go.set()
    assert os.read(read_end, 10) == b"word"
    assert os.read(read_end, 10) == b""
    loop.turn()
    assert told == []
    os.close(read_end)


def test_a_child_does_not_wait_for_a_thread_that_it_has_not(loop: EventLoop) -> None:
    read_end, write_end = os.pipe()
    Pipe(os.dup(write_end), loop).close()
    loop.wait(lambda: bool(pipes._Hand.idle), poll=0.001)
    pid = os.fork()
    if pid == 0:
        try:
            own = EventLoop(10.0)
            Pipe(write_end, own).call(lambda: os.write(write_end, b"word"),
                                      lambda result: os._exit(result()))
            own.wait(lambda: False)  # where it took a moment longer
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == len(b"word")
    os.close(write_end)
    os.close(read_end)
