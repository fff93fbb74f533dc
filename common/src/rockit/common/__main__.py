"""`python3 -m rockit.common`: show the phone book of this machine, or what is wrong with its site file.

With `--targets` it shows what Prometheus shall scrape, in the JSON of its `file_sd_configs`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from .errors import SiteError
from .registered_daemon import RegisteredDaemon

USAGE = "usage: python3 -m rockit.common [--targets]"


def main() -> int:
    """Print every machine and daemon, or the targets; 1 if the site file cannot be used, 2 for a wrong usage."""
    words = sys.argv[1:]
    if words not in ([], ["--targets"]):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        from . import phone_book
    except SiteError as error:
        print(error, file=sys.stderr)
        return 1
    if words:
        print(targets(phone_book.DAEMONS))
        return 0
    print("Machines (rockit.common.IP):")
    for name, address in phone_book.MACHINES.items():
        print(f"  {name:<20} {address}")
    print("Daemons (rockit.common.daemons):")
    for name, daemon in phone_book.DAEMONS.items():
        print(f"  {name:<20} {daemon.uri}")
    return 0


def targets(daemons: Mapping[str, RegisteredDaemon]) -> str:
    """The daemons that have a port for Prometheus, each with its name in the phone book as the label `focuser`."""
    import json

    listed = [
        {"targets": [f"{daemon.host}:{daemon.metrics_port}"], "labels": {"focuser": name}}
        for name, daemon in daemons.items()
        if daemon.metrics_port is not None
    ]
    return json.dumps(listed, indent=2)


if __name__ == "__main__":
    sys.exit(main())
