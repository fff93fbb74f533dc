"""The benchmark: its arithmetic by hand, and each of its parts once, in a tiny form on a real daemon."""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
BYTE_MS = 10 / 38400 * 1000
MODULES = ("__main__", "figures", "idle", "moves", "rig", "startup", "status", "stop", "wire_log")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules of the benchmark, which are no part of the package."""
    monkeypatch.syspath_prepend(str(PROJECT))
    modules = {name: importlib.import_module(f"bench.{name}") for name in MODULES}
    return SimpleNamespace(**{name.strip("_"): module for name, module in modules.items()})


# Figures


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([3.0], 50, 3.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        (list(range(1, 101)), 95, 95),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 21)), 95, 19),
        ([1.0, 2.0], 95, 2.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(
    bench: Any, values: Any, percent: int, expected: float
) -> None:
    assert bench.figures.percentile(values, percent) == expected


def test_a_target_is_judged_by_its_own_statistic(bench: Any) -> None:
    values = [*[1.0] * 99, 50.0]
    figures = bench.figures
    by_worst = figures.Figure("part", "name", "ms", values, target=figures.Bound(20.0, "text"))
    by_p99 = figures.Figure("part", "name", "ms", values, target=figures.Bound(20.0, "text", judged="p99"))
    exact = figures.Figure("part", "name", "ms", [20.0], target=figures.Bound(20.0, "text"))
    none = figures.Figure("part", "name", "ms", values)
    assert [each.is_met for each in (by_worst, by_p99, exact, none)] == [False, True, True, None]


def test_nothing_measured_is_no_figure(bench: Any) -> None:
    with pytest.raises(ValueError, match="nothing was measured for part: name"):
        bench.figures.Figure("part", "name", "ms", [])


def test_a_table_has_a_row_for_each_figure_and_a_note_for_each_bound(bench: Any) -> None:
    figures = bench.figures
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


def test_a_page_keeps_all_but_its_tables(bench: Any, tmp_path: Path) -> None:
    main, page = bench.main, tmp_path / "page.md"
    figure = bench.figures.Figure("One", "a", "ms", [1.0])
    page.write_text(f"# Before\n\n{main.PAGE_BEGIN}\nold\n{main.PAGE_END}\n\nAfter\n")
    for _ in range(2):
        main.renew(page, {"machine": "quiet"}, [figure])
        text = page.read_text()
        assert text.startswith("# Before\n")
        assert text.endswith("\n\nAfter\n")
        assert "old" not in text
        assert text.count("| machine | quiet |") == text.count("| a | ms | 1 | 1.00 |") == 1
    page.write_text("nothing")
    with pytest.raises(SystemExit, match="has no place for tables"):
        main.renew(page, {}, [figure])


# The wire


def entry(at_s: float, direction: str, text: str) -> list[Any]:
    return [at_s, direction, f"{text}\n", ""]


STATE = [entry(1.0, ">", "#S001 F$"), entry(1.0, "<", "#S004 F NS$")]
REGISTER = [entry(2.0, ">", "#P081 F$"), entry(2.0, "<", "#P081 F -40000$")]
HALT = [entry(3.0, ">", "#P021 F $")]


def test_pieces_of_a_trace_become_one_log(bench: Any) -> None:
    log = bench.wire_log.WireLog()
    log.add(STATE + REGISTER[:1])
    log.add(STATE[1:] + REGISTER)
    log.add(REGISTER + HALT)
    assert [line.text for line in log.lines] == [text for _, _, text, _ in STATE + REGISTER + HALT]
    assert log.times_s("P021") == [3.0]
    assert log.times_s("P021", since_s=3.1) == []
    assert log.times_s("P081") == [2.0], "an answer with the code of its question is no command"


def test_a_gap_in_a_trace_is_no_log(bench: Any) -> None:
    log = bench.wire_log.WireLog()
    log.add(STATE)
    with pytest.raises(ValueError, match="asked for too seldom"):
        log.add(REGISTER)


def test_how_long_the_line_is_busy(bench: Any) -> None:
    wire_log = bench.wire_log
    log = wire_log.WireLog()
    log.add(STATE + REGISTER + HALT)
    assert wire_log.longest_exchange_s(log.lines) * 1000 == pytest.approx((9 + 16) * BYTE_MS)
    assert wire_log.busy_s(log.lines) * 1000 == pytest.approx((9 + 12 + 9 + 16 + 10) * BYTE_MS)
    assert wire_log.questions(log.lines) == 2
    assert wire_log.longest_exchange_s(log.lines[-1:]) == 0


# Stops and moves


def test_a_stop_is_taken_from_the_moment_of_its_call(bench: Any) -> None:
    log = bench.wire_log.WireLog()
    log.add([*HALT, *(entry(at_s, *rest[:2]) for at_s, *rest in [(9.996, *HALT[0][1:])])])
    stops = bench.stop.Stops(top_mm_sec=0.5)
    stops.take(called_s=9.99, answered_s=10.2, stood_s=10.1, log=log)
    assert stops.to_wire_ms == [pytest.approx(6)]
    assert stops.to_standstill_ms == [pytest.approx(110)]
    assert stops.to_answer_ms == [pytest.approx(210)]
    with pytest.raises(bench.rig.BenchError, match="no halt came"):
        stops.take(called_s=9.997, answered_s=10.2, stood_s=10.1, log=log)


def test_the_limits_of_a_stop_are_the_line_and_the_ramp(bench: Any) -> None:
    log = bench.wire_log.WireLog()
    log.add(REGISTER + HALT)
    stops = bench.stop.Stops(top_mm_sec=0.5)
    stops.take(called_s=2.1, answered_s=3.3, stood_s=3.2, log=log)
    wire, stand, answer = (figure.limit.value for figure in stops.figures("outward"))
    assert wire == pytest.approx((9 + 16 + 10) * BYTE_MS)
    assert stand == answer == pytest.approx(wire + 100, abs=0.1)


def test_standstill_is_found_from_the_quickest_look_at_a_slowing_motor(bench: Any) -> None:
    look = bench.stop.Look
    ramp_s = bench.rig.ramp_s(0.25)
    looks = [look(0.999, 1.0, 0.5), look(1.01, 1.05, 0.4), look(1.06, 1.062, 0.25), look(1.2, 1.2, 0.0)]
    assert bench.stop.standstill_s(looks, 0.5) == pytest.approx(1.061 + ramp_s)
    with pytest.raises(bench.rig.BenchError, match="not seen slowing down"):
        bench.stop.standstill_s([looks[0], looks[-1]], 0.5)


def test_the_ideal_is_the_trapezoid_of_the_real_register_speeds(bench: Any) -> None:
    ideal_s, speed_mm_sec, acceleration = bench.rig.ideal_s, 0.4918, 4.9994
    ramped_s = speed_mm_sec / acceleration
    assert ideal_s(3.0) == pytest.approx(3.0 / speed_mm_sec + ramped_s, abs=1e-3)
    assert ideal_s(0.01) == pytest.approx(2 * (0.01 / acceleration) ** 0.5, abs=1e-3)
    assert ideal_s(1.0, 0.5) == pytest.approx(1.5 / speed_mm_sec + 2 * ramped_s, abs=1e-3)


def test_a_move_outward_has_an_overshoot(bench: Any) -> None:
    assert bench.moves.legs_mm(0.05, outward=True) == (pytest.approx(0.55), 0.5)
    assert bench.moves.legs_mm(0.05, outward=False) == (0.05,)


def moved(bench: Any, overshoot_from_s: float) -> Any:
    """A made-up move by 0.05 mm outward that was called at 1 s."""
    first_s, second_s = bench.rig.ideal_s(0.55), bench.rig.ideal_s(0.5)
    back_from_s = overshoot_from_s + first_s + 0.03
    log = bench.wire_log.WireLog()
    question = [entry(overshoot_from_s - 0.01, *each[1:3]) for each in STATE]
    starts = [entry(at_s, ">", "#P092 F 1$") for at_s in (0.5, overshoot_from_s, back_from_s)]
    log.add([starts[0], *question, *starts[1:]])
    return bench.moves.Moved(1.0, back_from_s + second_s + 0.04, (0.55, 0.5), log)


def test_what_a_move_is_over_is_the_sum_of_its_gaps(bench: Any) -> None:
    made = moved(bench, overshoot_from_s=1.02)
    gaps_ms = {
        name: [pytest.approx((to_s - from_s) * 1000) for from_s, to_s in spans]
        for name, spans in made.gaps().items()
    }
    assert gaps_ms == {"before the first leg": [20], "between the legs": [30], "after the last leg": [40]}
    assert made.over_ms == pytest.approx(20 + 30 + 40)


def test_a_move_with_a_leg_too_few_is_no_measurement(bench: Any) -> None:
    made = moved(bench, overshoot_from_s=0.9)
    with pytest.raises(bench.rig.BenchError, match="1 go-to commands came for a move of 2 legs"):
        made.gaps()


# Processes


def test_memory_and_processor_time_are_those_of_the_process(bench: Any) -> None:
    import os
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    assert bench.idle.cpu_s(os.getpid()) == pytest.approx(usage.ru_utime + usage.ru_stime, abs=0.2)
    memory = bench.idle.memory_mb(os.getpid())
    assert memory["VmHWM"] == pytest.approx(usage.ru_maxrss * 1024 / 1e6, rel=0.2)
    assert 0 < memory["Pss"] <= memory["VmRSS"] * 1.01 <= memory["VmHWM"] * 1.02


@pytest.fixture
def space(bench: Any) -> Iterator[Any]:
    with bench.rig.workspace() as made:
        yield made


def test_stops_on_a_real_daemon(bench: Any, space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # At 0.5 mm the register is the one that was found at first, as after a power cut: a stop there proves nothing.
    for name, value in {"FAR_IN_MM": 0.0, "MIDDLE_MM": 0.6, "APART_S": 0.0}.items():
        monkeypatch.setattr(bench.stop, name, value)
    figures = bench.stop.measure(space, 1, random.Random(1))
    assert len(figures) == 9
    for to_wire, to_standstill, to_answer in (figures[:3], figures[3:6], figures[6:]):
        assert 0 < to_wire.values[0] < to_standstill.values[0] < to_answer.values[0]


def test_moves_on_a_real_daemon(bench: Any, space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.moves, "INNER_MM", 0.02)
    figures = {figure.name: figure for figure in bench.moves.measure(space, 1, distances_mm=(0.01,))}
    assert all(figures[f"0.01 mm {way}"].values[0] > 0 for way in ("inward", "outward"))
    for name in ("before the first leg", "after the last leg"):
        assert len(figures[name].values) == 2
        assert 0 < figures[f"{name}: bytes on the line"].values[0] < figures[name].values[0]
    assert len(figures["between the legs"].values) == 1


def test_status_of_a_real_daemon(bench: Any, space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.status, "TRAVEL_MM", (0.1, 0.0))
    figures = bench.status.measure(space, 5, random.Random(1), idle=3, pollers=2)
    assert [len(figure.values) for figure in figures] == [5, 5, 5, 5, 1]
    assert "2 clients at 10 Hz and 3 silent connections" in figures[3].name
    assert figures[4].values == [100.0]


def test_start_up_of_the_real_programs(bench: Any, space: Any) -> None:
    focusd, focus, ratio = bench.startup.measure(space, 1)
    # Which of the two is larger is for a quiet machine to say.
    assert min(focusd.values[0], focusd.limit.value) > 0
    assert focus.values[0] > 0
    assert ratio.values == [pytest.approx(focus.values[0] / focus.limit.value)]


def test_a_daemon_at_rest(bench: Any, space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.idle, "SETTLE_S", 0.0)
    figures = {figure.name: figure.values[0] for figure in bench.idle.measure(space, 0.5)}
    assert 5 < figures["memory, proportional (Pss)"] < figures["memory, resident (VmRSS)"] < 500
    assert figures["threads"] > 2


def test_a_part_that_fails_leaves_the_others(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise bench.rig.BenchError("the motor is away")

    figure = bench.figures.Figure("Rest", "threads", "", [7.0])
    monkeypatch.setattr(bench.main, "compile_all", lambda space: None)
    monkeypatch.setattr(bench.main.signal, "signal", lambda *_: None)
    monkeypatch.setattr(bench.main, "PARTS", {"moves": fail, "idle": lambda *_: [figure]})
    file = tmp_path / "result.json"
    assert bench.main.main(["--quick", "--json", str(file)]) == 1
    result = json.loads(file.read_text())
    assert [each["values"] for each in result["figures"]] == [[7.0]]
    assert {"Python", "processor", "load average before"} <= set(result["conditions"])
    shown = capsys.readouterr()
    assert "moves: the motor is away" in shown.err
    assert "threads" in shown.out


def test_its_processes_end_with_it(bench: Any, space: Any) -> None:
    with bench.rig.rig(space) as ready:
        assert Path(f"/proc/{ready.pid}").exists()
        with bench.status.crowd(ready, 1, 1):
            pass
    assert not Path(f"/proc/{ready.pid}").exists()
