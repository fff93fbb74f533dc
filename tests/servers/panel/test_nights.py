"""The nights that are kept, on the panel: last night in the morning, who asked, and the last good focus."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.service.moved import GOOD_FOR_S
from rockit.focuser.ok3z.storage.history_file import HistoryFile, Moment, Motion
from tests.support.focusers import NIGHT_S, history_file

# Of NIGHT_S, which is 14:13:20 UTC.
DAY = "2026-09-21"


def at(seconds: float) -> Moment:
    return Moment(NIGHT_S + seconds, 5000.0 + seconds)


def move(number: int, begin_s: float, to_steps: int, result: str = "arrived") -> Motion:
    return Motion(
        number,
        "move",
        at(begin_s),
        at(begin_s + 4.0),
        0,
        to_steps,
        to_steps,
        1,
        result,
        "a",
        "a by 10.0.0.1",
        "10.0.0.1",
        "pyro",
        "filter R",
    )


@pytest.fixture(autouse=True)
def file(focuser: Any, tmp_path: Path) -> Iterator[HistoryFile]:
    file = history_file(tmp_path / "history.sqlite", at(-2000.0))
    focuser.history.file = file
    yield file
    file.close()


def night(client: Any, day: str = DAY) -> Any:
    answer = client.ask("GET", f"/panel/history?day={day}")
    assert answer.status == 200
    return answer.json


def test_last_night_is_there_with_who_asked_for_machines_that_may_control(
    wire: Any, stranger: Any, file: HistoryFile
) -> None:
    hand = Motion(2, "hand", at(-500.0), at(-490.0), 5088, None, None, 1, "failed")
    file.write([move(1, -1000.0, 5088), hand])
    seen = night(wire)
    assert [row["what"] for row in seen["rows"]] == ["1.000 → ?", "0.000 → 1.000", "focusd began"]
    assert [row["by"] for row in seen["rows"]] == ["at the controller", "10.0.0.1 (pyro)", ""]
    assert seen["rows"][1] == {
        "at": "2026-09-21 13:56:40 UTC",
        "what": "0.000 → 1.000",
        "result": "arrived",
        "words": "arrived",
        "reason": "A by 10.0.0.1",
        "by": "10.0.0.1 (pyro)",
        "why": "filter R",
    }
    assert [mm for _, mm in seen["points"]] == [None, 0.0, 1.0, 1.0, None]
    assert (seen["day"], seen["to_s"] - seen["from_s"]) == (DAY, 86400)
    public = night(stranger)
    assert "10.0.0.1" not in str(public)
    assert public["rows"][1]["why"] == "filter R"
    assert public["good"] is None


def test_another_night_is_another(wire: Any, file: HistoryFile) -> None:
    file.write([move(1, -1000.0, 5088), move(2, 86400.0, 5088)])
    assert [row["what"] for row in night(wire, "2026-09-22")["rows"]] == ["0.000 → 1.000"]
    assert night(wire, "2026-09-20")["rows"] == []
    # Of this night without a day.
    assert wire.ask("GET", "/panel/history").json["rows"] == []


def test_it_is_a_file_too(wire: Any, stranger: Any, file: HistoryFile) -> None:
    file.write([move(1, -1000.0, 5088)])
    for client, has_address in ((wire, True), (stranger, False)):
        answer = client.ask("GET", f"/panel/history.csv?day={DAY}")
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-disposition"] == f'attachment; filename="focuser-{DAY}.csv"'
        (_, row) = csv.DictReader(io.StringIO(answer.body.decode()))
        assert (row["kind"], row["to_mm"], row["why"]) == ("move", "1.0", "filter R")
        assert ("address" in row) is has_address


@pytest.mark.parametrize("day", ["soon", "2026-13-01", "1", "9" * 500])
def test_what_is_no_day_is_refused(wire: Any, day: str) -> None:
    answer = wire.ask("GET", f"/panel/history?day={day}")
    assert (answer.status, json.loads(answer.body)["message"]) == (400, "The day is written so: 2026-11-22.")


def test_a_history_that_cannot_be_asked_is_said(wire: Any, focuser: Any) -> None:
    focuser.history.file = None
    for hangs, message in (
        (False, "There is no history."),
        (True, "The disk of the history does not answer."),
    ):
        focuser.history.hangs = hangs
        answer = wire.ask("GET", "/panel/history")
        assert (answer.status, json.loads(answer.body)["message"]) == (503, message)


def test_who_asks_too_often_waits(stranger: Any) -> None:
    statuses = [stranger.ask("GET", "/panel/history").status for _ in range(40)]
    assert set(statuses) == {200, 429}


def test_the_last_good_focus_is_where_it_stood_for_a_while(wire: Any, file: HistoryFile) -> None:
    """Elsewhere than now, and not where it only passed by."""
    begin_s = -3 * GOOD_FOR_S
    file.write(
        [move(1, begin_s, 12720), move(2, begin_s + GOOD_FOR_S + 10.0, 9000), move(3, -100.0, 10176, "short")]
    )
    assert night(wire)["good"] == {
        "position_mm": 1.7689,
        "words": "1.769 mm, where it stood from 14:03 to 14:11 UTC",
    }
    file.write([move(4, -60.0, 8000)])
    assert night(wire)["good"]["position_mm"] == 1.7689


def test_the_temperature_itself_is_for_the_csv_and_what_follows_from_it_for_the_page(
    wire: Any, file: HistoryFile
) -> None:
    kinds = ("temperature", "shadow", "reference")
    rows = [
        Motion(number, kind, at(number), at(number), 5088, 5139, 5088, result="7.500", sentence="it is so.")
        for number, kind in enumerate(kinds, start=1)
    ]
    file.write(rows)
    shown = [row["what"] for row in night(wire)["rows"]]
    assert shown[:2] == ["Focus good", "Would move"]
    assert b"temperature" in wire.ask("GET", f"/panel/history.csv?day={DAY}").body
