"""What a program's first tests show that it never does, no other test waits for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from labkit.build import PROGRAMS
from labkit.scenario.reach import ASKED, BEGINS, RESTS, SPEAKS, never_reached
from workbench import LABS_THERE, GradedTest, graded_tests

Tests = dict[str, dict[str, Any]]

HARNESS = Path(__file__).resolve().parent.parent
USAGE = 'if (argc > 1) { fprintf(stderr, "usage: server\\n"); return 2; }'
BOUND = """struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(6000),
    .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (bind(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&a, sizeof a) < 0) return 1;"""
HEAD = """#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    (void)argc; (void)argv;
"""


@pytest.mark.parametrize("tests, never", [
    ([{RESTS}, {RESTS}], {"server": {BEGINS, SPEAKS}}),
    ([{BEGINS, ASKED, RESTS}, {RESTS}], {"server": {SPEAKS}}),
    ([{BEGINS, ASKED, RESTS}, {BEGINS}], {"server": {SPEAKS}}),
    ([{BEGINS, RESTS}, {BEGINS, RESTS}], {}),  # its peers never ended their side
    ([{BEGINS, SPEAKS, RESTS}, set()], {}),
    ([{BEGINS, SPEAKS}, {BEGINS}], {"server": {RESTS}}),
    ([set(), set()], {"server": {BEGINS, SPEAKS, RESTS}}),
    ([None, set()], {}),  # one went well, or it ended, or nobody knows
    ([set()], {}),  # one is not enough
])
def test_what_one_first_test_has_seen_is_reached(tests: list[Any], never: dict[str, str]) -> None:
    assert never_reached({"server": tests}) == never


BEGIN_WITH = {
    "client of 01-tcp-echo": ("sends_its_message", "connects_by_ipv6"),
    "client of 04-file-transfer": (
        "connects_to_the_right_port", "logs_in_as_anonymous", "lists_names", "puts_every_byte",
        "has_a_data_connection_for_each_transfer"),
    "udp_client of 04-file-transfer": ("asks_for_a_file", "asks_to_write_a_file"),
    "udp_server of 04-file-transfer": (
        "sends_every_byte", "saves_a_file_of_any_size", "refuses_another_mode"),
}
"""Ways to begin a program, of which a student writes one first: `-m`, stdin; ls, put; ERROR."""


@pytest.mark.parametrize("whose", BEGIN_WITH)
def test_each_way_to_begin_a_program_is_one_of_its_first_tests(whose: str) -> None:
    program, _, lab = whose.partition(" of ")
    first = {test.name.split("[")[0] for test in graded_tests(lab).values()
             if test.programs[0] == program and _is_first(test)}
    assert {f"test_{program}_{name}" for name in BEGIN_WITH[whose]} <= first


@pytest.mark.parametrize("lab", LABS_THERE)
def test_no_program_has_only_one_first_test(lab: str) -> None:
    """By one alone nobody is known never to do something (never_reached)."""
    rules = {(test.programs[0], test.name.split("[")[0])
             for test in graded_tests(lab).values() if _is_first(test)}
    first = [program for program, _ in rules]  # of a rule for several values one is the first
    assert set(first) <= set(PROGRAMS[lab])
    assert [name for name in set(first) if first.count(name) < 2] == []


def _is_first(test: GradedTest) -> bool:
    return any(mark.name == "first" for mark in getattr(test.function, "pytestmark"))


def grade(lab: str, sources: dict[str, str], tests: str, folder: Path, *options: str) -> Tests:
    """What the TESTS of LAB (an expression of pytest -k) say of SOURCES."""
    submission, out = folder / "submission", folder / "out"
    submission.mkdir(exist_ok=True)
    for name, source in sources.items():
        (submission / name).write_text(source)
    done = subprocess.run(
        [HARNESS / "grade", lab, "-s", submission, "-o", out, "-k", tests, *options],
        capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    results = json.loads((out / "results.json").read_text("utf-8"))
    return {test["extra_data"]["command"].rsplit(" ", 1)[1].strip("'"): test
            for test in results["tests"]}


def not_judged(tests: Tests) -> dict[str, str]:
    return {name: test["output"] for name, test in tests.items()
            if not test["extra_data"]["judged"]}


TFTP_TESTS = ("test_udp_server_ and (sends_every_byte or saves_a_file_of_any_size or another_mode"
              " or knows_one_mode or serves_curl)")
TFTP = """struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(6666),
    .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char b[600]; socklen_t size = sizeof a; int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0) return 1;
    while (recvfrom(fd, b, sizeof b, 0, (struct sockaddr *)&a, &size) > 0) ANSWER;"""
REFUSE = """if (b[1] == 1 && b[3 + __builtin_strlen(b + 2)] == 'n') {
        fd = socket(AF_INET, SOCK_DGRAM, 0);
        sendto(fd, "\\0\\5\\0\\4no", 7, 0, (struct sockaddr *)&a, size);
    }"""


def test_a_datagram_server_that_never_answers_is_known(tmp_path: Path) -> None:
    """A request to read, one to write, a wrong one: it was asked whatever there is to ask."""
    tests = grade("04", {"udp_server.c": HEAD + TFTP.replace("ANSWER", "") + "}"}, TFTP_TESTS,
                  tmp_path)
    assert {"test_udp_server_knows_one_mode", "test_udp_server_serves_curl"} <= set(
        not_judged(tests))


def test_a_datagram_server_that_answers_one_kind_of_request_is_asked(tmp_path: Path) -> None:
    tests = grade("04", {"udp_server.c": HEAD + TFTP.replace("ANSWER", REFUSE) + "}"}, TFTP_TESTS,
                  tmp_path)
    assert tests["test_udp_server_knows_one_mode"]["extra_data"]["judged"]
    curl = tests["test_udp_server_serves_curl"]
    assert curl["status"] == "failed" and curl["extra_data"]["judged"]  # no fault of the grader


UDP_TESTS = ("test_server_ and (explains_wrong or echoes_a_datagram or serves_ipv6 or byte_value"
             " or start_line)")


def udp_server(text: str) -> dict[str, str]:
    return {"server.c": HEAD + text + "\n    for (;;) pause();\n}\n"}


@pytest.mark.parametrize("server, waited_for", [(USAGE, False), (BOUND, True)],
                         ids=["never bound", "bound and silent"])
def test_a_half_written_server_keeps_what_it_can_do(
    tmp_path: Path, server: str, waited_for: bool
) -> None:
    tests = grade("03", udp_server(server), UDP_TESTS, tmp_path)
    assert any("echoes_a_datagram" in name and test["extra_data"]["judged"]
               for name, test in tests.items())
    assert tests["test_server_echoes_every_byte_value"]["output"].startswith("not judged")
    if waited_for:  # it is where it should be, though it never says a word
        assert tests["test_server_prints_its_start_line"]["extra_data"]["judged"]
    else:
        assert any("explains_wrong" in name and test["status"] == "passed"
                   for name, test in tests.items())


LATE_ECHO = r"""#define _GNU_SOURCE
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    const char *host = argc > 2 ? argv[2] : "127.0.0.1";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
    static char b[1024];
    int one = 1;
    if (getaddrinfo(host, "4321", &hints, &to) != 0) return 1;
    int fd = socket(to->ai_family, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, to->ai_addr, to->ai_addrlen) < 0 || listen(fd, 128) < 0) return 1;
    printf("listening on %s port 4321\n", host);
    fflush(stdout);
    for (;;) {
        struct sockaddr_in6 a;
        socklen_t size = sizeof a;
        int conn = accept(fd, (struct sockaddr *)&a, &size);
        for (ssize_t n; (n = recv(conn, b, sizeof b, MSG_WAITALL)) > 0; )
            for (ssize_t m, at = 0; at < n; at += m)
                if ((m = send(conn, b + at, (size_t)(n - at), MSG_NOSIGNAL)) < 0) break;
        SILENT;
        close(conn);
    }
}
"""
TCP_TESTS = "server] and (test_server_echoes or test_server_serves_ipv6 or slow_reader)"


@pytest.mark.parametrize("jobs", ["-j1", "-j3"])
def test_a_server_that_answers_at_the_end_of_file_speaks(tmp_path: Path, jobs: str) -> None:
    tests = grade("01", {"server.c": LATE_ECHO.replace("SILENT;", "")}, TCP_TESTS, tmp_path, jobs)
    assert tests["test_server_echoes_a_line[server]"]["status"] == "failed"
    for name in ("echoes_a_big_stream", "waits_for_a_slow_reader"):
        assert tests[f"test_server_{name}[server]"]["status"] == "passed"


def test_gates_are_the_same_however_many_run_at_a_time(tmp_path: Path) -> None:
    silent = LATE_ECHO.replace("recv(conn, b, sizeof b, MSG_WAITALL)", "0").replace(
        "SILENT;", "for (;;) pause();")
    one, more = (not_judged(grade("01", {"server.c": silent}, TCP_TESTS, tmp_path, jobs))
                 for jobs in ("-j1", "-j4"))
    assert one == more
    assert one["test_server_echoes_a_big_stream[server]"].startswith("not judged")


ONLY_A_MESSAGE = r"""#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(4321),
        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char b[4096];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) return 1;
    if (argc < 3 || strcmp(argv[1], "-m") != 0) { NO_MESSAGE }
    dprintf(fd, "%s\n", argv[2]);
    shutdown(fd, SHUT_WR);
    for (ssize_t n; (n = read(fd, b, sizeof b)) > 0; )
        if (write(1, b, (size_t)n) < 0) return 1;
    return 0;
}
"""


@pytest.mark.parametrize("without", ["return 1;", "for (;;) pause();"], ids=["ends", "hangs"])
def test_a_client_that_sends_its_message_alone_speaks(tmp_path: Path, without: str) -> None:
    tests = grade("01", {"client.c": ONLY_A_MESSAGE.replace("NO_MESSAGE", without)},
                  "test_client_ and (right_port or by_ipv6 or message)", tmp_path)
    messages = [test for name, test in tests.items() if "message" in name]
    assert [test["status"] for test in messages].count("passed") == 3
