"""The zip for Gradescope: unpacked, set up and run in an imitation of its /autograder."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

import jsonschema
import pytest

from labkit import paths
from labkit.gradescope.config import config_of, with_lab
from labkit.gradescope.pack import pack
from labkit.run import UsageProblem

REPO = paths.REPO
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "gradescope.schema.json").read_text())
METADATA = {"id": 123456, "created_at": "2026-01-31T14:22:32.365935-07:00",
            "assignment": {"id": 25828, "title": "Echo", "total_points": "10.0"},
            "users": [{"id": 1234, "name": "Student", "email": "s@example.org"}],
            "previous_submissions": []}
LIMITS = {
    "no namespaces": ["--disable-userns", "--dev-bind", "/proc", "/proc"],
    "masked /proc": ["--unshare-pid", "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"],
}
"""What containers forbid: to make namespaces at all; or, parts of /proc being covered in
them, to mount another one."""
EMPTY = "int main(void) { return 0; }\n"


class Image:
    """What Gradescope makes of a zip: a folder that programs see as /autograder, as root."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.source = top / "source"
        self.results = top / "results" / "results.json"
        for name in ("source", "submission", "results"):
            (top / name).mkdir(parents=True, exist_ok=True)

    def run(self, *command: str, limits: str = "") -> subprocess.CompletedProcess[str]:
        """Runs COMMAND in the image, with one of LIMITS, if any."""
        rights = ["--cap-add", "ALL"]
        if os.geteuid() != 0 or limits == "no namespaces":
            rights += ["--unshare-user", "--uid", "0", "--gid", "0"]
        argv = ["bwrap", "--unshare-net", "--die-with-parent", "--new-session", *rights,
                *LIMITS.get(limits, ["--dev-bind", "/proc", "/proc"]), "--dev", "/dev",
                "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc", "--tmpfs", "/tmp",
                "--bind", str(self.top), "/autograder"]
        for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
            if os.path.islink(path):
                argv += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path):
                argv += ["--ro-bind", path, path]
        return subprocess.run([*argv, "--chdir", "/autograder", *command], text=True, check=False,
                              capture_output=True, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"})

    def configure(self, *lines: str) -> None:
        (self.source / "gradescope" / "config").write_text("\n".join(["lab 01", *lines, ""]))

    def submit(self, files: dict[str, str], folder: str = ".") -> None:
        """Lays out a submission, as Gradescope does before it runs the autograder."""
        shutil.rmtree(self.top / "submission", ignore_errors=True)
        place = self.top / "submission" / folder
        place.mkdir(parents=True)
        for name, text in files.items():
            (place / name).write_text(text)
        (self.top / "submission_metadata.json").write_text(json.dumps(METADATA))
        self.results.write_text('{"score": 99}')  # of another run: must not be taken for this one's

    def grade(self, **how: str) -> tuple[subprocess.CompletedProcess[str], Optional[Any]]:
        """What run_autograder said, and the results that Gradescope finds, if any."""
        done = self.run("/autograder/run_autograder", **how)
        return done, json.loads(self.results.read_text()) if self.results.exists() else None


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image of lab 01's autograder, with few of its tests: setup.sh has run.

    It is made once, and each worker of pytest-xdist has a copy. Where nobody but its owner gets
    to, the guest of the real root gets to no program.
    """
    top = tmp_path_factory.mktemp("gradescope") / "autograder"
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # all workers of this run have it, and no other run
    made = shared / "gradescope-image"
    with open(shared / "gradescope-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make_image(Path(tempfile.mkdtemp(dir=shared))).rename(made)
    shutil.copytree(made, top)
    yield Image(top)


def make_image(top: Path) -> Path:
    """Makes it in the new folder TOP; returns where it is."""
    packed = top / "autograder.zip"
    pack("01-tcp-echo", packed)
    image = Image(top / "autograder")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(image.source)  # and forgets every mode, as some who unzip do
    done = image.run("sh", "/autograder/source/setup.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    shutil.copy2(image.source / "run_autograder", image.top)
    for path in (image.source / "harness" / "tests").glob("test_*.py"):
        if path.name != "test_01_hello.py":
            path.unlink()
    return image.top


def reference() -> dict[str, str]:
    return {path.name: path.read_text() for path in (REPO / "labs" / "01-tcp-echo").glob("*.[ch]")}


def test_a_submission_that_is_right_gets_all_points(image: Image) -> None:
    image.configure("jobs 2")
    image.submit(reference())
    done, results = image.grade()
    assert done.returncode == 0, done.stdout + done.stderr
    jsonschema.validate(results, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert results["score"] == results["extra_data"]["max_score"] > 0
    assert {test["status"] for test in results["tests"]} == {"passed"}
    assert results["stdout_visibility"] == "hidden" and results["execution_time"] > 0
    assert results["extra_data"]["id"] == 123456
    assert "01-tcp-echo" in done.stdout  # the table, for the instructor
    assert "Gradescope's assignment has 10 points" in done.stdout


def test_scores_are_scaled_and_tests_hidden_as_the_instructor_says(image: Image) -> None:
    image.configure("points 10", "stdout visible", "hidden hello_server")
    image.submit({**reference(), "hello_server.c": EMPTY}, folder="echo")
    done, results = image.grade()
    assert done.returncode == 0, done.stdout + done.stderr
    jsonschema.validate(results, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert 0 <= results["score"] < 10 and results["stdout_visibility"] == "visible"
    assert {test["visibility"] for test in results["tests"]} == {"hidden"}
    assert "output" not in results  # it would tell the score
    assert "Gradescope's assignment has" not in done.stdout


@pytest.mark.parametrize("limits", LIMITS)
def test_where_nothing_can_be_sandboxed_there_is_no_score_and_one_message(
    image: Image, limits: str
) -> None:
    image.configure()
    image.submit(reference())
    done, results = image.grade(limits=limits)
    assert (done.returncode, results) == (3, None)
    assert "user namespaces" in done.stderr and "not graded" in done.stdout


@pytest.mark.parametrize("break_it", [
    lambda image: (image.source / "harness/labcap/labcap").rename(image.top / "gone"),
    lambda image: image.configure("jobs many"),
    lambda image: (image.source / "gradescope/config").unlink(),
    lambda image: shutil.rmtree(image.top / "submission"),
    lambda image: image.configure("hidden test_that_is_not_there"),
])
def test_a_broken_autograder_gives_no_results(image: Image, break_it: Any) -> None:
    image.configure()
    image.submit({"hello_server.c": EMPTY})
    try:
        break_it(image)
        done, results = image.grade()
    finally:
        if (image.top / "gone").exists():
            (image.top / "gone").rename(image.source / "harness/labcap/labcap")
    assert (done.returncode, results) == (3, None), done.stdout
    assert done.stderr.count("\n") == 1 and "not graded: Gradescope is given no" in done.stdout


# -- What is packed ------------------------------------------------------------


def test_the_zip_holds_what_one_lab_needs_and_no_more(tmp_path: Path) -> None:
    pack("03-udp", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        assert "\nlab 03 " in archive.read("gradescope/config").decode()
        assert not [name for name in modes if archive.read(name)[:4] == b"\x7fELF"
                    or Path(name).suffix in (".o", ".a", ".d", ".pyc")]
    assert modes["setup.sh"] & 0o111 and modes["run_autograder"] & 0o111
    assert modes["harness/grade"] == 0o100755 and modes["harness/pytest.ini"] == 0o100644
    assert {name.split("/")[1] for name in modes if name.startswith("labs/")} == {"03-udp"}
    tests = [name for name in modes if name.startswith("harness/tests/test_")]
    assert tests and all(name.startswith("harness/tests/test_03_") for name in tests)
    assert not [name for name in modes if "selftest" in name or "__pycache__" in name]


def test_the_same_is_packed_into_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        pack("02-p2p-chat", tmp_path / name)
        with zipfile.ZipFile(tmp_path / name) as archive:  # whenever it is packed
            assert {info.date_time[0] for info in archive.infolist()} == {1980}
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("arguments, words", [
    ([], "which LAB?"), (["09"], "no lab '09'"), (["01", "-o", ""], "no folder is named"),
])
def test_a_wrong_call_is_2_and_one_line(arguments: Sequence[str], words: str) -> None:
    done = subprocess.run([paths.HARNESS / "command", "labkit.gradescope.pack", *arguments],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr


# -- The configuration ---------------------------------------------------------


def test_the_configuration_that_is_shipped_says_a_lab_and_nothing_else() -> None:
    text = (REPO / "gradescope" / "config").read_text()
    for lab in ("01", "04"):
        config = config_of(with_lab(text, lab))
        assert (config.lab, config.points, config.jobs, config.stdout, list(config.rules)) == (
            lab, None, None, "hidden", [])


def test_what_it_shows_as_examples_is_understood() -> None:
    text = (REPO / "gradescope" / "config").read_text().replace("\n# points", "\npoints")
    text = text.replace("\n# jobs", "\njobs").replace("\n# stdout", "\nstdout")
    config = config_of(text.replace("\n# hidden", "\nhidden").replace("\n# after", "\nafter"))
    assert (config.points, config.jobs, config.stdout) == (100, 3, "visible")
    assert [rule.visibility for rule in config.rules] == ["hidden", "after_due_date"]


@pytest.mark.parametrize("text, words", [
    ("", "which lab"), ("lab", "which lab"), ("lab 01\nlab 02", "more than one line says 'lab'"),
    ("lab 01\npoints -3", "points '-3'"), ("lab 01\nstdout never", "stdout 'never'"),
    ("lab 01\n\nhide test_x", "line 3: no rule like"),
])
def test_a_configuration_that_is_not_right_is_told(text: str, words: str) -> None:
    with pytest.raises(UsageProblem, match=words):
        config_of(text)


def test_metadata_that_cannot_be_read_costs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    from labkit.gradescope.run import _metadata

    assert _metadata(Path("/nowhere")) == {}
    assert "submission_metadata.json" in capfd.readouterr().out
