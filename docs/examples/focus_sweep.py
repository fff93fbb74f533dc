"""Focus sweep: measure at positions from the outside to the inside, then go to the best one.

    focus_sweep.py CONFIGURATION FIRST_MM LAST_MM POSITIONS

There are at least two positions. Inward moves (FIRST_MM > LAST_MM) need no overshoot, so they are the fast ones.
"""

from __future__ import annotations

import sys

from rockit.focuser.ok3z import CallError, FocuserError, RemoteFocuser, connect


def measure(position_mm: float) -> float:
    """Stands for an exposure and its half-flux diameter: a star that is sharpest at 2.2 mm."""
    return 2.0 + abs(position_mm - 2.2)


def sweep(focuser: RemoteFocuser, first_mm: float, last_mm: float, positions: int) -> float:
    widths = {}
    for number in range(positions):
        asked_mm = first_mm + (last_mm - first_mm) * number / (positions - 1)
        focuser.move_to(asked_mm, timeout_s=120)
        widths[asked_mm] = measure(asked_mm)
        print(f"{asked_mm:.3f} mm: {widths[asked_mm]:.2f} px", flush=True)
    return min(widths, key=lambda asked_mm: widths[asked_mm])


def main() -> int:
    configuration, first_mm, last_mm, positions = sys.argv[1:]
    try:
        with connect(configuration) as focuser:
            focuser.initialize(resume=True)
            best_mm = sweep(focuser, float(first_mm), float(last_mm), int(positions))
            focuser.move_to(best_mm)
            print(f"best: {best_mm:.3f} mm, stands at {focuser.status().current_mm} mm")
    except CallError as error:
        # The daemon is away, or a move failed or took too long. The sentence says if it may still be moving.
        print(f"sweep ended early: {error}", file=sys.stderr)
        return 1
    except FocuserError as error:
        print(f"sweep refused: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
