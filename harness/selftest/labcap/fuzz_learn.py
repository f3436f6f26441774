"""Keeps of what `make fuzz` has learned the few small inputs that show labcap's code most new ways.

usage: fuzz_learn.py TARGET...     writes harness/labcap/fuzz/learned/TARGET, for fuzz_seeds.py

What the seeds made there take is taken for granted; of out/fuzz/TARGET/corpus those inputs stay
that libFuzzer needs to take every other branch that one of them takes. Needs the fuzz target as
`make fuzz` has built it.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz_seeds import LEARNED, TARGETS, made_seeds

LABCAP_DIR = LEARNED.parents[1]
CORPORA = LABCAP_DIR.parents[1] / "out" / "fuzz"
SIZES = {"file": 300, "calls": 300}
LARGEST = 120  # bytes of an input that is kept, where SIZES does not say


def learn(target: str, folder: Path) -> None:
    """Write what is kept for this target; `folder` is empty, and for whatever comes on the way."""
    made, small = folder / "made", folder / "small"
    made_seeds(made)
    small.mkdir()
    for path in (CORPORA / target / "corpus").iterdir():
        if path.stat().st_size <= SIZES.get(target, LARGEST):
            shutil.copy(path, small)
    before = {path.name for path in (made / target).iterdir()}
    subprocess.run(
        [LABCAP_DIR / f"fuzz-{target}", "-set_cover_merge=1", "-use_counters=0", "-close_fd_mask=3",
         made / target, small],
        check=True,
    )  # fmt: skip
    kept = [path.read_bytes() for path in (made / target).iterdir() if path.name not in before]
    kept.sort(key=lambda content: (len(content), content))
    LEARNED.mkdir(exist_ok=True)
    (LEARNED / target).write_text("".join(f"{base64.b64encode(c).decode()}\n" for c in kept))
    print(f"{target}: {len(kept)} inputs, {sum(map(len, kept))} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 2 or not set(sys.argv[1:]) <= set(TARGETS):
        sys.exit(f"usage: fuzz_learn.py TARGET...   ({', '.join(TARGETS)})")
    for name in sys.argv[1:]:
        with TemporaryDirectory() as temporary:
            learn(name, Path(temporary))
