"""The threads of the driver, and their calls to the daemon.

One reads what clients send (`main`), one waits for changes of the status, one carries out moves and homings, and one
stops, so that nothing keeps a stop waiting. They meet under one lock, at the device, and no call is made under it.

A stop ends what runs when it comes, and nothing that begins later. So a call that has left this program and is not
answered soon after a stop has come too late for it: it is stopped again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import datetime, timezone
from typing import Any, Callable

from ..client import STATUS_TIMEOUT_S
from ..client.calls import CallError, FocuserClient, StatusFeed, configured_daemon
from ..client.report import Status, number_in, text_in
from ..config.model import Config
from ..constants import CommandStatus
from ..errors import ConfigError
from ..servers.net.log_throttle import LogThrottle
from .configuration import find_for
from .device import Device, Move
from .outlet import Outlet
from .stream import Cutter, parse

# How long a change is waited for in one call, in seconds. A daemon that hangs is noticed so much later.
PATIENCE_S = 5.0
# How long to wait for an answer that needs no waiting, in seconds.
ANSWER_S = 3.0
# Before a daemon that did not answer is asked again, or one that tells no changes, in seconds.
AGAIN_AFTER_S = 1.0
# A call that was not answered so long after a stop has begun later, in seconds.
STOP_AGAIN_AFTER_S = 1.0
STOP_ATTEMPTS = 3
# Longer than the daemon allows, in seconds.
LONGEST_CALL_S = 3600.0

# What somebody else's command is seen by that may make the focuser usable. (One whose link was lost on the way `moves`
# as well, and waits for somebody to connect it.)
AT_WORK = ("connecting", "homing", "moving", "stopping")

_log = logging.getLogger(__name__)


class Driver:
    """One device, and the threads that serve it: the `Requests` of the device.

    Args:
        name: that of the device.
        outlet: takes what clients get.
        environ: where the configuration is looked for.
    """

    def __init__(self, name: str, outlet: Outlet, environ: dict[str, str] | None = None) -> None:
        self._name = name
        self._environ = dict(os.environ) if environ is None else environ
        self._outlet = outlet
        self._cutter = Cutter()
        self._skipped = LogThrottle("skipped")
        # Guards all that follows. Whoever changes what another waits for says so.
        self._changed = threading.Condition()
        self._device = Device(name, outlet.write, self, time.monotonic, _utc)
        self._client: FocuserClient | None = None
        self._steps_per_mm = 1
        self._attempt: int | None = None
        self._next: Move | None = None
        self._call: object | None = None
        self._stop_asked = False
        self._stopping = False

    def start(self) -> None:
        """Start the threads."""
        for work in (self._carry_out, self._stop, self._watch):
            threading.Thread(target=self._for_ever, args=(work,), name=work.__name__, daemon=True).start()

    def take(self, data: bytes) -> None:
        """What clients have sent."""
        dropped = self._cutter.dropped
        for element in self._cutter.feed(data):
            try:
                message = parse(element)
            except ValueError as error:
                self._skip(f"an element that is no XML: {error}")
                continue
            try:
                with self._changed:
                    known = self._device.take(message)
            except Exception:
                # Whatever is wrong in here, the next element may be a stop.
                _log.exception("a mistake in this program, in %s of %r", message.tag, message.name)
                continue
            if not known:
                self._skip("an element that a focuser does not know")
        if self._cutter.dropped > dropped:
            self._skip("an element that was too long, or did not end")

    def tell_all(self) -> None:
        """Tell clients everything anew, after they have missed something."""
        with self._changed:
            self._outlet.resume()
            self._device.tell_all()

    def _skip(self, what: str) -> None:
        with self._changed:
            self._skipped.count(what)
            self._skipped.say(time.monotonic())

    # What the device asks for, under the lock

    def connect(self, attempt: int) -> None:
        """Make the focuser usable."""
        self._attempt = attempt
        self._changed.notify_all()

    def move(self, move: Move) -> None:
        """Carry a move out."""
        self._next = move
        self._changed.notify_all()

    def stop(self) -> None:
        """Halt the motor."""
        self._stop_asked = True
        self._changed.notify_all()

    def drop(self) -> None:
        """Begin no move that waits."""
        self._next = None

    # The thread that carries out

    def _carry_out(self) -> None:
        with self._changed:
            self._changed.wait_for(self._has_work)
            attempt, self._attempt = self._attempt, None
            move = None
            if attempt is None:
                move, self._next = self._next, None
        if attempt is not None:
            self._connect(attempt)
        elif move is not None:
            self._move(move)

    def _has_work(self) -> bool:
        return self._attempt is not None or (self._next is not None and not self._is_stopping)

    @property
    def _is_stopping(self) -> bool:
        return self._stop_asked or self._stopping

    def _move(self, move: Move) -> None:
        client = self._client
        assert client is not None
        failure = _failure_of(lambda: self._carried_out(client, move))
        status = _read_or_none(client)
        with self._changed:
            self._call = None
            self._changed.notify_all()
            self._device.moved(move, failure, status)

    def _carried_out(self, client: FocuserClient, move: Move) -> str:
        """Why a move did not arrive; empty if it did."""
        here_steps = _read(client).current_steps if move.relative else 0
        if here_steps is None:
            return "it is not known where the focuser stands."
        if not self._begins(move, lambda: self._device.wants(move)):
            return "it was not begun."
        target_mm = move.target_from(here_steps) / self._steps_per_mm
        answer = client.set_focus(target_mm, timeout_s=LONGEST_CALL_S, exact=True)
        return "" if answer == CommandStatus.Succeeded else _why(client, "set_focus", answer)

    def _begins(self, call: object, is_wanted: Callable[[], bool]) -> bool:
        """Whether a call that may move the focuser is still wanted: it is made then, and stops know of it."""
        with self._changed:
            if not is_wanted() or self._is_stopping:
                return False
            self._call = call
            return True

    def _connect(self, attempt: int) -> None:
        try:
            client, range_mm = self._configured()
        except ConfigError as error:
            with self._changed:
                self._device.not_connected(attempt, " ".join(str(error).split()))
            return
        with self._changed:
            # Stops need it before the homing has ended.
            self._client = client
            self._changed.notify_all()
        failure, status, told = "", None, ""
        while self._device.is_connecting(attempt) and status is None and not failure:
            try:
                status, failure = self._made_usable(client, attempt)
            except CallError as error:
                if told != str(error):
                    told = str(error)
                    _log.warning("%s", told)
                    with self._changed:
                        self._device.connecting(attempt, f"focusd is waited for: {told}")
            except Exception as error:
                failure = _mistake(error)
            if status is None and not failure:
                time.sleep(AGAIN_AFTER_S)
        with self._changed:
            if status is not None:
                # Here may be another configuration than there.
                here_mm = number_in(status.report, "focus_range_mm") or range_mm
                # No position lies outside; a product of floats may end in .999.
                max_steps = int(here_mm * self._steps_per_mm + 1e-6)
                self._device.connected(attempt, max_steps, status)
            else:
                self._device.not_connected(attempt, failure)

    def _configured(self) -> tuple[FocuserClient, float]:
        config = Config.load(find_for(self._name, self._environ))
        _log.info("%s is the focuser of %s", self._name, config.path)
        self._steps_per_mm = config.steps_per_mm
        return FocuserClient(configured_daemon(config.path)), config.focus_range_mm

    def _made_usable(self, client: FocuserClient, attempt: int) -> tuple[Status | None, str]:
        """The status of a focuser that can be used, or why it cannot be made so; neither: try again."""
        status = _read(client)
        if status.current_steps is not None:
            return status, ""
        if status.state in AT_WORK:
            with self._changed:
                self._device.connecting(attempt, f"somebody else's command is waited for ({status.state}).")
            return None, ""
        with self._changed:
            self._device.connecting(attempt, "The focuser is connected and homed, which takes up to 45 s.")
        if not self._begins(attempt, lambda: self._device.is_connecting(attempt)):
            return None, "it was stopped."
        try:
            answer = client.initialize()
        finally:
            with self._changed:
                self._call = None
                self._changed.notify_all()
        if answer in (CommandStatus.Succeeded, CommandStatus.NotDisconnected):
            return _read(client), ""
        return None, "" if answer == CommandStatus.Blocked else _why(client, "initialize", answer)

    # The thread that stops

    def _stop(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stop_asked)
            self._stop_asked, self._stopping = False, True
            client = self._client
        failure, status = "there is no connection to focusd.", None
        if client is not None:
            asked = client
            failure = _failure_of(lambda: self._halt(asked))
            status = _read_or_none(client)
        with self._changed:
            self._stopping = False
            self._changed.notify_all()
            if not self._stop_asked:
                self._device.stopped(failure, status)

    def _halt(self, client: FocuserClient) -> str:
        """Why standstill is not proven; empty if it is."""
        for _ in range(STOP_ATTEMPTS):
            with self._changed:
                running = self._call
            answer = client.stop()
            if answer != CommandStatus.Succeeded:
                return _why(client, "stop", answer)
            if self._has_ended(running):
                return ""
        return "the call that was stopped does not end."

    def _has_ended(self, call: object) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: self._call is None or self._call is not call, STOP_AGAIN_AFTER_S
            )

    # The thread that waits for changes

    def _watch(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._client is not None)
            client = self._client
        assert client is not None
        change: object = None
        with client.status_feed(ANSWER_S) as feed:
            while self._client is client:
                change = self._next_change(client, feed, change)
                with self._changed:
                    self._skipped.say(time.monotonic())

    def _next_change(self, client: FocuserClient, feed: StatusFeed, seen: object) -> object:
        """Wait for what is new, and give the count of changes that it has."""
        begun_s = time.monotonic()
        try:
            report = feed.next(PATIENCE_S)
        except CallError as error:
            with self._changed:
                self._device.lost(str(error))
            time.sleep(AGAIN_AFTER_S)
            return None
        status = Status.of(report)
        with self._changed:
            # The next CONNECT may have found another daemon.
            if self._client is client:
                self._device.heard(status)
        change = report.get("change")
        # A daemon that lets nobody wait any more answers at once.
        if change in (seen, None) and time.monotonic() < begun_s + PATIENCE_S / 2:
            time.sleep(AGAIN_AFTER_S)
        return change

    def _for_ever(self, work: Callable[[], None]) -> None:
        while True:
            try:
                work()
            except Exception:
                _log.exception("a mistake in this program")
                time.sleep(AGAIN_AFTER_S)


def _read(client: FocuserClient) -> Status:
    """The status now, with its count of changes, which tells older ones from newer ones."""
    with client.status_feed(ANSWER_S) as feed:
        return Status.of(feed.next(0.0))


def _read_or_none(client: FocuserClient) -> Status | None:
    try:
        return _read(client)
    except CallError:
        return None


def _failure_of(call: Callable[[], str]) -> str:
    """Why a call failed; empty if it did not. Whatever it was, clients are told an end."""
    try:
        return call()
    except CallError as error:
        return str(error)
    except Exception as error:
        return _mistake(error)


def _mistake(error: Exception) -> str:
    _log.exception("a mistake in this program")
    return f"the driver made a mistake ({type(error).__name__}); the log of the server has the details."


def _why(client: FocuserClient, command: str, answer: int) -> str:
    """The daemon's own sentence for a call that it has just answered so."""
    try:
        failure: dict[str, Any] = client.last_failure(STATUS_TIMEOUT_S)
    except CallError:
        failure = {}
    is_of_this = failure.get("command") == command and failure.get("status") == answer
    return (text_in(failure, "reason") if is_of_this else "") or CommandStatus.message(answer)


def _utc() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
