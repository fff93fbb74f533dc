"""What a run was made on, so that its figures mean something: the machine, the software, and what else ran."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import Pyro4

from rockit.focuser.ok3z.version import VERSION

PROJECT = Path(__file__).parents[1]


def conditions() -> dict[str, str]:
    """Asked before the first measurement."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "focusd": f"{VERSION}, commit {_commit()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}, Pyro4 {Pyro4.__version__}",
        "processor": f"{os.cpu_count()} cores, {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "load average before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "controller": "ok3z-simulator on a pseudo-terminal, 38400 baud paced, time not scaled; sim:// is not used",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        return (
            f"{commit} and changes since" if _git("status", "--porcelain", "--", "src", "common") else commit
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    command = ["git", "-C", str(PROJECT), "--no-optional-locks", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
