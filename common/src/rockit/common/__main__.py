"""`python3 -m rockit.common`: show the phone book of this machine, or what is wrong with its site file."""

from __future__ import annotations

import sys

from .errors import SiteError


def main() -> int:
    """Print every machine and daemon; 1 if the site file cannot be used."""
    try:
        from . import phone_book
    except SiteError as error:
        print(error, file=sys.stderr)
        return 1
    print("Machines (rockit.common.IP):")
    for name, address in phone_book.MACHINES.items():
        print(f"  {name:<20} {address}")
    print("Daemons (rockit.common.daemons):")
    for name, daemon in phone_book.DAEMONS.items():
        print(f"  {name:<20} {daemon.uri}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
