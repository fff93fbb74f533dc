"""A rig, and what a client does with it; everything is judged as it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.rig import CALL_ERRORS, CONFIG, Usage, idle_rig, wait_for

from . import judge
from .ledger import Ledger
from .plan import OUTERMOST_MM, Action
from .truth import Truth
from .watcher import Allowances, Watcher

SUCCEEDED, FAILED, BLOCKED, OUTSIDE, NOT_CONNECTED, NOT_DISCONNECTED = 0, 1, 2, 6, 7, 8
OFFLINE, IDLE = 0, 1

CHANGES = {
    "serial_timeout": 2,
    "move_timeout": 60,
    "anti_backlash_mm": 0.3,
    # Less than the backlash beyond the range, so that the outer end has moves that lack a part of it.
    "travel_mm": 6.1,
}
RATES = ("reply_loss", "reply_late", "reply_cut", "reply_garble", "reply_merge", "command_loss")

HOMING_MM_S = 0.25
TRAVEL_MM = 9.0
# From the limit switch to the inner end of the travel (docs/simulator.md).
INNER_MARGIN_MM = 0.1
BACKLASH_MM = 0.3
# Shorter motions are over before they can be disturbed.
SHORTEST_MOTION_MM = 1.5
# How long calls and waits may take. A homing run alone may have 82 s.
MOVE_S = 130.0
INITIALIZE_S = 500.0
STOP_S = 30.0
SHUTDOWN_S = 30.0
BEGIN_S = 5.0
# From the end of a fault until the daemon has made up its mind: it tries to reopen the port every 10 s.
SETTLE_S = 30.0
SETTLED_STATES = ("idle", "unhomed", "disconnected")
# A dead link, or a register that changed at rest, shows within 3 s; this machine may be busy.
NOTICE_S = 5.0
STANDSTILL_LOOKS_S = 0.05
PROOF_MM = 0.3
# A daemon is warm after so many actions.
WARM_ACTIONS = 30
COOL_DOWN_S = 10.0

OUTCOMES = {
    SUCCEEDED: "moves made",
    FAILED: "moves failed or stopped",
    BLOCKED: "moves blocked",
    OUTSIDE: "moves refused",
    NOT_CONNECTED: "moves refused",
}


class World:
    """All that a run is made of. Use as a context manager; it leaves no process behind.

    Args:
        time_scale: how much faster than the clock the mechanics run.
        seed: of what the virtual controller does at random.
    """

    def __init__(self, time_scale: float, seed: int) -> None:
        self.speed_mm_s = CONFIG["speed_mm_sec"] * time_scale
        self.allowances = Allowances()
        self._taint = ExitStack()
        self.tainted = False
        self._warm: Usage | None = None
        self._actions_lived = 0
        with ExitStack() as stack:
            options = {"backlash_mm": BACKLASH_MM, "seed": seed}
            self.rig = stack.enter_context(idle_rig(options, time_scale, **CHANGES))
            self.ledger = Ledger(self.last_log, self.trace)
            self.pool = stack.enter_context(ThreadPoolExecutor(8))
            # Calls that still wait end with their daemon.
            stack.callback(self.rig.close_daemon)
            self.rig.start()
            self._watcher = Watcher(self.rig, self.ledger, self.allowances)
            stack.callback(self._watcher.close)
            self._open_books()
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End the processes and all threads."""
        self._taint.close()
        self._stack.close()

    # The virtual controller, and the log

    def tell(self, line: str) -> None:
        self.ledger.event(f"simulator: {line}")
        self.rig.tell(line)

    def mend(self) -> None:
        """End every fault."""
        for name in RATES:
            self.rig.tell(f"rate {name} 0")
        for line in ("clear", "return", "power-on"):
            self.rig.tell(line)

    def trace(self) -> list[str]:
        """The last lines on the wire."""
        return [
            f"{time_s:.3f} {direction} {data.strip()} {note}".rstrip()
            for time_s, direction, data, note in self.rig.tell("trace 100")["trace"]
        ]

    def last_log(self) -> list[str]:
        """The last lines of the daemon's log, and the exit code where it has ended."""
        code = self.rig.exit_code
        return [*self.rig.log.last, *([] if code is None else [f"it has ended with {code}"])]

    # What is true, and what is known

    def truth(self) -> Truth:
        return Truth.of(self.rig)

    def status(self) -> dict[str, Any]:
        return self.rig.status()

    @contextmanager
    def allowing(self, *names: str) -> Iterator[None]:
        with self.allowances.granted(*names):
            yield

    def taint(self) -> None:
        """From here on, until it is homed, the motor is not where the controller counts it. Nothing on the wire
        shows that, so nothing can be asked of the daemon."""
        if not self.tainted:
            self.tainted = True
            self._taint.enter_context(self.allowances.granted("arrival", "position", "limits"))

    def homed_anew(self) -> None:
        """The daemon has homed: all that was hidden is known again."""
        self.judge_limits()
        self._taint.close()
        self.tainted = False

    # Moves

    def move(
        self, target_mm: Any, offset: bool = False, expected_mm: float | None = None, short_steps: int = 0
    ) -> int | None:
        """Ask for a move and wait for its end; its number, None where no answer came.

        Args:
            target_mm: as for set_focus, and with `offset` relative.
            expected_mm: where the carriage shall then be, if not at `target_mm`.
            short_steps: by how much the controller was told to stand short of it.
        """
        began_s = time.monotonic()
        self.ledger.count("moves asked for")
        self.ledger.event(f"set_focus({target_mm!r}, {offset})")
        try:
            with self.rig.proxy(MOVE_S) as proxy:
                number: int = proxy.set_focus(target_mm, offset)
                truth = self.truth()
                report = proxy.report_status()
        except CALL_ERRORS as error:
            self.ledger.count("moves without an answer")
            self.ledger.event(f"set_focus({target_mm!r}) had no answer: {error}")
            return None
        self.ledger.count(OUTCOMES.get(number, f"moves with {number}"))
        self.ledger.event(f"set_focus({target_mm!r}) -> {number} at {truth.carriage_mm:.6f} mm, {report}")
        if number == SUCCEEDED:
            goal_mm = target_mm if expected_mm is None else expected_mm
            self.judge_arrival(goal_mm, report, truth, began_s, short_steps)
        return number

    def judge_arrival(
        self, target_mm: float, report: judge.Report, truth: Truth, began_s: float, short_steps: int = 0
    ) -> None:
        """Judge where the carriage is after a move that was asked for at `began_s` has succeeded."""
        if self.allowances.apply_since("arrival", began_s):
            self.ledger.leave_open("arrival")
        else:
            forced_mm = max(0.0, target_mm + CHANGES["anti_backlash_mm"] - CHANGES["travel_mm"])
            self.ledger.check("arrival", judge.arrival(target_mm, report, truth, forced_mm, short_steps))

    def begin_motion(self, action: Action) -> Future[int | None]:
        """Begin the move of an action, and wait until it has come as far as it says."""
        here_mm = self.truth().motor_mm
        target_mm = action.target_mm
        if abs(target_mm - here_mm) < SHORTEST_MOTION_MM:
            target_mm = round((target_mm + OUTERMOST_MM / 2) % OUTERMOST_MM, 4)
        moving = self.pool.submit(self.move, target_mm)
        self._wait_for_motion(moving)
        time.sleep(action.fraction * abs(target_mm - here_mm) / self.speed_mm_s)
        return moving

    def begin_homing(self, action: Action) -> Future[int | None]:
        """Begin to home, and wait until it has come as far as the action says."""
        self.shutdown()
        here_mm = self.truth().motor_mm
        homing = self.pool.submit(self.initialize)
        self._wait_for_motion(homing)
        time.sleep(action.fraction * here_mm / (HOMING_MM_S * self.rig.time_scale))
        return homing

    def _wait_for_motion(self, call: Future[int | None]) -> None:
        wait_for(lambda: call.done() or self.truth().moving, BEGIN_S)

    def begin(self, action: Action) -> Future[int | None] | None:
        """The motion during which an action's disturbance comes; None at rest."""
        if action.when == "motion":
            return self.begin_motion(action)
        return self.begin_homing(action) if action.when == "homing" else None

    # The other calls

    def _call(self, name: str, timeout_s: float, **named: Any) -> int | None:
        self.ledger.count(f"calls of {name}")
        self.ledger.event(f"{name}({named or ''})")
        try:
            number: int = self.rig.call(name, timeout_s=timeout_s, **named)
        except CALL_ERRORS as error:
            self.ledger.event(f"{name} had no answer: {error}")
            return None
        self.ledger.event(f"{name} -> {number}")
        return number

    def initialize(self, **named: Any) -> int | None:
        self.judge_limits()
        self._homing_in_books = True
        return self._call("initialize", INITIALIZE_S, **named)

    def audit(self) -> int | None:
        self.judge_limits()
        self._homing_in_books = True
        return self._call("audit", INITIALIZE_S)

    def shutdown(self) -> int | None:
        return self._call("shutdown", SHUTDOWN_S)

    def stop(self) -> int | None:
        """Stop; and if that says that the motor stands, look."""
        number = self._call("stop", STOP_S)
        if number == SUCCEEDED:
            first = self.truth()
            time.sleep(STANDSTILL_LOOKS_S)
            self.ledger.check("standstill", judge.standstill(first, self.truth()))
        return number

    # Limits

    def _open_books(self) -> None:
        self.rig.tell("forget-extremes")
        self._books_opened_s = time.monotonic()
        self._homing_in_books = False

    def judge_limits(self) -> None:
        """Judge where the motor has been since this was last done."""
        # A homing run may begin anywhere, also where a broken switch has let the motor go.
        ends_mm = (-INNER_MARGIN_MM, TRAVEL_MM) if self._homing_in_books else (0.0, CHANGES["travel_mm"])
        if self.allowances.apply_since("limits", self._books_opened_s):
            self.ledger.leave_open("limits")
        else:
            self.ledger.check("limits", judge.limits(self.truth(), *ends_mm))
        self._open_books()

    # After a disturbance

    def notice(self, what: str) -> None:
        """The daemon notices what was done to it, and says so with a reason."""
        began_s = time.monotonic()
        reports: list[dict[str, Any]] = []

        def is_noticed() -> bool:
            reports[:] = [self.status()]
            return bool(reports[0]["status"] == OFFLINE)

        noticed = wait_for(is_noticed, NOTICE_S)
        problem = f"{what}, and {NOTICE_S:g} s later the status said {reports[0]}; offline was expected."
        self.ledger.check("honesty", judge.honest(reports[0]) if noticed else problem)
        self.ledger.measure(f"{what}: noticed after, s", time.monotonic() - began_s)

    def settle(self) -> dict[str, Any]:
        """Wait until the daemon has made up its mind about what is now."""
        reports: list[dict[str, Any]] = []
        began_s = time.monotonic()

        def is_settled() -> bool:
            reports[:] = [self.status()]
            # What it read before may be of a link that was away for less than the time between two looks at rest.
            looked = reports[0].get("reading_age_s", 0.0) < time.monotonic() - began_s
            return looked and reports[0]["state"] in SETTLED_STATES

        settled = wait_for(is_settled, SETTLE_S)
        self.ledger.measure("settled after, s", time.monotonic() - began_s)
        report = reports[0]
        self.ledger.event(f"settled: {report}")
        problem = f"{SETTLE_S:g} s after all was mended the status said {report}."
        self.ledger.check("recovery", None if settled else problem)
        return report

    def come_back(self) -> None:
        """A link comes back to a controller that is as it was left: the daemon carries on by itself."""
        self.mend()
        report = self.settle()
        carried_on = report["status"] == IDLE
        problem = f"the link came back to a focuser at rest, and the status said {report}; idle was expected."
        self.ledger.check("recovery", None if carried_on else problem)

    def recover(self) -> None:
        """Mend everything, and bring the daemon back to where it can be used."""
        self.mend()
        report = self.settle()
        if report["state"] != "disconnected" or report.get("reason"):
            self.ledger.check("honesty", judge.honest(report))
        if report["status"] == IDLE and not self.tainted:
            self.ledger.count("recovered by itself")
        else:
            self._home(report)
        self.check_standing()
        self.prove()
        self.judge_limits()

    def _home(self, report: dict[str, Any]) -> None:
        if report["status"] == IDLE:
            self.shutdown()
        number = self.initialize()
        problem = f"initialize gave {number}; the status before was {report}, and is {self.status()}."
        if self.ledger.check("recovery", None if number == SUCCEEDED else problem):
            self.ledger.count("recovered by initialize")
            self.homed_anew()

    def check_standing(self) -> None:
        """At rest the published position is the true one."""
        before, report, after = self.truth(), self.status(), self.truth()
        if self.tainted or report["status"] != IDLE:
            self.ledger.leave_open("position")
            return
        judgement = judge.position([before, after], report)
        if isinstance(judgement, judge.Open):
            judgement = f"the focuser is said to stand, and the motor moved: {before}, {report}, {after}."
        self.ledger.check("position", judgement)

    def prove(self) -> None:
        """A short move succeeds."""
        here_mm = self.truth().motor_mm
        target_mm = here_mm + PROOF_MM if here_mm < OUTERMOST_MM / 2 else here_mm - PROOF_MM
        self.must(self.move(round(target_mm, 4)), SUCCEEDED, "a move after the recovery")

    def must(self, number: int | None, expected: int, what: str) -> None:
        """Without a fault, a call gives what it should."""
        problem = (
            None if number == expected else f"{what} gave {number}; {expected} was expected. {self.status()}"
        )
        self.ledger.check("health", problem)

    # The process

    def start_daemon(self) -> None:
        self.ledger.event("focusd starts")
        self.rig.start()
        self._warm = None
        self._actions_lived = 0

    def watch_resources(self) -> None:
        """After an action: what the daemon holds, against what it held when it was warm."""
        self._actions_lived += 1
        now = self.rig.usage()
        self.ledger.measure("memory of the daemon, MB", now.rss_mb)
        self.ledger.measure("threads of the daemon", now.threads)
        self.ledger.measure("files of the daemon", now.files)
        if self._actions_lived == WARM_ACTIONS:
            self._warm = now
        if self._warm is None:
            return
        warm = self._warm
        # Connections that were just closed may take a moment to be forgotten.
        wait_for(lambda: judge.resources(warm, self.rig.usage()) is None, COOL_DOWN_S)
        now = self.rig.usage()
        self.ledger.check("resources", judge.resources(warm, now))
        self.ledger.measure("growth of memory once warm, MB", now.rss_mb - warm.rss_mb)
        self.ledger.measure("longest life of a daemon, actions", self._actions_lived)
