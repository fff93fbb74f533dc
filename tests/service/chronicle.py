"""The history of a rig, and the truth beside it: when the true motor and the true carriage moved, sample by sample."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable

from rockit.focuser.ok3z.service.moved import Verdict, judge
from rockit.focuser.ok3z.storage.history_file import HistoryFile, Motion

BOOT = "the rig's boot"


class FileLedger:
    """Keeps rows as the store does, and at once."""

    def __init__(self, file: HistoryFile) -> None:
        self.file = file
        self.is_lost = False
        """Whether the disk takes nothing now."""

    def put(self, row: Any) -> None:
        if not self.is_lost:
            self.file.write([row])

    def ask(self, question: Callable[[HistoryFile], Any]) -> Future[Any]:
        asked: Future[Any] = Future()
        asked.set_result(question(self.file))
        return asked


class Chronicle:
    """Keeps the history of a rig in a file, and notes what truly moved.

    Args:
        rig: from `make_rig`; a new process begins on it.
        folder: for the file.
    """

    def __init__(self, rig: Any, folder: Path) -> None:
        self.rig = rig
        self._path = folder / "history.sqlite"
        self._samples: list[tuple[float, float, float]] = []
        self._sleep = rig.clock.sleep
        rig.clock.sleep = self._slept
        self.ledger: FileLedger | None = None
        self.begin()

    def begin(self) -> None:
        """A new process begins on the rig, and on its history."""
        self.close()
        self.ledger = FileLedger(HistoryFile(self._path, "3.0", self.rig.history.moment(), BOOT))
        self.rig.ledger = self.ledger
        self.rig.start_process()
        self.sample()

    def kill(self) -> None:
        """The process ends without a word, and another begins."""
        self.rig.kill_process()
        self.begin()

    def close(self) -> None:
        if self.ledger is not None:
            self.ledger.is_lost = True
            self.ledger.file.close()

    @property
    def now_s(self) -> float:
        """The time of day, as nobody has ever set it."""
        return float(self.rig.history.moment().utc_s - self.rig.late_clock.set_s)

    def sample(self) -> None:
        model = self.rig.model
        sample = (self.now_s, model.motor_mm, model.carriage_mm)
        if not self._samples or sample[1:] != self._samples[-1][1:] or len(self._samples) < 2:
            self._samples.append(sample)
        else:
            # Of a stay the last sample tells, behind the one that began it.
            stays = self._samples[-2][1:] == sample[1:]
            self._samples[-1:] = [sample] if stays else [self._samples[-1], sample]

    def _slept(self, seconds: float) -> None:
        self._sleep(seconds)
        self.sample()

    def by_hand(self, mm: float, **how: bool) -> None:
        """Somebody moves it, at once or with the controller."""
        self.sample()
        self.rig.model.hand(mm, **how)
        self.sample()

    def truly_moved(self, begin_s: float, end_s: float) -> bool:
        """Whether something certainly moved between two moments."""
        return any(
            begin_s <= one[0] and other[0] <= end_s and one[1:] != other[1:]
            for one, other in zip(self._samples, self._samples[1:])
        )

    def judge(self, begin_s: float, end_s: float) -> Verdict:
        """What the history says."""
        assert self.ledger is not None
        return judge(self.ledger.file, self.rig.history.now, begin_s, end_s)

    def moved(self, begin_s: float, end_s: float) -> str:
        return self.judge(begin_s, end_s).moved

    def rows(self, *kinds: str) -> list[Motion]:
        """All rows, or those of some kinds."""
        assert self.ledger is not None
        rows = self.ledger.file.rows(0.0, 4e9, 10_000)
        return [row for row in rows if not kinds or row.kind in kinds]
