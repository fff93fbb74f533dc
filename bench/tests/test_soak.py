"""bench/soak.py: its plan is reproducible, its judges see what is wrong, and a short run of it holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from bench.rig import Usage
from bench.soaking import episodes, judge, plan, results
from bench.soaking.ledger import INVARIANTS, Ledger
from bench.soaking.truth import Truth
from bench.soaking.watcher import Allowances

PROJECT = Path(__file__).parents[2]
RUN_S = 50.0
AT_2_MM = Truth(2.0, 2.0, False, 5, 100, 0.0, 2.0, 0, at_s=10.0, speed_mm_s=5.0)
IDLE_AT_2_MM = {"status": 1, "current_steps": 10176}


# The plan


def test_a_seed_gives_the_same_actions_always() -> None:
    assert list(islice(plan.actions(7), 300)) == list(islice(plan.actions(7), 300))
    # From any place on, so that a violation can be had again without what came long before it.
    assert list(islice(plan.actions(7, 40), 5)) == list(islice(plan.actions(7), 40, 45))
    assert list(islice(plan.actions(7), 20)) != list(islice(plan.actions(8), 20))
    # On every Python.
    expected = "#0 stands short motion target=0.7434 fraction=0.92 seconds=0.00 steps=300"
    assert str(plan.action(7, 0)) == expected


def test_a_long_run_has_every_kind() -> None:
    assert {kind.does.__module__ for kind in plan.KINDS.values()} == {episodes.__name__}
    assert {action.kind for action in islice(plan.actions(1), 3000)} == set(plan.KINDS)


def test_a_daemon_lives_long_enough_between_kills() -> None:
    kills = [action.index for action in islice(plan.actions(1), 1000) if plan.KINDS[action.kind].kills]

    assert kills
    assert all(index % plan.STRETCH_ACTIONS < plan.KILLING_ACTIONS for index in kills)


# The judges


@pytest.mark.parametrize(
    ("off_steps", "shortfall_mm", "is_well"),
    [(1, 0, True), (-1, 0, True), (2, 0, False), (-2, 0, False), (100, 0.02, True), (110, 0.02, False)],
)
def test_arrival(off_steps: int, shortfall_mm: float, is_well: bool) -> None:
    report = {"backlash_shortfall_mm": shortfall_mm} if shortfall_mm else {}
    truth = replace(AT_2_MM, carriage_mm=2.0 + off_steps / 5088)

    assert (judge.arrival(2.0, report, truth, forced_mm=0.02) is None) == is_well


@pytest.mark.parametrize(("told_steps", "is_well"), [(3, True), (1, False), (30, False)])
def test_arrival_at_a_controller_that_rounds(told_steps: int, is_well: bool) -> None:
    truth = replace(AT_2_MM, carriage_mm=2.0 + 3 / 5088)

    assert (judge.arrival(2.0, {}, truth, forced_mm=0.02, short_steps=told_steps) is None) == is_well


RUNNING = replace(AT_2_MM, moving=True)


def test_judges_of_one_look() -> None:
    """Each sees what is well, and each thing that may be wrong."""
    assert judge.limits(AT_2_MM, 0.0, 6.1) is None
    for change in ({"lowest_mm": -0.001}, {"highest_mm": 6.101}, {"hard_stop_hits": 1}):
        assert judge.limits(replace(AT_2_MM, **change), 0.0, 6.1)
    assert judge.standstill(AT_2_MM, AT_2_MM) is None
    for first, second in (
        (AT_2_MM, RUNNING),
        (RUNNING, AT_2_MM),
        (AT_2_MM, replace(AT_2_MM, motor_mm=2.1)),
    ):
        assert judge.standstill(first, second)
    assert judge.honest({"status": 0, "reason": "no power"}) is judge.honest({"status": 1}) is None
    assert judge.honest({"status": 0})
    assert judge.audit(100, {"audit": {"lost_steps": 101}}) is None
    for report in ({"audit": {"lost_steps": -100}}, {}):
        assert judge.audit(100, report)
    warm = Usage(40.0, 40.0, 30.0, 10, 20)
    assert judge.resources(warm, replace(warm, threads=12)) is None
    for grown in ({"rss_mb": 60.0}, {"threads": 13}, {"files": 23}):
        assert judge.resources(warm, replace(warm, **grown))
    assert judge.log_lines(10, 1.0) is judge.log_lines(30, 60.0) is None
    assert judge.log_lines(100, 60.0)


@pytest.mark.parametrize(
    ("before", "status", "after", "verdict"),
    [
        (AT_2_MM, 1, AT_2_MM, "well"),
        (RUNNING, 1, RUNNING, "wrong"),
        (RUNNING, 2, RUNNING, "not said"),
        # It may have been idle between two runs, or at the end of one.
        (RUNNING, 1, replace(RUNNING, runs=6), "open"),
        (RUNNING, 1, AT_2_MM, "open"),
        (AT_2_MM, 1, replace(AT_2_MM, runs=6), "open"),
    ],
)
def test_idle(before: Truth, status: int, after: Truth, verdict: str) -> None:
    assert verdict_of(judge.idle(before, {"status": status}, after)) == verdict


def verdict_of(judgement: judge.Judgement) -> str:
    if isinstance(judgement, judge.Open):
        return "open" if judgement is judge.Open.UNDECIDED else "not said"
    return "well" if judgement is None else "wrong"


@pytest.mark.parametrize(
    ("steps", "verdict"), [(10176, "well"), (10177, "well"), (10178, "wrong"), (0, "wrong")]
)
def test_position_at_rest(steps: int, verdict: str) -> None:
    report = {**IDLE_AT_2_MM, "current_steps": steps}

    assert verdict_of(judge.position([AT_2_MM, AT_2_MM], report)) == verdict


def looks(*positions_mm: float) -> list[Truth]:
    """A motor seen every 0.1 s, the last time at 10 s."""
    first_s = 10.0 - 0.1 * (len(positions_mm) - 1)
    return [
        replace(RUNNING, motor_mm=position_mm, at_s=first_s + 0.1 * number)
        for number, position_mm in enumerate(positions_mm)
    ]


@pytest.mark.parametrize(
    ("seen", "said_mm", "verdict"),
    [
        (looks(*(0.5 * number for number in range(12))), 4.0, "well"),
        (looks(*(0.5 * number for number in range(12))), 0.0, "wrong"),
        (looks(*(0.5 * number for number in range(12))), 7.0, "wrong"),
        # It has stood for long: what is said of a motion must be that place.
        ([replace(look, moving=False) for look in looks(*[2.0] * 12)], 2.0, "well"),
        ([replace(look, moving=False) for look in looks(*[2.0] * 12)], 2.001, "wrong"),
        # What was true when the reading was begun was not seen.
        (looks(2.0, 2.5), 9.0, "open"),
    ],
)
def test_position_in_motion(seen: list[Truth], said_mm: float, verdict: str) -> None:
    report = {"status": 2, "current_steps": round(said_mm * 5088), "reading_age_s": 0.05}

    assert verdict_of(judge.position(seen, report)) == verdict


# The books


def test_an_allowance_holds_for_what_was_begun_before_its_end() -> None:
    allowances = Allowances()
    begun_s = time.monotonic()
    assert not allowances.apply_since("idle", begun_s)
    with allowances.granted("idle"):
        assert allowances.apply_since("idle", begun_s)
        assert not allowances.apply_since("position", begun_s)
    assert allowances.apply_since("idle", begun_s)
    assert not allowances.apply_since("idle", time.monotonic() + 1)


def test_a_violation_is_told_with_all_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(lambda: ["a line of the log"], lambda: ["a line on the wire"])
    ledger.during = "#12 move"
    ledger.event("before")
    assert ledger.check("idle", None)
    assert not ledger.check("idle", "it said idle")
    # One of a kind is enough of an action.
    assert not ledger.check("idle", "it said idle again")

    assert "it said idle" in capsys.readouterr().err
    result = results.Result(results.Wanted(7, 1.0), 20, 1.0, results.TO_ITS_END, ledger)
    text = results.violation_text(ledger.violations[0], result)
    assert len(ledger.violations) == 1
    for part in ("it said idle", "before", "a line of the log", "a line on the wire", INVARIANTS["idle"]):
        assert part in text
    assert "--seed 7 --time-scale 10.0 --first 7 --actions 6" in text
    assert result.checks["idle"] == (3, 0, 1)


def test_the_tables_are_put_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{results.BEGIN}\nan earlier table\n{results.END}\nafter\n")
    ledger = Ledger()
    ledger.count("lost", 3)
    result = results.Result(results.Wanted(7, 1.0), 20, 1.0, results.TO_ITS_END, ledger)
    results.write_into_page(page, result)

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "an earlier table" not in text
    assert "| lost | 3 |" in text

    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no place"):
        results.write_into_page(page, result)


def test_the_page_tells_of_every_kind_of_action_and_has_a_place_for_the_tables() -> None:
    page = (PROJECT / "docs/reliability.md").read_text(encoding="utf-8")

    assert page.index(results.BEGIN) < page.index(results.END)
    assert [kind for kind in plan.KINDS if f"`{kind}`" not in page] == []


# Real runs


# Python imports this when it starts: a daemon that stands three steps beside where it says.
ASTRAY = """
from rockit.focuser.ok3z.driver import planning
planning.steps_from_mm = lambda position_mm: round(position_mm * 5088) + 3
"""


def soak(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TMPDIR": str(folder), **variables}
    return subprocess.Popen(
        [
            sys.executable,
            str(PROJECT / "bench/soak.py"),
            "--seed",
            "3",
            "--json",
            str(folder / "result"),
            *words,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def processes_in(folder: Path) -> list[str]:
    """The command lines of the processes that were started with something of a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words and entry.parent.name != str(os.getpid()):
            found.append(words)
    return found


def test_a_short_run_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    kinds = ("move", "stop", "power cut", "daemon killed")
    with soak(tmp_path, "--actions", "5", "--time-scale", "40", "--kinds", *kinds) as run:
        said, _ = run.communicate(timeout=RUN_S)

    assert run.returncode == 0, said
    found = json.loads((tmp_path / "result").read_text())
    assert found["actions"] == 5
    assert found["violations"] == []
    assert found["counts"]["moves made"] >= 5
    for invariant in ("arrival", "limits", "idle", "position", "recovery", "health"):
        assert found["checks"][invariant]["judged"] > 0, invariant
    assert processes_in(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_daemon_that_goes_astray_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(ASTRAY)
    words = ("--actions", "1", "--time-scale", "40", "--kinds", "series")
    with soak(tmp_path, *words, PYTHONPATH=str(tmp_path)) as run:
        said, _ = run.communicate(timeout=RUN_S)

    assert run.returncode == 1
    assert "VIOLATION of arrival" in said
    assert "bench/soak.py --seed 3" in said
    assert "set_focus(" in said
    found = json.loads((tmp_path / "result").read_text())
    assert {violation["invariant"] for violation in found["violations"]} == {"arrival"}
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize("processes", [2, 3], ids=["as the simulator starts", "as focusd starts"])
def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path, processes: int) -> None:
    with soak(tmp_path, "--minutes", "10") as run:
        assert run.stdout is not None
        assert "seed 3" in run.stdout.readline()
        end_s = time.monotonic() + RUN_S
        # At once: the process may be there, and not yet known to the run that has just made it.
        while len(processes_in(tmp_path)) < processes and time.monotonic() < end_s:
            pass
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=RUN_S)

    assert run.returncode == 130, said
    assert "interrupted" in said
    assert processes_in(tmp_path) == []
