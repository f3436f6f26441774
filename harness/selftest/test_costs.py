"""What a program uses is counted: descriptors, processes, threads, memory."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import cast

import pytest
from workbench import World, recorded_too

from labkit import sandbox
from labkit.feedback import Mismatch
from labkit.peer import Peer
from labkit.processes import Activity
from labkit.program import Program
from labkit.scenario import Scenario

KEEPER = r"""
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sem_t leaving;

static void *stay(void *unused)
{
    pause();
    return unused;
}

static void *borrow(void *unused)
{
    if (vfork() == 0)
        stay(NULL);
    return unused;
}

static void *leave(void *unused)
{
    sem_wait(&leaving);
    usleep(300 * 1000);
    return unused;
}

int main(void)
{
    char what[3];
    pthread_t thread;

    while (fgets(what, sizeof what, stdin) != NULL) {
        if (*what == 't')
            pthread_create(&thread, NULL, stay, NULL);
        else if (*what == 'v')
            pthread_create(&thread, NULL, borrow, NULL);
        else if (*what == 'l')
            pthread_create(&thread, NULL, leave, NULL);
        else if (*what == 'g')
            sem_post(&leaving);
        else if (*what == 'z' && fork() == 0)
            _exit(0);
        else if (*what == 'p' && fork() == 0)
            stay(NULL);
        else if (*what == 'd' && dup(0) < 0)
            return 1;
        else if (*what == 'm')
            memset(malloc(32 << 20), 1, 32 << 20);
        printf("%c\n", *what);
        fflush(stdout);
    }
    return 0;
}
"""


def keep(lab: Scenario, program: Program, what: str) -> None:
    for letter in what:
        program.write(f"{letter}\n".encode())
        lab.expect_line(program, letter)


@recorded_too
def test_threads_of_all_processes_are_counted(world: World) -> None:
    lab = world(prog=KEEPER)
    program = lab.start("prog")
    lab.wait_blocked(program)
    assert (program.threads(), program.processes()) == (1, 1)
    keep(lab, program, "ttp")
    assert (program.threads(), program.processes()) == (4, 2)
    program.kill()
    lab.wait_gone(program)
    assert (program.threads(), program.processes()) == (0, 0)


def test_a_program_is_stopped_when_all_its_threads_are(world: World) -> None:
    """A thread in vfork(2) takes no signal; one that has not run yet may still hear a peer."""
    lab = world(prog=KEEPER)
    program = lab.start("prog")
    keep(lab, program, "v")
    lab.wait_for(lambda: program.processes() == 2, "a child", str, poll=0.001)
    program.send_signal(signal.SIGSTOP)
    status = Path(f"/proc/{program.pid}/status")
    lab.wait_for(lambda: "\nState:\tT" in status.read_text("ascii"), "it stops", str, poll=0.001)
    assert not program.activity().stopped


@recorded_too
def test_memory_of_all_processes_is_counted(world: World) -> None:
    lab = world(prog=KEEPER)
    program = lab.start("prog")
    lab.wait_blocked(program)
    before = program.memory()
    assert 0 < before.private < before.resident < 8 << 20
    keep(lab, program, "mp")
    after = program.memory()
    assert 64 << 20 <= after.private - before.private < 70 << 20
    program.kill()
    lab.wait_gone(program)
    assert program.memory() == (0, 0)


@recorded_too
@pytest.mark.parametrize("what, cause, seen", [
    ("t", "left-over-thread", "2 threads"),
    ("z", "zombie-children", "2 processes, 2 threads"),
    ("p", "zombie-children", "2 processes, 2 threads"),
    ("dd", "descriptor-leak", "5 descriptors"),
    ("td", "left-over-thread", "4 descriptors, 2 threads"),
])
def test_what_is_kept_is_named(world: World, what: str, cause: str, seen: str) -> None:
    lab = world(prog=KEEPER)
    lab.stall = 0.4
    program = lab.start("prog")
    before = lab.footprint(program)
    assert before == (3, 1, 1)
    keep(lab, program, what)
    with pytest.raises(Mismatch) as caught:
        lab.expect_back_to(program, before)
    assert (caught.value.cause, caught.value.seen) == (cause, seen)


@recorded_too
def test_what_is_given_back_later_is_waited_for(world: World) -> None:
    lab = world(prog=KEEPER)
    program = lab.start("prog")
    before = lab.footprint(program)
    keep(lab, program, "ll")
    assert program.threads() == 3
    keep(lab, program, "gg")
    lab.expect_back_to(program, before)
    assert program.threads() == 1


def test_a_program_that_has_ended_is_not_back_to_anything(world: World) -> None:
    lab = world(prog=KEEPER)
    program = lab.start("prog")
    before = lab.footprint(program)
    program.kill()
    lab.wait_gone(program)
    with pytest.raises(Mismatch, match="goes on"):
        lab.expect_back_to(program, before)


@recorded_too
def test_an_end_that_is_not_reported_yet_is_no_way_back(world: World) -> None:
    """Where a process is left over, the report of the program's end comes a second later."""
    lab = world(prog=KEEPER)
    program = lab.start("prog")
    before = lab.footprint(program)
    keep(lab, program, "p")
    program.kill()
    with pytest.raises(Mismatch, match="goes on"):
        lab.expect_back_to(program, before)


# -- Descriptors a program may have --------------------------------------------


@pytest.mark.parametrize("descriptors", [17, sandbox.DESCRIPTORS, 2000])
def test_a_program_has_the_descriptors_it_is_given(world: World, descriptors: int) -> None:
    lab = world(prog="ulimit -Sn; ulimit -Hn")
    program = lab.start("prog", descriptors=descriptors)
    for _ in range(2):
        lab.expect_line(program, str(descriptors))


def test_a_program_has_1024_descriptors_by_default(world: World) -> None:
    lab = world(prog="ulimit -Hn")
    lab.expect_line(lab.start("prog"), "1024")


# -- stderr of a program that goes on ------------------------------------------


@pytest.mark.parametrize("first", ["", "echo first >&2; sleep 0.2; "])
def test_a_line_of_stderr_is_waited_for_while_the_program_runs(
    world: World, first: str
) -> None:
    lab = world(prog=first + "printf 'peer closed\\nrest' >&2; read line")
    program = lab.start("prog")
    lab.expect_stderr_line(program, "peer closed")
    assert program.exit is None


@pytest.mark.parametrize("text", ["printf 'peer closed' >&2; read line",
                                  "echo 'xpeer closed' >&2; read line",
                                  "echo 'peer closed!' >&2"])
def test_a_line_of_stderr_that_is_not_there_is_missed(world: World, text: str) -> None:
    lab = world(prog=text)
    lab.stall = 0.4
    program = lab.start("prog")
    with pytest.raises(Mismatch, match="peer closed") as caught:
        lab.expect_stderr_line(program, "peer closed", cause="lines-lost")
    assert caught.value.cause == "lines-lost"


class Starved:
    """A program for which no processor had time at the first LOOKS, so it seems; it then waits."""

    name, submitted, in_hand = "starved", True, False

    def __init__(self, looks: int) -> None:
        self.looks, self.begun = looks, time.monotonic()

    def activity(self) -> Activity:
        self.looks -= 1
        return Activity(self.looks < 0, 0, 0.0, 0, False, (), time.monotonic() - self.begun)


def test_a_program_that_no_processor_has_time_for_is_waited_for(world: World) -> None:
    program = Starved(60)
    world().wait_blocked(cast(Program, program), seconds=0.01)
    assert program.looks <= -5


class Spinning(Starved):
    """A program that never waits, and has a processor for a part of the time only."""

    def activity(self) -> Activity:
        self.looks += 1
        passed = time.monotonic() - self.begun
        return Activity(False, 0, 100 * passed, 0, False, (), 100 * passed)


def test_a_program_that_never_rests_is_not_waited_for_long(world: World) -> None:
    program = Spinning(0)
    world().wait_blocked(cast(Program, program), seconds=0.01)
    assert program.looks < 100


class Hindered(Starved):
    """A program that would spin, and gets no processor at all."""

    traced, exit, command = False, None, "prog"


def test_a_program_that_only_lacks_a_processor_is_not_idle(world: World) -> None:
    with pytest.raises(Mismatch) as caught:
        world().expect_idle(cast(Program, Hindered(1000)), seconds=0.01)
    assert caught.value.cause == "busy-wait"


class SlowlyTaken:
    """A peer of whose bytes some are under way at the first LOOKS."""

    port = 9

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def is_through(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_a_program_has_rest_only_when_all_it_is_sent_has_come(world: World) -> None:
    lab, peer = world(prog=KEEPER), SlowlyTaken(10)
    lab.wait_sated(lab.start("prog"), cast(Peer, peer))
    assert peer.looks <= -5
