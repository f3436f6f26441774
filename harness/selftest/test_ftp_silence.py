"""A silent client of the FTP server is told 421 after 300 s: here the same with 1 s."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ftp_tools
from inside import dial
from labkit.paths import LABS
from meeting import LAB, meeting
from workbench import Benches

SOURCE = LABS / LAB / "session.c"
SECONDS = re.compile(r"\bSILENCE = (\d+)\b")


def test_the_server_waits_for_300_seconds() -> None:
    assert SECONDS.findall(SOURCE.read_text()) == ["300"]


@pytest.mark.parametrize("said, answers", [
    (b"", 1), (b"USER ann\r\nPASS se:cret\r\n", 3), (b"NOO", 1)],
    ids=["not-logged-in", "logged-in", "half-a-line"])
def test_silence_is_answered_with_421(
    benches: Benches, tmp_path: Path, said: bytes, answers: int
) -> None:
    bench = benches(LAB)
    impatient = bench.work / "impatient"
    if not impatient.is_dir():
        bench.variant("impatient", ["server"], SOURCE.name,
                      SECONDS.sub("SILENCE = 1", SOURCE.read_text()))
    with meeting(bench.work, tmp_path / "trace.pcapng", impatient) as lab:
        server = ftp_tools.start_ours(lab, lab.folder(), "127.0.0.1").program
        assert server is not None
        lab.be_patient(5)
        before = lab.footprint(server)
        lab.ready()
        with dial(lab, ftp_tools.PORT) as client:
            client.sendall(said)
            with client.makefile("rb") as replies:
                codes = [line[:3] for line in replies]
        assert len(codes) == answers + 1 and codes[-1] == b"421"
        lab.expect_back_to(server, before)
        lab.expect_packets("connections=1", "teardown.kind=fin", "teardown.first_closer=server")
