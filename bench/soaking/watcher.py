"""A client that asks for the status all the time, between two looks at the truth."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.rig import CALL_ERRORS, Rig

from . import judge
from .ledger import Ledger
from .truth import Truth

PERIOD_S = 0.05
STATUS_S = 5.0
UNREACHABLE_S = 0.1
# Some seconds.
KEPT_LOOKS = 200


class Allowances:
    """What may be otherwise just now, because it was made so: by the names of invariants."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: Counter[str] = Counter()
        self._ended_s: dict[str, float] = {}

    @contextmanager
    def granted(self, *names: str) -> Iterator[None]:
        with self._lock:
            self._active.update(names)
        try:
            yield
        finally:
            with self._lock:
                self._active.subtract(names)
                self._ended_s.update(dict.fromkeys(names, time.monotonic()))

    def apply_since(self, name: str, since_s: float) -> bool:
        """Whether something was allowed at any time since a moment of the monotonic clock."""
        with self._lock:
            return self._active[name] > 0 or self._ended_s.get(name, -math.inf) >= since_s


class Watcher:
    """Asks and judges on a thread of its own, until `close`."""

    def __init__(self, rig: Rig, ledger: Ledger, allowances: Allowances) -> None:
        self._rig = rig
        self._ledger = ledger
        self._allowances = allowances
        self._looks: deque[Truth] = deque(maxlen=KEPT_LOOKS)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher")
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            self._watch_on()
        except Exception as error:
            # Without it the run would go on, and judge nothing.
            self._ledger.check("health", f"the status could not be judged any more: {error!r}")

    def _watch_on(self) -> None:
        while not self._is_over.is_set():
            try:
                with self._rig.proxy(STATUS_S) as proxy:
                    while not self._is_over.wait(PERIOD_S):
                        self._look(proxy)
            except CALL_ERRORS:
                # Killed, frozen or full: who did that looks after it.
                self._ledger.count("status calls without an answer")
                self._is_over.wait(UNREACHABLE_S)

    def _look(self, proxy: Any) -> None:
        began_s = time.monotonic()
        before = Truth.of(self._rig)
        report = proxy.report_status()
        after = Truth.of(self._rig)
        self._looks += (before, after)
        self._ledger.count("status calls")
        if report["state"] == "fault":
            self._ledger.check("health", f"the daemon says that its thread hangs: {report}")
        judgements = {
            "idle": judge.idle(before, report, after),
            "position": judge.position(list(self._looks), report),
        }
        for invariant, judgement in judgements.items():
            if judgement is judge.Open.NOT_SAID:
                continue
            if judgement is judge.Open.UNDECIDED or self._allowances.apply_since(invariant, began_s):
                self._ledger.leave_open(invariant)
            else:
                self._ledger.check(invariant, judgement)
