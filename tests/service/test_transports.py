"""One suite over every kind of port and every kind of line: the same life, with the real clock and thread."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from rockit.focuser.ok3z.driver.clock import SystemClock
from rockit.focuser.ok3z.driver.link import SerialPort
from rockit.focuser.ok3z.driver.planning import Drive, Limits
from rockit.focuser.ok3z.errors import HomingFailedError, StoppedError
from rockit.focuser.ok3z.service.focuser import Focuser
from rockit.focuser.ok3z.service.settings import Settings
from rockit.focuser.ok3z.simulator import VirtualOK3Z, registered
from rockit.focuser.ok3z.storage.state_store import StateStore
from tests.support.processes import Simulator

SETTINGS = Settings(
    "the bench", 5.0, 180.0, Limits.from_mm(6.0, 6.0, 0.5), Drive.from_mm(0.5, 5.0, time_scale=10)
)
NO_JOURNAL = StateStore(None, lambda *_: None)
# It only ends a test that fails.
PATIENCE_S = 50.0
DEVICE = {"time_scale": 10, "start_mm": 0.5, "seed": 5}
LINES = {
    "clean": {"baud_pacing": False},
    "bytewise": {"baud_pacing": True, "baud": 4000, "check_baud": False},
    "lossy": {"reply_loss": 0.05, "command_loss": 0.02},
    "delayed": {"reply_late": 0.3, "late_s": 0.1},
    "noisy": {"reply_garble": 0.02, "reply_cut": 0.03, "reply_merge": 0.03, "garble": "clean"},
}


@contextmanager
def in_process(options, tmp_path):
    """A port, and a way to ask where the carriage truly is."""
    model = VirtualOK3Z(**options)
    with registered(f"line{id(model)}", model) as url:
        yield url, model.state


@contextmanager
def on_a_pseudo_terminal(options, tmp_path):
    with Simulator(tmp_path, **options) as program:
        yield program.link, program.truth
        program.end_well()


def bring_up(focuser):
    """As scripts do: three tries. A lost reply hides ten times as much of a controller that lives ten times as fast,
    and an end of a homing run that nobody saw proves nothing."""
    for tries_left in (2, 1, 0):
        try:
            focuser.begin_initialize().result(PATIENCE_S)
            return
        except HomingFailedError:
            if not tries_left:
                raise


@pytest.mark.one_in(2)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("port", [in_process, on_a_pseudo_terminal])
def test_a_night(port, line, tmp_path):
    with port({**DEVICE, **LINES[line]}, tmp_path) as (url, state):  # type: ignore[dict-item]
        focuser = Focuser(SETTINGS, SerialPort(url, 38400, SystemClock()), lambda *_: None, NO_JOURNAL)
        with focuser:
            bring_up(focuser)
            assert state()["carriage_mm"] == pytest.approx(0, abs=0.0003)
            for position, offset, expected_mm in ((1.0, False, 1.0), (-0.05, True, 0.95), (2.0, False, 2.0)):
                focuser.begin_move(position, offset).ended.result(PATIENCE_S)
                assert focuser.snapshot.current_steps == round(expected_mm * 5088)
                assert state()["carriage_mm"] == pytest.approx(expected_mm, abs=0.0003)
                assert not state()["moving"]

            stopper = threading.Timer(0.15, focuser.begin_stop, ("the test",))
            stopper.start()
            with pytest.raises(StoppedError):
                focuser.begin_move(5.5).ended.result(PATIENCE_S)
            stopper.join()
            assert not state()["moving"]
            assert focuser.snapshot.current_steps / 5088 == pytest.approx(state()["motor_mm"], abs=0.0003)  # type: ignore[operator]
            focuser.begin_move(1.5).ended.result(PATIENCE_S)
            assert state()["carriage_mm"] == pytest.approx(1.5, abs=0.0003)
            focuser.begin_shutdown().result(PATIENCE_S)
        assert not state()["port_open"] or port is on_a_pseudo_terminal
