"""Hostile submissions through harness/grade: their score suffers, and nothing else does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
from hostile import program

from labkit.paths import HARNESS, LABS
from small_suite import snapshot

LAB = "03-udp"
SERVERS = ("test_server_takes_what_comes or test_server_serves_ipv6"
           " or test_server_prints_its_start_line")
CLIENTS = ("test_client_sends_each_line_as_one_datagram or test_client_sends_every_byte_value"
           " or test_client_sends_an_empty_line")
TESTS = f"{SERVERS} or {CLIENTS}"

FAKES = r"""
\033[2J\033[31mScore: 9999 of 9999\r\nResults: /\007\010\n
  step  1  server: all of it                                     99/99 ok\n
Score: 9999 of 9999\n
</failure></testcase><testcase name=\"fake\" status=\"passed\"/>\n
]]></system-out><script>alert(1)</script>\n
{\"score\": 9999, \"tests\": [{\"status\": \"passed\"}]}\n
ok 1 - fake\n1..1\nBail out!\n
\342\200\256dessap\342\200\254 \357\273\277 \377\376 \360\237\222\251\n
===== 6 passed in 0.01s =====\n
expected: nothing\nseen: nothing\nlikely cause: none\nread on: nowhere\n
""".replace("\n", "")

ATTACKS = {
    "a-fork-bomb": program("for (;;) if (fork() == 0) pause()"),
    "kill-everybody": program("kill(-1, SIGKILL)", "for (;;) pause()"),
    "memory": program("for (;;) memset(malloc(1 << 20), 1, 1 << 20)"),
    "a-full-disk": program(
        "static char data[1 << 16]", "int fd = open(\"/tmp/x\", O_CREAT | O_RDWR, 0600)",
        "while (write(fd, data, sizeof data) > 0) {}",
        "if (ftruncate(open(\"/dev/shm/y\", O_CREAT | O_RDWR, 0600), 5L << 30)) pause()"),
    "endless-output": program("static char data[1 << 16]", "memset(data, 'x', sizeof data)",
                              "while (write(1, data, sizeof data) > 0) {}"),
    "will-not-die": program(
        "for (int n = 1; n < 65; n++) signal(n, SIG_IGN)", "if (fork() == 0) setsid()",
        "for (;;) pause()"),
    "imitates-a-pass": program(
        "static const char fakes[] = \"" + FAKES + "\"",
        "fwrite(fakes, 1, sizeof fakes, stdout)", "fwrite(fakes, 1, sizeof fakes, stderr)",
        "fflush(stdout)", "_exit(0)"),
    "writes-to-all-descriptors": program(
        "for (int fd = 0; fd < 1024; fd++) if (write(fd, \"passed\\n\", 7) < 0) errno = 0"),
}


CAUSES = {"a-fork-bomb": "too-many-processes", "memory": "too-much-memory",
          "endless-output": "too-much-output"}


class Graded(NamedTuple):
    """What harness/grade said and wrote."""

    status: int
    stdout: str
    tests: list[dict[str, Any]]
    out: Path

    def verdicts(self, name: str) -> dict[str, str]:
        """Those of the tests of program NAME alone, by their command."""
        return {test["extra_data"]["command"].rpartition(" -k ")[2]: test["status"]
                for test in self.tests if test["extra_data"]["programs"] == [name]}


def grade(submission: Path, out: Path) -> Graded:
    """Grades a few tests of SUBMISSION; it is as it was, and nothing is left beside OUT."""
    before = snapshot(submission)
    done = subprocess.run(
        [HARNESS / "grade", LAB[:2], "-s", submission, "-o", out, "-k", TESTS, "-j", "3"],
        capture_output=True, check=False, timeout=300,
        env={**os.environ, "TMPDIR": str(out.parent)})
    assert snapshot(submission) == before
    assert [path.name for path in out.parent.iterdir() if path.name.startswith("labkit")] == []
    assert done.returncode in (0, 1), done.stderr
    results = json.loads((out / "results.json").read_text("utf-8"))
    return Graded(done.returncode, done.stdout.decode("utf-8"), results["tests"], out)


def handed_in(folder: Path, server: str = "") -> Path:
    """The lab's own files in FOLDER, its server made from SERVER."""
    shutil.copytree(LABS / LAB, folder)
    if server:
        (folder / "server.c").write_text(f'const char program[] = "server";\n{server}')
    return folder


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A folder that guests of the real root get to, as $TMPDIR must be one."""
    with tempfile.TemporaryDirectory(prefix="selftest-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def right(room: Path) -> Graded:
    """The verdicts on the lab itself."""
    graded = grade(handed_in(room / "right" / "submission"), room / "right" / "out")
    assert graded.status == 0 and len(graded.tests) == 6
    return graded


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_server_costs_its_own_tests_only(room: Path, right: Graded, name: str) -> None:
    """Those of the client, in the same run and at the same time, say what they always say."""
    place = room / name
    graded = grade(handed_in(place / "submission", ATTACKS[name]), place / "out")
    assert graded.verdicts("client") == right.verdicts("client") != {}
    assert set(graded.verdicts("server").values()) == {"failed"}
    told = {test["extra_data"]["cause"] for test in graded.tests if test["status"] == "failed"}
    assert "not-built" not in told
    if name in CAUSES:
        assert told == {CAUSES[name]}
    assert {test["score"] for test in graded.tests if test["status"] == "failed"} == {0}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufeff]", graded.stdout)
    assert len(re.findall(r"^Score: ", graded.stdout, re.M)) == 1
    assert [line for line in graded.stdout.splitlines()
            if len(line) > 80 and str(place) not in line] == []
    suites = ElementTree.parse(graded.out / "junit.xml").getroot()
    assert len(suites.findall(".//testcase")) == 6
    assert "<script>alert" not in (graded.out / "report.html").read_text("utf-8")


def test_a_harness_that_is_killed_leaves_nothing(room: Path) -> None:
    """No process, at once; and its files go with the next run."""
    place = room / "killed"
    submission = handed_in(place / "submission", ATTACKS["will-not-die"])
    environment = {**os.environ, "TMPDIR": str(place), "LABKIT_SELFTEST": "killed"}
    run = subprocess.Popen(
        [HARNESS / "grade", LAB[:2], "-s", submission, "-o", place / "out", "-k", TESTS],
        stdout=subprocess.DEVNULL, env=environment, start_new_session=True)
    traces = place / "out" / "traces"
    while run.poll() is None and not (traces.is_dir() and os.listdir(traces)):
        signal.sigtimedwait([], 0.01)
    assert run.poll() is None and list(place.glob("labkit.*"))
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    grade(handed_in(place / "next"), place / "out")
