"""Interleaved owners against a model: terms, positions, offsets, holds, stops, kills and time, in any order."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rockit.focuser.ok3z.errors import HeldError, InvalidArgumentError, OutsideLimitsError, StoppedError
from rockit.focuser.ok3z.service.status import Trust
from tests.service.terms_bench import KilledError, TermsBench

LIVES = int(os.environ.get("FOCUSER_LIVES", "0"))
THE_SAME = 60 if os.environ.get("FOCUSER_EVERY_CASE", "0") != "0" else 20
NAMES, OWNERS = ("filter", "temperature", "tilt"), ("camera", "weather")

hundredths = st.integers(-60, 60).map(lambda number: number / 100)
changes = st.one_of(
    st.tuples(
        st.just("set"),
        st.sampled_from(NAMES),
        st.sampled_from(OWNERS),
        hundredths,
        st.sampled_from([None, 30.0, 30.0, 300.0]),
    ),
    st.tuples(st.just("clear"), st.sampled_from(NAMES), st.sampled_from(OWNERS)),
)
moves = st.one_of(
    st.tuples(st.just("move"), st.integers(-20, 620).map(lambda number: number / 100)),
    st.tuples(st.just("offset"), hundredths),
)
actions = st.one_of(
    changes,
    changes,
    moves,
    st.tuples(st.just("rest"), st.sampled_from([5.0, 40.0, 400.0])),
    st.tuples(st.just("interrupted"), st.sampled_from([40.0, 400.0]), st.integers(1, 60)),
    st.tuples(st.just("hold"), st.sampled_from([20.0, 60.0, 500.0])),
    st.tuples(st.just("stopped"), st.one_of(changes, moves), st.integers(1, 60)),
    st.tuples(st.just("killed"), st.one_of(changes, moves), st.integers(1, 60)),
    st.just(("home",)),
)


class Model:
    """What is expected: in words of docs/terms.md, without a motor."""

    def __init__(self):
        self.target: float = 0.0
        self.base: float | None = None
        self.terms: dict[str, tuple[str, float, float | None]] = {}
        self.held_until = 0.0

    def total(self, terms=None):
        return sum(mm for _, mm, _ in (self.terms if terms is None else terms).values())

    @property
    def base_mm(self):
        """The base is what the terms leave over, unless a term's move has not come to its end."""
        return self.target - self.total() if self.base is None else self.base

    def living(self, now):
        return {name: term for name, term in self.terms.items() if term[2] is None or term[2] > now}

    def asks(self, action, now):
        """What an action leads to: the error, or the target, the base and the terms."""
        what, *arguments = action
        if now < self.held_until:
            return HeldError
        terms = self.living(now)
        if what in ("move", "offset"):
            target = arguments[0] + (self.target if what == "offset" else 0.0)
            new = (target, None, terms)
        else:
            name, owner, *rest = arguments
            if name in terms and terms[name][0] != owner:
                return InvalidArgumentError
            base = self.base_mm
            if what == "clear":
                terms.pop(name, None)
            else:
                mm, ttl_s = rest
                terms[name] = (owner, mm, None if ttl_s is None else now + ttl_s)
            new = (base + self.total(terms), base, terms)
        return new if -1e-4 <= new[0] <= 6.0001 else OutsideLimitsError

    def settle(self, new):
        self.target, base, self.terms = new
        self.base = None if base is None or abs(base + self.total() - self.target) < 1e-6 else base
        self.target = min(max(self.target, 0.0), 6.0)

    def expires(self, now):
        """A term that is over is taken back, once nobody holds the focuser."""
        living = self.living(now)
        if now < self.held_until or living == self.terms:
            return
        base = self.base_mm
        new = (base + self.total(living), base, living)
        if -1e-4 <= new[0] <= 6.0001:
            self.settle(new)
        else:
            self.terms, self.base = living, None


class Life:
    """A focuser and its model."""

    def __init__(self, rig):
        self.bench, self.model, self.rig = TermsBench(rig), Model(), rig
        assert self.bench.initialize() is None

    @property
    def now(self):
        return self.rig.clock.monotonic()

    @property
    def here_mm(self) -> float:
        target_mm = self.bench.target_mm
        assert target_mm is not None
        return target_mm

    def ask(self, action):
        what, *arguments = action
        if what == "set":
            name, owner, mm, ttl_s = arguments
            return self.bench.set(name, mm, owner, ttl_s)
        if what == "clear":
            return self.bench.clear(*arguments)
        (number_mm,) = arguments
        return self.bench.move(number_mm, offset=what == "offset")

    def do(self, action):
        what, *arguments = action
        if what in ("rest", "interrupted"):
            self.rig.clock.sleep(arguments[0])
        elif what == "hold":
            self.bench.focuser.hold("cam1", arguments[0])
            self.model.held_until = max(self.model.held_until, self.now + arguments[0])
        elif what == "home":
            assert self.bench.run(self.bench.focuser.begin_shutdown) is None
            self.starts_anew()
        elif what == "stopped":
            self.stopped(*arguments)
        elif what == "killed":
            self.killed(*arguments)
        else:
            self.is_as_expected(self.ask(action), self.model.asks(action, self.began))

    def step(self, action):
        self.began = self.now
        self.do(action)
        self.expire(*(action[2:] if action[0] == "interrupted" else ()))
        # Nothing moves any more, and it was looked at just now.
        self.bench.focuser._turn()
        self.judge()

    def expire(self, stopped_at=0):
        """What is over is taken back, and perhaps somebody stops that."""
        base_mm, now = self.model.base_mm, self.now
        self.bench.stop_at(stopped_at)
        self.bench.focuser._turn()
        self.bench.at_checkpoint = lambda number: None
        self.model.expires(now)
        # It was asked for at rest.
        self.bench.focuser._turn()
        if stopped_at and self.bench.target_mm != pytest.approx(self.model.target, abs=2e-6):
            assert self.bench.focuser.snapshot.reason == "stopped."
            self.model.base = base_mm
            self.model.target = self.here_mm

    def is_as_expected(self, outcome, expected):
        if isinstance(expected, tuple):
            assert outcome is None
            self.model.settle(expected)
        else:
            assert type(outcome) is expected

    def stopped(self, action, number):
        self.bench.stop_at(number)
        expected = self.model.asks(action, self.began)
        outcome = self.ask(action)
        self.bench.at_checkpoint = lambda number: None
        if not isinstance(outcome, StoppedError):
            self.is_as_expected(outcome, expected)
            return
        self.stands_elsewhere(action)
        # Nothing moves it after a stop.
        self.model.terms = self.model.living(self.now)

    def stands_elsewhere(self, action):
        """The term is as it was, and so is the base; of a position that was asked for as a whole it is what is left."""
        is_term = action[0] in ("set", "clear")
        self.model.base = self.model.base_mm if is_term else None
        self.model.target = self.here_mm

    def killed(self, action, number):
        self.bench.kill_at(number)
        expected = self.model.asks(action, self.began)
        try:
            outcome = self.ask(action)
        except KilledError:
            self.bench.at_checkpoint = lambda number: None
            self.bench.restart()
            assert self.bench.initialize(resume=True) is None
            if self.bench.focuser.snapshot.confidence.trust is Trust.RESUMED:
                self.stands_elsewhere(action)
            else:
                self.is_homed()
            return
        self.bench.at_checkpoint = lambda number: None
        self.is_as_expected(outcome, expected)

    def starts_anew(self):
        assert self.bench.initialize() is None
        self.is_homed()

    def is_homed(self):
        self.model.target, self.model.base = 0.0, None
        self.model.terms = self.model.living(self.began)

    def judge(self):
        model, snapshot = self.model, self.bench.focuser.snapshot
        assert self.bench.terms == {name: mm for name, (_, mm, _) in model.terms.items()}
        assert snapshot.base_mm == pytest.approx(model.base_mm, abs=2e-6)
        assert self.bench.target_mm == pytest.approx(model.target, abs=2e-6)
        assert not self.rig.model.is_moving
        # A target that a power cut would hide takes its neighbour.
        assert snapshot.current_steps == pytest.approx(model.target * 5088, abs=1.6)


@pytest.mark.timeout(300)
@settings(
    max_examples=LIVES or THE_SAME,
    derandomize=not LIVES,
    phases=[Phase.explicit, Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(actions, min_size=25, max_size=40))
def test_owners_that_interleave_are_as_the_model_says(make_rig, actions):
    life = Life(make_rig())
    for action in actions:
        life.step(action)
    life.bench.focuser._commands.leave()
