"""The stream of events: what is in it, and who gets it."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from functools import partial
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import StoppedError
from rockit.focuser.ok3z.servers import web
from rockit.focuser.ok3z.servers.panel import panel, stream
from rockit.focuser.ok3z.servers.panel.stream import Viewer, encoded
from rockit.focuser.ok3z.service.motion_log import RecordedMotion, Result
from rockit.focuser.ok3z.service.status import Confidence, Snapshot, State, Trust
from tests.support.http import STRANGER, EventStream, HttpClient, request
from tests.support.waiting import wait_until

AT = "2026-11-22T20:00:00Z"
HOMED = Confidence(Trust.HOMED, "", AT)
IDLE = Snapshot(State.IDLE, current_steps=5088, target_steps=5088, read_at_s=1.0, confidence=HOMED)
MOTION = RecordedMotion(1, False, AT, 5088, 10176)


@pytest.fixture(autouse=True)
def _stands_at_1_mm(focuser: Any) -> None:
    focuser.snapshot = IDLE


class Clock:
    """The panel's clock, which stands until the test sets it."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(web, "Panel", partial(panel.Panel, now_s=clock))
    return clock


@pytest.fixture
def crowded(serve: Callable[..., Any]) -> Any:
    """A server that bounds nothing but its streams."""
    return serve(of_stranger=200, burst=1e6, patience_s=1000.0)


@pytest.fixture
def watch(dial: Callable[..., HttpClient]) -> Callable[..., EventStream]:
    """Opens a stream: watch(server, source=...)."""
    return lambda server, **options: EventStream(dial(server, **options))


@pytest.fixture
def opened(crowded: Any) -> Callable[..., list[int]]:
    """Opens so many streams one after the other, each of which ends at once, and gives their statuses."""

    def opened(count: int, source: str = "127.0.0.1") -> list[int]:
        statuses = []
        for _ in range(count):
            client = HttpClient(crowded.port, source)
            statuses.append(EventStream(client).status)
            client.close()
        return statuses

    return opened


# What is in it


def test_a_stream_begins_with_all_that_a_page_needs(server: Any, watch: Any) -> None:
    viewer = watch(server)
    events = [viewer.next() for _ in range(4)]
    assert [kind for kind, _ in events] == ["about", "history", "moves", "status"]
    about, history, moves, status = (values for _, values in events)
    assert (about["name"], about["range_mm"], about["may_control"]) == ("Dome", 6.0, True)
    assert history["points"][-1][1:] == [1.0, 1.0]
    assert moves == {"moves": []}
    assert status["position_mm"] == 1.0
    assert viewer.headers["content-type"] == "text/event-stream"
    assert watch(server, source=STRANGER).until("about")["may_control"] is False


def test_who_stopped_it_is_for_machines_that_may_control(server: Any, watch: Any, focuser: Any) -> None:
    by = StoppedError("stopped by 10.0.0.1.", public="stopped.").reason
    sentences = {"127.0.0.1": '"Stopped by 10.0.0.1."', STRANGER: '"Stopped."'}

    def assert_told(viewer: Any, sentence: str) -> None:
        moves = json.dumps(viewer.until("moves", lambda told: told["moves"]))
        assert f'"reason": {sentence}' in moves
        status = json.dumps(viewer.until("status", lambda told: told["reason"]))
        assert f'"reason": {sentence}' in status
        assert f'"trust_reason": {sentence}' in status

    viewers = {source: watch(server, source=source) for source in sentences}
    for viewer in viewers.values():
        viewer.until("status")
    focuser.motions = (replace(MOTION, result=Result.SHORT, reason=by),)
    focuser.snapshot = replace(IDLE, reason=by, confidence=Confidence(Trust.UNKNOWN, by, ""))
    for source, sentence in sentences.items():
        assert_told(viewers[source], sentence)
        # And for who comes only now.
        assert_told(watch(server, source=source), sentence)


def test_what_changes_is_sent_at_once(
    server: Any, watch: Any, focuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not with the next heartbeat: there is none.
    monkeypatch.setattr(panel, "HEARTBEAT_S", 1e9)
    viewer = watch(server)
    viewer.until("status")
    focuser.motions = (MOTION,)
    focuser.snapshot = replace(IDLE, state=State.MOVING, target_steps=10176)
    assert viewer.until("moves")["moves"][0]["result"] == "running"
    assert viewer.until("status")["words"] == "Moving"
    focuser.motions = (replace(MOTION, result=Result.ARRIVED),)
    focuser.snapshot = replace(IDLE, current_steps=10176, target_steps=10176)
    assert viewer.until("moves")["moves"][0]["result"] == "arrived"
    assert viewer.until("status")["position_mm"] == 2.0


def test_what_a_command_did_is_sent_before_its_answer(
    serve: Any, dial: Any, watch: Any, focuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "HEARTBEAT_S", 1e9)
    monkeypatch.setattr(panel, "SAMPLE_PERIOD_S", 1e9)
    server = serve()
    viewer = watch(server)
    viewer.until("status")
    focuser.snapshot = replace(IDLE, current_steps=10176, target_steps=10176)
    dial(server).post("offset", offset_mm=1)
    assert viewer.until("status")["position_mm"] == 2.0


def test_something_is_sent_though_nothing_changes(
    server: Any, watch: Any, focuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "HEARTBEAT_S", 0.1)
    viewer = watch(server)
    viewer.until("status")
    focuser.reading_s = 7.0
    assert viewer.until("status", lambda status: status["age_s"] == 7.0)["warnings"]


def test_a_mistake_in_a_sample_ends_nothing(
    server: Any, watch: Any, focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    viewer = watch(server)
    viewer.until("status")
    focuser.snapshot = None
    wait_until(lambda: "a mistake in this program, in the panel" in caplog.text)
    focuser.snapshot = replace(IDLE, state=State.UNHOMED)
    viewer.until("status", lambda status: status["state"] == "unhomed")


def test_nothing_in_an_event_can_end_it() -> None:
    event = encoded("status", {"reason": "one\n\nevent: evil\r\ndata: \u2028 \u00e9"})
    assert event.count(b"\n") == 3
    assert event.endswith(b"\n\n")
    assert b"\r" not in event
    assert event.isascii()


def test_only_the_newest_of_each_kind_waits_for_a_viewer() -> None:
    async def test() -> None:
        viewer = Viewer(may_control=True)
        for count in range(1000):
            viewer.offer("status", b"status %d," % count)
            viewer.offer("moves", b"moves %d," % count)
        assert await viewer.next() == b"status 999,moves 999,"
        viewer.end()
        assert await viewer.next() == b""

    asyncio.run(test())


# How many there may be


def test_viewers_are_bounded_and_room_is_kept_for_who_may_control(
    crowded: Any, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_OF_ADDRESS", stream.MOST_VIEWERS + 1)
    viewers = []
    for source, most in (
        (STRANGER, stream.MOST_STRANGERS),
        ("127.0.0.1", stream.MOST_VIEWERS - stream.MOST_STRANGERS),
    ):
        viewers += [watch(crowded, source=source) for _ in range(most)]
        assert {viewer.status for viewer in viewers} == {200}
        refusal = watch(crowded, source=source)
        assert refusal.status == 503
        assert "Close some" in refusal.message
    # Who leaves makes room.
    viewers[-1]._client.close()
    wait_until(lambda: watch(crowded).status == 200)


def test_one_address_holds_no_more_than_its_share_and_loses_its_oldest(
    crowded: Any, watch: Any, focuser: Any
) -> None:
    oldest, *others = (watch(crowded) for _ in range(stream.MOST_OF_ADDRESS + 1))
    assert oldest.has_ended()
    focuser.snapshot = replace(IDLE, reason="still here")
    for viewer in others:
        viewer.until("status", lambda status: status["reason"] == "Still here")


def test_strangers_open_streams_slowly(clock: Clock, opened: Any, crowded: Any, watch: Any) -> None:
    assert opened(25, STRANGER) == [200] * int(stream.OPENS_BURST) + [429] * 5
    assert watch(crowded, source=STRANGER).message.endswith("Wait a few seconds.")
    clock.now_s += 1
    assert opened(2, STRANGER) == [200, 429]
    # Who may control is counted apart.
    assert opened(30) == [200] * 30


@pytest.fixture
def kinds_encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was put into words for the wire."""
    kinds: list[str] = []

    def counting(kind: str, values: Any) -> bytes:
        kinds.append(kind)
        return encoded(kind, values)

    monkeypatch.setattr(panel, "encoded", counting)
    return kinds


def test_who_may_control_may_reload_all_the_time_and_a_script_may_not(
    clock: Clock, opened: Any, kinds_encoded: list[str]
) -> None:
    burst = int(stream.CONTROL_OPENS_BURST)
    assert opened(burst) == [200] * burst
    kinds_encoded.clear()
    assert opened(200) == [429] * 200
    assert kinds_encoded == [], "a refusal costs next to nothing"
    # Ten times a second, for as long as somebody likes.
    for _ in range(50):
        clock.now_s += 0.125
        assert opened(1) == [200]
    # Strangers are not held up by it.
    assert opened(1, STRANGER) == [200]


def test_who_finds_no_room_costs_no_words(
    clock: Clock, opened: Any, kinds_encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_STRANGERS", 0)
    assert set(opened(100, STRANGER)) == {429, 503}
    assert kinds_encoded == []


def test_the_history_is_put_into_words_once_a_second_for_all(
    clock: Clock, opened: Any, kinds_encoded: list[str]
) -> None:
    for now_s, count in ((100.0, 1), (100.9, 1), (101.0, 2)):
        clock.now_s = now_s
        assert opened(20) == [200] * 20
        assert kinds_encoded.count("history") == count


# How they end


def test_a_viewer_that_does_not_read_is_dropped_and_delays_nobody(
    crowded: Any, dial: Any, watch: Any, focuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PATIENCE_S", 0.2)
    monkeypatch.setattr(stream, "MOST_VIEWERS", 2)
    deaf = dial(crowded)
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.send(request("GET", "/panel/events"))
    assert deaf.read(15) == b"HTTP/1.1 200 OK"
    viewer = watch(crowded)
    viewer.until("status")
    # Sentences that fill what the system keeps for a connection in a few events.
    for count in range(8):
        focuser.snapshot = replace(IDLE, reason=f"{count} {'x' * 200_000}")
        viewer.until("status", lambda status, n=count: status["reason"][0] == str(n))
    wait_until(lambda: watch(crowded).status == 200, "room for another")
    focuser.snapshot = replace(IDLE, reason="still here")
    viewer.until("status", lambda status: status["reason"] == "Still here")
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    assert b"Still here" not in deaf.rest()


def test_all_streams_end_with_the_server(server: Any, watch: Any) -> None:
    viewer = watch(server)
    viewer.until("status")
    server.close()
    assert viewer.has_ended()
