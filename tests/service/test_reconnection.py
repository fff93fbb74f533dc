"""When a lost port is tried again, and what is said of it."""

from __future__ import annotations

from rockit.focuser.ok3z.service.reconnection import LONG_PAUSE_S, PATIENCE_S, QUIET_S, STEADY_S, Reconnection


def pauses_of(reconnection: Reconnection, now_s: float, attempts: int) -> list[float]:
    pauses = []
    for _ in range(attempts):
        pauses.append(reconnection.due_in_s(now_s))
        now_s += pauses[-1]
        reconnection.failed(now_s)
    return pauses


def test_the_pauses_are_short_for_five_minutes_and_then_long() -> None:
    reconnection = Reconnection()
    reconnection.lost(100.0)
    assert pauses_of(reconnection, 100.0, 604) == [0.5] * 600 + [10.0] * 4


def test_it_never_gives_up() -> None:
    reconnection = Reconnection()
    reconnection.lost(0.0)
    assert pauses_of(reconnection, 0.0, 10_000)[-1] == LONG_PAUSE_S
    assert reconnection.is_under_way
    assert reconnection.attempts == 10_000


def test_what_is_lost_can_not_be_lost_again() -> None:
    reconnection = Reconnection()
    assert reconnection.lost(0.0)
    reconnection.failed(0.5)
    assert not reconnection.lost(0.6)
    assert reconnection.attempts == 1


def test_a_steady_link_begins_anew_and_a_flapping_one_does_not() -> None:
    reconnection = Reconnection()
    now_s = 0.0
    while now_s <= PATIENCE_S:
        reconnection.lost(now_s)
        assert reconnection.due_in_s(now_s) == (0.5 if now_s < PATIENCE_S else LONG_PAUSE_S)
        reconnection.returned(now_s + 1.0)
        now_s += STEADY_S / 2
    reconnection.returned(now_s)
    reconnection.lost(now_s + STEADY_S)
    assert reconnection.due_in_s(now_s + STEADY_S) == 0.5


def test_an_interrupted_attempt_is_due_at_once() -> None:
    reconnection = Reconnection()
    reconnection.lost(0.0)
    reconnection.hurry(0.1)
    assert reconnection.due_in_s(0.1) == 0.0


def test_a_flapping_link_is_told_now_and_then_and_what_was_not_told_is_counted() -> None:
    reconnection = Reconnection()
    told = 0
    for second in range(0, 3600, 2):
        told += reconnection.lost(float(second))
        message = reconnection.returned(second + 1.0)
        told += bool(message)
    assert told == 2 * 3600 / QUIET_S
    assert "149 more times" in message or not message
    reconnection.lost(4000.0)
    assert "149 more times" in reconnection.returned(4003.0)


def test_a_loss_that_was_not_told_and_lasts_is_told_in_the_end() -> None:
    reconnection = Reconnection()
    assert reconnection.lost(0.0)
    reconnection.returned(1.0)
    assert not reconnection.lost(2.0)
    now_s, told_at_s = 2.0, []
    while now_s < 3600:
        now_s += reconnection.due_in_s(now_s)
        if reconnection.failed(now_s):
            told_at_s.append(now_s)
    assert len(told_at_s) == 1
    assert QUIET_S <= told_at_s[0] <= QUIET_S + LONG_PAUSE_S
    assert reconnection.returned(4000.0)


def test_the_return_says_how_long_it_was_away() -> None:
    reconnection = Reconnection()
    reconnection.lost(10.0)
    assert reconnection.returned(14.5) == "the link is back after 4.5 s."
    assert not reconnection.is_under_way
