"""What may be asked of the focuser over the panel, by whom, and what is answered."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import BusyError, HaltFailedError, OutsideLimitsError, StoppedError

Run = Callable[[Callable[[Any], Awaitable[None]]], None]
DONE = (200, {"done": True, "code": "", "message": ""})
JSON = {"Content-Type": "application/json"}
COMMANDS = ["set", "offset", "stop", "initialize", "audit", "shutdown"]


@pytest.mark.parametrize(
    ("command", "values", "asked"),
    [
        ("set", {"position_mm": 2.5}, ("move", 2.5, False)),
        ("set", {"position_mm": 2}, ("move", 2, False)),
        ("offset", {"offset_mm": -0.01}, ("move", -0.01, True)),
        ("stop", {}, ("stop", "127.0.0.1")),
        ("initialize", {"resume": False}, ("initialize", False, None)),
        ("initialize", {"resume": True}, ("initialize", True, None)),
        ("audit", {}, ("audit",)),
        ("shutdown", {}, ("shutdown",)),
    ],
)
def test_a_command_is_passed_on(
    run: Run, service: Any, command: str, values: dict[str, Any], asked: tuple[Any, ...]
) -> None:
    async def test(served: Any) -> None:
        assert await served.post(command, values) == DONE

    run(test)
    assert service.asked == [asked]


def test_a_refusal_comes_with_its_sentence(run: Run, service: Any) -> None:
    service.raises = OutsideLimitsError("7 mm was asked for; the focuser goes from 0 to 6.000 mm.")

    async def test(served: Any) -> None:
        status, answer = await served.post("set", {"position_mm": 7})
        assert (status, answer["done"], answer["code"]) == (200, False, "outside_limits")
        assert answer["message"] == "7 mm was asked for; the focuser goes from 0 to 6.000 mm."
        service.raises = StoppedError("stopped by 10.0.0.1.")
        assert (await served.post("offset", {"offset_mm": 1}))[1]["message"] == "Stopped by 10.0.0.1."
        service.raises = BusyError("initialize is still running.")
        assert (await served.post("shutdown", {}))[1]["code"] == "busy"

    run(test)


def test_a_mistake_of_this_program_is_told_without_its_details(
    run: Run, service: Any, caplog: pytest.LogCaptureFixture
) -> None:
    service.raises = ZeroDivisionError("secret")

    async def test(served: Any) -> None:
        for command, values in (("set", {"position_mm": 1}), ("initialize", {"resume": False})):
            status, answer = await served.post(command, values)
            assert (status, answer["done"], answer["code"]) == (200, False, "internal")
            assert "secret" not in answer["message"]

    run(test)
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"position_mm=2",
        b"\xff",
        b"2.5",
        b"[]",
        b"null",
        b"{}",
        b'{"position_mm": "2"}',
        b'{"position_mm": null}',
        b'{"position_mm": true}',
        b'{"position_mm": [2]}',
        b'{"Position_mm": 2}',
        b'{"position_mm": 2, "offset": true}',
        b'{"position_mm": 2, "position_mm": 3}',
        b'{"position_mm": 2, "position_mm": 2}',
        b"[" * 999,
        b'{"position_mm": ' + b"1" * 900 + b"",
    ],
)
def test_what_is_malformed_is_refused_and_nothing_moves(run: Run, service: Any, body: bytes) -> None:
    async def test(served: Any) -> None:
        status, answer = await served.post("set", data=body, headers=JSON)
        assert status == 400
        assert answer["done"] is False
        assert answer["message"].endswith(".")

    run(test)
    assert service.asked == []


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "stop"])
def test_every_command_judges_its_body(run: Run, service: Any, command: str) -> None:
    async def test(served: Any) -> None:
        assert (await served.post(command, data=b'{"odd": 1}', headers=JSON))[0] == 400
        assert (await served.post(command, data=b'{"resume": 1}', headers=JSON))[0] == 400

    run(test)
    assert service.asked == []


def test_numbers_that_are_none_are_left_to_the_focuser(run: Run, service: Any) -> None:
    async def test(served: Any) -> None:
        for text in (b"NaN", b"-Infinity", b"1e999", b"9" * 300):
            body = b'{"position_mm": %s}' % text
            assert await served.post("set", data=body, headers=JSON) == DONE

    run(test)
    assert [type(asked[1]) for asked in service.asked] == [float, float, float, int]


def test_a_number_that_is_none_is_no_word(run: Run, service: Any) -> None:
    async def test(served: Any) -> None:
        for said in ("nan mm was asked for.", "inf mm was asked for."):
            service.raises = OutsideLimitsError(said)
            assert (await served.post("set", {"position_mm": 1}))[1]["message"] == said

    run(test)


@pytest.mark.parametrize("command", ["set", "offset"])
def test_little_of_a_value_is_logged(
    run: Run, service: Any, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    caplog.set_level(logging.INFO)
    name = "position_mm" if command == "set" else "offset_mm"

    async def test(served: Any) -> None:
        assert (
            await served.post(command, data=b'{"%s": %s}' % (name.encode(), b"9" * 900), headers=JSON) == DONE
        )

    run(test)
    said = [record.getMessage() for record in caplog.records if "on the panel" in record.getMessage()]
    asked = "set inf mm" if command == "set" else "set by +inf mm"
    assert len(said) == 1
    assert said[0].startswith(f"{asked}, asked by 127.0.0.1 on the panel: arrived at ")


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
)
def test_what_a_foreign_page_could_send_unasked_is_refused(run: Run, service: Any, content_type: str) -> None:
    async def test(served: Any) -> None:
        headers = {"Content-Type": content_type}
        status, _ = await served.post("set", data=b'{"position_mm": 2}', headers=headers)
        assert status == 415

    run(test)
    assert service.asked == []


def test_a_body_is_bounded(run: Run, service: Any) -> None:
    async def pieces() -> Any:
        for _ in range(30):
            yield b" " * 100

    async def test(served: Any) -> None:
        body = b'{"position_mm": 2}' + b" " * 1000
        assert (await served.post("set", data=body, headers=JSON))[0] == 413
        # Without a length that it names beforehand.
        assert (await served.post("set", data=pieces(), headers=JSON))[0] == 413

    run(test)
    assert service.asked == []


@pytest.mark.parametrize("command", COMMANDS)
def test_strangers_are_refused_before_anything_is_read(
    run: Run, service: Any, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    caplog.set_level(logging.INFO)

    async def test(served: Any) -> None:
        served.controls = False
        for body in (b"{}", b"no json"):
            status, answer = await served.post(command, data=body, headers=JSON)
            assert status == 403
            assert "127.0.0.1 is not among control_machines" in answer["message"]
        said = f"{command} on the panel refused: 127.0.0.1 is not among control_machines"
        assert served.refusals == [said] * 2

    run(test)
    assert service.asked == []
    assert "refused" not in caplog.text


def test_a_stop_needs_no_body_and_no_type(run: Run, service: Any) -> None:
    async def test(served: Any) -> None:
        assert await served.post("stop", data=b"") == DONE
        assert await served.post("stop", data=b"{]", headers={"Content-Type": "odd/odd"}) == DONE

    run(test)
    assert service.asked == [("stop", "127.0.0.1")] * 2


def test_a_stop_waits_for_no_other_command(run: Run, service: Any) -> None:
    service.may_end.clear()

    async def test(served: Any) -> None:
        waiting = [asyncio.ensure_future(served.post("set", {"position_mm": 1})) for _ in range(20)]
        await asyncio.get_running_loop().run_in_executor(None, service.begun.wait)
        assert await served.post("stop", {}) == DONE
        service.may_end.set()
        answers = [answer for _, answer in await asyncio.gather(*waiting)]
        # As many as may wait for the service do; the others are told so at once.
        assert sorted({answer["code"] for answer in answers}) == ["", "busy"]

    run(test)
    assert service.asked.count(("move", 1, False)) < 20


def test_stops_that_are_asked_for_together_are_one_and_none_is_refused(run: Run, service: Any) -> None:
    service.may_end.clear()
    service.may_stand.clear()

    async def test(served: Any) -> None:
        moving = asyncio.ensure_future(served.post("set", {"position_mm": 1}))
        stopping = [asyncio.ensure_future(served.post("stop", {})) for _ in range(50)]
        while served.stops_asked < len(stopping) or ("stop", "127.0.0.1") not in service.asked:
            await asyncio.sleep(0.01)
        assert not [one for one in stopping if one.done()], "standstill is not proven yet"
        service.may_stand.set()
        assert await asyncio.gather(*stopping) == [DONE] * len(stopping)
        service.may_end.set()
        assert await moving == DONE

    run(test)
    assert service.asked.count(("stop", "127.0.0.1")) == 1


def test_every_stop_is_logged_with_who_asked_and_what_came_of_it(
    run: Run, service: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def test(served: Any) -> None:
        assert await served.post("stop", {}) == DONE
        service.raises = HaltFailedError("standstill was not seen.")
        assert (await served.post("stop", {}))[1]["code"] == "halt_failed"

    run(test)
    said = [record.getMessage() for record in caplog.records if "on the panel" in record.getMessage()]
    asked = "stop, asked by 127.0.0.1 on the panel"
    assert [re.sub(r" after \d+\.\d s", "", line) for line in said] == [
        f"{asked}: stands at 1.000 mm",
        f"{asked}: ended at 1.000 mm: standstill was not seen.",
    ]


def test_a_stop_of_who_goes_away_is_made_and_logged(
    run: Run, service: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service.may_stand.clear()

    async def test(served: Any) -> None:
        asking = asyncio.ensure_future(served.post("stop", {}))
        while not service.asked:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait([asking])
        # The server has noticed.
        while served.client.server.runner.server.connections:
            await asyncio.sleep(0.01)
        service.may_stand.set()
        while "stop, asked by 127.0.0.1 on the panel: stands at " not in caplog.text:
            await asyncio.sleep(0.01)

    run(test)
    assert service.asked == [("stop", "127.0.0.1")]


def test_who_goes_away_stops_nothing(run: Run, service: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    service.may_end.clear()

    async def test(served: Any) -> None:
        asking = asyncio.ensure_future(served.post("set", {"position_mm": 1}))
        await asyncio.get_running_loop().run_in_executor(None, service.begun.wait)
        asking.cancel()
        await asyncio.wait([asking])
        service.may_end.set()
        while "set 1 mm, asked by 127.0.0.1 on the panel: arrived at " not in caplog.text:
            await asyncio.sleep(0.01)

    run(test)
    assert service.asked == [("move", 1, False)]


def test_commands_are_posted_and_nothing_else(run: Run, service: Any) -> None:
    async def test(served: Any) -> None:
        for command in COMMANDS:
            for method in ("PUT", "DELETE"):
                async with served.client.request(method, f"/panel/{command}") as response:
                    assert response.status == 405
            assert (await served.get(f"/panel/{command}")).status == 404

    run(test)
    assert service.asked == []
