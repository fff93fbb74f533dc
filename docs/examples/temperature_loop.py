"""Temperature loop: follow the telescope's temperature. Runs until Ctrl-C.

    temperature_loop.py CONFIGURATION TEMPERATURE_FILE MM_PER_DEGREE [SECONDS_BETWEEN_LOOKS]

The file holds one number, in degrees Celsius, which another program renews.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rockit.focuser.ok3z import (
    BusyError,
    CallError,
    DaemonUnreachableError,
    FocuserError,
    RemoteFocuser,
    connect,
)

# Less is not worth a move.
SMALLEST_MOVE_MM = 0.005


def temperature(path: Path) -> float | None:
    """None where there is none, as while it is being renewed."""
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None


def corrected(focuser: RemoteFocuser, distance_mm: float) -> bool:
    """Move; gives whether this correction is done with, and is not to be tried again."""
    try:
        # By a distance: whoever focuses in between is not undone.
        focuser.move_by(distance_mm, timeout_s=60)
    except (BusyError, DaemonUnreachableError) as error:
        print(f"later: {error}", file=sys.stderr, flush=True)
        return False
    except CallError as error:
        # Perhaps it has moved, in part or as a whole: to move again could be too much.
        print(f"lost {distance_mm:+.3f} mm: {error}", file=sys.stderr, flush=True)
    else:
        print(f"moved by {distance_mm:+.3f} mm", flush=True)
    return True


def follow(focuser: RemoteFocuser, path: Path, mm_per_degree: float, pause_s: float) -> None:
    corrected_for: float | None = None
    while True:
        now = temperature(path)
        if now is not None and corrected_for is None:
            corrected_for = now
            print(f"starts at {now} degrees", flush=True)
        elif now is not None and corrected_for is not None:
            distance_mm = (now - corrected_for) * mm_per_degree
            if abs(distance_mm) >= SMALLEST_MOVE_MM and corrected(focuser, distance_mm):
                corrected_for = now
        time.sleep(pause_s)


def main() -> int:
    configuration, file, mm_per_degree, *rest = sys.argv[1:]
    try:
        with connect(configuration) as focuser:
            follow(focuser, Path(file), float(mm_per_degree), float(rest[0]) if rest else 60.0)
    except FocuserError as error:
        # Trying again would not help: the wrong machine, the end of the range, a focuser that is not homed.
        print(f"ended: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
