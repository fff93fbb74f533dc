"""Holds on the service with its real thread: nothing moves inside a granted one, and it keeps nobody from stopping."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from rockit.focuser.ok3z.driver.clock import SystemClock
from rockit.focuser.ok3z.driver.link import SerialPort
from rockit.focuser.ok3z.driver.planning import Drive, Limits
from rockit.focuser.ok3z.errors import (
    AlreadyConnectedError,
    BusyError,
    FocuserError,
    HeldError,
    InvalidArgumentError,
    StoppedError,
)
from rockit.focuser.ok3z.service.focuser import Focuser
from rockit.focuser.ok3z.service.history import Asker
from rockit.focuser.ok3z.service.holds import MOST_HOLDS
from rockit.focuser.ok3z.service.settings import Settings
from rockit.focuser.ok3z.service.status import State
from rockit.focuser.ok3z.simulator import VirtualOK3Z, registered
from rockit.focuser.ok3z.storage.history_file import Motion
from rockit.focuser.ok3z.storage.holds_file import HoldsFile
from rockit.focuser.ok3z.storage.state_store import StateStore
from tests.support.waiting import BOUND_S, wait_until

TIME_SCALE = 20
SETTINGS = Settings(
    "the bench", 5.0, 180.0, Limits.from_mm(6.0, 6.0, 0.5), Drive.from_mm(0.5, 5.0, TIME_SCALE)
)
CAMERA = Asker("10.0.0.7", "pyro")


class BootClock(SystemClock):
    """Real time, but the time since boot, and the time of day, that a test lets jump."""

    def __init__(self):
        self.slept_s = self.set_s = 0.0

    def boot_s(self):
        return super().boot_s() + self.slept_s

    def utc_now(self):
        return super().utc_now() + timedelta(seconds=self.set_s)


class Told:
    """Notes the rows that are told."""

    def __init__(self):
        self.rows = []

    def put(self, row):
        self.rows.append(row)

    def ask(self, question):
        raise NotImplementedError

    def of(self, kind):
        return [row for row in self.rows if isinstance(row, Motion) and row.kind == kind]


class Bench:
    def __init__(self, model, url, path):
        self.model = model
        self.clock = BootClock()
        self.told = Told()
        self._url, self._path = url, path
        self.focuser = self._new_focuser()

    def _new_focuser(self):
        return Focuser(
            SETTINGS,
            SerialPort(self._url, 38400, SystemClock()),
            lambda *_: None,
            StateStore(None, lambda *_: None),
            self.clock,
            ledger=self.told,
            shelf=HoldsFile(self._path, "this boot"),
        )

    def restart(self):
        self.focuser.close()
        self.focuser = self._new_focuser()
        self.focuser.start()

    def move(self, position_mm, **how):
        return self.focuser.begin_move(position_mm, **how).ended.result(BOUND_S)


@contextmanager
def make_bench(tmp_path):
    model = VirtualOK3Z(time_scale=TIME_SCALE, start_mm=1.0)
    with registered(f"holds{id(model)}", model) as url:
        bench = Bench(model, url, tmp_path / "focuser.holds")
        bench.focuser.start()
        try:
            yield bench
        finally:
            bench.focuser.close()


@pytest.fixture(name="bench")
def fixture_bench(tmp_path):
    with make_bench(tmp_path) as bench:
        bench.focuser.begin_initialize().result(BOUND_S)
        yield bench


def test_while_it_is_held_nothing_moves_and_the_refusal_says_until_when(bench):
    bench.focuser.hold("cam1", 60, asker=CAMERA)
    for run in (lambda: bench.move(2.0), lambda: bench.focuser.begin_audit()):
        with pytest.raises(
            HeldError, match=r"^cam1 holds the focuser until 20\d\d-.*Z \((59|60) s more\)\. Wait"
        ):
            run()
    assert bench.model.carriage_mm == pytest.approx(0.0, abs=0.001)
    assert bench.focuser.counters.refused == {"held": 2}


def test_after_its_end_or_its_release_it_moves(bench):
    token = bench.focuser.hold("cam1", 60)
    bench.focuser.release(token)
    bench.move(0.5)
    bench.focuser.hold("cam1", 0.2)
    wait_until(lambda: not bench.focuser.holds.living())
    bench.move(0.4)
    with pytest.raises(InvalidArgumentError):
        bench.focuser.release(token)


def test_stop_and_shutdown_pass(bench):
    bench.focuser.hold("cam1", 60)
    bench.focuser.begin_stop("somebody", "pyro").result(BOUND_S)
    assert bench.told.of("stop")[0].holds == "cam1"
    bench.focuser.begin_shutdown().result(BOUND_S)


def test_a_focuser_that_cannot_be_used_is_initialised_whoever_holds_it(bench):
    bench.focuser.hold("cam1", 60)
    with pytest.raises(AlreadyConnectedError):
        bench.focuser.begin_initialize().result(BOUND_S)
    bench.focuser.begin_shutdown().result(BOUND_S)
    bench.focuser.begin_initialize().result(BOUND_S)
    assert [row.holds for row in bench.told.of("homing") if row.end] == ["", "cam1"]


def test_while_it_moves_nobody_is_promised_anything(bench):
    begun = bench.focuser.begin_move(4.0)
    begun.under_way.result(BOUND_S)
    with pytest.raises(BusyError, match="a move is running, so nobody can be promised"):
        bench.focuser.hold("cam1", 60)
    assert bench.focuser.counters.refused == {"busy": 1}
    bench.focuser.begin_stop("the test").result(BOUND_S)


def test_while_somebody_drives_it_nobody_is_promised_anything(bench, monkeypatch):
    snapshot = replace(bench.focuser.snapshot, state=State.MOVING)
    monkeypatch.setattr(bench.focuser._commands._publisher, "snapshot", snapshot)
    with pytest.raises(BusyError, match="the motor may be running"):
        bench.focuser.hold("cam1", 60)
    # Whoever wants to initialise what moves has to say that the holds do not matter.
    monkeypatch.undo()
    bench.focuser.hold("cam1", 60)
    monkeypatch.setattr(bench.focuser._commands._publisher, "snapshot", snapshot)
    with pytest.raises(HeldError):
        bench.focuser.begin_initialize()
    bench.focuser.begin_initialize(force=True)


def test_there_are_no_more_than_so_many(bench):
    tokens = [bench.focuser.hold("cam", 60) for _ in range(MOST_HOLDS)]
    assert len(set(tokens)) == MOST_HOLDS
    with pytest.raises(BusyError, match="16 holds"):
        bench.focuser.hold("cam", 60)
    assert bench.focuser.hold("cam", 600, tokens[0]) == tokens[0]


@pytest.mark.parametrize(
    ("name", "seconds", "token"),
    [
        *[(name, 60, "") for name in ("", "x" * 41, "two\nlines", 5, None, b"cam1")],
        *[("cam1", seconds, "") for seconds in (0, -1, 601, float("nan"), float("inf"), True, "60", None)],
        *[("cam1", 60, token) for token in ("0123456789abcdef", 5, b"x")],
    ],
)
def test_what_is_no_hold_is_refused(bench, name, seconds, token):
    with pytest.raises(InvalidArgumentError):
        bench.focuser.hold(name, seconds, token)
    assert bench.focuser.holds.living() == []


def test_a_hold_is_renewed_with_its_token_and_under_its_name(bench):
    token = bench.focuser.hold("cam1", 1)
    with pytest.raises(InvalidArgumentError):
        bench.focuser.hold("cam2", 600, token)
    assert bench.focuser.hold("cam1", 600, token) == token
    assert bench.focuser.holds.ends_in_s == pytest.approx(600, abs=10)
    assert {row.number for row in bench.told.of("hold")} == {bench.told.of("hold")[0].number}
    (published,) = bench.focuser.holds.published()
    assert set(published) == {"name", "since", "until"}


def test_it_outlives_the_daemon(bench):
    token = bench.focuser.hold("cam1", 60)
    bench.restart()
    # What cannot be used is initialised all the same, and held from then on.
    bench.focuser.begin_initialize().result(BOUND_S)
    with pytest.raises(HeldError):
        bench.move(2.0)
    bench.focuser.release(token)
    bench.move(2.0)


@pytest.mark.parametrize("set_s", [86400.0, -86400.0])
def test_a_clock_that_is_set_changes_nothing(bench, set_s):
    bench.focuser.hold("cam1", 60)
    bench.clock.set_s = set_s
    with pytest.raises(HeldError):
        bench.move(2.0)
    bench.clock.slept_s += 61.0
    bench.move(2.0)


# One that waits


def test_one_move_waits_for_the_last_to_go_and_others_are_refused(bench):
    first, last = bench.focuser.hold("cam1", 60), bench.focuser.hold("cam2", 60)
    waits = bench.focuser.begin_move(2.0, wait_s=60)
    for wait_s in (0, 60):
        with pytest.raises(HeldError):
            bench.focuser.begin_move(1.0, wait_s=wait_s)
    with pytest.raises(BusyError, match="a move waits"):
        bench.focuser.hold("cam3", 60)
    assert bench.focuser.hold("cam1", 60, first) == first
    bench.focuser.release(first)
    assert not waits.under_way.done()
    bench.focuser.release(last)
    waits.ended.result(BOUND_S)
    assert bench.focuser.snapshot.current_steps == 10176


def test_it_comes_as_soon_as_a_hold_runs_out(bench):
    bench.focuser.hold("cam1", 0.3)
    bench.move(2.0, wait_s=60)


def test_it_waits_no_longer_than_it_wanted(bench):
    bench.focuser.hold("cam1", 60)
    with pytest.raises(HeldError):
        bench.move(2.0, wait_s=0.2)
    assert bench.focuser.holds.living()
    assert bench.focuser.counters.refused == {"held": 1}


def test_a_stop_ends_what_waits(bench):
    token = bench.focuser.hold("cam1", 60)
    waits = bench.focuser.begin_move(2.0, wait_s=60)
    bench.focuser.begin_stop("the test").result(BOUND_S)
    with pytest.raises(StoppedError):
        waits.ended.result(BOUND_S)
    bench.focuser.release(token)
    assert bench.focuser.snapshot.current_steps == 0


def test_the_end_of_the_daemon_ends_what_waits(bench):
    bench.focuser.hold("cam1", 60)
    waits = bench.focuser.begin_move(2.0, wait_s=60)
    bench.focuser.close()
    assert waits.ended.exception(BOUND_S)


# Many at once


class Race:
    """Cameras, movers and somebody who stops, each on a thread of its own."""

    def __init__(self, bench, seconds):
        self.bench = bench
        self.ends_s = time.monotonic() + seconds
        self.granted, self.moved, self.violations = [], [], []

    def camera(self, number):
        chance, model = random.Random(number), self.bench.model
        while time.monotonic() < self.ends_s:
            try:
                token = self.bench.focuser.hold(f"cam{number}", 60)
            except BusyError:
                time.sleep(chance.uniform(0.0, 0.02))
                continue
            before_mm = model.carriage_mm
            time.sleep(chance.uniform(0.0, 0.2))
            if before_mm != model.carriage_mm or model.is_moving:
                self.violations.append((number, before_mm, model.carriage_mm))
            self.bench.focuser.release(token)
            self.granted.append(number)
            time.sleep(chance.uniform(0.0, 0.1))

    def mover(self, number):
        chance = random.Random(100 + number)
        while time.monotonic() < self.ends_s:
            try:
                wait_s = chance.choice([0.0, 0.0, 2.0])
                self.bench.move(chance.uniform(0.0, 1.0), wait_s=wait_s)
                self.moved.append(wait_s)
            except FocuserError:
                time.sleep(chance.uniform(0.0, 0.03))

    def stopper(self, _):
        while time.monotonic() < self.ends_s:
            time.sleep(0.3)
            self.bench.focuser.begin_stop("the test").exception(BOUND_S)


@pytest.mark.timeout(120)
def test_no_motion_is_inside_a_granted_hold(bench):
    race = Race(bench, seconds=6.0)
    runners = [race.camera, race.camera, race.camera, race.mover, race.mover, race.stopper]
    with ThreadPoolExecutor(len(runners)) as threads:
        for running in [threads.submit(run, number) for number, run in enumerate(runners)]:
            running.result()
    assert race.violations == []
    assert len(race.granted) > 3
    assert race.moved
