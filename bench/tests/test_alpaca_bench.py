"""The benchmark of the Alpaca port: once, in a tiny form, on a real daemon; and its place on a page."""

from __future__ import annotations

import importlib
import random
import threading
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
FOUND = {"date": "today", "focusd": "1", "Python": "3", "processor": "none"}


@pytest.fixture(name="bench")
def fixture_bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, which is no part of the package."""
    monkeypatch.syspath_prepend(str(PROJECT))
    return importlib.import_module("bench.alpaca_load")


# It takes 20 s in real time, of which a busy machine makes more.
@pytest.mark.timeout(300)
def test_every_figure_is_measured(bench: Any) -> None:
    with bench.workspace() as space:
        figures = bench.measure(space, stops=1, reads=4, chance=random.Random(1), programs=3)
    counts = {figure.name: len(figure.values) for figure in figures}
    situations = ("alone", "beside 3 programs")
    expected = {
        f"{where}: a read, {when}": 4 for where in situations for when in ("at rest", "while it moves")
    }
    expected |= {
        f"{where}: a stop over {how}, to the wire": 1 for where in situations for how in ("Pyro", "Alpaca")
    }
    assert counts == {
        **expected,
        "reads of these programs that were answered": 1,
        "a read, with a dead serial line": 4,
    }
    assert all(value > 0 for figure in figures for value in figure.values)
    (answered,) = (figure for figure in figures if figure.unit == "%")
    assert answered.values == [100.0]


def test_reads_while_it_moves_begin_when_it_moves(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a few reads, and the stop behind them, would be over before the move has begun."""
    begun, said = threading.Event(), []

    class Rig:
        def call(self, method: str, target_mm: float) -> int:
            begun.wait(20)
            said.append("moves")
            stopped.wait(20)
            return 1

        def truth(self) -> dict[str, bool]:
            begun.set()
            return {"moving": "moves" in said}

        def expect(self, method: str) -> None:
            said.append(method)
            stopped.set()

    stopped = threading.Event()
    monkeypatch.setattr(bench, "_read_ms", lambda *_: said.append("read") or 1.0)
    assert bench._read_while_moving(bench.Served(Rig(), 0), None, 2, random.Random(1)) == [1.0, 1.0]
    assert said == ["moves", "read", "read", "stop"]


def test_the_figures_take_their_place_on_the_page(bench: Any, tmp_path: Path) -> None:
    figure = bench.Figure(bench.PART, "a read", "ms", [1.0, 2.0])
    page = tmp_path / "page.md"
    page.write_text(f"before\n{bench.PAGE_BEGIN}\nold\n{bench.PAGE_END}\nafter\n")
    bench.renew(page, FOUND, [figure])
    text = page.read_text()
    assert text.startswith(f"before\n{bench.PAGE_BEGIN}\n\nRun of today")
    assert "| a read | ms | 2 |" in text
    assert "old" not in text
    assert text.endswith(f"{bench.PAGE_END}\nafter\n")
    assert bench.PAGE_BEGIN in (PROJECT / "docs/performance.md").read_text()
    page.write_text("no place")
    with pytest.raises(bench.BenchError, match="has no place for figures"):
        bench.renew(page, FOUND, [figure])
    assert page.read_text() == "no place"
