"""The files of a starter: a lab's own, but for the steps that are to be written."""

from __future__ import annotations

import textwrap
from typing import Collection, Iterable

from labkit.feedback import HarnessError
from labkit.handout import Told, title_of, told_of_steps
from labkit.paths import LABS
from labkit.starter.marks import ENDS, GOES_ON, SILENT, WAITS, Step, c_files, rewritten, steps

_WIDTH = 79
_TODO_H = "todo.h"
_TODO_H_TEXT = """\
/*
 * todo - says which steps are not written yet. When they all are, nothing
 * needs this file any more.
 */
#ifndef TODO_H
#define TODO_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Each program says its own name. */
extern const char program[];

enum { NOT_WRITTEN = 3 };               /* the exit status: no error's */

/* Says on stderr, once, that the step is not written yet. */
static inline void not_written_yet(int step, const char *title)
{
    static unsigned long long said;     /* a bit for each step */

    if ((said >> step & 1) == 0)
        fprintf(stderr, "%s: not written yet: step %d: %s\\n",
                program, step, title);
    said |= 1ULL << step;
}

#endif
"""

_AFTER_SAYING = {
    ENDS: "exit(NOT_WRITTEN);",
    WAITS: "for (;;)\n    pause();",
    GOES_ON: "",
}


def starter_files(lab: str, done: Collection[int] = ()) -> dict[str, str]:
    """The text of each file of LAB's starter, by name.

    done: the steps that are written already. Raises HarnessError.
    """
    told = told_of_steps(lab)
    found = steps(lab)
    if sorted(told) != sorted(step.number for step in found):
        raise HarnessError(f"{lab}: the handout tells of other steps than the sources have")
    left = {step.number for step in found} - set(done)
    files = {path.name: path.read_text() for path in sorted((LABS / lab).glob("*.h"))}
    files["Makefile"] = (LABS / lab / "Makefile").read_text()
    for path in c_files(lab):
        files[path.name] = _source(lab, path.name, told, left)
    files["README.md"] = _readme(lab, [step for step in found if step.number in left], told)
    if left:
        files[_TODO_H] = _TODO_H_TEXT
    return files


def _source(lab: str, file: str, told: dict[int, Told], left: Collection[int]) -> str:
    text = rewritten(lab, file, lambda step: _to_write(step, told[step.number])
                     if step.number in left else step.code)
    if not any(step.file == file and step.number in left for step in steps(lab)):
        return text
    last = text.rindex("\n#include ")
    behind = text.index("\n", last + 1) + 1
    return f'{text[:behind]}#include "{_TODO_H}"\n{text[behind:]}'


def _to_write(step: Step, told: Told) -> str:
    """What stands in the starter in place of a step's code."""
    said = f'not_written_yet({step.number}, "{told.name}");'
    lines = [] if step.then == SILENT else [said, *_AFTER_SAYING[step.then].splitlines()]
    until = textwrap.indent("".join(f"{line}\n" for line in lines), step.indent) + step.stub
    todo = ("TODO: write it here, in place of what stands here until then." if until
            else "TODO: write it here.")
    read = f"Read {told.read}." if told.read else ""
    comment = _comment([f"STEP {step.number}: {told.title}.", told.text, read,
                        f"Check: {_with_folder(told.check)}", todo], step.indent)
    return f"{comment}{until}{step.indent}/* END STEP {step.number} */\n"


def _with_folder(check: str) -> str:
    """The handout's CHECK of a step for programs that are not the lab's own."""
    return check.replace(" -k ", " -s FOLDER -k ")


def _comment(paragraphs: Iterable[str], indent: str) -> str:
    lines = [line for text in paragraphs
             for line in textwrap.wrap(text, _WIDTH - len(indent) - 3, break_on_hyphens=False)]
    if any("*/" in line for line in lines):
        raise HarnessError(f"this cannot stand in a comment: {lines}")
    return (f"{indent}/* " + f"\n{indent} * ".join(lines) + " */\n")


def _readme(lab: str, left: list[Step], told: dict[int, Told]) -> str:
    """Where to begin, and which step is where."""
    number = lab[:2]
    rows = "".join(f"| {step.number} | {told[step.number].title} | `{step.file}` |\n"
                   for step in sorted(left, key=lambda step: step.number))
    return f"""\
# {title_of(lab)}

This is where you begin. The handout, `labs/{lab}/README.md` in the suite's folder, tells what
each program is to do and what each step is about.

It builds already, with `make`, and each program runs up to the first step that is not written: then
it says so, and mostly ends. In the sources a step begins at `STEP n` and ends at `END STEP n`. Take
out what stands between them and write your own, in the order of the numbers. The suite tells
whether it is right. In the suite's folder, with this one as FOLDER:

```sh
harness/grade {number} -s FOLDER -k step_1        # the tests of step 1
make grade LAB={number} SUBMISSION=FOLDER         # all of them
make run LAB={number} SUBMISSION=FOLDER           # what your programs send
```

After each step some more tests pass. The tests of a step may need later steps, too, as they run
whole programs.

| step | what | where |
| ---: | --- | --- |
{rows}"""
