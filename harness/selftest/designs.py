"""Correct programs of other designs than the lab's own: where they are, how they are built."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from known_wrong import CORRECT
from workbench import Workbench

from labkit.build import PROGRAMS, build


def designs_of(lab: str) -> list[Path]:
    """LAB's: each a folder with the C file of one program, or of several."""
    return [folder for folder in sorted((CORRECT / lab).glob("*")) if folder.is_dir()]


@functools.lru_cache(maxsize=None)
def programs_of(design: Path) -> list[str]:
    return [name for name in PROGRAMS[design.parent.name] if (design / f"{name}.c").is_file()]


def build_design(bench: Workbench, design: Path) -> Path:
    """The new folder in which DESIGN has been built, as grading builds a submission.

    The lab's own programs are there in place of those that the design has not.
    """
    with tempfile.TemporaryDirectory() as submission:
        for source in (*design.parent.glob("*.h"), *design.iterdir()):
            shutil.copy(source, submission)
        work = bench.folder(f"build-{design.name}")
        shutil.copytree(bench.work / "run", work / "run")  # what a sandbox.workspace() has
        done = build(bench.lab, Path(submission), work, reference=False)
    assert list(done.programs) == programs_of(design), done.log
    assert "warning" not in done.log, done.log
    for name in set(bench.programs) - set(done.programs):
        shutil.copy2(bench.reference / name, done.folder)
    return done.folder
