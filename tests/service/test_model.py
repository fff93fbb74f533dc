"""Random lives of a focuser: moves, stops and faults in any order, against the true carriage (model-based).

They are the same ones each time, so that a change is judged and not chance: some, and more with `FOCUSER_EVERY_CASE=1`.
`FOCUSER_LIVES=5000` gives as many others.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import sys
from pathlib import Path

import pytest
import serial
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.driver.registers import POSITION_TOLERANCE_STEPS, near_power_up
from rockit.focuser.ok3z.errors import (
    DeviceError,
    FocuserError,
    LinkError,
    NotConnectedError,
    OutsideLimitsError,
    StoppedError,
)
from rockit.focuser.ok3z.service.resume_proof import HAND_NEEDS_S
from rockit.focuser.ok3z.service.status import State


def _rig_class():
    # The machine is made by hypothesis, not by a fixture: the rig comes from the conftest beside this file.
    spec = importlib.util.spec_from_file_location("driver_rig", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["driver_rig"] = module
    spec.loader.exec_module(module)
    return module.Rig


Rig = _rig_class()
SIMULATOR = "rockit.focuser.ok3z.simulator"

positions = st.one_of(
    st.floats(0, 6), st.sampled_from([0.0, 6.0, 5.9999, 0.0001, 3.0]), st.floats(-1, 7), st.just(math.nan)
)
offsets = st.one_of(st.floats(-0.3, 0.3), st.sampled_from([0.0, -0.05, 0.05]), st.floats(-7, 7))
replies = st.sampled_from(["lost", "cut", "merged", "doubled", "noise", "late"])
codes = st.sampled_from(["", "S001", "P081"])
# Positions are compared with a tolerance; a register beside it is false.
FALSE_STEPS = POSITION_TOLERANCE_STEPS + 1
SETTINGS = ["P132", "P052", "P062", "P031", "E002"]
CONFIGURED_SPEED = 41
# A rate as near as this to the configured one cannot be told from it in a short leg.
RATE_IN_DOUBT = 0.4


def shows_on_the_wire(mode, follows, speed):
    """Whether the rate of the register tells that the settings were lost. Where the register changes after a power cut
    as fast as before, and its steps are other ones, nobody can know (docs/decisions/0003-belief.md)."""
    rate = speed * 2.0 ** (mode - 3) if follows else speed
    return mode == 3 or abs(rate / CONFIGURED_SPEED - 1) > RATE_IN_DOUBT


power_ups = st.tuples(
    st.sampled_from([2, 3, 4, 7]), st.booleans(), st.sampled_from([4, 15, 41, 60, 200])
).filter(lambda power_up: shows_on_the_wire(*power_up))


class DiedError(Exception):
    """The process ended, without a word."""


class FocuserLife(RuleBasedStateMachine):
    @initialize(
        start_mm=st.floats(0, 9),
        register=st.one_of(st.integers(-(10**6), 10**6), st.just(0), st.integers(-45000, 0)),
        travel_mm=st.sampled_from([6.0, 6.5]),
        power_up=power_ups,
        power_up_register=st.sampled_from([0, 0, 30000, -2544]),
        slow_until_set=st.booleans(),
    )
    def power_up(self, start_mm, register, travel_mm, power_up, power_up_register, slow_until_set):
        if SIMULATOR not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.append(SIMULATOR)
        mode, follows, speed = power_up
        self.rig = Rig(
            start_mm=start_mm,
            register=register,
            travel_mm=travel_mm,
            power_up_mode=mode,
            rate_follows_mode=follows,
            power_up_speed=speed,
            power_up_register=power_up_register,
            slow_until_set=slow_until_set,
        )
        self.rig.home()
        self.rig.assert_stands_at(0.0)
        self.outside_mm = start_mm

    @rule(position=positions)
    def move(self, position):
        self._judge(self.rig.move(position), position)

    @rule(offset=offsets)
    def offset(self, offset):
        target_steps = self.rig.commands.snapshot.target_steps
        wanted = None if target_steps is None else target_steps / 5088 + offset
        self._judge(self.rig.move(offset, offset=True), wanted)

    @rule(position=st.floats(0, 6), number=st.integers(1, 120))
    def move_and_stop(self, position, number):
        self.rig.interrupt_at(number)
        outcome = self.rig.move(position)
        self._assert_standing_or_known_to_run()
        if not isinstance(outcome, StoppedError):
            self._judge(outcome, position)

    @rule(number=st.integers(1, 120))
    def home_and_stop(self, number):
        self.rig.carry_out(self.rig.commands.shutdown)
        self.rig.interrupt_at(number)
        self.rig.carry_out(self.rig.commands.initialize)
        self._assert_standing_or_known_to_run()

    @rule()
    def initialize_again(self):
        self.rig.carry_out(self.rig.commands.initialize)

    @rule()
    def stop_at_rest(self):
        self.rig.carry_out(self.rig.commands.halt_at_rest)

    @rule(kind=replies, to=codes, count=st.integers(1, 3), after=st.integers(0, 40))
    def spoil_replies(self, kind, to, count, after):
        self.rig.model.fault(kind, to=to, count=count, after=after)

    @rule(to=st.sampled_from(["P092", "P103", "P021", "P132"]), count=st.integers(1, 2))
    def lose_commands(self, to, count):
        self.rig.model.fault("command_lost", to=to, count=count)

    @rule(after=st.integers(0, 40))
    def cut_the_power(self, after):
        self.rig.model.fault("power_cut", to="P081", after=after, seconds=0.3)

    @rule(
        to=st.sampled_from(["P103", "P103", "P092", "P092", "P021", *SETTINGS, "S001", "P081"]),
        when=st.sampled_from(["before", "after"]),
        after=st.one_of(st.integers(0, 2), st.integers(0, 40)),
        delay_s=st.sampled_from([0.0, 0.0, 0.02, 0.1, 2.0]),
    )
    def reset_at_a_frame(self, to, when, after, delay_s):
        """The power dips, as it does when a motor is energised."""
        self.rig.model.fault("reset", to=to, when="after" if delay_s else when, after=after, delay_s=delay_s)

    @precondition(lambda self: self.rig.status == FocuserStatus.Idle)
    @rule(
        position=st.floats(0.0, 6.0), beside_steps=st.sampled_from([0, 0, 1, -1, 7, -30]), exact=st.booleans()
    )
    def stand_where_the_controller_begins(self, position, beside_steps, exact):
        """It begins, after the power cut that shows it, at a register that will be in use."""
        rig = self.rig
        rig.model.clear_faults()
        if rig.carry_out(rig.commands.initialize) is not None and rig.status != FocuserStatus.Idle:
            return
        register = rig.commands._axis.origin_register - round(position * 5088)
        if abs(register - rig.model.register) <= POSITION_TOLERANCE_STEPS:
            # Such a cut does not show. What nobody knows of a register, only the rate of a long move tells
            # (docs/decisions/0003-belief.md).
            return
        rig.model.change(power_up_register=register)
        rig.model.power_cut(0.0)
        rig.rest(2.0)
        rig.carry_out(rig.commands.initialize)
        if rig.status == FocuserStatus.Idle:
            here = (rig.commands._axis.origin_register - register + beside_steps) / 5088
            self._judge(rig.move(here, exact=exact), here)

    @rule(steps=st.integers(1, 2000))
    def stand_short(self, steps):
        self.rig.model.stand_short(steps)

    @rule(kind=st.sampled_from(["frozen", "reversed", "works"]))
    def spoil_the_motor(self, kind):
        self.rig.model.motor(kind)

    @rule()
    def pull_the_adapter_and_plug_it_in(self):
        self.rig.model.hang_up()
        self.rig.model.come_back()

    @rule()
    def pull_the_adapter(self):
        self.rig.model.hang_up()

    @precondition(lambda self: self.rig.commands.snapshot.state is State.RECONNECTING)
    @rule(steps=st.sampled_from([-2000, -500, -4, 0, 100, 500]))
    def cycle_the_power_and_try_the_hand_control(self, steps):
        """While nobody watches: the register counts on from its power-up value."""
        register = self.rig.model.options.power_up_register
        if not near_power_up(register, self.rig.commands._memory.entry.power_up_registers):
            # One that nobody has seen yet may lie on the way (docs/decisions/0010-resuming.md).
            return
        self.rig.model.power_cut(0.0)
        # It does not push the drive through the limit switch.
        room_mm = min(self.rig.model.motor_mm, self.rig.model.carriage_mm)
        self.rig.model.hand(max(-steps / 5088, -room_mm), register=True)
        # As long as that takes a person.
        self.rig.clock.sleep(HAND_NEEDS_S)

    @rule(seconds=st.sampled_from([0.1, 2.0, 20.0]))
    def plug_it_in(self, seconds):
        self.rig.model.come_back()
        self.rig.rest(seconds)

    @rule(position=st.floats(0, 6), number=st.integers(1, 120))
    def lose_the_link_in_a_move(self, position, number):
        first = self.rig.exchanges + number

        def pull(exchange):
            if exchange == first:
                self.rig.model.hang_up()

        self.rig.at_exchange = pull
        self._judge(self.rig.move(position), position)

    @rule(position=st.floats(0, 6), number=st.integers(1, 120), resume=st.booleans(), restore=st.booleans())
    def die_in_a_move_and_start_again(self, position, number, resume, restore):
        first = self.rig.exchanges + number

        def die(exchange):
            if exchange >= first:
                raise DiedError

        self.rig.at_exchange = die
        with contextlib.suppress(DiedError, FocuserError):
            self.rig.commands.move(position, False)
        self.rig.at_exchange = lambda number: None
        self.rig.kill_process()
        self.rig.start_process()
        self.rig.carry_out(lambda: self.rig.commands.initialize(resume, restore))

    @rule(number=st.one_of(st.just(10**6), st.integers(1, 500)))
    def audit(self, number):
        self.rig.interrupt_at(number)
        self.rig.carry_out(self.rig.commands.audit)
        self._assert_standing_or_known_to_run()

    @rule()
    def watch_rest(self):
        self.rig.carry_out(self.rig.commands.watch_rest)

    @rule()
    def mend_everything(self):
        self.rig.model.clear_faults()
        self.rig.model.forget_extremes()

    @precondition(lambda self: self.rig.status == FocuserStatus.Disabled)
    @rule()
    def recover(self):
        """Whatever happened: mended and initialised, it is as good as new."""
        self.rig.model.clear_faults()
        self.rig.model.come_back()
        outcome = self.rig.carry_out(self.rig.commands.initialize)
        assert outcome is None, f"{outcome!r}"
        # At 0 mm, or where it was when the link went.
        self.rig.assert_honest()
        assert self.rig.status == FocuserStatus.Idle
        self.rig.model.forget_extremes()
        assert self.rig.move(2.0) is None
        self.rig.assert_stands_at(2.0)

    @invariant()
    def is_never_idle_at_a_false_position(self):
        rig = self.rig
        if rig.status == FocuserStatus.Idle:
            # What the controller lost at rest shows with the next look; nothing here may be older than that.
            rig.carry_out(rig.commands.watch_rest)
        if rig.status == FocuserStatus.Idle:
            assert not rig.model.is_moving
            assert abs(rig.position_mm - rig.model.motor_mm) <= FALSE_STEPS / 5088

    def _assert_standing_or_known_to_run(self):
        assert not self.rig.model.is_moving or self.rig.commands.snapshot.motor_may_run

    def _judge(self, outcome, wanted_mm):
        rig = self.rig
        if outcome is None:
            assert rig.status == FocuserStatus.Idle
            # A target that a power cut would hide takes its neighbour.
            assert abs(rig.position_mm - wanted_mm) <= 1.6 / 5088
            play_mm = 0.2 if rig.commands.snapshot.shortfall_steps else 0.0
            assert abs(rig.model.carriage_mm - wanted_mm) <= play_mm + (FALSE_STEPS + 2) / 5088
        else:
            assert isinstance(outcome, (OutsideLimitsError, NotConnectedError, DeviceError, LinkError)), (
                f"{outcome!r}"
            )

    def teardown(self):
        self.rig.close()


others = int(os.environ.get("FOCUSER_LIVES", "0"))
the_same = 60 if os.environ.get("FOCUSER_EVERY_CASE", "0") != "0" else 12
FocuserLife.TestCase.settings = settings(
    max_examples=others or the_same,
    derandomize=not others,
    # A life that fails is shown as it was: to shorten it would take five minutes, in which the test is ended.
    phases=[Phase.explicit, Phase.generate],
    print_blob=True,
    database=None,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
# Many lives are one test: on a busy machine they take longer than others may.
TestFocuserLife = pytest.mark.matrix(pytest.mark.timeout(400 + 10 * others)(FocuserLife.TestCase))
