"""The history and holds as Alpaca actions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from rockit.focuser.ok3z.errors import HeldError
from rockit.focuser.ok3z.servers.alpaca import actions
from rockit.focuser.ok3z.storage.history_file import HistoryFile, Moment, Motion, Stretch
from tests.support.focusers import NIGHT_S, history_file
from tests.support.reference import PaperTemperature


@pytest.fixture(autouse=True)
def file(focuser: Any, tmp_path: Path) -> Iterator[HistoryFile]:
    begin, end = (Moment(NIGHT_S + seconds, 5000.0 + seconds) for seconds in (0.0, 100.0))
    file = history_file(tmp_path / "history.sqlite", begin)
    file.write([Stretch(1, begin, end, 4710, 5088), Motion(2, "move", end, end, legs=1, address="10.0.0.1")])
    focuser.history.file = file
    yield file
    file.close()


def act(wire: Any, action: str, **parameters: object) -> Any:
    text = json.dumps(parameters) if parameters else ""
    return wire.put("action", Action=action, Parameters=text)


def value(wire: Any, action: str, **parameters: object) -> Any:
    answer = act(wire, action, **parameters)
    assert answer.error == 0, answer.json
    return json.loads(answer.json["Value"])


def test_they_are_listed(wire: Any) -> None:
    names = wire.get("supportedactions").json["Value"]
    of_history = ["moved_between", "moves", "focus_header", "hold", "release", "holds"]
    assert names == [*of_history, "set_term", "clear_term", "terms", "set_reference"]


def test_each_answers_as_its_pyro_method_does(wire: Any) -> None:
    assert value(wire, "moved_between", t0=NIGHT_S + 1, t1=NIGHT_S + 50)["moved"] == "no"
    assert (
        value(wire, "Moved_Between", t0=NIGHT_S + 1, t1=NIGHT_S + 100)["motions"][0]["address"] == "10.0.0.1"
    )
    assert [row["kind"] for row in value(wire, "moves", since=NIGHT_S, until=NIGHT_S + 200)] == [
        "start",
        "move",
    ]
    assert value(wire, "focus_header")["FOCPOS"] == 0.0
    token = value(wire, "hold", name="cam1", seconds=60)
    assert value(wire, "hold", name="cam1", seconds=90, token=token) == token
    assert [hold["name"] for hold in value(wire, "holds")] == ["cam1"]
    assert value(wire, "release", token=token) == 0
    assert value(wire, "set_term", name="filter", mm=0.12, owner="camera", ttl=60) == 0
    assert [(term["name"], term["mm"]) for term in value(wire, "terms")] == [("filter", 0.12)]
    assert value(wire, "clear_term", name="filter", owner="camera") == 0
    assert value(wire, "terms") == []


def test_the_temperatures_reference_is_set(wire: Any, focuser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = act(wire, "set_reference")
    assert (refused.error, "is not configured" in refused.json["ErrorMessage"]) == (0x401, True)
    focuser.temperature = PaperTemperature()
    assert value(wire, "set_reference", why="autofocus") == 0
    assert (focuser.temperature.askers[0].door, focuser.temperature.askers[0].why) == ("alpaca", "autofocus")
    monkeypatch.setattr(actions, "REFERENCE_PATIENCE_S", 0.05)
    focuser.temperature = PaperTemperature(hangs=True)
    assert "does not answer" in act(wire, "set_reference").json["ErrorMessage"]


@pytest.mark.parametrize(
    ("form", "number"),
    [
        ("Action=unknown&Parameters=", 0x40C),
        ("Action=set_term&Parameters=%7B%22name%22%3A%22filter%22%7D", 0x401),
        ("Action=hold&Parameters=", 0x401),
        ("Action=hold&Parameters=%7B", 0x401),
        ("Action=hold&Parameters=%5B%5D", 0x401),
        ("Action=release&Parameters=%7B%22token%22%3A%20%22x%22%7D", 0x401),
        ("Action=holds&Parameters=%7B%22x%22%3A1%7D", 0x401),
        (f"Action=holds&Parameters={'+' * 3000}x", 0x401),
        ("Action=moves&Parameters=%7B%22since%22%3A1%2C%22until%22%3A2%2C%22limit%22%3A0%7D", 0x401),
    ],
)
def test_what_is_no_action_is_refused(wire: Any, form: str, number: int) -> None:
    assert wire.put("action", **dict(parse_qsl(form, keep_blank_values=True))).error == number


def test_a_history_that_cannot_be_asked_is_an_error_or_unknown(wire: Any, focuser: Any) -> None:
    focuser.history.file = None
    assert value(wire, "moved_between", t0=1, t1=2)["moved"] == "unknown"
    assert act(wire, "moves", since=1, until=2).error == 0x500
    focuser.history.hangs = True
    assert value(wire, "moved_between", t0=1, t1=2)["reason"].startswith(
        "the disk of the history does not answer"
    )


def test_a_move_while_it_is_held_is_refused_and_it_is_told_who_asked(wire: Any, focuser: Any) -> None:
    focuser.failures["move"] = HeldError("cam1 holds the focuser.")
    assert wire.put("move", Position=5).error == 0x40B
    assert (focuser.askers[-1].address, focuser.askers[-1].door) == ("127.0.0.1", "alpaca")
