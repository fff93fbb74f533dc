"""Processes of a run: none outlives it, and what each takes of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

END_S = 5.0


def end_process(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    """End a process by a signal, by SIGKILL after END_S; its exit code. A process that was stopped is woken."""
    with suppress(ProcessLookupError):
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
    try:
        return process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(END_S)


@dataclass(frozen=True)
class Usage:
    """What a process holds: resident memory in kB, threads, open files."""

    memory_kb: int
    threads: int
    files: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Raises OSError where the process is gone."""
        status = Path(f"/proc/{pid}/status").read_text()
        values = dict(line.split(":", 1) for line in status.splitlines())
        files = len(os.listdir(f"/proc/{pid}/fd"))
        return cls(int(values["VmRSS"].split()[0]), int(values["Threads"]), files)
