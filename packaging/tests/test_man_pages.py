"""The man pages as mandoc reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[1] / "man").iterdir())
BOUND_S = 60


def mandoc(*words: str | Path) -> str:
    # Other projects' pages that are cited need not be installed here.
    command = ["mandoc", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_mandoc_finds_no_fault(page: Path) -> None:
    assert mandoc("-Tlint", "-Wwarning", page) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_mark_is_left_on_a_page(page: Path) -> None:
    shown = re.sub(".\b", "", mandoc("-Tutf8", "-O", "width=100", page))
    assert re.findall(r"\\\S*|\b(?:Fl|Ar|Op|Nm|Ql|Xr|Pa|Ev|Ic|Cm)\b", shown) == []


def test_focus_says_what_is_needed_at_night() -> None:
    page = next(path for path in PAGES if path.name == "focus.1")
    text = " ".join(re.sub(".\b", "", mandoc("-Tutf8", "-O", "width=100", page)).split())
    for line in (
        "focus [--config FILE | --all | --daemon PATTERN] [--timeout S] command ...",
        "focus init [--resume] [--restore] [--new-controller] [--config FILE] [--timeout S]",
        "Positions are millimetres outward from the inner limit switch",
        "stops any movement, from any machine that may control the focuser",
        "155 No daemon answers.",
    ):
        assert line in text
