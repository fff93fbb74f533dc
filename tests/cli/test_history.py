"""`focus log`, `moved`, `hold`, `release` and `run`, and what `set` says of itself, against the stand-in."""

from __future__ import annotations

import csv
import io
import json
import signal
import sys
import time
from typing import Any

import pytest

from rockit.focuser.ok3z.cli import history
from rockit.focuser.ok3z.cli.main import main

pytestmark = pytest.mark.usefixtures("phone_book")

MOVE = {
    "kind": "move",
    "begin": "2026-11-22T20:00:00.000Z",
    "end": "2026-11-22T20:00:04.000Z",
    "from_mm": 0.0,
    "target_mm": 1.0,
    "to_mm": 1.0,
    "legs": 1,
    "result": "arrived",
    "sentence": "",
    "why": "filter R",
    "trust": "homed",
    "holds": "",
    "address": "10.2.5.115",
    "door": "pyro",
}
LINE = "2026-11-22 20:00:00.000  move    0.000 → 1.000  arrived  by 10.2.5.115 (pyro)  filter R"


def answered(**verdict: object) -> dict[str, object]:
    return {"moved": "no", "reason": "it was read standing.", "motions": [], "holds": [], **verdict}


@pytest.mark.parametrize(("moved", "code"), [("no", 0), ("yes", 1), ("unknown", 10), ("perhaps", 10)])
def test_moved_exits_with_what_is_known(script: Any, capsys: Any, moved: str, code: int) -> None:
    motions = [MOVE] if moved == "yes" else []
    script.answers["moved_between"] = answered(moved=moved, motions=motions)
    assert main(["moved", "2026-11-22T20:00:00Z", "1795377660.5"]) == code
    assert script.calls == [("moved_between", "2026-11-22T20:00:00Z", 1795377660.5)]
    out = capsys.readouterr().out
    assert out == f"{moved}: it was read standing.\n" + (f"  {LINE}\n" if motions else "")


def test_moved_waits_for_the_next_reading(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "NEXT_READING_S", 0.0)
    answers = iter([answered(moved="unknown", reason="the end is later than the last reading."), answered()])
    script.answers["moved_between"] = lambda: next(answers)
    assert main(["moved", "1", "2"]) == 0


def test_the_log_is_a_line_a_row(script: Any, capsys: Any) -> None:
    held = {**MOVE, "kind": "hand", "why": "", "address": "", "holds": "cam1", "to_mm": None}
    script.answers["moves"] = [
        MOVE,
        held,
        {"kind": "end", "begin": "2026-11-22T21:00:00.000Z", "sentence": "\x1b[2J"},
    ]
    assert main(["log"]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == LINE
    assert second == "2026-11-22 20:00:00.000  hand    0.000 → ?  arrived  while cam1 held it"
    assert "\x1b" not in third
    ((_, since_s, limit),) = script.calls
    assert time.time() - since_s == pytest.approx(86400, abs=60)
    assert limit == history.ROWS_AT_ONCE


@pytest.mark.parametrize(
    ("since", "expected_s"),
    [
        ("90s", -90),
        ("30m", -1800),
        ("12h", -43200),
        ("2d", -172800),
        ("2026-11-22T18:00", 1795370400),
        ("2026-11-22T18:00:00Z", 1795370400),
    ],
)
def test_the_log_begins_when_it_is_told(script: Any, since: str, expected_s: float) -> None:
    script.answers["moves"] = []
    assert main(["log", "--since", since]) == 0
    expected_s += time.time() if expected_s < 0 else 0
    assert script.calls[0][1] == pytest.approx(expected_s, abs=60)


def test_the_log_as_csv_and_as_json(script: Any, capsys: Any) -> None:
    script.answers["moves"] = [{**MOVE, "sentence": 'a "b",c'}]
    assert main(["log", "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row == {key: str(value) for key, value in {**MOVE, "sentence": 'a "b",c'}.items()}
    assert main(["log", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "move"


def test_a_part_of_a_log_in_which_each_row_says_much_is_not_too_large(script: Any, capsys: Any) -> None:
    """No answer is unpacked that is larger than `unpacking.MOST_ANSWER_BYTES`."""
    wordy = {**MOVE, "sentence": "x" * 300, "why": "y" * 200}
    rows = [{**wordy, "legs": number} for number in range(history.ROWS_AT_ONCE)]
    parts = iter([rows])
    script.answers["moves"] = lambda: next(parts, rows[-1:])
    assert main(["log", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == history.ROWS_AT_ONCE


def test_a_long_log_comes_in_parts(script: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ROWS_AT_ONCE", 2)
    rows = [{**MOVE, "begin": f"2026-11-22T20:00:0{number}.000Z"} for number in range(4)]
    parts = iter([rows[:2], rows[1:3], rows[2:]])
    script.answers["moves"] = lambda: next(parts, rows[3:])
    assert main(["log", "--json"]) == 0
    assert [json.loads(line)["begin"][17:19] for line in capsys.readouterr().out.splitlines()] == [
        "00",
        "01",
        "02",
        "03",
    ]


@pytest.mark.parametrize(
    "words",
    [
        "log --since soon",
        "log --csv --json",
        "moved 1",
        "hold 60",
        "hold many --name cam1",
        "release",
        "run -- true",
        "run --hold cam1",
    ],
)
def test_wrong_usage_asks_nothing(script: Any, words: str) -> None:
    assert main(words.split()) == 255
    assert script.calls == []


def test_a_history_that_cannot_be_told_is_an_error(script: Any, capsys: Any) -> None:
    script.answers["moves"] = 1
    assert main(["log"]) == 1
    assert "cannot tell its history" in capsys.readouterr().err


def test_hold_prints_its_token_and_release_takes_it(script: Any, capsys: Any) -> None:
    script.answers |= {"hold": "6b1f", "release": 0}
    assert main(["hold", "60", "--name", "cam1"]) == main(["release", "6b1f"]) == 0
    assert capsys.readouterr().out == "6b1f\n"
    assert script.calls == [("hold", "cam1", 60.0, ""), ("release", "6b1f")]


def test_who_is_refused_reads_why(script: Any, capsys: Any) -> None:
    failure = {"command": "hold", "status": 2, "reason": "a move is running."}
    script.answers |= {"hold": 2, "set_focus": 2, "last_failure": failure}
    for words in (["hold", "60", "--name", "cam1"], ["run", "--hold", "cam1", "--", "true"]):
        assert main(words) == 2
        assert capsys.readouterr().err == "error: another command is already running. a move is running.\n"
    script.answers["last_failure"] = {
        "command": "set_focus",
        "status": 2,
        "reason": "cam1 holds the focuser until …",
    }
    assert main(["set", "2.5"]) == 2
    assert "cam1 holds the focuser until" in capsys.readouterr().err


def test_a_move_says_why_and_waits(script: Any) -> None:
    assert main(["set", "2.5", "--why", "filter R"]) == 0
    assert main(["offset", "0.5", "--wait", "30"]) == 0
    assert script.calls[0] == ("set_focus", 2.5, False, {"why": "filter R"})
    assert script.calls[1] == ("set_focus", 0.5, True, {"wait_s": 30.0})


# A program that runs while nothing moves


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
        (["/nowhere/program"], 127),
        (["/"], 126),
        (
            [
                sys.executable,
                "-c",
                "import sys; sys.exit(sys.argv[1:] != ['-5', '--help', 'stop', '--'])",
                "-5",
                "--help",
                "stop",
                "--",
            ],
            0,
        ),
    ],
)
def test_run_holds_runs_releases_and_passes_the_exit_code(script: Any, program: list[str], code: int) -> None:
    script.answers |= {"hold": "6b1f", "release": 0}
    assert main(["run", "--hold", "cam1", "--", *program]) == code
    assert script.calls == [("hold", "cam1", 60.0, ""), ("release", "6b1f")]


def test_a_hold_is_renewed_while_the_program_runs(
    script: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "RENEWED_EVERY_S", 0.05)
    script.answers |= {"hold": "6b1f", "release": 0}
    assert main(["run", "--hold", "cam1", "--", "sleep", "0.5"]) == 0
    assert script.calls.count(("hold", "cam1", 60.0, "6b1f")) >= 2
    tokens = iter(["6b1f"])
    script.answers["hold"] = lambda: next(tokens, 1)
    assert main(["run", "--hold", "cam1", "--", "sleep", "0.5"]) == 0
    assert "the hold is lost" in capsys.readouterr().err
