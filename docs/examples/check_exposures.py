"""Pipeline check: say of each exposure whether the focuser moved during it.

check_exposures.py CONFIGURATION < EXPOSURES

Each line that is read has a name, the beginning and the end, in UTC: m31.fits 2026-11-22T20:00:00Z 2026-11-22T20:01:00Z
Each line that is written has the name, and no, yes or unknown, with the reason. It exits with 1 if one is not a no.
"""

from __future__ import annotations

import sys

from rockit.focuser.ok3z import CallError, ConfigError, connect


def main() -> int:
    (configuration,) = sys.argv[1:]
    doubtful = 0
    try:
        with connect(configuration) as focuser:
            for line in sys.stdin:
                name, begin, end = line.split()
                verdict = focuser.moved_between(begin, end)
                print(name, verdict["moved"], verdict["reason"], flush=True)
                doubtful += verdict["moved"] != "no"
    except (CallError, ConfigError) as error:
        print(f"ended: {error}", file=sys.stderr)
        return 1
    return 1 if doubtful else 0


if __name__ == "__main__":
    sys.exit(main())
