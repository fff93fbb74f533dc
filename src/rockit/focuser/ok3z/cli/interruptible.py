"""A call that moves the focuser, in a thread of its own, with Ctrl-C as the astronomer's stop button.

The main thread waits for events: the answer of the call, a signal, the answer of the stop. Signal handlers
only post an event, so no exception can strike between two steps.

SIGTERM counts as Ctrl-C: who ends the command wants its motion ended. SIGHUP, a lost ssh connection, is
left alone: it ends the command, and the daemon finishes the move within its limits.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable

from ..client.calls import CallError
from ..constants import CommandStatus

TICK_S = 0.1
# A motion that has not answered so long after a confirmed stop began after it: it is stopped again.
STOP_AGAIN_AFTER_S = 1.0
STOP_RETRY_AFTER_S = 0.3
STOP_ATTEMPTS = 3
# All of stopping. The halt itself takes tenths of a second.
STOP_PATIENCE_S = 15.0
# Between two looks for events there is a TICK_S. So much more tells of Ctrl-Z, or of a machine that slept.
SUSPENDED_S = 2.0


@dataclass(frozen=True)
class Answer:
    """How a call ended: with a CommandStatus, or with an error that says why there is none."""

    status: int
    error: CallError | None = None


@dataclass(frozen=True)
class Outcome:
    """How a motion ended: answered, or interrupted and then stopped for certain or not."""

    answer: Answer | None
    interrupted: bool = False
    stopped: bool = False
    gave_up: bool = False
    stop_answer: Answer | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the motion ran undisturbed to its target."""
        return not self.interrupted and self.answer == Answer(CommandStatus.Succeeded)


def run(move: Callable[[], int], stop: Callable[[], int], tick: Callable[[bool], None]) -> Outcome:
    """Call `move`, and `stop` when a signal asks for it; meanwhile `tick(stopping)` about every TICK_S."""
    return _Motion(move, stop, tick).run()


@dataclass(frozen=True)
class _Motion:
    move: Callable[[], int]
    stop: Callable[[], int]
    tick: Callable[[bool], None]
    events: queue.SimpleQueue[tuple[str, Any]] = field(default_factory=queue.SimpleQueue)

    def run(self) -> Outcome:
        with _signals_into(self.events):
            self._start("moved", self.move)
            while True:
                event, answer = self._next_event(stopping=False)
                if event == "moved":
                    return Outcome(answer)
                if event == "signal":
                    return self._stopped_outcome()

    def _stopped_outcome(self) -> Outcome:
        """Stop until both the stop and the motion have answered; say so if that cannot be had."""
        deadline_s = time.monotonic() + STOP_PATIENCE_S
        attempts_left = STOP_ATTEMPTS
        moved: Answer | None = None
        stop_answer: Answer | None = None
        stop_at_s = 0.0
        stop_runs = False
        looked_at_s = time.monotonic()
        while time.monotonic() < deadline_s:
            if not stop_runs and time.monotonic() >= stop_at_s:
                self._start("stopped", self.stop)
                stop_runs = True
            event, answer = self._next_event(stopping=True)
            gap_s = time.monotonic() - looked_at_s
            looked_at_s += gap_s
            if gap_s > SUSPENDED_S:
                # This process was suspended, and has waited for nothing meanwhile.
                deadline_s += gap_s
            if event == "signal":
                return Outcome(moved, interrupted=True, gave_up=True, stop_answer=stop_answer)
            if event == "moved":
                moved = answer
            elif event == "stopped":
                stop_runs, stop_answer = False, answer
                succeeded = answer.status == CommandStatus.Succeeded
                stop_at_s = time.monotonic() + (STOP_AGAIN_AFTER_S if succeeded else STOP_RETRY_AFTER_S)
                attempts_left -= not succeeded
            if stop_answer is None:
                continue
            if stop_answer.status == CommandStatus.Succeeded and moved is not None:
                return Outcome(moved, interrupted=True, stopped=True, stop_answer=stop_answer)
            if attempts_left == 0:
                break
        return Outcome(moved, interrupted=True, stop_answer=stop_answer)

    def _start(self, event: str, call: Callable[[], int]) -> None:
        def post_answer() -> None:
            try:
                self.events.put((event, Answer(call())))
            except CallError as error:
                self.events.put((event, Answer(error.status, error)))
            except BaseException as error:  # else the main thread would wait for ever
                self.events.put(("crashed", error))

        # A daemon thread: when the user gives up, the process ends without its answer.
        threading.Thread(target=post_answer, name=event, daemon=True).start()

    def _next_event(self, stopping: bool) -> tuple[str, Any]:
        while True:
            try:
                event, value = self.events.get(timeout=TICK_S)
            except queue.Empty:
                self.tick(stopping)
                if stopping:
                    return "tick", None
                continue
            if event == "crashed":
                raise value
            return event, value


@contextmanager
def _signals_into(events: queue.SimpleQueue[tuple[str, Any]]) -> Iterator[None]:
    """SIGINT and SIGTERM as events, unless the caller has them ignored (as a shell does for `focus … &`)."""

    def post(number: int, _frame: object) -> None:
        events.put(("signal", number))

    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    taken = [number for number, handler in previous.items() if handler != signal.SIG_IGN]
    for number in taken:
        signal.signal(number, post)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, previous[number])
