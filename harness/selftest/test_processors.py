"""A test and its programs have one processor, on which packets keep their order."""

from __future__ import annotations

import os

import pytest

from labkit import processors
from labkit.feedback import HarnessError
from labkit.labhost import Labhost
from labkit.scenario import world as world_module
from workbench import World, recorded_too


@recorded_too
def test_a_test_shares_one_processor_with_its_programs(world: World) -> None:
    before = os.sched_getaffinity(0)
    lab = world(prog="exec grep Cpus_allowed_list: /proc/self/status")
    during = os.sched_getaffinity(0)
    program = lab.start("prog")
    lab.expect_exit(program)
    lab.close()
    [mine] = during
    assert program.stdout.split() == [b"Cpus_allowed_list:", str(mine).encode()]
    assert os.sched_getaffinity(0) == before


def test_a_test_within_a_test_gives_all_processors_back(world: World) -> None:
    before = os.sched_getaffinity(0)
    outer = world(prog="true")
    inner = outer.unrecorded()
    outer.close()
    inner.close()
    assert os.sched_getaffinity(0) == before


def test_what_makes_networks_has_one_processor_whoever_begins_it() -> None:
    before = os.sched_getaffinity(0)
    labhost = Labhost()
    try:
        assert len(os.sched_getaffinity(labhost.process.pid)) == 1
        assert os.sched_getaffinity(0) == before
    finally:
        labhost.end()


def test_a_processor_that_is_there_no_more_is_done_without(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.sched_getaffinity(0)
    monkeypatch.setattr(processors, "_ALL", {1 << 14})
    monkeypatch.setattr(processors, "_chosen", {os.getpid(): 1 << 14})
    processors.take_one()
    processors.take_all()
    assert os.sched_getaffinity(0) == before


def test_a_test_that_cannot_begin_gives_all_processors_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.sched_getaffinity(0)

    def fail(*_: object) -> None:
        raise HarnessError("no recording")

    monkeypatch.setattr(world_module, "Capture", fail)
    with pytest.raises(HarnessError, match="no recording"):
        world(prog="true")
    assert os.sched_getaffinity(0) == before
