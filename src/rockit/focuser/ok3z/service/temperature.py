"""Follows a temperature with the term `temperature`, or says what it would do.

The decision stands apart from all motion, on a thread of its own (`thermostat`): a
thermometer or a disk that hangs keeps nobody waiting, and what hangs moves nothing. A correction is handed to the
service as everybody's term is, and is refused as everybody's is.

Corrections count from a reference, which only `set_reference` makes: the focus is good now. No move makes one. Else a
filter's offset would take back what the temperature had asked for since the last focus.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Callable, Protocol, Union

from ..constants import UTC_FORMAT
from ..driver.clock import BootClock
from ..driver.planning import mm_from_steps, steps_from_mm
from ..errors import (
    BusyError,
    FocuserError,
    InvalidArgumentError,
    NotConnectedError,
    StoppedError,
    ThermometerError,
    joined,
    whole,
)
from ..storage.history_file import Moment, Motion
from ..storage.reference_file import Reference
from .history import NOBODY, Asker
from .status import Snapshot, State, Trust
from .temperature_model import Hysteresis, Reading, Rules, Smoothing, Told
from .temperature_rows import Rows
from .terms import Wanted

_log = logging.getLogger(__name__)

# The term's name and its owner, and what the history calls this way in.
TERM = DOOR = "temperature"
# The thread has been asking for longer than any thermometer may take: it hangs.
HANGS_S = 90.0
# After a correction that failed the next is tried so much later, and then later and later.
RETRY_S, LONGEST_RETRY_S = 60.0, 3600.0
# How long `set_reference` may take: a question to the thermometer, and the disk.
REFERENCE_PATIENCE_S = 20.0
UNANSWERED = (
    "the thermometer or the disk does not answer: it is not known whether the reference is set. Look at them."
)
SAME_MM = 1e-6

Answer = Union[Reading, ThermometerError]
"""What a thermometer has said, or why it has said nothing."""


class Focus(Protocol):
    """The focuser, as the temperature sees it. Nothing of it waits. Any thread may ask."""

    @property
    def snapshot(self) -> Snapshot:
        """What is known."""

    def why_held(self) -> str:
        """Who was promised that nothing moves, in a sentence; empty if nobody was."""

    def left_alone_s(self) -> float:
        """How long ago somebody last moved the focuser, or stopped it, in seconds."""

    def terms_mm(self) -> Mapping[str, float]:
        """All terms by their names."""

    def correct(self, mm: float, least_quiet_s: float) -> Future[None]:
        """Make the term `temperature` so large, unless somebody has moved the focuser less than so long ago: it ends
        when the focuser stands there. Raises and ends as `set_term` does."""


class Keeper(Protocol):
    """Where the reference outlives the daemon. See `reference_file.ReferenceFile`."""

    def read(self) -> Reference | None:
        """What was kept. Raises OSError, ValueError."""

    def write(self, reference: Reference) -> None:
        """Replace it. Raises OSError."""


class Temperature:
    """Decides what the temperature asks of one focuser. `look` belongs to one thread; any thread may call the rest.

    Args:
        rules: how the focus follows.
        focus: the focuser.
        keeper: where the reference outlives the daemon.
        clock: the time.
        moment: the moment, by both clocks.
        tell: has a row written into the history.
        announce: passes a message on to the observatory's log.
        range_mm: the outermost position.
    """

    def __init__(
        self,
        rules: Rules,
        focus: Focus,
        keeper: Keeper,
        clock: BootClock,
        moment: Callable[[], Moment],
        tell: Callable[[Motion], None],
        announce: Callable[[int, str], None],
        range_mm: float,
    ) -> None:
        self.rules = rules
        self._focus = focus
        self._keeper = keeper
        self._clock = clock
        self._rows = Rows(moment, tell)
        self._announce = announce
        self._range_mm = range_mm
        self._smoothing = Smoothing(rules)
        self._hysteresis = Hysteresis(rules.smallest_step_mm)
        self._kept: Reference | None = None
        self._has_read = False
        self._shadow_mm: float | None = None
        self._pending: tuple[float, Future[None]] | None = None
        self._in_trouble = False
        self._said = ""
        self._retry_s = RETRY_S
        self._not_before_s = 0.0
        self._lock = threading.Lock()
        self._request: tuple[Asker, Future[None]] | None = None
        self._told = Told("frozen", "the thermometer was not asked yet.", clock.monotonic())
        self.wake: Callable[[], None] = lambda: None
        """Has `look` called soon. To be set once, before anybody calls."""

    # Any thread

    def begin_set_reference(self, asker: Asker = NOBODY) -> Future[None]:
        """The focus is good now: corrections count from this temperature on. Nothing moves.

        Raises:
            BusyError: somebody else does the same now.

        Returns:
            What ends when it is kept; or with ThermometerError: the temperature is not known; NotConnectedError,
            BusyError: the focuser is not at rest at a known position; FocuserError: it is not kept.
        """
        done: Future[None] = Future()
        with self._lock:
            if self._request is not None:
                raise BusyError("the reference is being set already. Wait for the end of that.")
            self._request = asker, done
        self.wake()
        return done

    def published(self, may_control: bool) -> dict[str, Any]:
        """What the status says of it (docs/temperature.md)."""
        told, kept, now_s = self._told, self._kept, self._clock.monotonic()
        hung_s = now_s - told.at_s
        if hung_s > HANGS_S:
            sentence = f"the thermometer or the disk has not answered for {hung_s:.0f} s: the term stays."
            told = replace(told, state="frozen", sentence=sentence)
        return {
            "active": self.rules.active,
            "state": told.state,
            "says": whole(told.sentence) if may_control else str(told.sentence),
            "celsius": _rounded(told.celsius, 3),
            "reading_age_s": None if told.read_at_s is None else round(max(0.0, now_s - told.read_at_s), 1),
            "term_mm": _rounded(told.term_mm, 4),
            "wanted_mm": _rounded(told.wanted_mm, 4),
            "reference_celsius": _rounded(kept.celsius if kept else None, 3),
            "reference_date": kept.utc if kept else None,
            "model_error_mm": _rounded(kept.error_mm if kept else None, 4),
            "drift_mm": _rounded(kept.drift_mm if kept else None, 4),
        }

    # Its own thread

    def look(self, answer: Answer) -> None:
        """Take a thermometer's answer, and do what follows from it. Does not raise; waits for the disk alone."""
        now_s = self._clock.monotonic()
        if not self._has_read:
            self._recall()
        if isinstance(answer, Reading):
            self._smoothing.take(answer, now_s)
        else:
            self._smoothing.fail(answer.reason, now_s)
        self._end_pending(now_s)
        self._answer_request(now_s)
        told = self._decided(now_s)
        self._told = replace(
            told,
            celsius=self._smoothing.celsius,
            read_at_s=None if (age_s := self._smoothing.age_s(now_s)) is None else now_s - age_s,
        )

    def _recall(self) -> None:
        self._has_read = True
        try:
            self._kept = self._keeper.read()
        except (OSError, ValueError) as error:
            self._announce(logging.WARNING, f"the reference of the temperature cannot be read: {error}.")

    def _decided(self, now_s: float) -> Told:
        problem = self._smoothing.problem(now_s)
        self._tell_of_trouble(problem)
        celsius, kept = self._smoothing.celsius, self._kept
        if problem or celsius is None:
            term_mm = self._term_mm() if self.rules.active else self._shadow_mm
            return Told("frozen", joined("the term stays as it is:", problem), now_s, term_mm=term_mm)
        self._rows.temperature(celsius, now_s)
        if kept is None:
            return Told(
                "unset", "no reference is set. Focus, and say that it is good (focus reference).", now_s
            )
        if self._pending is not None:
            sentence = f"the term becomes {self._pending[0]:.4f} mm."
            return Told("moves", sentence, now_s, term_mm=self._term_mm(), wanted_mm=self._pending[0])
        if self._is_foreign(kept):
            sentence = "the term temperature is not as it was left. Focus, and set the reference again."
            return Told("unset", sentence, now_s, term_mm=self._term_mm())
        wish_mm = round(kept.term_mm + self.rules.slope_mm_per_k * (celsius - kept.celsius), 6)
        if self.rules.active:
            return self._followed(self._term_mm(), wish_mm, celsius, now_s)
        if self._shadow_mm is None:
            # A new process: what the one before would have done is done.
            self._shadow_mm = wish_mm
        return self._followed(self._shadow_mm, wish_mm, celsius, now_s)

    def _followed(self, term_mm: float, wish_mm: float, celsius: float, now_s: float) -> Told:
        """The temperature is known, and what it asks for: do it, say that it would be done, or why not."""
        by_mm = wish_mm - term_mm
        told = Told("rests", "", now_s, term_mm=term_mm, wanted_mm=wish_mm)
        if not self._hysteresis.is_due(by_mm):
            least_mm = self._hysteresis.least_mm(by_mm)
            return replace(
                told, sentence=f"{by_mm:+.4f} mm are wanted, and less than {least_mm:g} mm is no motion."
            )
        if why_not := self._why_not(by_mm, now_s):
            return replace(
                told, state="waits", sentence=joined(f"{by_mm:+.4f} mm are wanted, but not now:", why_not)
            )
        if not self.rules.active:
            return self._would(told, by_mm, celsius)
        return self._correct(told, by_mm, celsius, now_s)

    def _would(self, told: Told, by_mm: float, celsius: float) -> Told:
        sentence = f"it would move by {by_mm:+.4f} mm, for {celsius:.2f} °C."
        self._hysteresis.corrected(by_mm)
        self._shadow_mm = told.wanted_mm
        steps = self._focus.snapshot.current_steps
        target_steps = None if steps is None else steps + steps_from_mm(by_mm)
        self._rows.add("shadow", celsius, sentence, NOBODY, steps, target_steps, steps)
        return replace(told, state="would", sentence=sentence, term_mm=told.wanted_mm)

    def _correct(self, told: Told, by_mm: float, celsius: float, now_s: float) -> Told:
        kept, wish_mm = self._kept, told.wanted_mm
        assert kept is not None
        assert wish_mm is not None
        # Before the motion: a process that dies in it knows afterwards that the term is its own.
        self._keep(replace(kept, set_mm=self._term_mm(), asked_mm=wish_mm))
        try:
            ends = self._focus.correct(wish_mm, self.rules.quiet_s)
        except FocuserError as error:
            return replace(told, state="waits", sentence=self._failed(error, now_s))
        self._pending = wish_mm, ends
        self._hysteresis.corrected(by_mm)
        return replace(told, state="moves", sentence=f"it moves by {by_mm:+.4f} mm, for {celsius:.2f} °C.")

    def _end_pending(self, now_s: float) -> None:
        if self._pending is None or not self._pending[1].done():
            return
        (asked_mm, ended), self._pending = self._pending, None
        error = ended.exception()
        if error is not None:
            self._hysteresis.forget()
            self._failed(error, now_s)
            return
        self._retry_s, self._said = RETRY_S, ""
        if self._kept is not None:
            self._keep(replace(self._kept, set_mm=asked_mm))

    def _failed(self, error: BaseException, now_s: float) -> str:
        reason = error.reason if isinstance(error, FocuserError) else repr(error)
        if isinstance(error, (BusyError, NotConnectedError)):
            # Nothing has moved, and this goes by.
            return reason
        wait_s = self.rules.quiet_s if isinstance(error, StoppedError) else self._retry_s
        self._not_before_s = now_s + wait_s
        self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)
        if whole(reason) != self._said:
            self._said = whole(reason)
            self._announce(logging.WARNING, f"the focus was not corrected for the temperature: {self._said}")
        return reason

    def _why_not(self, by_mm: float, now_s: float) -> str:
        snapshot = self._focus.snapshot
        if snapshot.motor_may_run:
            return "it is moving."
        if snapshot.state is not State.IDLE or snapshot.confidence.trust is Trust.UNKNOWN:
            return "it does not stand at a known position."
        if held := self._focus.why_held():
            return held
        left_s = self.rules.quiet_s - self._focus.left_alone_s()
        if left_s > 0:
            return f"somebody has moved it, and it is left alone for {left_s:.0f} s more."
        if now_s < self._not_before_s:
            return f"the last correction failed, and is tried again in {self._not_before_s - now_s:.0f} s."
        here_mm = mm_from_steps(snapshot.current_steps or 0)
        if not 0 <= here_mm + by_mm <= self._range_mm:
            return f"{here_mm + by_mm:.3f} mm is not within 0 and {self._range_mm:g} mm."
        return ""

    # The reference

    def _answer_request(self, now_s: float) -> None:
        with self._lock:
            request, self._request = self._request, None
        if request is None:
            return
        asker, done = request
        if not done.set_running_or_notify_cancel():
            # Who asked waits no longer.
            return
        try:
            self._set_reference(asker, now_s)
        except FocuserError as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _set_reference(self, asker: Asker, now_s: float) -> None:
        # Who has focused after a jump vouches for it.
        celsius, problem = self._smoothing.jumped_to, ""
        if celsius is None:
            celsius, problem = self._smoothing.celsius, self._smoothing.problem(now_s)
        if problem or celsius is None:
            told = joined("the temperature is not known:", problem)
            raise ThermometerError(whole(told), public=str(told))
        snapshot = self._focus.snapshot
        if self._pending is not None or snapshot.motor_may_run:
            raise BusyError("the focuser moves. Set the reference when it stands.")
        if snapshot.state is not State.IDLE or snapshot.current_steps is None:
            raise NotConnectedError(
                "the focuser does not stand at a known position. Initialise it (focus init)."
            )
        terms_mm = self._focus.terms_mm()
        others_mm = sum(mm for name, mm in terms_mm.items() if name != TERM)
        focus_mm = mm_from_steps(snapshot.current_steps) - others_mm
        utc = self._clock.utc_now().strftime(UTC_FORMAT)
        term_mm = terms_mm.get(TERM, 0.0)
        kept = Reference(celsius, utc, term_mm, focus_mm, set_mm=term_mm, asked_mm=term_mm)
        sentence = f"the focus is good at {celsius:.2f} °C."
        if self._kept is not None:
            # How far off it would be now: what the slope wanted since then, and nothing at all, without what it took.
            warmer_k, took_mm = celsius - self._kept.celsius, focus_mm - self._kept.focus_mm
            kept = replace(kept, error_mm=self.rules.slope_mm_per_k * warmer_k - took_mm, drift_mm=-took_mm)
            sentence += (
                f" Since the last reference it has become warmer by {warmer_k:+.2f} K: by the slope the focus would be "
                f"off by {kept.error_mm:+.4f} mm, without it by {kept.drift_mm:+.4f} mm."
            )
        before = self._kept
        if not self._keep(kept):
            self._kept = before
            raise FocuserError(
                "the reference would not outlive the daemon: its disk refuses it. Look at the log."
            )
        self._smoothing.accept_jump(now_s)
        self._shadow_mm = term_mm
        self._hysteresis.forget()
        self._not_before_s = 0.0
        steps = snapshot.current_steps
        self._rows.add("reference", celsius, sentence, asker, None, steps_from_mm(focus_mm), steps)
        self._announce(logging.INFO, sentence)

    def _keep(self, kept: Reference) -> bool:
        self._kept = kept
        try:
            self._keeper.write(kept)
        except OSError as error:
            _log.warning("the reference of the temperature is not kept: %s", error)
            return False
        return True

    def _term_mm(self) -> float:
        return self._focus.terms_mm().get(TERM, 0.0)

    def _is_foreign(self, kept: Reference) -> bool:
        """Whether the term is another than this program has made it: lost, or cleared."""
        if not self.rules.active:
            return False
        term_mm = self._term_mm()
        return min(abs(term_mm - kept.set_mm), abs(term_mm - kept.asked_mm)) > SAME_MM

    # What is told

    def _tell_of_trouble(self, problem: str) -> None:
        if problem and not self._in_trouble and self._smoothing.is_in_trouble:
            self._in_trouble = True
            self._announce(logging.WARNING, f"the focus does not follow the temperature: {whole(problem)}")
        elif not problem and self._in_trouble:
            self._in_trouble = False
            self._announce(logging.INFO, "the temperature is known again.")


def begin_set_reference(temperature: Temperature | None, asker: Asker) -> Future[None]:
    """As of a Temperature; raises InvalidArgumentError if nothing follows the temperature."""
    if temperature is None:
        raise InvalidArgumentError("the focus follows no temperature: `temperature` is not configured.")
    return temperature.begin_set_reference(asker)


def require_not_followed(temperature: Temperature | None, wanted: Wanted, asker: Asker) -> None:
    """Raises InvalidArgumentError if a term is that of an active Temperature, and somebody else asks for it. What
    somebody set before it was active, its owner may clear."""
    is_ours = wanted.name == TERM and (wanted.mm is not None or wanted.owner == TERM)
    if temperature and temperature.rules.active and is_ours and asker.door != DOOR:
        raise InvalidArgumentError("the term temperature is set by this daemon itself. Take another name.")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits) + 0.0
