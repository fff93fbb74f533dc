"""The completion in fish, as fish itself works it out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable

import pytest

BOUND_S = 30
COMMANDS = {"set", "offset", "stop", "status", "json", "init", "audit", "kill", "watch"}
FOLDERS = {"sub/", "set/"}
CONFIGURATIONS = {"a.json", "my file.json", "it's $5.json", 'quo"te.json', "back\\slash.json", "a:b.json"}

Offered = Callable[[str], dict[str, str]]


@pytest.fixture
def offered(completions: Path, folder: Path) -> Offered:
    """What is offered for a line, with what is said of it."""
    return lambda line: asked(completions / f"{line.split()[0]}.fish", folder, line)


def asked(file: Path, folder: Path, line: str) -> dict[str, str]:
    ended = subprocess.run(
        ["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", str(file), line],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder.parent),
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    found = (each.partition("\t") for each in ended.stdout.splitlines())
    return {word: meaning for word, _, meaning in found}


def test_commands(offered: Offered) -> None:
    found = offered("focus ")
    assert set(found) == COMMANDS
    assert found["set"] == "move to a position"
    assert set(offered("focus st")) == {"stop", "status"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("focus --", {"--help", "--version", "--config", "--timeout"}),
        ("focus set --", {"--help", "--config", "--timeout"}),
        ("focus init --resume --re", {"--restore"}),
        ("focus --timeout 5 set --", {"--help", "--config"}),
        ("focus --timeout=5 set --", {"--help", "--config"}),
        ("focus offset -0.25 --t", {"--timeout"}),
        ('focus "set" --t', {"--timeout"}),
        ("focus nonsense --", set()),
        ("focusd --", {"--help", "--check", "--print-port", "--verbose", "--version"}),
        ("focusd --check --", {"--help", "--verbose", "--version"}),
        ("focusd a.json --print-port --", {"--help", "--verbose", "--version"}),
        ("focus --timeout 5 st", {"stop", "status"}),
        ("focus --config a.json st", {"stop", "status"}),
        ("focus --config=a.json st", {"stop", "status"}),
        ("focus -- st", {"stop", "status"}),
    ],
)
def test_what_is_offered(offered: Offered, line: str, expected: set[str]) -> None:
    assert set(offered(line)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "focus set ",
        "focus status ",
        "focus --timeout ",
        "focus --timeout=",
        "focusd a.json ",
        "focus --config=~/a",
    ],
)
def test_nothing_is_offered_where_nothing_is_known(offered: Offered, line: str) -> None:
    assert offered(line) == {}


@pytest.mark.parametrize(
    "line", ["focus --config ", "focus set 2.5 --config ", "focusd ", "focusd --check ", "focusd -- "]
)
def test_configurations_and_folders(offered: Offered, line: str) -> None:
    assert set(offered(line)) == {*CONFIGURATIONS, *FOLDERS}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("focus --config=m", "--config=my file.json"),
        ("focus --config 'my f", "my file.json"),
        ('focus --config "my f', "my file.json"),
        ("focus --config my\\ f", "my file.json"),
        ("focusd it", "it's $5.json"),
        ("focusd sub/", "sub/c.json"),
        ("focusd ~/m", "~/my file.json"),
        ("focusd a:", "a:b.json"),
    ],
)
def test_words_as_people_write_them(offered: Offered, line: str, expected: str) -> None:
    assert set(offered(line)) == {expected}


def test_characters_that_mean_something_come_through(odd: Path, folder: Path) -> None:
    hostile = ".'\"\\`-[x]:%(y)é$(touch made)`touch made`"
    options = asked(odd / "focusd.fish", folder, "focusd --")
    assert options["--odd"] == options["--pick"] == hostile
    assert set(asked(odd / "focusd.fish", folder, "focusd --pick ")) == {f"x{hostile}", "plain"}
    assert asked(odd / "focusd.fish", folder, "focusd --odd ") == {}
    assert not (folder / "made").exists()
