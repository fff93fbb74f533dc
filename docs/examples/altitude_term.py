"""Altitude term: correct the focus for how far the telescope's tube sags. Runs until Ctrl-C.

    altitude_term.py CONFIGURATION ALTITUDE_FILE MM_AT_HORIZON [SECONDS_BETWEEN_LOOKS]

The file holds one number, the altitude in degrees, which another program renews. At the zenith the term is 0. Moves,
filters and the temperature are none of its business: the daemon adds all of them up.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

from rockit.focuser.ok3z import BusyError, CallError, FocuserError, RemoteFocuser, connect

# Less is not worth a move.
SMALLEST_MOVE_MM = 0.005
# If this program dies, its correction ends by itself.
TTL_S = 7200.0


def altitude(path: Path) -> float | None:
    """None where there is none, as while it is being renewed."""
    try:
        degrees = float(path.read_text())
    except (OSError, ValueError):
        return None
    return degrees if 0 <= degrees <= 90 else None


def follow(focuser: RemoteFocuser, path: Path, mm_at_horizon: float, pause_s: float) -> None:
    said_mm, renewed_s = math.inf, 0.0
    while True:
        degrees = altitude(path)
        if degrees is not None:
            wanted_mm = round(mm_at_horizon * math.cos(math.radians(degrees)), 4)
            is_due = abs(wanted_mm - said_mm) >= SMALLEST_MOVE_MM
            if is_due or time.monotonic() >= renewed_s + TTL_S / 2:
                term_mm = wanted_mm if is_due else said_mm
                try:
                    focuser.set_term("altitude", term_mm, "altitude_term.py", TTL_S, timeout_s=60)
                except (BusyError, CallError) as error:
                    print(f"later: {error}", file=sys.stderr, flush=True)
                else:
                    said_mm, renewed_s = term_mm, time.monotonic()
                    if is_due:
                        print(f"at {degrees:g} degrees: {term_mm:+.4f} mm", flush=True)
        time.sleep(pause_s)


def main() -> int:
    configuration, file, mm_at_horizon, *rest = sys.argv[1:]
    try:
        with connect(configuration) as focuser:
            follow(focuser, Path(file), float(mm_at_horizon), float(rest[0]) if rest else 60.0)
    except FocuserError as error:
        # Trying again would not help: the wrong machine, the end of the range, a focuser that is not homed.
        print(f"ended: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
