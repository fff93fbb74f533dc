"""A journal, the disk that it is on, and what it says."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.storage import state_file, state_store
from rockit.focuser.ok3z.storage.outdated import Outdated
from rockit.focuser.ok3z.storage.state_store import Entry, StateStore
from tests.support.waiting import BOUND_S

# On a machine under load everything takes its time; a wait that ends by its patience only would take longer.
LONG_S = 60.0
NIGHT = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)


class Announcements:
    """What the journal has passed on."""

    def __init__(self) -> None:
        self._said: list[tuple[int, str]] = []
        self._arrived = threading.Condition()

    def __call__(self, level: int, sentence: str) -> None:
        with self._arrived:
            self._said.append((level, sentence))
            self._arrived.notify_all()

    @property
    def levels(self) -> list[int]:
        with self._arrived:
            return [level for level, _ in self._said]

    @property
    def sentences(self) -> list[str]:
        with self._arrived:
            return [sentence for _, sentence in self._said]

    def wait_for(self, count: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self._said) >= count, BOUND_S), self._said


class Disk:
    """The module `os` as the journal's files know it: calls can fail, or hang until they are let go."""

    def __init__(self) -> None:
        self.failing: dict[str, int] = {}
        self.hanging: dict[str, threading.Event] = {}
        self.hung = threading.Semaphore(0)
        self.calls: list[str] = []

    def fail(self, *names: str, number: int) -> None:
        self.failing = dict.fromkeys(names, number)

    def hang(self, name: str) -> threading.Event:
        self.hanging[name] = threading.Event()
        return self.hanging[name]

    def await_hanging(self) -> None:
        assert self.hung.acquire(timeout=BOUND_S)

    def release(self) -> None:
        for event in self.hanging.values():
            event.set()

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in ("open", "write", "read", "fsync", "replace", "unlink", "makedirs"):
            return real

        def call(*arguments: Any, **settings: Any) -> Any:
            self.calls.append(name)
            event = self.hanging.get(name)
            if event is not None and not event.is_set():
                self.hung.release()
                assert event.wait(BOUND_S)
            if name in self.failing:
                raise OSError(self.failing[name], os.strerror(self.failing[name]))
            return real(*arguments, **settings)

        return call


class Bench:
    """A state file, the disk that it is on, and journals that keep it one after the other."""

    entry = Entry("/dev/focuser", -4000, -14176, None, 2544, 10176, NIGHT)

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.disk = disk
        self.note = Outdated(None)
        self.announced = Announcements()
        self._journals: list[StateStore] = []

    def entry_at(self, register: int) -> Entry:
        """The entry of a focuser that was left at this register."""
        return replace(self.entry, register=register)

    def encoded(self, written_at: datetime = NIGHT) -> bytes:
        """The entry as it is in the file."""
        return state_file.encode(self.entry, "night", written_at)

    def journal(self) -> StateStore:
        """A journal on the file, as a daemon has it that was started anew."""
        self.end()
        self.announced = Announcements()
        self._journals.append(StateStore(self.path, self.announced, self.note))
        self._journals[-1].start()
        return self._journals[-1]

    def end(self) -> None:
        for kept in self._journals:
            kept.close()
            kept._thread.join(BOUND_S)
            assert not kept._thread.is_alive()
        self._journals.clear()

    def left(self) -> Entry | None:
        """What the next daemon finds."""
        kept = self.journal()
        with pytest.MonkeyPatch.context() as patch:
            # Also where a test has little patience.
            patch.setattr(state_store, "READ_PATIENCE_S", LONG_S)
            found = kept.read()
        assert kept.problem == ""
        return found

    def put(self, content: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(content)

    def beside(self) -> dict[str, bytes]:
        return {found.name: found.read_bytes() for found in self.path.parent.iterdir()}


@pytest.fixture(name="disk")
def fixture_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    monkeypatch.setattr(state_file, "os", disk)
    yield disk
    disk.release()


@pytest.fixture(name="bench")
def fixture_bench(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    # What is to happen in time has all the time it wants; what is to be given up is given up in these tests only.
    for name in ("READ_PATIENCE_S", "WRITE_PATIENCE_S", "CLOSE_PATIENCE_S", "RETRY_AFTER_S"):
        monkeypatch.setattr(state_store, name, LONG_S)
    bench = Bench(tmp_path / "state" / "focusd" / "night.json", disk)
    yield bench
    disk.release()
    bench.end()


@pytest.fixture(name="impatient")
def fixture_impatient(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("READ_PATIENCE_S", "WRITE_PATIENCE_S"):
        monkeypatch.setattr(state_store, name, 0.05)
