"""The completion in zsh, by the tab key on a terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest

RC = """
PS1='ready> '
show-line() { print -rn -- "$BUFFER<end>" >"$LINE_FILE" }
zle -N show-line
bindkey '^Xb' show-line
setopt no_beep
autoload -Uz compinit
compinit -u -D
"""

Started = Callable[..., Any]


@pytest.fixture
def zsh(completions: Path, folder: Path, terminals: Any) -> Started:
    """Starts zsh with the completions of a folder, by default those that are packed."""

    def start(shelf: Path = completions) -> Any:
        (folder.parent / ".zshrc").write_text(f"fpath=('{shelf}' $fpath)\n{RC}", encoding="utf-8")
        environment = {"PATH": os.environ["PATH"], "ZDOTDIR": str(folder.parent), "LANG": "C.UTF-8"}
        terminal = terminals(["zsh", "--no-globalrcs", "-i"], folder, environment)
        terminal.wait_for("ready> ")
        return terminal

    return start


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("focus se", "focus set "),
        ("focus --timeout 5 wa", "focus --timeout 5 watch "),
        ("focus --timeout=5 wa", "focus --timeout=5 watch "),
        ("focus --config a.json wa", "focus --config a.json watch "),
        ("focus init --resu", "focus init --resume "),
        ("focus --timeout 5 init --resu", "focus --timeout 5 init --resume "),
        ("focus init --resume --re", "focus init --resume --restore "),
        ('focus "init" --resu', 'focus "init" --resume '),
        ("focus offset -0.25 --co", "focus offset -0.25 --config="),
        ("focus set --config=my", "focus set --config=my\\ file.json "),
        ("focus set --config 'my", "focus set --config 'my file.json' "),
        ('focus --config "my', 'focus --config "my file.json" '),
        ("focusd ~/it", "focusd ~/it\\'s\\ \\$5.json "),
        ("focusd sub/", "focusd sub/c.json "),
        ("focusd su", "focusd sub/"),
        ("focusd --check --verbose --ve", "focusd --check --verbose --version "),
        ("focusd --check --pri", "focusd --check --pri"),
        # No number is completed, and nothing wrong is offered.
        ("focus set ", "focus set "),
        ("focus --timeout ", "focus --timeout "),
        ("focus stop s", "focus stop s"),
        ("focusd no", "focusd no"),
        ("focusd a.json su", "focusd a.json su"),
    ],
)
def test_the_tab_key(zsh: Started, line: str, expected: str) -> None:
    assert zsh().completed(line) == expected


def test_commands_are_listed_with_what_they_do(zsh: Started) -> None:
    terminal = zsh()
    terminal.typed("focus \t")
    terminal.wait_for("show the status live")
    assert terminal.line() == "focus "
    shown = terminal.wait_for("audit")
    assert all(f"{name} " in shown for name in ("set", "offset", "stop", "status", "json", "init", "kill"))
    assert "notes.txt" not in shown


def test_the_unit_of_a_number_is_said(zsh: Started) -> None:
    terminal = zsh()
    terminal.typed("focus set \t")
    terminal.wait_for("position in mm")


def test_the_unit_of_a_value_is_said(zsh: Started) -> None:
    terminal = zsh()
    terminal.typed("focus --timeout \t")
    terminal.wait_for("S: seconds to wait for the daemon's answer")


def test_configurations_are_listed_and_no_other_files(zsh: Started) -> None:
    terminal = zsh()
    terminal.typed("focusd \t")
    terminal.wait_for("sub/")
    terminal.line()
    shown = terminal.wait_for("a.json")
    assert "notes.txt" not in shown


def test_characters_that_mean_something_come_through(zsh: Started, odd: Path, folder: Path) -> None:
    terminal = zsh(odd)
    terminal.typed("focusd --\t")
    terminal.wait_for(".'\"\\`-[x]:%(y)é$(touch made)`touch made`")
    assert terminal.line() == "focusd --"
    assert not (folder / "made").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("focusd --pick=p", "focusd --pick=plain "),
        (
            "focusd --pick x",
            "focusd --pick x.\\'\\\"\\\\\\`-\\[x\\]:%\\(y\\)é\\$\\(touch\\ made\\)\\`touch\\ made\\` ",
        ),
        ("focusd --odd ", "focusd --odd "),
        ("focusd ", "focusd "),
    ],
)
def test_choices_that_mean_something_come_through(
    zsh: Started, odd: Path, folder: Path, line: str, expected: str
) -> None:
    assert zsh(odd).completed(line) == expected
    assert not (folder / "made").exists()
