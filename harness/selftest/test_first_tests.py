"""What a program's first tests show that it never does, no other test waits for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from labkit.scenario.reach import BEGINS, SPEAKS, never_reached

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
    ([set(), set()], {"server": BEGINS}),
    ([{BEGINS}, set()], {"server": SPEAKS}),
    ([{BEGINS}, {BEGINS}], {"server": SPEAKS}),
    ([{BEGINS, SPEAKS}, set()], {}),
    ([None, set()], {}),  # one went well, or nobody knows
    ([set()], {}),  # one is not enough
])
def test_what_one_first_test_has_seen_is_reached(tests: list[Any], never: dict[str, str]) -> None:
    assert never_reached({"server": tests}) == never


def grade(server: str, folder: Path) -> dict[str, dict[str, Any]]:
    """What the few tests of lab 03's server say of one whose main() does what SERVER says."""
    submission, out = folder / "submission", folder / "out"
    submission.mkdir()
    (submission / "server.c").write_text(HEAD + server + "\n    for (;;) pause();\n}\n")
    done = subprocess.run(
        [HARNESS / "grade", "03", "-s", submission, "-o", out, "-k", "test_server_ and ("
         "explains_wrong or echoes_a_datagram or serves_ipv6 or byte_value or start_line)"],
        capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    results = json.loads((out / "results.json").read_text("utf-8"))
    return {test["extra_data"]["command"].rsplit(" ", 1)[1]: test for test in results["tests"]}


@pytest.mark.parametrize("server, waited_for", [(USAGE, False), (BOUND, True)],
                         ids=["never bound", "bound and silent"])
def test_a_half_written_server_keeps_what_it_can_do(
    tmp_path: Path, server: str, waited_for: bool
) -> None:
    tests = grade(server, tmp_path)
    assert any("echoes_a_datagram" in name and test["extra_data"]["judged"]
               for name, test in tests.items())
    assert tests["test_server_echoes_every_byte_value"]["output"].startswith("not judged")
    if waited_for:  # it is where it should be, though it never says a word
        assert tests["test_server_prints_its_start_line"]["extra_data"]["judged"]
    else:
        assert any("explains_wrong" in name and test["status"] == "passed"
                   for name, test in tests.items())
