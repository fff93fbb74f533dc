"""The benchmark: its arithmetic by hand, and each of its parts once, in a tiny form on a real daemon."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as program
from bench import (
    alpaca,
    crowded,
    figures,
    fleet,
    idle,
    moves,
    rig,
    round_trips,
    startup,
    status,
    stop,
    wire_log,
)
from bench.conditions import conditions
from bench.crowd import crowd

PROJECT = Path(__file__).parents[2]
BYTE_MS = 10 / 38400 * 1000


# Figures


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 21)), 95, 19),
        ([1.0, 2.0], 95, 2.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values: Any, percent: int, expected: float) -> None:
    assert figures.percentile(values, percent) == expected


def test_a_target_is_judged_by_its_own_statistic() -> None:
    values = [*[1.0] * 99, 50.0]
    by_worst = figures.Figure("part", "name", "ms", values, target=figures.Bound(20.0, "text"))
    by_p99 = figures.Figure("part", "name", "ms", values, target=figures.Bound(20.0, "text", judged="p99"))
    exact = figures.Figure("part", "name", "ms", [20.0], target=figures.Bound(20.0, "text"))
    none = figures.Figure("part", "name", "ms", values)
    assert [each.is_met for each in (by_worst, by_p99, exact, none)] == [False, True, True, None]
    with pytest.raises(ValueError, match="nothing was measured for part: name"):
        figures.Figure("part", "name", "ms", [])


def test_a_table_has_a_row_for_each_figure_and_a_note_for_each_bound() -> None:
    limit = figures.Bound(9.0, "the wire")
    made = [
        figures.Figure("One", "a", "ms", [1.0, 3.0, 2.0], limit, figures.Bound(2.5, "a wish")),
        figures.Figure("One", "b", "ms", [123.4], limit),
        figures.Figure("Two", "c", "MB", [float(number) for number in range(100)]),
    ]
    text = figures.markdown(made)
    assert "| a | ms | 3 | 2.00 | 3.00 |  | 3.00 | 9.00 | max 2.50 | no |" in text
    assert "| b | ms | 1 | 123 |  |  |  | 9.00 |  |  |" in text
    assert "| c | MB | 100 | 49.0 | 94.0 | 98.0 | 99.0 |  |  |  |" in text
    assert text.count("- Limit of 9.00 ms: the wire") == 1
    assert text.count("- Target of 2.50 ms: a wish") == 1
    assert [line for line in text.splitlines() if line.startswith("###")] == ["### One", "### Two"]


def test_a_page_keeps_all_but_the_tables_that_were_measured(tmp_path: Path) -> None:
    page, found = tmp_path / "page.md", conditions()
    places = "\n".join("\nold\n".join(program.marks(part)) for part in ("stop", "idle"))
    page.write_text(f"before\n{places}\nafter\n")
    made = [figures.Figure("One", "a", "ms", [1.0])]
    for _ in range(2):
        program.renew(page, found, {"stop": made})
        text = page.read_text()
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert text.count("\nold\n") == text.count("| a | ms | 1 | 1.00 |") == text.count("Run of 20") == 1
    with pytest.raises(SystemExit, match="has no place for tables"):
        program.renew(page, found, {"moves": made})


def test_the_page_of_the_project_has_a_place_for_every_part() -> None:
    text = (PROJECT / "docs/performance.md").read_text(encoding="utf-8")
    assert [part for part in program.PARTS for mark in program.marks(part) if text.count(mark) != 1] == []


# The wire, stops and moves


def log(*lines: tuple[float, str, str]) -> wire_log.WireLog:
    return wire_log.WireLog([(at_s, direction, f"{text}\n", "") for at_s, direction, text in lines])


STATE = ((1.0, ">", "#S001 F$"), (1.0, "<", "#S004 F NS$"))
REGISTER = ((2.0, ">", "#P081 F$"), (2.0, "<", "#P081 F -40000$"))
HALT = (3.0, ">", "#P021 F $")


def test_what_went_over_the_wire() -> None:
    seen = log(*STATE, *REGISTER, HALT)
    assert seen.times_s("P021") == [3.0]
    assert seen.times_s("P021", since_s=3.1) == []
    assert seen.times_s("P081") == [2.0], "an answer with the code of its question is no command"
    assert wire_log.longest_exchange_s(seen.lines) * 1000 == pytest.approx((9 + 16) * BYTE_MS)
    assert seen.busy_s(0, 9) * 1000 == pytest.approx((9 + 12 + 9 + 16 + 10) * BYTE_MS)
    assert wire_log.questions(seen.lines) == 2
    assert wire_log.longest_exchange_s(seen.lines[-1:]) == 0


def test_of_a_frame_under_way_only_what_lies_in_the_stretch_counts() -> None:
    seen = log(*REGISTER)
    two_bytes_s = 2 * BYTE_MS / 1000
    # The question's last byte is there at 2.0 s, when the first of the answer goes out.
    assert seen.busy_s(2.0 - two_bytes_s, 9) * 1000 == pytest.approx((2 + 16) * BYTE_MS)
    assert seen.busy_s(0, 2.0 + two_bytes_s) * 1000 == pytest.approx((9 + 2) * BYTE_MS)
    assert seen.busy_s(2.1, 9) == seen.busy_s(0, 1.9) == 0


def test_a_line_that_is_busy_both_ways_is_busy_once() -> None:
    # The second question comes while the first is being answered.
    both = log((2.0, ">", "#S001 F$"), (2.0, "<", "#S004 F NS$"), (2.0 + 9 * BYTE_MS / 1000, ">", "#P081 F$"))
    assert both.busy_s(0, 9) * 1000 == pytest.approx((9 + 12) * BYTE_MS)


def test_a_stop_is_taken_from_the_moment_of_its_call() -> None:
    seen = log(*REGISTER, (2.106, ">", "#P021 F $"))
    stops = stop.Stops(top_mm_sec=0.5)
    stops.take(called_s=2.1, answered_s=2.31, stood_s=2.21, log=seen)
    taken = (*stops.to_wire_ms, *stops.to_standstill_ms, *stops.to_answer_ms)
    assert taken == tuple(pytest.approx(each) for each in (6, 110, 210))
    limits = [figure.limit.value for figure in stops.figures("outward") if figure.limit]
    wire_ms = (9 + 16 + 10) * BYTE_MS
    assert limits == [pytest.approx(each, abs=0.1) for each in (wire_ms, wire_ms + 100, wire_ms + 100)]
    with pytest.raises(rig.BenchError, match="no halt came"):
        stops.take(called_s=2.2, answered_s=2.31, stood_s=2.21, log=seen)


def test_standstill_is_found_from_the_quickest_look_at_a_slowing_motor() -> None:
    look = stop.Look
    looks = [look(0.999, 1.0, 0.5), look(1.01, 1.05, 0.4), look(1.06, 1.062, 0.25), look(1.2, 1.2, 0.0)]
    assert stop.standstill_s(looks, 0.5) == pytest.approx(1.061 + rig.ramp_s(0.25))
    with pytest.raises(rig.BenchError, match="not seen slowing down"):
        stop.standstill_s([looks[0], looks[-1]], 0.5)


def test_the_ideal_is_the_trapezoid_of_the_real_register_speeds() -> None:
    speed_mm_sec, acceleration = 0.4918, 4.9994
    ramped_s = speed_mm_sec / acceleration
    assert rig.ideal_s(3.0) == pytest.approx(3.0 / speed_mm_sec + ramped_s, abs=1e-3)
    assert rig.ideal_s(0.01) == pytest.approx(2 * (0.01 / acceleration) ** 0.5, abs=1e-3)
    assert rig.ideal_s(1.0, 0.5) == pytest.approx(1.5 / speed_mm_sec + 2 * ramped_s, abs=1e-3)


def moved(overshoot_from_s: float) -> moves.Moved:
    """A made-up move by 0.05 mm outward that was called at 1 s."""
    legs_mm = moves.legs_mm(0.05, outward=True)
    first_s, second_s = (rig.ideal_s(leg_mm) for leg_mm in legs_mm)
    back_from_s = overshoot_from_s + first_s + 0.03
    starts = [(at_s, ">", "#P092 F 1$") for at_s in (0.5, overshoot_from_s, back_from_s)]
    return moves.Moved(1.0, back_from_s + second_s + 0.04, legs_mm, log(*starts))


def test_what_a_move_is_over_is_the_sum_of_its_gaps() -> None:
    made = moved(overshoot_from_s=1.02)
    gaps_ms = {
        name: [pytest.approx((to_s - from_s) * 1000) for from_s, to_s in spans]
        for name, spans in made.gaps().items()
    }
    assert gaps_ms == {"before the first leg": [20], "between the legs": [30], "after the last leg": [40]}
    assert made.over_ms == pytest.approx(20 + 30 + 40)
    with pytest.raises(rig.BenchError, match="1 go-to commands came for a move of 2 legs"):
        moved(overshoot_from_s=0.9).gaps()


# On a real daemon


def values_of(made: list[figures.Figure]) -> dict[str, Any]:
    assert all(value > 0 for figure in made for value in figure.values if figure.unit == "ms")
    return {figure.name: figure.values for figure in made}


def test_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    # At 0.5 mm the register is the one that was found at first, as after a power cut: a stop there proves nothing.
    for name, value in {"FAR_IN_MM": 0.0, "MIDDLE_MM": 0.6, "APART_S": 0.0}.items():
        monkeypatch.setattr(stop, name, value)
    values = [values[0] for values in values_of(stop.measure(1, random.Random(1))).values()]
    assert len(values) == 9
    for to_wire, to_standstill, to_answer in (values[:3], values[3:6], values[6:]):
        assert to_wire < to_standstill < to_answer


def test_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "INNER_MM", 0.02)
    values = values_of(moves.measure(1, distances_mm=(0.01,)))
    assert {"0.01 mm inward", "0.01 mm outward"} <= set(values)
    for name in ("before the first leg", "after the last leg"):
        assert len(values[name]) == 2
        assert values[f"{name}: bytes on the line"][0] < values[name][0]
    assert len(values["between the legs"]) == 1


def test_round_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"INNER_MM": 0.6, "DISTANCE_MM": 0.05, "LATENCIES_MS": (16,)}.items():
        monkeypatch.setattr(round_trips, name, value)
    monkeypatch.setattr(moves, "INNER_MM", 0.6)
    monkeypatch.setattr(stop, "APART_S", 0.0)
    values = values_of(round_trips.measure(1, random.Random(1)))
    assert len(values) == 6
    for what in ("inward", "outward", "proof of a stop"):
        one, both = (
            values[f"{what}, 16 ms of latency, {way}"][0] for way in ("one at a time", "both at once")
        )
        assert both < one


def test_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "TRAVEL_MM", (0.1, 0.0))
    values = values_of(status.measure(5, random.Random(1), silent=3, pollers=2))
    assert [len(each) for each in values.values()] == [5, 5, 5, 5, 1]
    assert "at rest, beside 2 clients at 10 Hz and 3 silent connections" in values
    assert values["polls of these clients that were answered"] == [100.0]


def test_start_up() -> None:
    focusd, focus, ratio = startup.measure(1)
    # Which of the two is larger is for a quiet machine to say.
    assert focusd.limit is not None
    assert focus.limit is not None
    assert min(focusd.values[0], focusd.limit.value) > 0
    assert ratio.values[0] == pytest.approx(focus.values[0] / focus.limit.value)


def test_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "SETTLE_S", 0.0)
    values = values_of(idle.measure(0.5))
    assert 5 < values["memory, proportional (Pss)"][0] < values["memory, resident (VmRSS)"][0] < 500
    assert values["threads"][0] > 2


def test_in_a_crowd() -> None:
    values = values_of(crowded.measure(1, 4, random.Random(1), silent=3, pollers=2))
    assert [len(each) for each in values.values()] == [4, 4, 1, 4, 4, 1, 1, 1, 1]
    # Those that greet by halves, ask by halves, or never read are there as well.
    assert values["in the crowd: open files of the daemon"][0] > 2 * crowded.HALVES


# It takes 20 s in real time, of which a busy machine makes more.
@pytest.mark.timeout(300)
def test_the_alpaca_port() -> None:
    values = values_of(alpaca.measure(1, 4, random.Random(1), programs=3))
    counts = [4, 4, 1, 1, 4, 4, 1, 1, 1, 4]
    assert [len(each) for each in values.values()] == counts
    assert values["reads of these programs that were answered"] == [100.0]


def test_a_part_that_fails_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> list[figures.Figure]:
        raise rig.BenchError("the motor is away")

    figure = figures.Figure("Rest", "threads", "", [7.0])
    monkeypatch.setattr(program, "watch_for_signals", lambda: None)
    monkeypatch.setattr(program, "PARTS", {"moves": fail, "idle": lambda *_: [figure]})
    file = tmp_path / "result.json"
    assert program.main(["--quick", "--json", str(file)]) == 1
    result = json.loads(file.read_text())
    assert [each["values"] for each in result["figures"]] == [[7.0]]
    assert {"Python", "processor", "load average before"} <= set(result["conditions"])
    shown = capsys.readouterr()
    assert "the motor is away" in shown.err
    assert "threads" in shown.out


def test_its_processes_end_with_it() -> None:
    with rig.rig() as ready, crowd("pyro", ready.port, 1, 10, silent=1):
        assert Path(f"/proc/{ready.pid}").exists()
    assert not Path(f"/proc/{ready.pid}").exists()


@pytest.mark.parametrize("alpaca_too", [False, True])
def test_a_fleet_is_measured_in_a_tiny_form(monkeypatch: pytest.MonkeyPatch, alpaca_too: bool) -> None:
    monkeypatch.setattr(fleet, "SIMULATOR", f"{fleet.SIMULATOR}&time_scale=20")
    monkeypatch.setattr(fleet, "SETTLED_S", 0.1)
    monkeypatch.setattr(fleet, "REST_S", 0.5)
    monkeypatch.setattr(fleet, "MOVING_S", 0.4)
    found = fleet.measured(3, alpaca_too)
    assert len(found) == 7
    assert all(value > 0 for name, value in found.items() if "at rest" not in name)
    assert found["a stop of all, median, s"] <= found["a stop of all, slowest, s"] < 20
    assert found["threads of each"] == (9 if alpaca_too else 7)
