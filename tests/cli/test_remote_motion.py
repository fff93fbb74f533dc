"""Motions of a program in Python: begun, waited for, timed out, interrupted; by daemons of two versions."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import rockit.focuser.ok3z as face
from rockit.focuser.ok3z import RemoteFocuser, Status, TimedOutError
from rockit.focuser.ok3z.client import remote
from rockit.focuser.ok3z.errors import BusyError, FocuserError, NotConnectedError, OutsideLimitsError

MOVING = {"date": "2026-11-22T20:00:00Z", "status": 2, "state": "moving", "moving": True, "current_mm": 1.0}
OFFLINE = {
    "date": "2026-11-22T20:00:00Z",
    "status": 0,
    "state": "unhomed",
    "moving": False,
    "reason": "the focuser moved unasked: home it.",
}


NOT_SEEN = {"command": "stop", "status": 1, "reason": "It was not seen standing."}


def calls(script: Any, *methods: str) -> list[tuple[Any, ...]]:
    return [call for call in script.calls if call[0] in methods]


# Lost answers


@pytest.mark.parametrize("wait", [True, False])
def test_a_move_whose_time_is_over_goes_on_and_the_error_says_so(
    focuser: RemoteFocuser, script: Any, wait: bool
) -> None:
    script.hold("set_focus")
    script.hold("begin_move")

    with pytest.raises(TimedOutError, match=r"within 0\.1 s\. The focuser may still be moving.*stop\(\)"):
        focuser.move_to(2.5, wait=wait, timeout_s=0.1)
    assert not calls(script, "stop")


def test_a_daemon_that_dies_in_a_move_leaves_the_move_in_doubt(
    focuser: RemoteFocuser, script: Any, server: Any
) -> None:
    script.hold("set_focus")
    raised: list[BaseException] = []

    def move() -> None:
        try:
            focuser.move_to(2.5)
        except FocuserError as error:
            raised.append(error)

    mover = threading.Thread(target=move)
    mover.start()
    script.wait_for_call("set_focus")
    server.cut_connections()
    mover.join(20)

    (error,) = raised
    assert type(error) is face.AnswerLostError
    assert "broke before set_focus was answered. The focuser may still be moving" in str(error)


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_a_stop_that_reaches_nobody_says_that_the_focuser_may_be_moving(
    focuser: RemoteFocuser, server: Any
) -> None:
    server.end()

    with pytest.raises(face.DaemonUnreachableError, match=r"Nothing listens .* may still be moving"):
        focuser.stop()


def test_a_stop_that_failed_says_why_and_that_the_focuser_may_be_moving(
    focuser: RemoteFocuser, script: Any
) -> None:
    script.answers.update(stop=1, last_failure=NOT_SEEN)

    with pytest.raises(face.CommandFailedError, match=r"^It was not seen standing\. .*may still be moving"):
        focuser.stop()


def test_a_stop_gets_in_while_another_thread_waits(focuser: RemoteFocuser, script: Any) -> None:
    held = script.hold("set_focus")
    mover = threading.Thread(target=focuser.move_to, args=(2.5,))
    mover.start()
    script.wait_for_call("set_focus")

    focuser.stop()

    held.set()
    mover.join(20)
    assert script.calls == [("set_focus", 2.5, False), ("stop",)]


# Without waiting


def test_without_waiting_a_move_is_begun(focuser: RemoteFocuser, script: Any) -> None:
    focuser.move_to(2.5, wait=False)

    assert script.calls == [("begin_move", 2.5, False)]


def test_a_move_that_is_refused_is_refused_without_waiting_too(focuser: RemoteFocuser, script: Any) -> None:
    script.answers.update(
        begin_move=6,
        last_failure={"command": "begin_move", "status": 6, "reason": "9 mm is not in 0 to 6 mm."},
    )

    with pytest.raises(OutsideLimitsError, match="9 mm is not in 0 to 6 mm"):
        focuser.move_to(9.0, wait=False)


def test_an_earlier_daemon_is_looked_at_until_it_moves(old_focuser: RemoteFocuser, script: Any) -> None:
    held = script.hold("set_focus")
    reports = iter([dict(script.report), dict(script.report), MOVING])
    script.report = lambda: next(reports)

    old_focuser.move_to(2.5, wait=False)

    assert next(reports, None) is None
    assert script.calls == [("set_focus", 2.5, False)]
    held.set()


def test_an_earlier_daemon_may_refuse_or_arrive_before_it_was_looked_at(
    old_focuser: RemoteFocuser, script: Any
) -> None:
    script.answers["set_focus"] = 2
    with pytest.raises(BusyError):
        old_focuser.move_to(2.5, wait=False)
    script.answers["set_focus"] = 0
    old_focuser.move_to(2.5, wait=False)


def test_an_earlier_daemon_that_never_moves_is_given_up(old_focuser: RemoteFocuser, script: Any) -> None:
    held = script.hold("set_focus")

    with pytest.raises(TimedOutError, match=r"did not begin to move within 0\.3 s"):
        old_focuser.move_to(2.5, wait=False, timeout_s=0.3)
    held.set()


# Waiting for the end


def test_the_wait_ends_with_the_status_at_rest(focuser: RemoteFocuser, script: Any) -> None:
    reports = [{**MOVING, "change": 4}, {**MOVING, "change": 5}, {**script.report, "change": 6}]
    answers = iter(reports)
    script.answers["wait_for_change"] = lambda: next(answers)

    assert focuser.wait_until_idle(timeout_s=0) == Status.of(reports[-1])
    assert calls(script, "wait_for_change") == [
        ("wait_for_change", None, 0.0),
        ("wait_for_change", 4, 20.0),
        ("wait_for_change", 5, 20.0),
    ]
    assert script.reads == 0


@pytest.mark.parametrize("change", [None, "4", 4.5])
def test_a_daemon_that_does_not_count_is_asked_again_and_again(
    focuser: RemoteFocuser, script: Any, change: Any
) -> None:
    script.answers["wait_for_change"] = {**MOVING, "change": change}

    assert focuser.wait_until_idle(timeout_s=20).idle
    assert calls(script, "wait_for_change") == [("wait_for_change", None, 0.0)]


def test_so_is_an_earlier_one(old_focuser: RemoteFocuser, script: Any) -> None:
    reports = iter([MOVING, {"status": 2}, dict(script.report)])
    script.report = lambda: next(reports)

    assert old_focuser.wait_until_idle(timeout_s=20).idle
    assert script.reads == 3


@pytest.mark.parametrize("refusal", [2, 3, RuntimeError("a mistake")])
@pytest.mark.parametrize("counted_before", [0, 2])
def test_who_may_not_wait_for_changes_looks_instead(
    focuser: RemoteFocuser, script: Any, refusal: Any, counted_before: int
) -> None:
    """A machine that may not control, or one too many."""
    answers = iter([{**MOVING, "change": 1}] * counted_before + [refusal])
    script.answers["wait_for_change"] = lambda: next(answers)
    reports = iter([MOVING, MOVING, dict(script.report)])
    script.report = lambda: next(reports)

    assert focuser.wait_until_idle(timeout_s=20).idle
    assert script.count("wait_for_change") == counted_before + 1


@pytest.mark.parametrize("stands", [True, False])
def test_it_looks_once_however_short_the_time(
    either_focuser: RemoteFocuser, script: Any, stands: bool
) -> None:
    script.report = dict(script.report) if stands else MOVING

    if stands:
        assert either_focuser.wait_until_idle(timeout_s=1e-9).idle
        return
    with pytest.raises(TimedOutError, match=r"come to rest within 1e-09 s\. The focuser may still be moving"):
        either_focuser.wait_until_idle(timeout_s=1e-9)


def test_coming_to_rest_without_a_position_is_an_error_with_its_reason(
    either_focuser: RemoteFocuser, script: Any
) -> None:
    reports = iter([MOVING, OFFLINE])
    script.answers["wait_for_change"] = lambda: {**next(reports), "change": 1}
    script.report = lambda: next(reports)

    with pytest.raises(NotConnectedError, match=r"^the focuser moved unasked: home it\.$"):
        either_focuser.wait_until_idle(timeout_s=20)


def test_homing_and_what_comes_before_are_waited_for(focuser: RemoteFocuser, script: Any) -> None:
    states = iter(
        [
            {"status": 0, "state": "connecting", "moving": False, "change": 1},
            {"status": 0, "state": "homing", "moving": True, "change": 2},
            {**script.report, "change": 3},
        ]
    )
    script.answers["wait_for_change"] = lambda: next(states)

    assert focuser.wait_until_idle(timeout_s=20).idle


def test_a_focuser_that_was_never_connected_is_said_to_be_so(focuser: RemoteFocuser, script: Any) -> None:
    script.report = {"status": 0, "state": "disconnected", "moving": False}

    with pytest.raises(NotConnectedError, match=r"Connect and home it with initialize\(\)"):
        focuser.wait_until_idle(timeout_s=20)


# Ctrl-C


@pytest.fixture
def interrupted_wait(monkeypatch: pytest.MonkeyPatch, script: Any) -> None:
    """Ctrl-C as soon as the daemon has the call that is waited for."""
    real_wait = remote.wait  # type: ignore[attr-defined]

    def wait(futures: Any, timeout: float | None = None) -> Any:
        if timeout is None:
            script.wait_for_call("set_focus")
            raise KeyboardInterrupt
        return real_wait(futures, timeout)

    monkeypatch.setattr(remote, "wait", wait)


@pytest.mark.usefixtures("interrupted_wait")
def test_ctrl_c_in_a_move_that_is_waited_for_stops_it_and_goes_on(
    focuser: RemoteFocuser, script: Any, caplog: pytest.LogCaptureFixture
) -> None:
    held = script.hold("set_focus")
    script.answers.update(set_focus=1, stop=lambda: held.set() or 0)

    with pytest.raises(KeyboardInterrupt):
        focuser.move_to(2.5)
    assert script.calls == [("set_focus", 2.5, False), ("stop",)]
    assert caplog.messages == []


@pytest.mark.usefixtures("interrupted_wait")
def test_a_move_that_begins_behind_the_stop_is_stopped_again(
    focuser: RemoteFocuser, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "STOP_AGAIN_AFTER_S", 0.05)
    held = script.hold("set_focus")
    script.answers["stop"] = lambda: (script.count("stop") == 2 and held.set()) or 0

    with pytest.raises(KeyboardInterrupt):
        focuser.move_to(2.5)
    assert script.count("stop") == 2


@pytest.mark.usefixtures("interrupted_wait")
@pytest.mark.parametrize(
    ("answer", "why"), [(1, "It was not seen standing."), (RuntimeError("a mistake"), "a mistake")]
)
def test_a_stop_that_fails_is_said_loudly_and_takes_nothing_from_ctrl_c(
    focuser: RemoteFocuser, script: Any, caplog: pytest.LogCaptureFixture, answer: Any, why: str
) -> None:
    held = script.hold("set_focus")
    script.answers.update(stop=answer, last_failure=NOT_SEEN)

    with pytest.raises(KeyboardInterrupt):
        focuser.move_to(2.5)
    held.set()
    assert script.count("stop") == remote.STOP_ATTEMPTS
    (message,) = caplog.messages
    assert message.startswith("THE STOP FAILED, AND THE FOCUSER MAY STILL BE MOVING. ")
    assert why in message


def test_ctrl_c_in_a_mere_wait_stops_nothing(
    focuser: RemoteFocuser, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(remote.Status, "of", interrupt)  # type: ignore[attr-defined]

    with pytest.raises(KeyboardInterrupt):
        focuser.wait_until_idle(timeout_s=20)
    assert not calls(script, "stop")


def test_leaving_the_block_stops_nothing_and_disconnects_nothing(focuser: RemoteFocuser, script: Any) -> None:
    with focuser:
        focuser.move_to(2.5, wait=False)
    assert script.calls == [("begin_move", 2.5, False)]
