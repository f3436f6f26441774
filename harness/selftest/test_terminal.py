"""Programs at a terminal, and what is typed there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from workbench import World

from labkit.feedback import Mismatch
from labkit.scenario import Scenario
from labkit.terminal import LINE_LIMIT

WHO = """
for fd in 0 1 2; do test -t $fd && echo "$fd is a terminal"; done
read line
echo "read $line"
"""
STUBBORN = r"""
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    char buffer[100];

    for (;;) {
        ssize_t n = read(0, buffer, sizeof buffer);
        printf("%zd\n", n);
        fflush(stdout);
    }
}
"""
ODD = bytes(byte for byte in range(256) if byte not in b"\n\x04")


def test_stdin_and_stdout_are_a_terminal_and_stderr_is_not(world: World) -> None:
    lab = world(prog=WHO)
    program = lab.start("prog", terminal=True)
    lab.expect_line(program, "0 is a terminal")
    lab.expect_line(program, "1 is a terminal")
    program.write(b"hello\n")
    lab.expect_line(program, "read hello")
    lab.expect_exit(program, 0)
    assert program.stdout == b""


def test_nothing_is_echoed_or_translated(world: World) -> None:
    lab = world(prog="read line; printf 'one\\ntwo\\r\\n\\t'")
    program = lab.start("prog", terminal=True)
    program.write(b"typed\n")
    lab.expect_exit(program, 0)
    assert program.stdout == b"one\ntwo\r\n\t"


def test_a_line_is_read_once_it_is_ended(world: World) -> None:
    lab = world(prog="exec cat")
    program = lab.start("prog", terminal=True)
    program.write(b"first\nsec")
    lab.expect_line(program, "first")
    lab.wait_blocked(program)
    assert program.stdout == b""
    program.write(b"ond\n")
    lab.expect_line(program, "second")


def test_every_other_byte_is_passed_on(world: World) -> None:
    lab = world(prog="exec cat")
    program = lab.start("prog", terminal=True)
    program.write(ODD + b"\n")
    lab.expect_output(program, ODD + b"\n")


@pytest.mark.parametrize("typed", [b"", b"whole\n", b"whole\npart", b"part"])
def test_ctrl_d_ends_the_input(world: World, typed: bytes) -> None:
    lab = world(prog="exec cat")
    program = lab.start("prog", terminal=True)
    program.write(typed[:3])
    program.write(typed[3:])
    program.close_stdin()
    lab.expect_exit(program, 0)
    assert program.stdout == typed


def test_what_is_known_before_can_be_typed_at_once(world: World) -> None:
    lab = world(prog="exec cat")
    program = lab.start("prog", terminal=True, stdin=b"one\ntwo")
    lab.expect_exit(program, 0)
    assert program.stdout == b"one\ntwo"


def test_more_can_be_typed_after_ctrl_d(world: World) -> None:
    lab = world(prog="cat; echo between; cat")
    program = lab.start("prog", terminal=True)
    program.close_stdin()
    lab.expect_line(program, "between")
    program.write(b"more\n")
    lab.expect_line(program, "more")
    program.close_stdin()
    lab.expect_exit(program, 0)


def test_ctrl_d_is_read_once(world: World) -> None:
    """As at any terminal: a program that reads on after it waits for what is typed next."""
    lab = world(prog=STUBBORN)
    program = lab.start("prog", terminal=True)
    program.write(b"part")
    program.close_stdin()
    for count in (4, 0):
        lab.expect_line(program, str(count))
    lab.wait_blocked(program)
    assert program.stdout == b""


def test_much_that_is_typed_to_a_slow_reader_is_not_lost(world: World) -> None:
    text = b"".join(b"%d %s\n" % (number, b"x" * (number % 300)) for number in range(8000))
    lab = world(prog="read line; sleep 0.3; exec cat")
    program = lab.start("prog", terminal=True)
    program.write(b"go\n" + text)
    lab.wait_blocked(program)
    assert program.stdin_pending > 0
    lab.expect_output(program, text)
    program.close_stdin()
    lab.expect_exit(program, 0)


def test_much_output_is_not_lost(world: World) -> None:
    lab = world(prog="exec head -c 3000000 /dev/zero")
    program = lab.start("prog", terminal=True)
    lab.expect_exit(program, 0)
    assert program.stdout == bytes(3_000_000)


def test_held_output_stays_in_the_terminal(world: World) -> None:
    lab = world(prog="read line; exec head -c 300000 /dev/zero")
    program = lab.start("prog", terminal=True)
    program.hold_output()
    program.write(b"go\n")
    lab.wait_blocked(program)
    assert program.stdout == b"" and program.exit is None
    program.take_output()
    lab.expect_exit(program, 0)
    assert len(program.stdout) == 300_000


def test_a_terminal_that_hangs_up_is_at_its_end(world: World) -> None:
    lab = world(prog="cat; echo there 2>/dev/null || echo 'no terminal' >&2; exit 3")
    program = lab.start("prog", terminal=True)
    program.write(b"one\n")
    lab.expect_line(program, "one")
    program.hang_up()
    program.write(b"two\n")  # to nobody
    lab.expect_exit(program, 3)
    assert b"no terminal" in program.stderr


@pytest.mark.parametrize("typed", [[b"x" * LINE_LIMIT], [b"a\n" + b"x" * 4000, b"x" * 90, b"x" * 5],
                                   [b"one\x04"]], ids=["long", "in-parts", "ctrl-d"])
def test_what_a_terminal_would_not_pass_on_is_an_error_of_the_test(
    world: World, typed: list[bytes]
) -> None:
    lab = world(prog="exec cat")
    program = lab.start("prog", terminal=True)
    with pytest.raises(ValueError, match="terminal"):
        for part in typed:
            program.write(part)


def test_the_longest_line_is_passed_on(world: World) -> None:
    line = b"x" * (LINE_LIMIT - 1) + b"\n"
    lab = world(prog="exec cat")
    program = lab.start("prog", terminal=True)
    program.write(line)
    lab.expect_output(program, line)


def test_a_program_that_ends_while_it_is_typed_to_is_told(world: World) -> None:
    lab = world(prog="read line; exit 1")
    program = lab.start("prog", terminal=True)
    program.write(b"line\n" * 100_000)
    with pytest.raises(Mismatch, match="status 1"):
        lab.expect_exit(program, 0)
    assert program.stdin_pending == 0


def test_a_terminal_gives_back_its_descriptors(workspace: Path) -> None:
    (workspace / "prog").write_text("#!/bin/sh\nread line\n")
    (workspace / "prog").chmod(0o755)
    counts = []
    for _ in range(3):
        lab = Scenario(workspace, lambda name: workspace / name, workspace / "trace.pcapng")
        ended, left = lab.start("prog", terminal=True), lab.start("prog", terminal=True)
        lab.start("prog", terminal=True)
        ended.close_stdin()
        lab.wait_gone(ended)
        left.hang_up()
        lab.close()
        counts.append(len(os.listdir("/proc/self/fd")))
    assert counts[0] == counts[1] == counts[2]
