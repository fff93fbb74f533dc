"""The site's helper may take its time: nobody waits for it but who asked, and a stop not even then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable

import Pyro4
import pytest
from rockit.common import helpers

from rockit.focuser.ok3z.servers.pyro import PyroFocuser, permission
from rockit.focuser.ok3z.servers.pyro.later import AtEnd
from tests.support.pyro import proxy_from
from tests.support.waiting import BOUND_S, wait_until

CONTROL, OTHER_CONTROL, STRANGER = "127.0.0.1", "127.0.1.1", "1.2.3.4"


class Site:
    """A site's helper that asks a name server."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads: set[str] = set()
        self.refuses: set[str] = set()
        # Of these the name server does not answer, before the test says so.
        self.hangs: set[str] = set()
        self.answers = threading.Event()

    def matches(self, ips: list[str]) -> bool:
        context = Pyro4.current_context
        address = context.client_sock_addr[0]
        self.asked.append(address)
        self.threads.add(threading.current_thread().name)
        if address in self.hangs:
            assert self.answers.wait(BOUND_S)
        return address in ips and address not in self.refuses


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()
    monkeypatch.setattr(helpers, "pyro_client_matches", site.matches)
    yield site
    site.answers.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


def test_it_is_asked_on_a_thread_of_its_own_and_its_word_is_remembered(uri: str, site: Site) -> None:
    with proxy_from(uri) as first, proxy_from(uri, OTHER_CONTROL) as second:
        assert [first.set_focus(1.0) for _ in range(3)] == [0] * 3
        assert first.wait_for_change(None, 0)["status"] == 1
        assert [second.audit(), second.stop(), first.stop()] == [0] * 3
    assert site.asked == [CONTROL, OTHER_CONTROL]
    assert site.threads == {"pyro-look-up"}


def test_what_it_refuses_is_refused_as_long_as_it_is_remembered(
    uri: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.refuses.add(CONTROL)
    with proxy_from(uri) as proxy:
        assert [proxy.stop(), proxy.set_focus(1.0)] == [3, 3]
        assert proxy.last_failure()["reason"] == f"{CONTROL} is not among control_machines."
        site.refuses.clear()
        assert proxy.set_focus(1.0) == 3
        monkeypatch.setattr(permission, "REMEMBERED_S", 0.0)
        monkeypatch.setattr(time, "monotonic", lambda now_s=time.monotonic: now_s() + 61.0)
        assert [proxy.set_focus(1.0), proxy.set_focus(1.0)] == [0, 0]
    assert site.asked == [CONTROL] * 3
    assert site.threads == {"pyro-look-up", "pyro-look-up-stop"}


def test_a_stop_gets_through_while_every_look_up_hangs(
    uri: str, site: Site, focuser: Any, pool: ThreadPoolExecutor
) -> None:
    """Its own too, and those of sixteen calls before it."""
    site.hangs |= {CONTROL, OTHER_CONTROL}
    with proxy_from(uri) as stopping, proxy_from(uri, OTHER_CONTROL) as other:
        moving = [pool.submit(_move, uri) for _ in range(20)]
        wait_until(lambda: site.asked)
        # Those for which there is no room.
        wait_until(lambda: sum(move.done() for move in moving) == 4)
        began_s = time.monotonic()
        assert [stopping.stop(), other.stop()] == [0, 0]
        # The promise is 0.1 s on a machine that is not shared.
        assert time.monotonic() - began_s < 2.0
        assert stopping.report_status()["status"] == 1
        assert [name for name, *_ in focuser.calls] == ["stop"] * 2
        site.answers.set()
        assert sorted(move.result(BOUND_S) for move in moving) == [0] * 16 + [2] * 4


def _move(uri: str) -> int:
    with proxy_from(uri) as proxy:
        return int(proxy.set_focus(1.0))


def test_a_stop_waits_behind_no_look_up_of_another_machine(
    uri: str, site: Site, focuser: Any, pool: ThreadPoolExecutor
) -> None:
    site.hangs.add(CONTROL)
    site.refuses.add(OTHER_CONTROL)
    with proxy_from(uri, OTHER_CONTROL) as other:
        moving = pool.submit(_move, uri)
        wait_until(lambda: site.asked)
        # The site's word was heard, on the thread that only stops have.
        assert other.stop() == 3
        assert "pyro-look-up-stop" in site.threads
        site.answers.set()
        assert moving.result(BOUND_S) == 0


def test_a_call_whose_look_up_does_not_end_is_refused_and_does_not_begin_later(
    uri: str, site: Site, focuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rockit.focuser.ok3z.servers.pyro.focuser.LOOK_UP_PATIENCE_S", 0.05)
    site.hangs.add(CONTROL)
    with proxy_from(uri) as proxy:
        assert proxy.set_focus(1.0) == 3
        assert "was not found out within 20 s" in proxy.last_failure()["reason"]
        site.answers.set()
        assert proxy.audit() == 0
    assert focuser.calls == [("audit",)]


def test_a_helper_that_fails_is_asked_again(
    uri: str, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> bool:
        site.asked.append("in vain")
        raise SystemExit

    with proxy_from(uri) as proxy:
        with monkeypatch.context() as patch:
            patch.setattr(helpers, "pyro_client_matches", fail)
            assert [proxy.set_focus(1.0), proxy.stop()] == [1, 1]
        assert proxy.set_focus(1.0) == 0
    assert site.asked == ["in vain"] * 2 + [CONTROL]
    assert "a mistake in this program, in set_focus" in caplog.text


def test_a_machine_without_room_for_another_thread(
    uri: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with proxy_from(uri) as proxy:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            assert [proxy.set_focus(1.0), proxy.stop()] == [2, 0]
        assert proxy.set_focus(1.0) == 0


def test_a_stranger_that_comes_as_far_as_the_object_stops_nothing_while_look_ups_hang(
    pyro_focuser: PyroFocuser, site: Site, focuser: Any, called_from: Callable[[str], None]
) -> None:
    site.hangs.add(STRANGER)
    called_from(STRANGER)
    answer: Any = pyro_focuser.stop()
    assert isinstance(answer, AtEnd)
    assert answer.patience_s == permission.STOP_LOOK_UP_PATIENCE_S
    assert answer.answer() == 3
    assert focuser.calls == []


def test_so_many_addresses_wait_and_so_many_are_remembered(
    pyro_focuser: PyroFocuser, site: Site, called_from: Callable[[str], None]
) -> None:
    strangers = [f"10.9.0.{number}" for number in range(permission.MOST_LOOK_UPS + 1)]
    site.hangs.add(strangers[0])
    ends: list[Future[Any]] = []
    for stranger in strangers * 2:
        called_from(stranger)
        waiting: Any = pyro_focuser.set_focus(1.0)
        ends.append(waiting.end)
    # Who asks while the same address is looked up shares it.
    assert ends[: len(strangers) - 1] == ends[len(strangers) : -1]
    assert [end.done() for end in ends[: len(strangers)]] == [False] * permission.MOST_LOOK_UPS + [True]
    assert waiting.answer() == 2
    site.answers.set()
    assert [end.result(BOUND_S) for end in ends[: permission.MOST_LOOK_UPS]] == [
        False
    ] * permission.MOST_LOOK_UPS
    for number in range(permission.MOST_REMEMBERED + 1):
        called_from(f"10.9.1.{number}")
        look_up: Any = pyro_focuser.set_focus(1.0)
        assert look_up.end.result(BOUND_S) is False
    assert len(pyro_focuser._permission._remembered) == permission.MOST_REMEMBERED
