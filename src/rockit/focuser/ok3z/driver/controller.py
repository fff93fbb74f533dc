"""The OK3Z controller as a device: questions that survive a lost reply, and commands.

It knows what can be asked and told, not what a move is; that is `axis`.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from typing import Callable, TypeVar

from ..errors import LinkLostError, MalformedReplyError, ReplyTimeoutError
from . import protocol
from .clock import Clock
from .link import OWED_REPLY_S, Checkpoint, Link
from .reading import Reading
from .registers import HOMING_RUN_REGISTER, is_at
from .tally import Tally

_log = logging.getLogger(__name__)

# A reply takes about 10 ms at 38400 baud, up to 30 ms through a USB adapter.
REPLY_DEADLINE_S = 0.25
# A controller that takes longer for its answers is waited for so many times as long.
ANSWER_MARGIN = 2
ANSWERS_REMEMBERED = 16
# After so many questions without an answer the next waits longer.
PATIENT_AFTER = 6
# A controller that is waited for longer is asked so often, if that shows a dead link within 3 s; and at least so often,
# however long that takes.
TRIES_AT_LEAST = 4
FEWEST_TRIES = 2
LONGEST_SILENCE_S = 1.95
# So long without a valid answer to a question, and the link counts as dead. With the pause between two
# looks at rest (service.focuser.REST_PERIOD_S) a dead link shows within 3 s.
SILENCE_S = 1.7
# (Where something was heard meanwhile, one more reply is waited for: it may be the first of many.)
# So many commands in a row are obeyed without a pause between them (docs/protocol.md).
COMMANDS_IN_A_ROW = 3
# A controller that has just got its power may take its time, and be deaf until then: the first question is asked again.
FIRST_IDENTIFY_DEADLINE_S = 0.5
LONGEST_IDENTIFY_DEADLINE_S = 1.0

# Looks at rest at which both questions in one write were answered as one after the other, before that is relied on.
PAIRS_TO_AGREE = 20

# What a reading asks for.
READING = (protocol.MOTION_STATE, protocol.POSITION_REGISTER)

_Value = TypeVar("_Value")


class Answers:
    """How long a controller takes to answer, in seconds. It is kept over a lost link.

    Args:
        longest_s: an answer is never waited for longer, unless SILENCE_S is more.
        tally: counts them.
    """

    def __init__(self, longest_s: float = SILENCE_S, tally: Tally | None = None) -> None:
        self.tally = tally or Tally()
        self._longest_s = max(SILENCE_S, longest_s)
        self._recent: deque[float] = deque(maxlen=ANSWERS_REMEMBERED)

    def note(self, seconds: float) -> None:
        """One answer took so long."""
        self._recent.append(seconds)

    @property
    def usual_s(self) -> float:
        """The median of the last answers, for lost replies make some late; 0 before there was one."""
        return sorted(self._recent)[len(self._recent) // 2] if self._recent else 0.0

    @property
    def silence_s(self) -> float:
        """How long no valid answer may come before the link counts as dead."""
        return max(
            SILENCE_S,
            min(TRIES_AT_LEAST * self.deadline_s, LONGEST_SILENCE_S),
            FEWEST_TRIES * self.deadline_s,
        )

    @property
    def deadline_s(self) -> float:
        """How long an answer is waited for."""
        return min(max(REPLY_DEADLINE_S, self.late_s), self._longest_s)

    @property
    def late_s(self) -> float:
        """How long even a late answer takes."""
        return min(ANSWER_MARGIN * self.usual_s, self._longest_s)

    @property
    def pair_deadline_s(self) -> float:
        """How long two answers together are waited for. There is time left to ask a single question then."""
        return max(REPLY_DEADLINE_S, min(2 * ANSWER_MARGIN * self.usual_s, self.silence_s / 2))


class Pairs:
    """Whether both questions of a reading may go out in one write, on one link.

    Not before PAIRS_TO_AGREE such readings at rest agreed with single ones, and never again after a doubt: an answer
    that was late, lost, odd or not asked for, or that came in another order.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._doubts = 0
        self._agreed = 0
        self._refused = False

    @property
    def are_wanted(self) -> bool:
        """Whether it is still to be seen if they can be trusted, and can be seen now."""
        return not self._refused and self._agreed < PAIRS_TO_AGREE and self._link.is_clear(READING)

    @property
    def are_trusted(self) -> bool:
        """Whether they are relied on."""
        if self._agreed >= PAIRS_TO_AGREE and self._link.doubts > self._doubts:
            self.refuse("an answer was lost, late or not asked for")
        return not self._refused and self._agreed >= PAIRS_TO_AGREE

    def begin(self) -> None:
        """A reading is tried: what came before it says nothing of pairs."""
        if not self._agreed:
            self._doubts = self._link.doubts

    def agree(self) -> None:
        """It agreed."""
        if self._link.doubts > self._doubts:
            self.refuse("an answer was lost, late or not asked for")
            return
        self._agreed += 1
        if self._agreed == PAIRS_TO_AGREE:
            _log.info("from now on both questions of a reading go out together")

    def refuse(self, why: str) -> None:
        """There is a doubt; the first one is told."""
        if not self._refused:
            _log.info("on this link questions go out one at a time: %s", why)
        self._refused = True


class Controller:
    """An OK3Z behind an open link. Belongs to one thread.

    Args:
        checkpoint: called before every exchange and while one waits; raises to interrupt.
        answers: how long its answers take.
        manner: how they are written.
        pairs: whether it can take two questions in one write.
    """

    def __init__(
        self,
        link: Link,
        clock: Clock,
        checkpoint: Checkpoint,
        answers: Answers | None = None,
        manner: protocol.Manner | None = None,
        pairs: Pairs | None = None,
    ) -> None:
        self._link = link
        self._clock = clock
        self._checkpoint = checkpoint
        self._answers = answers or Answers()
        self._manner = manner or protocol.Manner()
        self._pairs = pairs or Pairs(link)
        self.tally = link.tally = self._answers.tally

    def close(self) -> None:
        """Give the port back."""
        self._link.close()

    def heeding(self, checkpoint: Checkpoint) -> Controller:
        """This controller, interrupted by another checkpoint."""
        return Controller(self._link, self._clock, checkpoint, self._answers, self._manner, self._pairs)

    @property
    def silence_s(self) -> float:
        """How long no valid answer may come before the link counts as dead, in seconds."""
        return self._answers.silence_s

    @property
    def awake_s(self) -> float:
        """The clock, in seconds, without the time in which this process was held up while it waited for an answer."""
        return self._clock.monotonic() - self._link.held_up_s

    @property
    def answer_s(self) -> float:
        """How long an answer takes, as the last ones did, in seconds."""
        return self._answers.usual_s

    @property
    def asks_both(self) -> bool:
        """Whether a reading is one round trip: both of its questions go out in one write."""
        return self._pairs.are_trusted

    @property
    def may_ask_both(self) -> bool:
        """Whether `try_both` is wanted, at rest, before a reading can be one round trip."""
        return self._pairs.are_wanted

    def deaf(self) -> Controller:
        """This controller, not to be interrupted: for halting."""
        return self.heeding(lambda: None)

    def identify(self, patience_s: float) -> str:
        """Ask until a focuser answers.

        Args:
            patience_s: how long to ask altogether, in seconds (serial_timeout).

        Returns:
            The text of its answer, which tells it from no other: it may be empty, and another one each time.

        Raises:
            LinkLostError: nothing, or nothing that a focuser says, was answered.
        """
        asked_s = self._clock.monotonic()
        expires_s = asked_s + patience_s
        deadline_s = min(FIRST_IDENTIFY_DEADLINE_S, patience_s / 2)
        while True:
            try:
                reply = self._link.find(protocol.IDENTIFY, deadline_s, self._checkpoint)
            except ReplyTimeoutError:
                left_s = expires_s - self._clock.monotonic()
                if left_s <= 0:
                    raise self._no_focuser(patience_s) from None
                deadline_s = min(deadline_s * 2, LONGEST_IDENTIFY_DEADLINE_S, left_s)
            else:
                # Perhaps that of a later one: then it is found out soon that it takes less.
                self._answers.note(self._clock.monotonic() - asked_s)
                return protocol.read_text(reply)

    def _no_focuser(self, patience_s: float) -> LinkLostError:
        if sample := self._link.noise_sample:
            look = "Look whether serial_port names the focuser's adapter."
            return LinkLostError(
                f"the port answers, but not as an OK3Z does: {sample[:32]!r} came. {look}",
                # What another device says of itself may be anything.
                public=f"the port answers, but not as an OK3Z does. {look}",
            )
        return LinkLostError(
            f"nothing answered on the port within {patience_s:g} s. "
            "Look at the controller's power and cable, and whether serial_port names the focuser's adapter."
        )

    def configure(self, speed_register: int, acceleration_register: int) -> None:
        """Set the motion registers and the microstep mode, in the order the device needs, and all of it twice.

        A setting that was lost on the wire does not show: a wrong microstep mode only falsifies every position.
        """
        settings = (
            *_speeds(speed_register, acceleration_register),
            protocol.RELEASE,
            protocol.MICROSTEP_MODE,
        )
        self._set(settings * 2)

    def configure_speeds(self, speed_register: int, acceleration_register: int) -> None:
        """Set the motion registers alone, which does not release the motor; all of them twice."""
        self._set(_speeds(speed_register, acceleration_register) * 2)

    def _set(self, settings: tuple[protocol.Command, ...]) -> None:
        for number, command in enumerate(settings, start=1):
            self._link.send(command)
            # Commands are never answered. A question behind some of them shows that the controller has read so far.
            if number % COMMANDS_IN_A_ROW == 0 or number == len(settings):
                self._ask(protocol.MOTION_STATE, self._stands_still)

    def read(self) -> Reading:
        """Ask for the motion state and the register.

        Raises:
            LinkLostError: no valid answer for SILENCE_S.
        """
        begun_s = self.awake_s
        if self._can_ask_both():
            with contextlib.suppress(ReplyTimeoutError, MalformedReplyError):
                return self._read_both()
        stands_still = self._ask(protocol.MOTION_STATE, self._stands_still, begun_s)
        asked_s = self._clock.monotonic()
        register = self._ask(protocol.POSITION_REGISTER, self._register)
        return Reading(register, stands_still, self._clock.monotonic(), asked_s)

    def read_once(self) -> Reading:
        """Ask once for the motion state and the register: for halting, where asking again comes second.

        Raises:
            ReplyTimeoutError, MalformedReplyError: no valid answer this time.
            LinkLostError: the port hung up.
        """
        if self._can_ask_both():
            return self._read_both()
        deadline_s = self._answers.deadline_s
        state = self._exchange(protocol.MOTION_STATE, deadline_s, self._checkpoint)
        asked_s = self._clock.monotonic()
        register = self._exchange(protocol.POSITION_REGISTER, deadline_s, self._checkpoint)
        stands_still = self._stands_still(state)
        return Reading(self._register(register), stands_still, self._clock.monotonic(), asked_s)

    def try_both(self, seen: Reading) -> bool:
        """Ask both questions of a reading in one write, of a motor that was just seen standing. False: something else
        was answered than before.

        Raises:
            LinkLostError: the port hung up.
        """
        self._pairs.begin()
        try:
            reading = self._read_both()
        except (ReplyTimeoutError, MalformedReplyError) as error:
            self._pairs.refuse(str(error))
            return False
        if reading.stands_still != seen.stands_still or not is_at(reading.register, seen.register):
            self._pairs.refuse(f"{reading.register} was answered, and {seen.register} before")
            return False
        self._pairs.agree()
        return True

    def _can_ask_both(self) -> bool:
        self._expect_owed()
        return self._pairs.are_trusted and self._link.becomes_clear(READING, self._checkpoint)

    def _read_both(self) -> Reading:
        """Both answers must come in order and with nothing beside them: any doubt ends it for this link."""
        asked_s = self._clock.monotonic()
        state, register = self._link.exchange_all(
            READING,
            self._answers.pair_deadline_s,
            self._checkpoint,
        )
        at_s = self._clock.monotonic()
        self.tally.reply_s.note(at_s - asked_s)
        try:
            return Reading(self._register(register), self._stands_still(state), at_s, asked_s)
        except MalformedReplyError as error:
            self._pairs.refuse(str(error))
            raise

    def _stands_still(self, reply: protocol.Reply) -> bool:
        stands_still = protocol.read_stands_still(reply)
        self._manner.require_usual(reply)
        return stands_still

    def _register(self, reply: protocol.Reply) -> int:
        register = protocol.read_register(reply)
        self._manner.require_usual(reply)
        return register

    def _ask(
        self, query: protocol.Query, read: Callable[[protocol.Reply], _Value], begun_s: float | None = None
    ) -> _Value:
        """Ask until a valid answer comes. Asking moves nothing, so it may be repeated.

        Args:
            begun_s: since when an answer has been waited for, if not since now.
        """
        silence_s = self._answers.silence_s
        expires_s = (self.awake_s if begun_s is None else begun_s) + silence_s
        heard = self._link.replies

        def in_time() -> None:
            # On a line that answers nonsense one exchange may wait four times as long as a reply may take.
            self._checkpoint()
            if self.awake_s >= expires_s + (REPLY_DEADLINE_S if self._link.replies > heard else 0.0):
                raise ReplyTimeoutError(f"no valid {query.name} came in all that time.")

        # Not the first: a process that was held up meanwhile finds its answer in the port.
        checkpoint, deadline_s, tries = self._checkpoint, self._answers.deadline_s, 0
        while True:
            try:
                return read(self._exchange(query, deadline_s, checkpoint))
            except (ReplyTimeoutError, MalformedReplyError) as error:
                _log.debug("asking again: %s", error)
                self._link.conclude(f"asked again: {error}")
                checkpoint, tries = in_time, tries + 1
                if tries == PATIENT_AFTER:
                    # It may have become slower than it was.
                    deadline_s *= ANSWER_MARGIN
                if self.awake_s >= expires_s:
                    raise self._not_understood(query, silence_s, error) from error

    @staticmethod
    def _not_understood(query: protocol.Query, silence_s: float, error: Exception) -> LinkLostError:
        told = f"the controller gave no valid {query.name} for {silence_s:.3g} s"
        look = "Look at its power, the cable and the adapter."
        # What it says may be anything.
        said = f": {error}" if isinstance(error, MalformedReplyError) else f". {look}"
        return LinkLostError(f"{told}{said}", public=f"{told}. {look}")

    def _expect_owed(self) -> None:
        """An answer that a stop cut off is waited for as long as this controller takes."""
        self._link.owed_reply_s = max(OWED_REPLY_S, self._answers.late_s)

    def _exchange(self, query: protocol.Query, deadline_s: float, checkpoint: Checkpoint) -> protocol.Reply:
        self._expect_owed()
        asked_s = self._clock.monotonic()
        reply = self._link.exchange(query, deadline_s, checkpoint)
        took_s = self._clock.monotonic() - asked_s
        self._answers.note(took_s)
        self.tally.reply_s.note(took_s)
        return reply

    def go_to(self, register: int) -> None:
        """Start a run to an absolute register position, in microsteps."""
        self._command(protocol.go_to(register))

    def run_to_limit_switch(self) -> None:
        """Start the homing run: inward, until the inner limit switch stops the motor."""
        self._command(protocol.run_to_limit_switch(HOMING_RUN_REGISTER), logging.INFO)

    def halt(self, again: bool = False) -> None:
        """Tell the motor to stop now. Repeating it does no harm.

        Args:
            again: it is repeated; nobody needs to read that in the log.
        """
        self._command(protocol.HALT, logging.DEBUG if again else logging.INFO)

    def _command(self, command: protocol.Command, level: int = logging.DEBUG) -> None:
        self._checkpoint()
        # Its registers are in the frame, which the link logs where every frame is.
        _log.log(level, "%s", command.name)
        self._link.send(command)


def _speeds(speed_register: int, acceleration_register: int) -> tuple[protocol.Command, ...]:
    return (
        protocol.maximum_speed(speed_register),
        protocol.acceleration(acceleration_register),
        protocol.deceleration(acceleration_register),
    )
