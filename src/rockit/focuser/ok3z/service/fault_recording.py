"""Faults leave a recording of the wire behind, once the motor stands."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import asdict
from datetime import datetime
from typing import Callable, Protocol

from ..driver.recorder import Recorder, Recording
from ..storage.state_file import Entry


class Archive(Protocol):
    """Where recordings are kept. Nothing of it raises or waits. See `recordings.Recordings`."""

    def keep(self, recording: Recording, why: str) -> Future[str]:
        """Write a recording. Gives the name of its file when it is written; or an OSError, why there is none."""


class _NoArchive:
    def keep(self, recording: Recording, why: str) -> Future[str]:  # noqa: ARG002
        nothing: Future[str] = Future()
        nothing.set_exception(OSError("there is no folder for recordings."))
        return nothing


NO_ARCHIVE = _NoArchive()


class FaultRecording:
    """Belongs to the thread that owns the port, but for `keep`.

    Args:
        recorder: has the last frames.
        archive: keeps them.
        utc_now: the time of day.
    """

    def __init__(self, recorder: Recorder, archive: Archive, utc_now: Callable[[], datetime]) -> None:
        self._recorder = recorder
        self._archive = archive
        self._utc_now = utc_now
        self._fault = ""

    def asked(self, command: str, left: Entry, **details: object) -> None:
        """A command begins. With how the focuser was left, a recording can be replayed from there.

        Args:
            details: what it was asked with; numbers, texts and None.
        """
        known = {
            name: value
            for name, value in asdict(left).items()
            if name not in ("port", "homed_at", "target_mm")
        }
        self._recorder.asked(json.dumps({"command": command, **details, "left": known}))

    def conclude(self, sentence: str) -> None:
        """This was concluded from the last frames."""
        self._recorder.concluded(sentence)

    def fault(self, sentence: str) -> None:
        """Something went wrong. Of several before the motor stands the first says why."""
        self._recorder.concluded(f"fault: {sentence}")
        self._fault = self._fault or sentence

    def stands(self) -> None:
        """The motor stands: there is time for a recording, if there was a fault."""
        if self._fault:
            self.keep(self._fault)
            self._fault = ""

    def keep(self, why: str) -> Future[str]:
        """Have the last frames kept. Any thread."""
        return self._archive.keep(self._recorder.recording(self._utc_now()), why)
