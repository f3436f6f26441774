"""The ladders in the documents: drawn by labcap from the traces in docs/traces.

    harness/python docs/refresh.py            draws every block anew
    harness/python docs/refresh.py --check    names the files that are not current, exit 1
    harness/python docs/refresh.py --record   records the traces themselves anew, then draws

A block stands between `<!-- trace: NAME -->` and `<!-- end trace -->`, in any Markdown
file of the repository; NAME.pcapng is its trace.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable

REPO = Path(__file__).resolve().parent.parent
TRACES = REPO / "docs" / "traces"
sys.path.insert(0, str(REPO / "harness"))

from labkit import sandbox  # noqa: E402
from labkit.paths import LABCAP, LABS  # noqa: E402
from labkit.scenario import Scenario  # noqa: E402

_BLOCK = re.compile(r"(<!-- trace: (\S+) -->\n).*?(<!-- end trace -->)", re.DOTALL)


def draw(name: str) -> str:
    """The ladder of one trace, 80 columns wide, without colour."""
    environment = {**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([LABCAP, "show", TRACES / f"{name}.pcapng", "--color", "never"],
                          env=environment, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def drawn_anew(text: str) -> str:
    """TEXT with the current ladder in each of its blocks."""
    return _BLOCK.sub(lambda m: f"{m[1]}```text\n{draw(m[2])}\n```\n{m[3]}", text)


def documents() -> list[Path]:
    """The Markdown files that hold a block."""
    found = [*REPO.glob("*.md"), *REPO.glob("docs/**/*.md"), *REPO.glob("labs/*/*.md")]
    return sorted(path for path in found if _BLOCK.search(path.read_text("utf-8")))


def record_echo_hello(lab: Scenario) -> None:
    """The echo pair: one line typed, echoed and read, then the end of input."""
    lab.start_server("server", port=4321)
    client = lab.start("client")
    client.write(b"hello\n")
    lab.expect_output(client, b"hello\n")
    client.close_stdin()
    lab.expect_exit(client, 0)
    lab.expect_orderly(6, 6)


RECORDED: dict[str, tuple[str, Callable[[Scenario], None]]] = {
    "echo-hello": ("01-tcp-echo", record_echo_hello),
}


def record() -> None:
    """Runs each scenario of RECORDED with the built programs of labs/."""
    with sandbox.workspace() as work:
        for name, (lab_name, scenario) in RECORDED.items():
            lab = Scenario(work, lambda p, n=lab_name: LABS / n / p, TRACES / f"{name}.pcapng")
            try:
                scenario(lab)
            finally:
                lab.close()


def main() -> int:
    if sys.argv[1:] == ["--record"]:
        record()
    elif sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = [path for path in documents()
             if path.read_text("utf-8") != drawn_anew(path.read_text("utf-8"))]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path.relative_to(REPO)}: a ladder is not current; run docs/refresh.py")
        else:
            path.write_text(drawn_anew(path.read_text("utf-8")), "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
