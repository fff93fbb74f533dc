"""Messages to the observatory's log: in order, bounded, and never in the way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from rockit.common import log as site_log

from rockit.focuser.ok3z.daemon import site_log as observatory_log
from rockit.focuser.ok3z.daemon.log_writer import LogWriter
from rockit.focuser.ok3z.daemon.site_log import MAX_WAITING_MESSAGES, SiteLog
from tests.support.waiting import BOUND_S, wait_until

THREAD_NAME = "site-log"


class SlowLog:
    """The site's log, which is as slow and as broken as the test wants."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self._arrived = threading.Condition()

    def receiver(self, level: str) -> Callable[[str, str], None]:
        def receive(table: str, message: str) -> None:
            with self._arrived:
                self.taken.append((level, table, message))
                self._arrived.notify_all()
            assert self.gate.wait(BOUND_S)
            if self.failure:
                raise self.failure

        return receive

    def wait_for(self, count: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.taken) >= count, BOUND_S), self.taken

    @property
    def messages(self) -> list[str]:
        return [message for _, _, message in self.taken]


@pytest.fixture(name="site")
def fixture_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowLog]:
    site = SlowLog()
    for level in ("info", "warning", "error"):
        monkeypatch.setattr(site_log, level, site.receiver(level))
    monkeypatch.setattr(observatory_log, "CLOSE_PATIENCE_S", 0.01)
    yield site
    site.gate.set()
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(BOUND_S)
            assert not thread.is_alive()


def closed(log: SiteLog, site: SlowLog) -> None:
    """Close a log whose messages all come through, and wait until they have."""
    site.gate.set()
    while any(thread.name == THREAD_NAME for thread in threading.enumerate()):
        log.close()


@pytest.fixture(name="log")
def fixture_log(site: SlowLog) -> Iterator[SiteLog]:
    log = SiteLog("focusd@test")
    yield log
    closed(log, site)


def test_messages_go_out_in_their_order_under_the_log_s_name_and_their_levels(
    log: SiteLog, site: SlowLog
) -> None:
    functions = {10: "info", 20: "info", 30: "warning", 40: "error", 50: "error"}
    log.start()
    for level in functions:
        log.announce(level, f"homed: {level} % done")
    closed(log, site)
    assert site.taken == [
        (function, "focusd@test", f"homed: {level} % done") for level, function in functions.items()
    ]


def own_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """What the daemon's own log says, at the level that it has without --verbose."""
    return [
        (record.levelno, record.getMessage()) for record in caplog.records if record.levelno >= logging.INFO
    ]


def test_what_the_site_s_log_takes_and_prints_is_not_repeated(
    log: SiteLog, site: SlowLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    log.start()
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        log.announce(level, "100 % of it")
    closed(log, site)
    log.log_overdue()
    assert own_lines(caplog) == []
    # --verbose shows where among the frames it came.
    assert len([record for record in caplog.records if "100 % of it" in record.getMessage()]) == 3


def test_what_the_site_s_log_does_not_take_in_time_is_on_the_daemon_s_own_once(
    log: SiteLog, site: SlowLog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    site.gate.clear()
    log.start()
    log.announce(logging.INFO, "the one that hangs")
    site.wait_for(1)
    log.announce(logging.ERROR, "the one behind")
    log.log_overdue()
    assert own_lines(caplog) == []

    monkeypatch.setattr(observatory_log, "TAKEN_WITHIN_S", 0.0)
    log.log_overdue()
    log.log_overdue()
    log.close()
    assert own_lines(caplog) == [(logging.INFO, "the one that hangs"), (logging.ERROR, "the one behind")]


def test_what_is_left_at_the_end_is_on_the_daemon_s_own_log(
    log: SiteLog, site: SlowLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.gate.clear()
    log.start()
    log.announce(logging.INFO, "the one that hangs")
    site.wait_for(1)
    log.announce(logging.ERROR, "the one behind")
    log.close()
    log.announce(logging.WARNING, "too late")
    assert [text for _, text in own_lines(caplog)] == ["the one that hangs", "the one behind", "too late"]


def test_what_finds_no_room_is_on_the_daemon_s_own_log(
    log: SiteLog, site: SlowLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number in range(MAX_WAITING_MESSAGES + 3):
        log.announce(logging.INFO, f"message {number}")
    assert own_lines(caplog) == [(logging.INFO, f"message {MAX_WAITING_MESSAGES + more}") for more in (1, 2)]
    log.start()


class Unspeakable:
    """A mistake of whoever announces it."""

    def __str__(self) -> str:
        raise RuntimeError("it has no words")


@pytest.mark.parametrize(
    ("level", "text"), [("info", "a level that is none"), (None, "no level"), (logging.INFO, Unspeakable())]
)
@pytest.mark.parametrize("is_ending", [False, True])
def test_a_mistake_in_an_announcement_reaches_nobody_who_announces(
    level: Any,
    text: Any,
    is_ending: bool,
    log: SiteLog,
    site: SlowLog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # In the place of pytest's, which does not forgive such mistakes.
    monkeypatch.setattr(logging.getLogger(), "handlers", [LogWriter()])
    caplog.set_level(logging.DEBUG)
    if is_ending:
        log.close()
    log.announce(level, text)
    log.announce(logging.INFO, "the next one")
    if is_ending:
        return
    log.start()
    closed(log, site)
    assert "the next one" in site.messages


def test_what_is_announced_before_the_start_is_not_lost(log: SiteLog, site: SlowLog) -> None:
    log.announce(logging.INFO, "early")
    assert site.taken == []
    log.start()
    site.wait_for(1)
    assert site.messages == ["early"]


def test_a_log_that_hangs_delays_nobody_and_what_waits_is_bounded(log: SiteLog, site: SlowLog) -> None:
    """That this test comes to its end shows that no announcement waits for the one that hangs."""
    site.gate.clear()
    log.start()
    log.announce(logging.INFO, "the one that hangs")
    site.wait_for(1)
    surplus = 50
    for number in range(MAX_WAITING_MESSAGES + surplus):
        log.announce(logging.INFO, f"message {number}")
    assert site.messages == ["the one that hangs"]

    closed(log, site)
    assert site.messages == [
        "the one that hangs",
        f"{surplus} messages were dropped: the observatory's log is too slow",
        *(f"message {number}" for number in range(MAX_WAITING_MESSAGES)),
    ]
    assert site.taken[1][0] == "warning"


@pytest.mark.parametrize("failure", [OSError(111, "refused"), AssertionError()])
def test_a_log_that_raises_loses_that_message_only(
    failure: Exception, log: SiteLog, site: SlowLog, caplog: pytest.LogCaptureFixture
) -> None:
    site.failure = failure
    caplog.set_level(logging.INFO)
    log.start()
    for number in range(3):
        log.announce(logging.INFO, f"message {number}")
    # Before it is closed: what has not been passed on by then is logged at once.
    wait_until(lambda: len(own_lines(caplog)) == 6, "three complaints")
    closed(log, site)
    assert site.messages == ["message 0", "message 1", "message 2"]
    complaint = f"the observatory's log did not take a message: {failure!r}"
    assert own_lines(caplog) == [
        line
        for number in range(3)
        for line in ((logging.INFO, f"message {number}"), (logging.WARNING, complaint))
    ]


def test_many_threads_may_announce_at_once(log: SiteLog, site: SlowLog) -> None:
    def announce_some() -> None:
        for _ in range(20):
            log.announce(logging.INFO, "x")

    log.start()
    threads = [threading.Thread(target=announce_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    closed(log, site)
    assert site.messages.count("x") == 160


# The end


def test_closing_passes_on_what_waits(log: SiteLog, site: SlowLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observatory_log, "CLOSE_PATIENCE_S", BOUND_S)
    for number in range(10):
        log.announce(logging.INFO, f"message {number}")
    log.start()
    log.close()
    assert len(site.taken) == 10
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


@pytest.mark.parametrize("waiting", [0, MAX_WAITING_MESSAGES + 10])
def test_closing_does_not_wait_for_a_log_that_hangs(waiting: int, log: SiteLog, site: SlowLog) -> None:
    site.gate.clear()
    log.start()
    log.announce(logging.INFO, "the one that hangs")
    site.wait_for(1)
    for _ in range(waiting):
        log.announce(logging.INFO, "waits")
    log.close()
    assert site.messages == ["the one that hangs"]
    closed(log, site)


def test_closing_twice_and_announcing_afterwards_do_no_harm(log: SiteLog, site: SlowLog) -> None:
    log.start()
    closed(log, site)
    log.close()
    log.announce(logging.INFO, "too late")
    SiteLog("never started").close()
    assert site.messages == []


def test_the_thread_holds_up_no_process_that_ends(log: SiteLog, site: SlowLog) -> None:
    log.start()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
    assert thread.daemon
    closed(log, site)
