"""A Pyro server that answers a made-up status, and nothing else: what no Pyro daemon can undercut.

    .venv/bin/python -m bench.bare_server

It prints its URI, and ends when its stdin does.
"""

from __future__ import annotations

import sys
import threading
from datetime import datetime, timezone

import Pyro4

from rockit.focuser.ok3z.servers.pyro import report
from rockit.focuser.ok3z.service.status import Snapshot, State

STANDS = Snapshot(state=State.IDLE, current_steps=10176, target_steps=10176)
REPORT = report(STANDS, reading_age_s=0.2, now=datetime(2026, 11, 22, 20, tzinfo=timezone.utc))


@Pyro4.expose
class Focuser:
    """Answers status calls."""

    def report_status(self) -> dict[str, object]:
        """Always the same."""
        return REPORT


def main() -> int:
    """Serve until stdin ends."""
    Pyro4.config.SERIALIZERS_ACCEPTED = {"serpent"}
    server = Pyro4.Daemon(host="127.0.0.1", port=0)
    print(server.register(Focuser(), "bare"), flush=True)
    serving = threading.Thread(target=server.requestLoop)
    serving.start()
    sys.stdin.read()
    server.shutdown()
    serving.join()
    server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
