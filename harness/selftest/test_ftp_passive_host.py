"""A server that names a third host in its reply to PASV does not get our client to go there.

The RFCs allow to go, so no submission is judged by it; the lab's own client must not.
"""

from __future__ import annotations

from pathlib import Path

from labkit.ftp_user import finish, start
from labkit.ftp_wire import expect_connections
from meeting import LAB, meeting
from workbench import Benches

THIRD = "127.0.0.2"


def test_the_client_connects_to_the_server_and_nobody_else(
    benches: Benches, tmp_path: Path
) -> None:
    bench = benches(LAB)
    with meeting(bench.work, tmp_path / "trace.pcapng", bench.reference) as lab:
        use = start(lab, "get", "name")
        use.session.answers["EPSV"] = "500 Not understood."
        use.session.passive_host = THIRD
        lab.listen(use.session.passive_port, THIRD)
        use.session.until("RETR")
        use.session.send(b"all of it")
        finish(lab, use)
        use.folder.expect_file("name", b"all of it")
        flows = expect_connections(lab, *use.session.data)
        assert THIRD not in {flow["server"]["address"] for flow in flows if flow["type"] == "tcp"}
