"""Watchdog: say what changes, and when the focuser cannot be used. Runs until Ctrl-C, on any machine.

watchdog.py CONFIGURATION [SECONDS_BETWEEN_LOOKS]
"""

from __future__ import annotations

import sys
import time

from rockit.focuser.ok3z import CallError, ConfigError, Status, connect

# At rest the position is read once a second.
STALE_S = 10.0


def look(configuration: str) -> str:
    """One line, which stays the same as long as nothing changes."""
    try:
        return described(connect(configuration).status())
    except CallError as error:
        # That says nothing about the motor, which goes on as it was told.
        return f"ALARM: no status. {error}"


def described(status: Status) -> str:
    if status.reading_age_s is not None and status.reading_age_s > STALE_S:
        return "ALARM: the position is not read any more"
    if status.idle:
        return f"ok: at {status.current_mm} mm"
    if status.moving:
        return f"ok: {status.state or status.label}"
    return f"ALARM: {status.label}. {status.reason or status.state}"


def main() -> int:
    configuration, *rest = sys.argv[1:]
    said = ""
    try:
        while True:
            line = look(configuration)
            if line != said:
                print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), line, flush=True)
                said = line
            time.sleep(float(rest[0]) if rest else 10.0)
    except ConfigError as error:
        print(f"ended: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
