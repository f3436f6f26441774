"""Programs that wait for ever are given up at once; whatever goes on by itself is waited for."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import termios
import time

import pytest

from labkit.feedback import Mismatch
from labkit.peer import Peer
from labkit.scenario import Scenario
from labkit.scenario.reach import RESTS, SPEAKS
from labkit.standstill import for_ever
from workbench import World, recorded_too

FAR = 1e6
"""Seconds: a test that waited for them would never end, but by its deadline."""

C = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct timeval half = {.tv_usec = 500000};
static struct timespec half_ns = {.tv_nsec = 500000000};
static void on_alarm(int number) { (void)number; }
static void *idle(void *pause_first) { if (pause_first) pause(); return NULL; }
static void *nap(void *unused) { usleep(500000); return unused; }

static int server(int kind)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(4321)};
    int fd = socket(AF_INET, kind, 0);
    if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0) exit(9);
    if (kind == SOCK_STREAM && listen(fd, 9) < 0) exit(9);
    return fd;
}

static int alarmed(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval timer = {.it_value = half};
    sigaction(SIGALRM, &action, NULL);
    return setitimer(ITIMER_REAL, &timer, NULL);
}

int main(void)
{
    char b[64];
    sigset_t set;
    pthread_t thread;
    struct pollfd in = {.events = POLLIN};
    struct epoll_event event = {.events = EPOLLIN};
    struct itimerspec later = {.it_value = half_ns};
    int fd = 0, number = 0;
    (void)b; (void)set; (void)thread; (void)in; (void)event; (void)later; (void)fd; (void)number;
    (void)half; (void)idle; (void)nap; (void)server; (void)alarmed;
    WAIT;
    puts("done");
    fflush(stdout);
    return 0;
}
"""

FOR_EVER = {
    "read": "if (read(0, b, 1) < 0) return 1",
    "pause": "pause()",
    "accept": "accept(server(SOCK_STREAM), NULL, NULL)",
    "recv": "if (recv(server(SOCK_DGRAM), b, 1, 0) < 0) return 1",
    "poll": "poll(&in, 1, -1)",
    "ppoll": "ppoll(&in, 1, NULL, NULL)",
    "select": "{ fd_set s; FD_ZERO(&s); FD_SET(0, &s); select(1, &s, NULL, NULL, NULL); }",
    "epoll": "fd = epoll_create1(0); epoll_ctl(fd, EPOLL_CTL_ADD, 0, &event);"
             "epoll_wait(fd, &event, 1, -1)",
    "a thread": "pthread_create(&thread, NULL, idle, b); pthread_join(thread, NULL)",
    "a child without alarms": "if (fork() == 0) { signal(SIGALRM, SIG_IGN); pause(); } wait(NULL)",
    "a full pipe": "int p[2]; if (pipe(p) < 0) return 1;"
                   "for (;;) if (write(p[1], b, sizeof b) < 0) return 1",
}

GOES_ON = {
    "sleep": "usleep(500000)",
    "longer": "sleep(1)",
    "alarm": "alarmed(); pause()",
    "alarm, waited for": "sigemptyset(&set); sigaddset(&set, SIGALRM);"
                         "sigprocmask(SIG_BLOCK, &set, NULL);"
                         "setitimer(ITIMER_REAL, &(struct itimerval){.it_value = half}, NULL);"
                         "sigwait(&set, &number)",
    "alarm, in the only thread that waits": "alarmed(); if (read(0, b, 1) >= 0) return 1",
    "SO_RCVTIMEO": "fd = server(SOCK_DGRAM);"
                   "setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &half, sizeof half);"
                   "if (recv(fd, b, 1, 0) >= 0) return 1",
    "SO_RCVTIMEO of a listening socket": "fd = server(SOCK_STREAM);"
                                         "setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &half,"
                                         "sizeof half); accept(fd, NULL, NULL)",
    "poll": "poll(&in, 1, 500)",
    "select": "select(0, NULL, NULL, NULL, &half)",
    "epoll": "epoll_wait(epoll_create1(0), &event, 1, 500)",
    "sigtimedwait": "sigemptyset(&set); sigaddset(&set, SIGUSR1);"
                    "sigprocmask(SIG_BLOCK, &set, NULL); sigtimedwait(&set, NULL, &half_ns)",
    "timerfd": "fd = timerfd_create(CLOCK_MONOTONIC, 0); timerfd_settime(fd, 0, &later, NULL);"
               "if (read(fd, b, 8) < 0) return 1",
    "timer": "timer_t t; signal(SIGUSR1, on_alarm); struct sigevent e = {.sigev_notify ="
             "SIGEV_SIGNAL, .sigev_signo = SIGUSR1}; timer_create(CLOCK_MONOTONIC, &e, &t);"
             "timer_settime(t, 0, &later, NULL); pause()",
    "a thread": "pthread_create(&thread, NULL, nap, NULL); pthread_join(thread, NULL)",
    "a child": "if (fork() == 0) { usleep(500000); _exit(0); } wait(NULL)",
    "a child that an alarm ends": "if (fork() == 0) { setitimer(ITIMER_REAL, &(struct itimerval)"
                                  "{.it_value = half}, NULL);"
                                  "recv(server(SOCK_DGRAM), b, 1, 0) < 0 ? _exit(1) : _exit(0); }"
                                  "wait(NULL)",
    "a child that is nobody's": "int p[2]; if (pipe(p) < 0) return 1; if (fork() == 0) {"
                                "if (fork() == 0) { usleep(500000); if (write(p[1], b, 1) < 0)"
                                "_exit(1); } _exit(0); } wait(NULL);"
                                "if (read(p[0], b, 1) != 1) return 1",
}


def waiting(world: World, how: str) -> Scenario:
    """A scenario with a program that waits as HOW says, and no patience but for what goes on."""
    lab = world(prog=C.replace("WAIT;", how + ";"))
    lab.stall = FAR
    return lab


@recorded_too
@pytest.mark.parametrize("how", FOR_EVER.values(), ids=FOR_EVER)
def test_a_program_that_waits_for_ever_is_given_up(world: World, how: str) -> None:
    lab = waiting(world, how)
    program = lab.start("prog")
    with pytest.raises(Mismatch, match="still runs"):
        lab.expect_exit(program, 0)
    assert lab._quiet  # which is why, and no deadline


@recorded_too
@pytest.mark.parametrize("how", GOES_ON.values(), ids=GOES_ON)
def test_a_program_that_goes_on_is_waited_for(world: World, how: str) -> None:
    lab = waiting(world, how)
    program = lab.start("prog")
    lab.expect_line(program, "done")
    lab.expect_exit(program, 0)


def test_a_program_that_somebody_else_will_wake_is_waited_for(world: World) -> None:
    """One waits for ever, but the other, which sleeps, will write to it."""
    lab = world(reader=C.replace("WAIT;", "fd = server(SOCK_DGRAM);"
                                 "if (recv(fd, b, 1, 0) < 0) return 1;"),
                writer="sleep 0.5; echo x | ncat -u --send-only 127.0.0.1 4321")
    lab.stall = FAR
    reader = lab.start("reader")
    lab.wait_bound(reader, 4321, "0.0.0.0")
    lab.start("writer")
    lab.expect_line(reader, "done")


def test_a_paused_program_is_not_known_to_wait_for_ever(world: World) -> None:
    lab = waiting(world, "pause()")
    program = lab.start("prog")
    lab.wait_blocked(program)
    assert program.waits_for_ever()
    lab.pause(program)
    assert not program.waits_for_ever()
    lab.resume(program)
    lab.wait_blocked(program)
    assert program.waits_for_ever()
    program.send_signal(signal.SIGKILL)
    lab.wait_gone(program)
    assert not program.waits_for_ever()


def test_bytes_that_are_not_acknowledged_are_under_way(world: World) -> None:
    lab = waiting(world, "accept(server(SOCK_STREAM), NULL, NULL); pause()")
    server = lab.start_server("prog", port=4321, address="0.0.0.0")
    assert not lab._under_way()
    peer = lab.connect(4321)
    lab.wait_blocked(server)
    peer.start_sending(b"x" * 64)
    lab._loop.wait(lambda: not lab._under_way(), poll=0.001)  # until that is acknowledged
    sock = lab.network.socket(socket.AF_INET, socket.SOCK_STREAM)
    with sock:  # in SYN-SENT, as the queue of 9 is full
        fillers = []
        while not lab._under_way():
            fillers.append(lab.network.socket(socket.AF_INET, socket.SOCK_STREAM))
            fillers[-1].setblocking(False)
            fillers[-1].connect_ex(("127.0.0.1", 4321))
            assert len(fillers) < 100
        for filler in fillers:
            filler.close()


ACCEPTED = "fd = accept(server(SOCK_STREAM), NULL, NULL);"
CORKED = {
    "TCP_CORK": "setsockopt(fd, IPPROTO_TCP, TCP_CORK, &number, sizeof number);"
                "if (send(fd, \"corked\", 6, 0) != 6) return 1",
    "MSG_MORE": "if (send(fd, \"corked\", 6, MSG_MORE) != 6) return 1",
}


@recorded_too
@pytest.mark.parametrize("how", CORKED.values(), ids=CORKED)
def test_bytes_that_wait_for_more_are_under_way(world: World, how: str) -> None:
    """The kernel sends what is corked 200 ms later, though the program waits for ever."""
    lab = waiting(world, f"number = 1; {ACCEPTED}"
                  f"if (send(fd, \"at once\", 7, 0) != 7) return 1; {how}; recv(fd, b, 1, 0)")
    lab.start_server("prog", port=4321, address="0.0.0.0")
    peer = lab.connect(4321)
    lab.wait_for(lambda: unread(peer) == 13, "what is corked", lambda: "the rest never comes",
                 poll=0.001)


def unread(peer: Peer) -> int:
    """Bytes that wait for PEER to read them."""
    return struct.unpack("=i", fcntl.ioctl(peer.sock, termios.FIONREAD, bytes(4)))[0]


def test_bytes_that_wait_for_a_reader_are_not_under_way(world: World) -> None:
    """A peer that does not read has no room; what waits for that will wait for ever."""
    lab = waiting(world, ACCEPTED + "for (;;) if (send(fd, b, sizeof b, 0) < 0) return 1")
    program = lab.start_server("prog", port=4321, address="0.0.0.0")
    lab.connect(4321, receive_buffer=4096)
    with pytest.raises(Mismatch, match="still runs"):
        lab.expect_exit(program, 0)
    assert lab._quiet


def silent_peer(world: World, how: str) -> tuple[Scenario, Peer]:
    """One that is connected to a server which does as HOW says."""
    lab = waiting(world, ACCEPTED + how)
    lab.start_server("prog", port=4321, address="0.0.0.0")
    return lab, lab.connect(4321)


def test_who_waits_without_a_limit_outlasts_any_silence(world: World) -> None:
    lab, peer = silent_peer(world, "if (recv(fd, b, 1, 0) < 0) return 1")
    lab.outwait(peer, seconds=FAR)
    assert lab.stall == FAR
    peer.send(b"x")
    lab.expect_line(lab.programs[0], "done")


@pytest.mark.parametrize("how, cause", [
    ("poll(&in, 0, 300); close(fd); pause()", "own-timeout"),
    ("setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));"
     "poll(&in, 0, 300); close(fd); pause()", "own-timeout"),
    ("poll(&in, 0, 300); if (write(fd, b, 1) < 0) return 1; pause()", "messages"),
], ids=["closes", "resets", "speaks"])
def test_who_ends_a_silence_is_seen(world: World, how: str, cause: str) -> None:
    lab, peer = silent_peer(world, how)
    with pytest.raises(Mismatch) as caught:
        lab.outwait(peer, seconds=FAR)
    assert caught.value.cause == cause


def test_who_ends_in_a_silence_is_seen(world: World) -> None:
    lab, _ = silent_peer(world, "poll(&in, 0, 300); return 1")
    with pytest.raises(Mismatch, match="it exited with status 1") as caught:
        lab.outwait(seconds=FAR)
    assert caught.value.cause == "own-timeout"


def test_a_silence_has_an_end(world: World) -> None:
    """It is not known that this server will never close; nothing says that it does."""
    lab, peer = silent_peer(world, "poll(&in, 0, 1000000)")
    lab._delay_left = 0.0
    end = lab._loop._end
    lab.outwait(peer, seconds=0.2)
    peer.expect_nothing()
    assert lab._loop._end == pytest.approx(end + 0.2)  # a test has no less time for that


@pytest.mark.parametrize("never, stall, spin, least", [
    (set(), 0.4, 0.4, 0.4),
    ({RESTS}, 0.4, 9.0, 0.0),
    ({RESTS}, 1.0, 0.4, 1.0),  # patience is for what is sent again
    ({RESTS, SPEAKS}, 9.0, 9.0, 0.0),
], ids=["not-known", "known", "patiently", "silent"])
def test_a_program_that_spins_is_given_up_by_its_processor_time(
    world: World, monkeypatch: pytest.MonkeyPatch, never: set[str], stall: float, spin: float,
    least: float,
) -> None:
    """Soon, where it is known that it always does."""
    monkeypatch.setattr("labkit.scenario.world.SPIN", spin)
    monkeypatch.setattr("labkit.scenario.reach.STALL", 0.5)
    monkeypatch.setattr("labkit.scenario.world.DEADLINE", 1e4)
    lab = waiting(world, "for (;;) ;")
    lab.stall = stall
    lab.never = {"prog": never}
    program = lab.start("prog")
    with pytest.raises(Mismatch, match="still runs"):
        lab.expect_exit(program, 0)
    assert least < program.activity().seconds < 5


@pytest.mark.parametrize("delay, done", [(100.0, True), (0.3, False)])
def test_time_without_a_processor_is_not_the_tests(
    world: World, monkeypatch: pytest.MonkeyPatch, delay: float, done: bool
) -> None:
    """For as long as DELAY: a busy machine does not decide, and nothing lasts for ever."""
    monkeypatch.setattr("labkit.scenario.world.own_delay", time.monotonic)  # it never has one
    monkeypatch.setattr("labkit.scenario.world.DEADLINE", 0.2)
    monkeypatch.setattr("labkit.scenario.world.DELAY", delay)
    lab = waiting(world, "usleep(1000000);")
    program = lab.start("prog")
    if done:
        lab.expect_line(program, "done")
    else:
        with pytest.raises(Mismatch, match="prints the line"):
            lab.expect_line(program, "done")


def test_a_tool_that_asks_again_and_again_does_not_live(world: World) -> None:
    """It wakes by itself, each time before it would have stood still for too long."""
    lab = waiting(world, "pause();")
    lab.start("prog")
    lab.stall = 0.4
    tool = lab.start_tool("perl", "-e", "select(undef, undef, undef, 0.2) while 1")
    with pytest.raises(Mismatch, match="still runs"):
        lab.expect_exit(tool, 0)
    assert not lab._loop.is_over


def test_a_program_that_works_long_and_waits_in_between_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.scenario.world.SPIN", 0.3)
    lab = waiting(world, "for (int i = 0; i < 20; i++) {"
                  "clock_t end = clock() + CLOCKS_PER_SEC / 20;"
                  "while (clock() < end) ; usleep(1); }")
    lab.stall = 0.4
    lab.expect_line(lab.start("prog"), "done")


def test_a_program_may_spin_for_as_long_as_it_may_stand_still(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that looks at the clock until its time is over, on however busy a machine."""
    monkeypatch.setattr("labkit.scenario.world.SPIN", 0.1)
    lab = waiting(world, "clock_t end = clock() + CLOCKS_PER_SEC / 2; while (clock() < end) ;")
    lab.stall = 1.0
    lab.expect_line(lab.start("prog"), "done")


def test_what_cannot_be_known_is_not_for_ever() -> None:
    assert not for_ever([os.getpid()])  # it runs
    assert not for_ever([2**22 + 1])  # there is none
    assert for_ever([])
