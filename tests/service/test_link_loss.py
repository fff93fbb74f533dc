"""A link that goes and comes back: what is noticed, what is tried, and what is still known afterwards."""

from __future__ import annotations

import logging

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.driver.link import Device
from rockit.focuser.ok3z.errors import LinkError, NotConnectedError, StoppedError
from rockit.focuser.ok3z.service.commands import PORT_PATIENCE_S
from rockit.focuser.ok3z.service.status import State, Trust

LOST = "position lost: home the focuser"


def errors_announced(rig) -> list[str]:
    return [message for level, message in rig.announced if level >= logging.WARNING]


@pytest.mark.parametrize("how", ["hang-up", "silence"])
def test_at_rest_it_is_noticed_within_3_s_and_said(rig, how):
    assert rig.move(2.0) is None
    rig.lose(how)
    rig.rest(3.0)
    snapshot = rig.commands.snapshot
    assert snapshot.state is State.RECONNECTING
    assert snapshot.status == FocuserStatus.Disabled
    assert snapshot.reason
    assert snapshot.confidence.trust is Trust.UNKNOWN
    assert not snapshot.motor_may_run
    assert isinstance(rig.move(3.0), NotConnectedError)


@pytest.mark.parametrize("how", ["hang-up", "silence"])
@pytest.mark.parametrize("away_s", [0.1, 5.0, 3600.0])
def test_a_controller_that_is_as_it_was_left_carries_on_without_homing(rig, how, away_s):
    assert rig.move(2.0) is None
    homed_at = rig.commands.snapshot.confidence.homed_at
    rig.lose(how)
    rig.rest(away_s)
    rig.give_back(how)
    rig.rest(15.0)
    rig.assert_stands_at(2.0)
    confidence = rig.commands.snapshot.confidence
    if away_s > 3:
        assert confidence.trust is Trust.RESUMED
        assert confidence.reason
    assert confidence.homed_at == homed_at != ""
    assert rig.homings == 1
    assert rig.move(1.5) is None
    rig.assert_stands_at(1.5)
    assert rig.move(4.0) is None
    rig.assert_stands_at(4.0)


def test_a_motor_that_kept_its_settings_is_not_released_after_the_return(rig):
    assert rig.move(2.0) is None
    rig.lose("hang-up")
    rig.rest(5.0)
    rig.give_back("hang-up")
    rig.rest(15.0)
    before = len(rig.sent())
    assert rig.move(3.0) is None
    assert not any(frame.startswith(("#P031", "#E002")) for frame in rig.sent()[before:])
    assert any(frame.startswith("#P132") for frame in rig.sent()[before:])


@pytest.mark.parametrize("phase_s", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("rate", ["reply_loss", "reply_garble", "reply_cut"])
def test_a_port_that_says_nothing_valid_at_rest_shows_within_3_s(make_rig, rate, phase_s):
    rig = make_rig(garble="clean", baud_pacing=True)
    rig.home()
    rig.rest(2.0 + phase_s)
    heard_at_s = rig.commands.snapshot.read_at_s
    rig.model.rate(rate, 1.0)
    while rig.status != FocuserStatus.Disabled:
        rig.rest(0.01)
    assert rig.clock.monotonic() - heard_at_s <= 3.0


def test_an_hour_away_is_tried_for_ever_and_fills_no_log(rig):
    rig.announced.clear()
    rig.lose("hang-up")
    rig.rest(3600.0)
    assert rig.commands._recovery._reconnection.attempts >= 900
    assert len(rig.announced) == 1
    rig.give_back("hang-up")
    rig.rest(15.0)
    assert len(rig.announced) == 2
    assert "the link is back after 36" in rig.announced[-1][1]


def test_a_flapping_link_fills_no_log(rig):
    rig.announced.clear()
    for _ in range(100):
        rig.lose("hang-up")
        rig.rest(2.0)
        rig.give_back("hang-up")
        rig.rest(15.0)
        rig.assert_stands_at(0.0)
    assert len(rig.announced) <= 2 * (1 + 100 * 17 // 300)


@pytest.mark.parametrize("power_up_register", [0, 4711])
def test_a_power_cut_at_rest_loses_the_position_and_initialize_homes(make_rig, power_up_register):
    rig = make_rig(power_up_register=power_up_register)
    rig.home()
    assert rig.move(2.0) is None
    rig.model.power_off()
    rig.rest(5.0)
    assert rig.commands.snapshot.state is State.RECONNECTING
    rig.model.power_on()
    rig.rest(15.0)
    snapshot = rig.commands.snapshot
    assert snapshot.state is State.UNHOMED
    assert snapshot.status == FocuserStatus.Disabled
    assert snapshot.reason.startswith(LOST)
    assert snapshot.confidence.reason == snapshot.reason
    assert any(LOST in message for message in errors_announced(rig))
    assert isinstance(rig.move(3.0), NotConnectedError)
    rig.home()
    assert rig.commands.snapshot.confidence.trust is Trust.HOMED
    rig.assert_stands_at(0.0)


def test_a_register_that_was_left_at_the_power_up_value_proves_nothing(make_rig):
    rig = make_rig(register=5000)
    rig.home()
    assert rig.move(rig.model.register / 5088, exact=True) is None
    assert rig.model.register == 0
    rig.lose("hang-up")
    rig.rest(5.0)
    rig.give_back("hang-up")
    rig.rest(15.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.commands.snapshot.reason.startswith(LOST)


@pytest.mark.parametrize("text", ["", "643", "another one"])
def test_what_it_answers_to_the_question_who_it_is_tells_it_from_no_other(rig, text):
    """It may be a temperature, another one each time, or nothing at all."""
    assert rig.move(2.0) is None
    rig.lose("hang-up")
    rig.rest(5.0)
    rig.model.fault("replaced", to="S051", count=0, text=text)
    rig.give_back("hang-up")
    rig.rest(15.0)
    rig.assert_stands_at(2.0)
    rig.restart()
    rig.resume()
    rig.assert_stands_at(2.0)
    assert rig.homings == 1


def test_one_answer_is_enough_to_know_that_a_focuser_is_there(make_rig):
    rig = make_rig()
    rig.home()
    assert sum(data == b"#S051 F$\n" for _, data in rig.model.journal) == 1


def test_stops_in_an_outage_do_not_put_off_the_next_attempt(rig):
    rig.lose("hang-up")
    rig.rest(3.0)
    due_in_s = rig.commands.rest_s(10.0)
    for _ in range(20):
        assert isinstance(rig.carry_out(rig.commands.halt_at_rest), NotConnectedError)
    assert rig.commands.rest_s(10.0) <= due_in_s


def test_a_hand_that_drove_the_motor_meanwhile_is_found_out(rig):
    assert rig.move(2.0) is None
    rig.lose("hang-up")
    rig.rest(5.0)
    rig.by_hand = True
    rig.model.hand(0.3, register=True)
    rig.give_back("hang-up")
    rig.rest(15.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.commands.snapshot.reason.startswith(LOST)


@pytest.mark.parametrize("steps", [-8, -1, 3, 8])
def test_a_register_within_the_tolerance_is_published_as_it_reads(rig, steps):
    assert rig.move(6.0) is None
    assert rig.commands.snapshot.shortfall_steps == 2544
    rig.lose("hang-up")
    rig.rest(5.0)
    rig.by_hand = True
    rig.model.hand(steps / 5088, register=True)
    rig.give_back("hang-up")
    rig.rest(5.0)
    assert rig.commands.snapshot.state is State.IDLE
    assert rig.commands.snapshot.current_steps == 6 * 5088 + steps
    assert rig.commands.snapshot.shortfall_steps == 2544
    rig.assert_honest()


def test_a_register_beyond_the_tolerance_is_not_believed(rig):
    assert rig.move(4.0) is None
    rig.lose("hang-up")
    rig.rest(5.0)
    rig.by_hand = True
    rig.model.hand(9 / 5088, register=True)
    rig.give_back("hang-up")
    rig.rest(5.0)
    assert rig.commands.snapshot.state is State.UNHOMED


def test_one_misread_register_on_the_return_loses_nothing(rig):
    assert rig.move(2.0) is None
    rig.lose("hang-up")
    rig.rest(5.0)
    # Twice in a row, as standstill is proven by two.
    rig.model.fault("replaced", to="P081", count=2, text="-12345")
    rig.give_back("hang-up")
    rig.rest(15.0)
    rig.assert_stands_at(2.0)


# Initialize while the link is lost


@pytest.mark.parametrize("how", ["hang-up", "silence"])
@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("back_after_s", [2.5, 9.0])
def test_initialize_is_the_reconnection_asked_for(rig, how, noticed, back_after_s):
    """Homing would throw away a position that the daemon's own reconnection would have proven."""
    assert rig.move(2.0) is None
    rig.lose(how)
    if noticed:
        rig.rest(3.0)
    back_at_s = rig.clock.monotonic() + back_after_s
    rig.at_exchange = lambda number: rig.clock.monotonic() >= back_at_s and rig.give_back(how)
    assert rig.carry_out(rig.commands.initialize) is None
    assert rig.homings == 1
    rig.assert_stands_at(2.0)
    assert rig.confidence.trust is Trust.RESUMED
    rig.rest(30.0)
    assert rig.move(1.0) is None
    rig.assert_stands_at(1.0)


def test_initialize_during_the_loss_fails_honestly(rig):
    rig.lose("hang-up")
    rig.rest(3.0)
    began_s = rig.clock.monotonic()
    assert isinstance(rig.carry_out(rig.commands.initialize), LinkError)
    assert rig.clock.monotonic() - began_s == pytest.approx(PORT_PATIENCE_S, abs=0.5)
    assert rig.commands.snapshot.state is State.RECONNECTING
    rig.give_back("hang-up")
    rig.rest(1.0)
    rig.assert_stands_at(0.0)


def test_a_stop_ends_the_wait_for_a_port(rig):
    rig.lose("hang-up")
    rig.rest(3.0)
    began_s = rig.clock.monotonic()
    rig.interrupt_at(20)
    assert isinstance(rig.carry_out(rig.commands.initialize), StoppedError)
    assert rig.clock.monotonic() - began_s < PORT_PATIENCE_S / 2
    assert rig.commands.snapshot.state is State.RECONNECTING
    rig.give_back("hang-up")
    rig.rest(1.0)
    rig.assert_stands_at(0.0)


def test_initialize_during_the_loss_homes_a_controller_that_is_not_as_it_was_left(rig):
    assert rig.move(2.0) is None
    rig.lose("hang-up")
    rig.rest(3.0)
    rig.model.power_cut(0.0)
    rig.give_back("hang-up")
    assert rig.carry_out(rig.commands.initialize) is None
    assert rig.confidence.trust is Trust.HOMED
    rig.assert_stands_at(0.0)


def test_initialize_during_the_loss_homes_a_focuser_whose_position_was_not_known(rig):
    rig.by_hand = True
    rig.model.hand(0.5, register=True)
    rig.rest(2.0)
    rig.lose("hang-up")
    rig.rest(3.0)
    rig.give_back("hang-up")
    rig.announced.clear()
    assert rig.carry_out(rig.commands.initialize) is None
    assert rig.confidence.trust is Trust.HOMED
    assert rig.confidence.reason == ""
    assert errors_announced(rig) == []


def test_initialize_in_a_loss_in_a_move_resumes_where_the_motor_must_be(rig):
    assert rig.move(2.0) is None
    assert isinstance(rig.lose_at(4.0, 3.0, "hang-up"), LinkError)
    rig.rest(10.0)
    rig.give_back("hang-up")
    assert rig.carry_out(rig.commands.initialize) is None
    assert rig.confidence.trust is Trust.RESUMED
    rig.assert_honest()
    assert rig.homings == 1


# When it is tried


@pytest.mark.parametrize("away_s", [4.95, 600.0])
def test_an_adapter_that_comes_back_is_taken_at_once(rig, away_s):
    rig.lose("hang-up")
    rig.rest(1.5)
    rig.device = None
    rig.rest(away_s)
    rig.give_back("hang-up")
    rig.device = Device((0, 2, 2), (0o660, 0, 20))
    rig.rest(0.15)
    rig.assert_stands_at(0.0)


def test_an_adapter_that_may_be_opened_a_little_later_is_tried_again_then(rig):
    """udev gives it to its group after it has appeared."""
    rig.lose("hang-up")
    rig.rest(1.5)
    rig.device = None
    rig.rest(600.0)
    rig.device = Device((0, 2, 2), (0o600, 0, 0))
    rig.rest(1.0)
    attempts = rig.commands._recovery._reconnection.attempts
    rig.give_back("hang-up")
    rig.device = Device((0, 2, 2), (0o660, 0, 20))
    rig.rest(0.15)
    rig.assert_stands_at(0.0)
    assert attempts > 600


@pytest.mark.parametrize("how", ["hang-up", "silence"])
def test_within_the_first_minutes_a_controller_that_is_back_is_found_soon(rig, how):
    rig.lose(how)
    rig.rest(120.0)
    rig.give_back(how)
    rig.rest(0.7 + 2.0 * (how == "silence"))
    rig.assert_stands_at(0.0)


def test_shutdown_ends_the_attempts(rig):
    rig.lose("hang-up")
    rig.rest(3.0)
    assert rig.carry_out(rig.commands.shutdown) is None
    assert rig.commands.snapshot.state is State.DISCONNECTED
    rig.give_back("hang-up")
    frames = len(rig.model.journal)
    rig.rest(60.0)
    assert len(rig.model.journal) == frames
    assert isinstance(rig.carry_out(rig.commands.shutdown), NotConnectedError)


def test_a_port_that_never_opened_is_not_waited_for(make_rig):
    rig = make_rig()
    rig.model.hang_up()
    assert rig.carry_out(rig.commands.initialize) is not None
    assert rig.commands.snapshot.state is State.DISCONNECTED
    rig.model.come_back()
    rig.rest(30.0)
    assert rig.commands.snapshot.state is State.DISCONNECTED


def test_a_call_interrupts_an_attempt_and_the_next_one_follows_at_once(rig):
    rig.lose("silence")
    rig.rest(3.0)
    rig.clock.sleep(10.0)
    rig.interrupt_at(3)
    rig.commands.watch_rest()
    rig.at_exchange = lambda number: None
    assert rig.commands.snapshot.state is State.RECONNECTING
    assert rig.commands.rest_s(1.0) == 0.0
    rig.give_back("silence")
    rig.rest(5.0)
    rig.assert_stands_at(0.0)


def about_to_return(rig) -> None:
    """The link was lost and is there again, and the next attempt to find it is due."""
    rig.lose("hang-up")
    rig.rest(2.0)
    rig.give_back("hang-up")
    rig.clock.sleep(10.0)


def test_every_interruption_of_the_return_is_harmless(rig):
    """A call that comes at any exchange of the return costs time, and never the position."""
    assert rig.move(1.0) is None
    for number in range(1, 40):
        about_to_return(rig)
        rig.interrupt_at(number)
        rig.commands.watch_rest()
        rig.at_exchange = lambda number: None
        rig.assert_honest()
        rig.rest(30.0)
        rig.assert_stands_at(1.0)


def test_the_link_can_be_lost_again_at_every_exchange_of_the_return(rig):
    assert rig.move(1.0) is None
    for number in range(1, 25):
        about_to_return(rig)
        rig.do_at(number, rig.model.hang_up)
        rig.carry_out(rig.commands.watch_rest)
        rig.at_exchange = lambda number: None
        rig.rest(1.0)
        rig.assert_honest()
        rig.give_back("hang-up")
        rig.rest(40.0)
        rig.assert_stands_at(1.0)


def test_a_position_that_was_lost_before_the_link_stays_lost(rig):
    rig.by_hand = True
    rig.model.hand(0.5, register=True)
    rig.rest(2.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    rig.lose("hang-up")
    rig.rest(3.0)
    rig.model.hand(-0.5, register=True)
    rig.give_back("hang-up")
    rig.rest(15.0)
    assert rig.commands.snapshot.state is State.UNHOMED


def test_the_position_is_looked_at_before_anything_is_published(rig):
    """From the loss to the proof there is no moment at which a position is shown."""
    shown: list[State] = []
    assert rig.move(2.0) is None
    rig.lose("hang-up")
    rig.rest(3.0)
    rig.at_exchange = lambda number: shown.append(rig.commands.snapshot.state)
    rig.give_back("hang-up")
    rig.model.fault("replaced", to="P081", count=0, text="777")
    rig.rest(12.0)
    assert State.IDLE not in shown
    assert rig.commands.snapshot.state is State.UNHOMED


def test_the_error_names_what_was_seen_and_what_was_expected(rig):
    assert rig.move(2.0) is None
    left_at = rig.model.register
    rig.lose("hang-up")
    rig.rest(3.0)
    rig.by_hand = True
    rig.model.hand(0.01, register=True)
    rig.give_back("hang-up")
    rig.rest(15.0)
    reason = rig.commands.snapshot.reason
    assert str(left_at) in reason
    assert str(rig.model.register) in reason
    assert "focus init" in reason
