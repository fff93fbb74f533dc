"""What the daemon costs while nobody calls and nothing moves: processor time and memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.figures import Bound, Figure
from bench.rig import Rig, rig

PART = "At rest"
CPU_TARGET = Bound(0.5, "of one core")
MEMORY_TARGET = Bound(45.0, "resident memory of the process")
# What an initialisation leaves to be done is done by then.
SETTLE_S = 3.0
PIECES = 5
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# In /proc/PID/stat, counted from the state, which follows the name in parentheses.
USER_TICKS_FIELD, SYSTEM_TICKS_FIELD = 11, 12


def measure(seconds: float) -> list[Figure]:
    """Watch a homed daemon at rest for so many seconds."""
    with rig() as ready:
        ready.expect("initialize")
        time.sleep(SETTLE_S)
        cpu_percent = [_cpu_percent(ready, seconds / PIECES) for _ in range(PIECES)]
        taken = ready.usage()
    mean_percent = sum(cpu_percent) / PIECES
    tick_percent = 100 / TICKS_PER_S / seconds
    return [
        Figure(
            PART,
            f"processor time over {seconds:.0f} s (counted in {tick_percent:.3f} %)",
            "%",
            [mean_percent],
            target=CPU_TARGET,
        ),
        Figure(PART, "memory, resident (VmRSS)", "MB", [taken.rss_mb], target=MEMORY_TARGET),
        Figure(PART, "memory, resident at most (VmHWM)", "MB", [taken.hwm_mb]),
        Figure(PART, "memory, proportional (Pss)", "MB", [taken.pss_mb]),
        Figure(PART, "threads", "", [taken.threads]),
        Figure(PART, "open files", "", [taken.files]),
    ]


def _cpu_percent(ready: Rig, seconds: float) -> float:
    began_s, began_cpu_s = time.monotonic(), cpu_s(ready.pid)
    time.sleep(seconds)
    return 100 * (cpu_s(ready.pid) - began_cpu_s) / (time.monotonic() - began_s)


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[USER_TICKS_FIELD]) + int(fields[SYSTEM_TICKS_FIELD])) / TICKS_PER_S
