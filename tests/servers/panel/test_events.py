"""The stream of events: what is in it, and who gets it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import StoppedError
from rockit.focuser.ok3z.servers.panel import panel
from rockit.focuser.ok3z.servers.panel import stream as events
from rockit.focuser.ok3z.servers.panel.stream import Viewer, encoded
from rockit.focuser.ok3z.service.status import Confidence, Snapshot, State, Trust

Run = Callable[[Callable[[Any], Awaitable[None]]], None]
HOMED = Confidence(Trust.HOMED, "", "2026-11-22T20:00:00Z")
IDLE = Snapshot(State.IDLE, current_steps=5088, target_steps=5088, read_at_s=1.0, confidence=HOMED)


def test_a_stream_begins_with_all_that_a_page_needs(run: Run) -> None:
    async def test(served: Any) -> None:
        async with served.events() as stream:
            kinds = [await stream.next() for _ in range(4)]
            assert stream.response.content_type == "text/event-stream"
            assert stream.response.headers["Cache-Control"] == "no-store"
        about, history, moves, status = (values for _, values in kinds)
        assert [kind for kind, _ in kinds] == ["about", "history", "moves", "status"]
        assert (about["name"], about["range_mm"], about["may_control"]) == ("a focuser", 6.0, True)
        assert history["points"][-1][1:] == [1.0, 1.0]
        assert moves == {"moves": []}
        assert status["position_mm"] == 1.0

    run(test)


def test_a_stranger_is_told_that_it_may_not_control(run: Run) -> None:
    async def test(served: Any) -> None:
        served.controls = False
        async with served.events() as stream:
            assert (await stream.until("about"))["may_control"] is False

    run(test)


def test_who_stopped_it_is_for_machines_that_may_control(run: Run, service: Any) -> None:
    by = StoppedError("stopped by 10.0.0.1.", public="stopped.").reason
    moving = replace(IDLE, state=State.MOVING, target_steps=10176)
    stopped = replace(IDLE, reason=by, confidence=Confidence(Trust.UNKNOWN, by, ""))
    ended = {"moves": lambda told: told["moves"] and told["moves"][0]["result"] != "running"}

    async def read(stream: Any, kind: str) -> str:
        return json.dumps(await stream.until(kind, ended.get(kind, lambda told: told["reason"])))

    async def test(served: Any) -> None:
        async with AsyncExitStack() as stack:
            whole = await stack.enter_async_context(served.events())
            await whole.until("status")
            served.controls = False
            public = await stack.enter_async_context(served.events())
            await public.until("status")
            service.snapshot = moving
            service.snapshot = stopped
            for stream, sentence in ((whole, "Stopped by 10.0.0.1."), (public, "Stopped.")):
                assert f'"reason": "{sentence}"' in await read(stream, "moves")
                status = await read(stream, "status")
                assert f'"reason": "{sentence}"' in status
                assert f'"trust_reason": "{sentence}"' in status
            # And for who comes only now.
            for controls, sentence in ((True, "Stopped by 10.0.0.1."), (False, "Stopped.")):
                served.controls = controls
                stream = await stack.enter_async_context(served.events())
                assert f'"reason": "{sentence}"' in await read(stream, "moves")
                assert f'"trust_reason": "{sentence}"' in await read(stream, "status")

    run(test)


def test_what_changes_is_sent_at_once(run: Run, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not with the next heartbeat: there is none.
    monkeypatch.setattr(panel, "HEARTBEAT_S", 1e9)

    async def test(served: Any) -> None:
        async with served.events() as stream:
            await stream.until("status")
            service.snapshot = replace(IDLE, state=State.MOVING, target_steps=10176)
            moves = await stream.until("moves")
            assert moves["moves"][0]["result"] == "running"
            assert (await stream.until("status"))["words"] == "MOVING"
            service.snapshot = replace(IDLE, current_steps=10176, target_steps=10176)
            assert (await stream.until("moves"))["moves"][0]["result"] == "arrived"
            assert (await stream.until("status"))["position_mm"] == 2.0

    run(test)


def test_what_a_command_did_is_sent_before_its_answer(
    run: Run, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "SAMPLE_PERIOD_S", 1e9)
    monkeypatch.setattr(panel, "HEARTBEAT_S", 1e9)

    async def test(served: Any) -> None:
        async with served.events() as stream:
            await stream.until("status")
            service.snapshot = replace(IDLE, current_steps=10176, target_steps=10176)
            await served.post("offset", {"offset_mm": 1})
            assert (await stream.until("status"))["position_mm"] == 2.0

    run(test)


def test_something_is_sent_though_nothing_changes(run: Run, service: Any) -> None:
    async def test(served: Any) -> None:
        async with served.events() as stream:
            await stream.until("status")
            service.age_s = 7.0
            assert (await stream.until("status", lambda status: status["age_s"] == 7.0))["warnings"]

    run(test)


def test_moves_are_noted_though_nobody_looks(run: Run, service: Any) -> None:
    async def test(served: Any) -> None:
        service.snapshot = replace(IDLE, state=State.MOVING, target_steps=10176)
        service.snapshot = replace(IDLE, current_steps=10176, target_steps=10176)
        async with served.events() as stream:
            assert (await stream.until("moves", lambda values: values["moves"]))["moves"][0]["number"] == 1

    run(test)


def test_a_mistake_in_a_sample_ends_nothing(run: Run, service: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def test(served: Any) -> None:
        async with served.events() as stream:
            await stream.until("status")
            service.snapshot = None
            while "a mistake in this program, in the panel" not in caplog.text:
                await asyncio.sleep(0.01)
            service.snapshot = replace(IDLE, state=State.UNHOMED)
            await stream.until("status", lambda status: status["state"] == "unhomed")

    run(test)


def test_viewers_are_bounded_and_room_is_kept_for_who_may_control(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_OF_ADDRESS", events.MOST_VIEWERS + 1)

    async def test(served: Any) -> None:
        async with AsyncExitStack() as stack:
            served.controls = False
            for _ in range(events.MOST_STRANGERS):
                stream = await stack.enter_async_context(served.events())
                assert stream.response.status == 200
                await stream.next()
            assert (await served.get("/panel/events")).status == 503
            served.controls = True
            for _ in range(events.MOST_VIEWERS - events.MOST_STRANGERS):
                stream = await stack.enter_async_context(served.events())
                await stream.next()
            refusal = await served.get("/panel/events")
            assert refusal.status == 503
            assert "Close some" in (await refusal.json())["message"]

    run(test)


def test_one_address_holds_no_more_than_its_share_and_loses_its_oldest(run: Run) -> None:
    async def test(served: Any) -> None:
        async with AsyncExitStack() as stack:
            streams = [
                await stack.enter_async_context(served.events()) for _ in range(events.MOST_OF_ADDRESS + 1)
            ]
            while (await streams[0].next())[0]:
                pass
            for stream in streams[1:]:
                # Sent at its opening, and at a heartbeat after that.
                await stream.until("status")
                await stream.until("status")

    run(test)


def test_strangers_open_streams_slowly(run: Run) -> None:
    async def test(served: Any) -> None:
        served.controls = False
        served.now_s = lambda: 100.0
        assert await _opened(served, 25) == [200] * int(events.OPENS_BURST) + [429] * 5
        refusal = await served.get("/panel/events")
        assert (await refusal.json())["message"].endswith("Wait a few seconds.")
        served.now_s = lambda: 101.0
        assert await _opened(served, 2) == [200, 429]
        # Who may control is counted apart.
        served.controls = True
        assert await _opened(served, 30) == [200] * 30

    run(test)


def test_who_may_control_may_reload_all_the_time_and_a_script_may_not(
    run: Run, kinds_encoded: list[str]
) -> None:
    async def test(served: Any) -> None:
        served.now_s = lambda: 100.0
        burst = int(events.CONTROL_OPENS_BURST)
        assert await _opened(served, burst) == [200] * burst
        kinds_encoded.clear()
        assert await _opened(served, 200) == [429] * 200
        assert kinds_encoded == [], "a refusal costs next to nothing"
        # Ten times a second, for as long as somebody likes.
        for tenth in range(1, 51):
            served.now_s = lambda tenth=tenth: 100.0 + tenth * 0.125
            assert await _opened(served, 1) == [200]
        # Strangers at the same address are not held up by it.
        served.controls = False
        assert await _opened(served, 1) == [200]

    run(test)


async def _opened(served: Any, count: int) -> list[int]:
    statuses = []
    for _ in range(count):
        async with served.events() as stream:
            statuses.append(stream.response.status)
    return statuses


@pytest.fixture
def kinds_encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was put into words for the wire."""
    kinds: list[str] = []

    def counting(kind: str, values: Any) -> bytes:
        kinds.append(kind)
        return encoded(kind, values)

    monkeypatch.setattr(panel, "encoded", counting)
    return kinds


def test_who_is_refused_costs_no_words(
    run: Run, kinds_encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(served: Any) -> None:
        served.controls = False
        with monkeypatch.context() as full:
            full.setattr(events, "MOST_STRANGERS", 0)
            assert set(await _opened(served, 100)) == {429, 503}
        assert await _opened(served, 1) == [429]

    run(test)
    assert kinds_encoded == []


def test_the_history_is_put_into_words_once_a_second_for_all(run: Run, kinds_encoded: list[str]) -> None:
    async def test(served: Any) -> None:
        served.now_s = lambda: 100.0
        assert await _opened(served, 50) == [200] * 50
        served.now_s = lambda: 100.9
        assert await _opened(served, 50) == [200] * 50
        assert kinds_encoded.count("history") == 1
        served.now_s = lambda: 101.0
        await _opened(served, 2)
        assert kinds_encoded.count("history") == 2

    run(test)


def test_who_leaves_makes_room(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_VIEWERS", 1)

    async def test(served: Any) -> None:
        async with served.events() as stream:
            await stream.next()
        while (await served.get("/panel/events")).status == 503:
            await asyncio.sleep(0.01)

    run(test)


def test_a_viewer_that_does_not_read_is_dropped_and_delays_nobody(
    run: Run, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PATIENCE_S", 0.2)
    monkeypatch.setattr(events, "MOST_VIEWERS", 2)
    # A sentence that fills what the system keeps for a connection in a few events.
    long = "x" * 200_000

    async def test(served: Any) -> None:
        server = served.client.server
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (server.host, server.port))
            await loop.sock_sendall(sock, b"GET /panel/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert await loop.sock_recv(sock, 15) == b"HTTP/1.1 200 OK"
            async with served.events() as stream:
                await stream.until("status")
                for count in range(8):
                    service.snapshot = replace(IDLE, reason=f"{count} {long}")
                    await stream.until("status", lambda status, n=count: status["reason"][0] == str(n))
                while (await served.get("/panel/events")).status == 503:
                    await asyncio.sleep(0.01)
                service.snapshot = replace(IDLE, reason="still here")
                await stream.until("status", lambda status: status["reason"] == "Still here")
                assert b"Still here" not in await _rest_of(loop, sock)

    run(test)


async def _rest_of(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    """What comes until the other side has ended the connection."""
    rest = b""
    with suppress(ConnectionError):
        while chunk := await loop.sock_recv(sock, 65536):
            rest += chunk
    return rest


def test_all_streams_end_with_the_application(run: Run) -> None:
    async def test(served: Any) -> None:
        async with served.events() as stream:
            await stream.until("status")
            closing = asyncio.ensure_future(served.client.server.close())
            while (await stream.next())[0]:
                pass
            await closing

    run(test)


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


def test_nothing_in_an_event_can_end_it() -> None:
    event = encoded("status", {"reason": "one\n\nevent: evil\r\ndata: \u2028 \u00e9"})
    assert event.count(b"\n") == 3
    assert event.endswith(b"\n\n")
    assert b"\r" not in event
    assert event.isascii()
