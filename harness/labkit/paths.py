"""Where the parts of the suite lie in its folder."""

from __future__ import annotations

import os
from pathlib import Path

HARNESS = Path(__file__).resolve().parent.parent
REPO = HARNESS.parent
LABS = Path(os.environ.get("LABKIT_LABS", REPO / "labs"))
LABCAP = HARNESS / "labcap" / "labcap"
LABWIRE = HARNESS / "labwire" / "labwire"
LABHOST = HARNESS / "labbox" / "labhost"
LABINIT = HARNESS / "labbox" / "labinit"
OUT = REPO / "out"
