"""A thousand peers at once: how they are made, told apart, and judged from one recording."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from workbench import World

from labkit.feedback import Mismatch
from labkit.paths import HARNESS

PORT = 4321
TEXT = b"hello, network\n"

SERVER = r"""
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Arguments: backlog, how many clients are accepted, how many of them are answered. */
int main(int argc, char *argv[])
{
    static struct pollfd fds[2001];
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(4321),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int backlog = atoi(argv[1]), accepted = atoi(argv[2]), answered = atoi(argv[3]);
    char buffer[4096];

    fds[0] = (struct pollfd){ socket(AF_INET, SOCK_STREAM, 0), POLLIN, 0 };
    if (bind(fds[0].fd, (struct sockaddr *)&addr, sizeof addr) < 0
        || listen(fds[0].fd, backlog) < 0)
        return 1;
    for (int count = 1; poll(fds, count, -1) > 0; ) {
        for (int i = 1; i < count; i++) {
            if (fds[i].revents == 0 || i > answered)
                continue;
            ssize_t n = read(fds[i].fd, buffer, sizeof buffer);
            if (n > 0 && write(fds[i].fd, buffer, n) == n)
                continue;
            close(fds[i].fd);
            fds[i].fd = -1;
        }
        if (fds[0].revents & POLLIN)
            fds[count++] = (struct pollfd){ accept(fds[0].fd, NULL, NULL), POLLIN, 0 };
        if (count > accepted)
            fds[0].fd = -1;
        for (int i = answered + 1; i < count; i++)
            fds[i].fd = -1;
    }
    return argc != 4;
}
"""


@pytest.mark.parametrize("backlog", ["4096", "1"])
def test_a_thousand_are_connected_served_and_judged(world: World, backlog: str) -> None:
    """However short the server's queue is, no SYN is dropped and sent again."""
    lab = world(prog=SERVER)
    lab.start_server("prog", backlog, "2000", "2000", port=PORT, descriptors=1100)
    peers = lab.connect_many(1000, PORT)
    for peer in peers:
        peer.start_sending(TEXT)
    for peer in peers:
        peer.expect(TEXT)
    for peer in peers:
        peer.half_close()
    for peer in peers:
        peer.expect_eof()
    lab.expect_orderly(len(TEXT), len(TEXT), connections=1000)


def test_no_syn_is_dropped_by_a_full_queue(world: World) -> None:
    lab = world(prog=SERVER)
    lab.start_server("prog", "0", "2000", "2000", port=PORT)
    for peer in lab.connect_many(50, PORT):
        peer.half_close()
        peer.expect_eof()
    lab.expect_packets("connections=50", "handshake.syn_retransmissions=0")


def test_a_full_queue_that_nobody_empties_is_told(world: World) -> None:
    lab = world(prog=SERVER)
    lab.stall = 0.4
    lab.start_server("prog", "1", "3", "3", port=PORT)
    with pytest.raises(Mismatch) as caught:
        lab.connect_many(10, PORT)
    assert caught.value.cause == "one-client-only"
    assert "client 6 of 10 can connect" in caught.value.expected
    assert caught.value.seen == "2 connections wait to be accepted, and no more can"


def test_a_queue_elsewhere_does_not_count(world: World) -> None:
    lab = world(prog=SERVER)
    lab.stall = 0.4
    lab.start_server("prog", "0", "1", "1", port=PORT)
    lab.listen(PORT, "::1")
    lab.connect_many(2, PORT)
    lab.connect_many(3, PORT, host="::1")


def test_the_client_that_fails_is_named(world: World) -> None:
    lab = world(prog=SERVER)
    lab.stall = 0.4
    lab.start_server("prog", "10", "2000", "2", port=PORT)
    peers = lab.connect_many(3, PORT)
    for peer in peers:
        peer.start_sending(TEXT)
    with pytest.raises(Mismatch, match="client 3 of 3 receives 15 bytes"):
        for peer in peers:
            peer.expect(TEXT)


def test_where_nobody_listens_the_client_is_named(world: World) -> None:
    lab = world()
    with pytest.raises(Mismatch, match="client 1 of 2 .* Connection refused") as caught:
        lab.connect_many(2, PORT)
    assert caught.value.cause == "not-listening"


def test_a_thousand_that_differ_are_told_in_few_words(world: World) -> None:
    lab = world(prog=SERVER)
    lab.start_server("prog", "4096", "2000", "2000", port=PORT)
    peers = lab.connect_many(900, PORT)
    for peer in peers:
        peer.half_close()
    for peer in peers:
        peer.expect_eof()
    with pytest.raises(Mismatch) as caught:
        lab.expect_orderly(4, 4, connections=1000, first_closer="server")
    assert "and 899 more flows differ" in caught.value.seen
    assert len(caught.value.text()) < 2000


# -- The harness's own limit on descriptors ------------------------------------


def with_limits(soft: int, hard: int, script: str) -> str:
    """What SCRIPT, in a process with those limits on open files, prints."""
    head = f"""
        import sys
        sys.path[:0] = [{str(HARNESS)!r}]
        from labkit import sandbox
        from labkit.feedback import HarnessError
        from labkit.limits import check_descriptors, raise_descriptor_limit
        from labkit.scenario import Scenario
    """
    limits = ["prlimit", f"--nofile={soft}:{hard}"]
    done = subprocess.run(
        [*limits, sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(script)],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("soft, hard, then", [(100, 8000, 4096), (100, 900, 900),
                                              (5000, 8000, 5000)])
def test_the_soft_limit_is_raised_as_far_as_it_goes(soft: int, hard: int, then: int) -> None:
    assert with_limits(soft, hard, """
        raise_descriptor_limit()
        import resource
        print(resource.getrlimit(resource.RLIMIT_NOFILE))
    """) == f"({then}, {hard})\n"


SMALL_WORLD = """
    with sandbox.workspace() as work:
        lab = Scenario(work, lambda name: work / name, work / "trace.pcapng")
        lab.listen(4321).sock.listen(1000)
        try:
            {what}
        except HarnessError as error:
            print(error)
        lab.close()
"""


def test_more_peers_than_a_low_soft_limit_are_made() -> None:
    what = "print(len(lab.connect_many(300, 4321)))"
    assert with_limits(100, 2000, SMALL_WORLD.format(what=what)) == "300\n"


def test_a_hard_limit_that_is_too_low_is_the_harness_error() -> None:
    said = with_limits(100, 200, SMALL_WORLD.format(what="lab.connect_many(300, 4321)"))
    assert said == ("the harness can have no more descriptors open; its limit is 200 "
                    "(ulimit -n, limits.conf(5))\n")


def test_a_program_cannot_be_given_more_than_the_hard_limit() -> None:
    said = with_limits(100, 500, SMALL_WORLD.format(what='lab.start("prog", descriptors=501)'))
    assert said == ("./prog needs 501 descriptors, and the system's hard limit on open files "
                    "is 500 (ulimit -Hn; limits.conf(5))\n")
