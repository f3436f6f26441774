"""run_autograder: grades the submission that Gradescope has laid out, and gives it the results.

Gradescope takes whatever has no score for a zero. So it is given results only where every test
was judged: otherwise there is no results.json, it says that the autograder failed, and no score
is entered. Why is on stdout, which instructors see.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Optional, Sequence

from labkit import asked, grade
from labkit.feedback import HarnessError, clean_line
from labkit.gradescope.config import CONFIG, Config, config_of
from labkit.grading import HIDDEN, VISIBLE
from labkit.outputs.whole import write_whole
from labkit.results import RESULTS

_TOP = Path("/autograder")
_FOLDERS = 3
"""How deep in folders of their own a submission's files may lie."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = sys.argv[1:] if argv is None else list(argv)
    top = Path(args[0]) if args else _TOP
    status = asked.exit_status("run_autograder", lambda: _run(top))
    if status not in (asked.OK, asked.SOME_FAILED):
        asked.say("not graded: Gradescope is given no results, and so no score. This is no fault "
                  "of the submission.\nOnce it is repaired, run the autograder again.\n")
        return asked.HARNESS_FAILED
    return asked.OK


def _run(top: Path) -> int:
    """Grades, and writes TOP/results/results.json. Raises UsageProblem or HarnessError."""
    results, out = top / "results" / RESULTS, top / "grade"
    try:
        results.unlink(missing_ok=True)
        config = config_of((top / "source" / CONFIG).read_text("utf-8"))
        rules = top / "visibility"
        rules.write_text("".join(f"{rule.visibility} {rule.pattern}\n" for rule in config.rules))
        words = [config.lab, "-s", str(_sources(top / "submission")), "-o", str(out),
                 "--visibility", str(rules), *([f"-j{config.jobs}"] if config.jobs else []),
                 *([] if config.stdout == HIDDEN else ["--for-students"])]
        status = grade.main(words)
        if status not in (asked.OK, asked.SOME_FAILED):
            return status  # and it has said why
        told = _for_gradescope(json.loads((out / RESULTS).read_text("utf-8")), config,
                               _metadata(top))
        write_whole(results, json.dumps(told, indent=1) + "\n")
        return status
    except OSError as error:
        raise HarnessError(f"{error.filename}: {error.strerror}") from error


def _sources(folder: Path) -> Path:
    """Where in FOLDER the submission's files are: a student may have zipped a folder of them."""
    for _ in range(_FOLDERS):
        entries = [entry for entry in folder.iterdir()
                   if entry.name != "__MACOSX" and entry.name[0] != "."]
        if len(entries) != 1 or entries[0].is_symlink() or not entries[0].is_dir():
            break
        [folder] = entries
    return folder


def _for_gradescope(data: dict[str, Any], config: Config, metadata: dict[str, Any]
                    ) -> dict[str, Any]:
    """DATA, what harness/grade wrote, as CONFIG and Gradescope's METADATA want it."""
    score, of_points = data["score"], data["extra_data"]["max_score"]
    points = config.points or of_points
    if points != of_points:
        data["score"] = round(score * points / of_points, 2) if of_points else 0
        if all(test["visibility"] == VISIBLE for test in data["tests"]):
            note = (f"{score} of {of_points} points in the tests below make {data['score']:g} of "
                    f"{points}.")
            data["output"] = "\n\n".join([note, *filter(None, [data.get("output")])])
    data["stdout_visibility"] = config.stdout
    data["extra_data"].update({key: metadata[key] for key in ("id", "created_at")
                               if key in metadata})
    _compare_points(points, metadata)
    return data


def _compare_points(points: int, metadata: dict[str, Any]) -> None:
    """Says to the instructor where Gradescope expects other points: 'points' can be set."""
    try:
        total = float(metadata["assignment"]["total_points"])
    except (KeyError, TypeError, ValueError):
        return
    if total < points:
        asked.say(f"Gradescope's assignment has {total:g} points, these tests have {points}: "
                  f"'points {total:g}' in {CONFIG} makes them fit.\n")


def _metadata(top: Path) -> dict[str, Any]:
    """What Gradescope says about the submission; nothing rests on it."""
    try:
        data = json.loads((top / "submission_metadata.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        asked.say(f"submission_metadata.json: {clean_line(str(error))}\n")
        return {}
    return data if isinstance(data, dict) else {}
