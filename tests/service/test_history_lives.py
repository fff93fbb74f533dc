"""Random lives of a focuser, as its history tells them, against what truly moved: never a `no` where something did.

They are the same ones each time. `FOCUSER_LIVES=5000` gives as many others.
"""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.errors import FocuserError
from rockit.focuser.ok3z.service.moved import NO, UNKNOWN, YES
from tests.service.chronicle import Chronicle

LIVES = int(os.environ.get("FOCUSER_LIVES", "0")) or (
    40 if os.environ.get("FOCUSER_EVERY_CASE", "0") != "0" else 8
)
ACTS = 30
QUESTIONS = 400


class DiedError(Exception):
    """The process ended, without a word."""


class Life:
    """One life: acts in a random order, with pauses between them."""

    def __init__(self, told, chance):
        self.told, self.rig, self.chance = told, told.rig, chance
        # When each step of the clock was, on the clock that nobody sets, and how large it was.
        self.set_at = []

    def act(self):
        name = self.chance.choice(
            ["move"] * 6
            + ["by_hand"] * 3
            + ["drive", "stop", "audit", "lose_link", "die", "set_clock", "cut", "spoil"]
        )
        getattr(self, name)()
        self.rig.rest(self.chance.choice([0.1, 1.0, 3.0, 15.0, 70.0]))
        if self.rig.status == FocuserStatus.Disabled and self.chance.random() < 0.7:
            self.rig.model.clear_faults()
            self.rig.model.come_back()
            self.rig.carry_out(lambda: self.rig.commands.initialize(self.chance.choice([True, None])))

    def move(self):
        self.rig.move(self.chance.choice([self.chance.uniform(0, 6), 2.0, 2.05]))

    def by_hand(self):
        self.rig.clock.sleep(self.chance.random())
        self.told.by_hand(self.chance.choice([0.0002, 0.001, -0.002, 0.4, -0.4]), register=True)

    def drive(self):
        self.rig.clock.sleep(self.chance.random())
        self.told.by_hand(self.chance.choice([0.01, 0.8, -0.8]), drive=True)

    def stop(self):
        self.rig.interrupt_at(self.chance.randrange(1, 120))
        self.rig.move(self.chance.uniform(0, 6))

    def audit(self):
        self.rig.carry_out(self.rig.commands.audit)

    def lose_link(self):
        self.rig.model.hang_up()
        self.rig.rest(self.chance.choice([0.2, 5.0]))
        if self.chance.random() < 0.5:
            self.told.by_hand(self.chance.choice([0.3, -0.002]), register=True)
        self.rig.model.come_back()

    def die(self):
        number = self.rig.exchanges + self.chance.randrange(1, 200)

        def die(exchange):
            if exchange >= number:
                raise DiedError

        self.rig.at_exchange = die
        with suppress(DiedError, FocuserError):
            self.rig.commands.move(self.chance.uniform(0, 6), False)
        self.rig.at_exchange = lambda number: None
        self.told.kill()
        self.rig.clock.sleep(self.chance.choice([0.0, 4.0]))

    def set_clock(self):
        step_s = self.chance.choice([30.0, -30.0, 1.5, -1.5, 400.0, -400.0])
        self.set_at.append((self.told.now_s, step_s))
        self.rig.late_clock.set_s += step_s

    def cut(self):
        self.rig.model.power_cut(0.2)

    def spoil(self):
        self.rig.model.fault(self.chance.choice(["lost", "late", "noise"]), count=2)

    def by_the_clock_of_then(self, true_s):
        """What the clock said at a moment."""
        return true_s + sum(step_s for at_s, step_s in self.set_at if at_s <= true_s)


def live(told, chance):
    told.rig.home()
    told.rig.by_hand = True
    life = Life(told, chance)
    began_s = told.now_s
    for _ in range(ACTS):
        life.act()
    told.rig.rest(5.0)
    said = {YES: 0, NO: 0, UNKNOWN: 0}
    for _ in range(QUESTIONS):
        begin_s = chance.uniform(began_s - 5.0, told.now_s)
        end_s = begin_s + chance.choice([0.0, 0.5, 5.0, 30.0])
        asked = [
            (life.by_the_clock_of_then(begin_s), life.by_the_clock_of_then(end_s)),
            # Of who asks with the clock as it is now.
            (begin_s + told.rig.late_clock.set_s, end_s + told.rig.late_clock.set_s),
        ]
        for question in asked:
            moved = told.moved(*question)
            said[moved] += 1
            if moved == NO:
                assert not told.truly_moved(begin_s, end_s), (begin_s - began_s, end_s - began_s, life.set_at)
            if moved == NO and end_s + 2.0 > told.now_s:
                assert end_s <= told.now_s
    return said


@pytest.mark.timeout(600)
@pytest.mark.matrix
def test_there_is_never_a_no_where_something_moved(make_rig):
    proven = 0
    for number in range(LIVES):
        chance = random.Random(number)
        rig = make_rig(start_mm=chance.uniform(0.0, 6.0), register=chance.randrange(-90000, -40000))
        with tempfile.TemporaryDirectory() as folder:
            told = Chronicle(rig, Path(folder))
            try:
                said = live(told, chance)
            finally:
                told.close()
        proven += said[NO]
        print(number, said)
    # It says something, too.
    assert proven > 20 * LIVES
