"""A process that is held up while it waits for an answer: what came meanwhile lies in the port, and was not late."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from rockit.focuser.ok3z.driver.link import HELD_UP_S
from rockit.focuser.ok3z.driver.protocol import MOTION_STATE, POSITION_REGISTER
from rockit.focuser.ok3z.errors import ReplyTimeoutError

HELD_S = 3.0


class Pause:
    """A checkpoint at which the process is held up once."""

    def __init__(self, line: Any, at_call: int, held_s: float = HELD_S) -> None:
        self._line = line
        self._calls_left = at_call
        self._held_s = held_s

    def __call__(self) -> None:
        self._calls_left -= 1
        if self._calls_left == 0:
            self._line.port.clock.sleep(self._held_s)


@pytest.mark.parametrize("call", range(1, 8))
def test_an_answer_that_came_in_a_pause_is_the_answer(make_line: Any, call: int) -> None:
    line = make_line([0.09])
    reply = line.ask(POSITION_REGISTER, Pause(line, call))
    assert reply.argument == "0"


def test_a_pause_is_called_one(make_line: Any, caplog: pytest.LogCaptureFixture) -> None:
    line = make_line([0.19])
    line.ask(POSITION_REGISTER, Pause(line, 4))
    assert line.link.held_up_s == pytest.approx(HELD_S, abs=0.1)
    (told,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert told.getMessage().startswith("this process was held up for 3.0 s.")


def test_what_is_lost_is_lost_all_the_same(make_line: Any) -> None:
    line = make_line([None])
    begun_s = line.port.clock.monotonic()
    with pytest.raises(ReplyTimeoutError):
        line.ask(MOTION_STATE, Pause(line, 3))
    assert line.port.clock.monotonic() - begun_s == pytest.approx(0.25 + HELD_S, abs=0.05)
    assert line.answers(POSITION_REGISTER)


def test_waiting_is_no_pause(make_line: Any) -> None:
    line = make_line([0.9, 0.4])
    line.ask(POSITION_REGISTER, deadline_s=1.0)
    line.port.clock.sleep(HELD_UP_S * 4)
    line.ask(MOTION_STATE, deadline_s=1.0)
    assert line.link.held_up_s == 0.0
