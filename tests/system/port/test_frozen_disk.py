"""A disk that is frozen, as for a snapshot of its volume: a thread that waits for it cannot be ended by anything."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import wait_until

MEGABYTE = 1 << 20


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        self._image = folder / "image"
        self._is_frozen = False

    def mount(self) -> None:
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(16 * MEGABYTE)
        self._run("mkfs.ext4", "-q", str(self._image))
        self._run("mount", "-o", "loop", str(self._image), str(self.path))

    def freeze(self) -> None:
        self._run("fsfreeze", "--freeze", str(self.path))
        self._is_frozen = True

    def thaw(self) -> None:
        if self._is_frozen:
            self._is_frozen = False
            self._run("fsfreeze", "--unfreeze", str(self.path))

    def unmount(self) -> None:
        self.thaw()
        if os.path.ismount(self.path):
            self._run("umount", "--lazy", str(self.path))

    @staticmethod
    def _run(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, timeout=20)


@pytest.fixture(name="disk")
def fixture_disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() or not shutil.which("fsfreeze"):
        pytest.skip("only root may freeze a disk, with fsfreeze")
    disk = Disk(tmp_path)
    try:
        disk.mount()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no disk can be made here: {error.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        disk.unmount()


def waits_for_the_disk(daemon: Any) -> bool:
    """Whether a thread of the daemon is in uninterruptible sleep."""
    states = []
    for task in Path(f"/proc/{daemon.popen.pid}/task").glob("*/stat"):
        # A thread may have ended meanwhile.
        with suppress(OSError):
            states.append(task.read_text().rpartition(") ")[2][:1])
    return "D" in states


def test_a_successor_starts_though_the_process_cannot_end(
    make_daemon: Any, make_simulator: Any, disk: Disk, tmp_path: Path
) -> None:
    simulator = make_simulator()
    daemon = make_daemon(**simulator.port, alpaca={})
    daemon.environment["STATE_DIRECTORY"] = str(disk.path)
    first = daemon.start()
    assert first.call("initialize") == 0
    disk.freeze()
    assert first.call("set_focus", 0.5) == 0
    first.wait_for(lambda _: waits_for_the_disk(first), "a thread that waits for the disk")
    with first.proxy() as held:
        assert held.report_status()["status"] == 1
        old = first.popen
        old.send_signal(signal.SIGTERM)
        first.wait_for_log("ending on SIGTERM")
        # Not by its end: that does not come before the disk is back.
        first.environment["STATE_DIRECTORY"] = str(tmp_path / "elsewhere")
        first.log_path = tmp_path / "successor.log"
        successor = first.start()
    assert old.poll() is None, "the kernel keeps it"
    assert successor.call("initialize") == 0, "the serial port is free as well"
    assert successor.call("set_focus", 0.2) == 0
    disk.thaw()
    assert old.wait(20) == 0


def test_only_the_history_waits_for_it(make_daemon: Any, make_simulator: Any, disk: Disk) -> None:
    simulator = make_simulator()
    daemon = make_daemon(**simulator.port)
    daemon.environment["STATE_DIRECTORY"] = str(disk.path)
    daemon.start()
    assert daemon.call("initialize") == 0
    disk.freeze()
    assert daemon.call("set_focus", 1.0) == 0
    assert daemon.call("stop") == 0
    now_s = time.time()
    assert daemon.call("moved_between", now_s - 5, now_s, timeout=5)["moved"] == "unknown"
    disk.thaw()
    wait_until(lambda: "move" in [row["kind"] for row in daemon.call("moves", 0, now_s + 60, 1000)])
    daemon.end()
