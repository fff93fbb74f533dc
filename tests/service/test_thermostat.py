"""The temperature on the service with its real threads: its term is everybody's kind of motion, and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import serial

from rockit.focuser.ok3z.driver.clock import SystemClock
from rockit.focuser.ok3z.driver.link import SerialPort
from rockit.focuser.ok3z.driver.planning import Drive, Limits, mm_from_steps
from rockit.focuser.ok3z.errors import (
    BusyError,
    HeldError,
    InvalidArgumentError,
    NotConnectedError,
    ThermometerError,
)
from rockit.focuser.ok3z.service import thermostat as room
from rockit.focuser.ok3z.service.focuser import Focuser
from rockit.focuser.ok3z.service.history import Asker
from rockit.focuser.ok3z.service.settings import Settings
from rockit.focuser.ok3z.service.status import State
from rockit.focuser.ok3z.service.temperature import TERM, Answer, Temperature, begin_set_reference
from rockit.focuser.ok3z.service.temperature_model import Reading, Rules
from rockit.focuser.ok3z.service.thermostat import FollowedFocuser, Thermostat
from rockit.focuser.ok3z.simulator import VirtualOK3Z, registered
from rockit.focuser.ok3z.storage.history_file import Motion
from rockit.focuser.ok3z.storage.state_store import StateStore
from tests.support.temperature import PaperClock, PaperKeeper
from tests.support.waiting import BOUND_S, wait_until

SIMULATOR = "rockit.focuser.ok3z.simulator"
TIME_SCALE = 20
SETTINGS = Settings(
    "the bench", 5.0, 180.0, Limits.from_mm(6.0, 6.0, 0.5), Drive.from_mm(0.5, 5.0, TIME_SCALE)
)
ACTIVE = Rules(-0.05, smoothing_s=0.0, smallest_step_mm=0.01, quiet_s=0.0, active=True)
CAMERA = Asker("10.0.0.7", "pyro")


class Bench:
    """A homed focuser at 2 mm that is followed."""

    def __init__(self, model: VirtualOK3Z, url: str) -> None:
        self.model = model
        self.rows: list[Motion] = []
        port = SerialPort(url, 38400, SystemClock())
        self.focuser = Focuser(SETTINGS, port, lambda *_: None, StateStore(None, lambda *_: None))
        self.followed = FollowedFocuser(self.focuser)
        self.clock = PaperClock()
        self.temperature = self.follow(ACTIVE)

    def follow(self, rules: Rules) -> Temperature:
        self.temperature = Temperature(
            rules,
            self.followed,
            PaperKeeper(),
            self.clock,
            self.clock.moment,
            self.rows.append,
            lambda *_: None,
            6.0,
        )
        self.focuser.temperature = self.temperature
        return self.temperature

    def look(self, celsius: float) -> object:
        self.clock.now_s += 60.0
        self.temperature.look(Reading(celsius))
        return self.temperature.published(True)["state"]

    @property
    def at_mm(self) -> float:
        return mm_from_steps(self.focuser.snapshot.current_steps or 0)

    def go_tos(self) -> int:
        return int(self.model.frames_seen.get("P092", 0))


@pytest.fixture(name="homed", scope="module")
def fixture_homed() -> Iterator[Bench]:
    model = VirtualOK3Z(start_mm=0.3, time_scale=TIME_SCALE)
    if SIMULATOR not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(SIMULATOR)
    with registered("thermostat", model) as url:
        bench = Bench(model, url)
        with bench.focuser:
            yield bench


@pytest.fixture(name="bench")
def fixture_bench(homed: Bench) -> Bench:
    focuser = homed.focuser
    focuser.temperature = None
    if focuser.snapshot.state is not State.IDLE:
        focuser.begin_initialize(resume=True).result(BOUND_S)
    for term in focuser.terms():
        focuser.begin_clear_term(term.name, term.owner).ended.result(BOUND_S)
    focuser.begin_move(2.0).ended.result(BOUND_S)
    homed.follow(ACTIVE)
    return homed


def test_a_correction_is_a_term_that_adds_to_what_others_ask_for(bench: Bench) -> None:
    bench.look(10.0)
    done = begin_set_reference(bench.temperature, CAMERA)
    bench.look(10.0)
    assert done.result(0) is None
    assert bench.look(9.0) == "moves"
    wait_until(lambda: bench.look(9.0) == "rests")
    assert bench.at_mm == pytest.approx(2.05, abs=0.0003)
    assert [(term.name, term.owner, term.mm) for term in bench.focuser.terms()] == [(TERM, TERM, 0.05)]
    # Who knows no terms goes where he says, and the term stays.
    bench.focuser.begin_move(3.0).ended.result(BOUND_S)
    bench.focuser.begin_set_term("filter", 0.1, "wheel", asker=CAMERA).ended.result(BOUND_S)
    assert bench.at_mm == pytest.approx(3.1, abs=0.0003)
    assert bench.look(8.0) == "moves"
    wait_until(lambda: bench.look(8.0) == "rests")
    assert bench.at_mm == pytest.approx(3.15, abs=0.0003)
    assert bench.temperature.published(True)["reference_celsius"] == 10.0


def test_its_term_is_nobody_elses_while_it_is_active(bench: Bench) -> None:
    for ask in (
        lambda: bench.focuser.begin_set_term(TERM, 0.1, TERM, asker=CAMERA),
        lambda: bench.focuser.begin_clear_term(TERM, TERM, asker=CAMERA),
        lambda: bench.focuser.begin_set_term(TERM, 0.1, "me"),
    ):
        with pytest.raises(InvalidArgumentError, match="set by this daemon itself"):
            ask()
    bench.follow(Rules(-0.05))
    bench.focuser.begin_set_term(TERM, 0.1, "me", asker=CAMERA).ended.result(BOUND_S)
    assert bench.at_mm == pytest.approx(2.1, abs=0.0003)
    bench.follow(Rules(-0.05, active=True))
    # Else nobody could: it is not this daemon's, and nobody else's.
    bench.focuser.begin_clear_term(TERM, "me", asker=CAMERA).ended.result(BOUND_S)
    assert bench.focuser.terms() == ()


def test_nothing_moves_in_a_hold(bench: Bench) -> None:
    before = bench.go_tos()
    token = bench.focuser.hold("cam1", 60.0, asker=CAMERA)
    assert bench.followed.why_held().startswith("cam1 holds the focuser")
    with pytest.raises(HeldError):
        bench.followed.correct(0.1, 0.0)
    bench.focuser.release(token)
    assert bench.followed.why_held() == ""
    assert bench.go_tos() == before


def test_who_moves_or_stops_it_in_between_comes_first(bench: Bench) -> None:
    before = bench.go_tos()
    # Decided a while ago, and looked at again on the thread that moves.
    ended = bench.followed.correct(0.1, 1e6)
    assert isinstance(ended.exception(BOUND_S), BusyError)
    assert (bench.go_tos(), bench.focuser.terms()) == (before, ())


def test_moves_and_stops_are_somebodys_and_terms_are_not(bench: Bench) -> None:
    moved_s = bench.followed.left_alone_s()
    bench.followed.correct(0.1, 0.0).result(BOUND_S)
    bench.focuser.begin_set_term("filter", 0.1, "wheel").ended.result(BOUND_S)
    alone_s = bench.followed.left_alone_s()
    assert alone_s > moved_s
    bench.focuser.begin_stop("10.0.0.7").result(BOUND_S)
    stopped_s = bench.followed.left_alone_s()
    assert stopped_s < alone_s
    # Also one that moves nothing: an autofocus may have come to where it was.
    wait_until(lambda: bench.followed.left_alone_s() > 0.1)
    bench.focuser.begin_move(2.2).ended.result(BOUND_S)
    wait_until(lambda: bench.followed.left_alone_s() < 0.1)


def test_without_a_temperature_there_is_no_reference() -> None:
    with pytest.raises(InvalidArgumentError, match="follows no temperature"):
        begin_set_reference(None, CAMERA)


def test_a_focuser_that_is_not_connected_is_no_reference(bench: Bench) -> None:
    bench.focuser.begin_shutdown().result(BOUND_S)
    bench.look(10.0)
    done = begin_set_reference(bench.temperature, CAMERA)
    bench.look(10.0)
    assert isinstance(done.exception(0), NotConnectedError)


def test_the_thread_looks_at_once_when_somebody_asks_and_outlives_whatever_is_raised(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[object] = []
    asked = threading.Semaphore(0)

    def ask() -> tuple[object, str]:
        asked.release()
        answer = answers.pop(0) if answers else 10.0
        if isinstance(answer, Exception):
            raise answer
        return answer, ""

    look, mistakes = bench.temperature.look, [KeyError("a mistake")]

    def mistaken_look(answer: Answer) -> None:
        if mistakes:
            raise mistakes.pop()
        look(answer)

    monkeypatch.setattr(bench.temperature, "look", mistaken_look)
    answers += [10.0, ThermometerError("no answer."), KeyError("a mistake")]
    thermostat = Thermostat(bench.temperature, ask)
    thermostat.start()
    try:
        for _ in range(4):
            assert asked.acquire(timeout=BOUND_S)
            bench.temperature.wake()
        bench.clock.now_s += 120.0
        # In trouble until it was well for a while.
        bench.temperature.begin_set_reference(CAMERA).exception(BOUND_S)
        bench.clock.now_s += 120.0
        assert bench.temperature.begin_set_reference(CAMERA).exception(BOUND_S) is None
        assert room.ASK_EVERY_S == 10.0, "nobody has waited for that here"
    finally:
        thermostat.close()
    thermostat._thread.join(BOUND_S)
    assert not thermostat._thread.is_alive()
