"""One graded test's world, and what a test can do and ask in it: pytest gives it as `lab`.

Each module is one room of it: world.py what all stand in, programs.py and listening.py the
submission's programs, files.py the folders they work in, output.py what they print, refusals.py
how they say that they cannot begin, costs.py what they use, peers.py and datagrams.py the
test's own side, faults.py the network between them, wire.py the verdict on the recording.
"""

from __future__ import annotations

from labkit.scenario.costs import Costs, Footprint
from labkit.scenario.datagrams import Datagrams
from labkit.scenario.faults import Faults
from labkit.scenario.files import Files
from labkit.scenario.peers import Peers
from labkit.scenario.reach import Reach
from labkit.scenario.refusals import Refusals
from labkit.scenario.wire import Wire
from labkit.scenario.world import DEADLINE, STALL

__all__ = ["DEADLINE", "STALL", "Footprint", "Scenario"]


class Scenario(Reach, Datagrams, Refusals, Files, Costs, Peers, Faults, Wire):
    """Everything a graded test starts and asks.

    Whatever the submission does wrong is raised as Mismatch; what goes wrong in the
    harness itself as HarnessError or any other exception.
    """
