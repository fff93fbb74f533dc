"""What is typed wrong is answered with what was meant, as git does."""

from __future__ import annotations

from typing import Any

import pytest

from rockit.focuser.ok3z.cli import main as cli
from rockit.focuser.ok3z.cli import suggestions
from rockit.focuser.ok3z.cli.main import COMMANDS, main

MEANT = [
    ("st", "focus status"),
    ("sttop", "focus stop"),
    ("INIT", "focus init"),
    ("Stop", "focus stop"),
    ("move 3.7", "focus set 3.7"),
    ("goto 3,7", "focus set 3.7"),
    ("home", "focus init"),
    ("disconnect", "focus kill"),
    ("pos", "focus status"),
    ("halt", "focus stop"),
    ("statsu", "focus status"),
    ("set 3,7", "focus set 3.7"),
    ("set 3.7mm", "focus set 3.7"),
    ("set 3.7 mm", "focus set 3.7"),
    ("set 3 ,7", "focus set 3.7"),
    ("set \u22120.25", "focus set -0.25"),
    ("offset \u20130,25", "focus offset -0.25"),
    ("offset 50um", "focus offset 0.05"),
    ("offset -0,25", "focus offset -0.25"),
    ("offset -0.25mm", "focus offset -0.25"),
    ("offset - 0.25", "focus offset -0.25"),
    ("3.7", "focus set 3.7"),
    ("3,7 mm", "focus set 3.7"),
    ("--conf x status", "--config"),
    ("status --conf x", "--config"),
    ("set 2.5 --timout 3", "--timeout"),
    ("status --al", "--all"),
    ("--confg=x status", "--config"),
    ("-config x status", "--config"),
    ("-timeout 3 status", "--timeout"),
    ("status -timeout=3", "--timeout"),
    ("ste", "focus set"),
    ("tsop", "focus stop"),
    ("term filter 0,12 --owner me", "focus term filter 0.12 --owner me"),
    ("term filter 0.12 mm --owner me", "focus term filter 0.12 --owner me"),
]


def test_what_was_meant_is_said(capsys: Any) -> None:
    for words, meant in MEANT:
        assert main(words.split()) == 255, words
        written = capsys.readouterr()
        assert f"id you mean `{meant}`?" in written.err, words
        assert written.err.count("\n") == 1, words
        assert written.out == ""


def test_what_is_for_several_focusers_says_for_which_commands(capsys: Any) -> None:
    for words in ("watch --all", "--all watch", "set 2 --daemon x", "--daemon=x set 2"):
        assert main(words.split()) == 255, words
        assert " is for status, json and stop." in capsys.readouterr().err, words


def test_nothing_is_guessed_where_nothing_is_near(capsys: Any) -> None:
    for words in ("frobnicate", "set 1 2", "set abc", "set 1.2.3", "--zzz status", "set -", "set ,"):
        assert main(words.split()) == 255, words
        assert "id you mean" not in capsys.readouterr().err, words


@pytest.mark.parametrize(
    ("words", "ignored"),
    [
        ("stop", ""),
        ("stop now", "now"),
        ("stop --please", "--please"),
        ("stop 3", "3"),
        ("--timeout 3 stop it", "it"),
        ("stop -x", "-x"),
        ("-- stop", "--"),
        ("stop --timeout soon", "--timeout soon"),
        ("stop --timeout", "--timeout"),
        ("--tiemout=3 stop", "--tiemout=3"),
        ("--zzz stop set 3", "--zzz set 3"),
        ("stop --al", "--al"),
    ],
)
def test_a_stop_stops_and_says_afterwards_what_it_ignored(
    words: str, ignored: str, script: Any, phone_book: Any, capsys: Any
) -> None:
    assert main(words.split()) == 0
    assert script.calls == [("stop",)]
    said = f"focus stop: ignored: {ignored}. See `focus stop --help`.\n" if ignored else ""
    assert capsys.readouterr().err == said


def test_a_stop_takes_what_it_understands_wherever_that_stands() -> None:
    options = cli.read(["--config", "stop", "--timeout=3", "stop", "at once", "--daemon", "n*", "--all"])
    assert (options.command, options.config, options.timeout_s) == ("stop", "stop", 3.0)
    assert (options.daemon, options.all) == ("n*", True)
    assert cli.read(["--config", "stop", "status"]).command == "status"


def test_a_number_called_stop_is_no_stop(capsys: Any) -> None:
    assert main(["set", "stop"]) == 255
    assert "is no number of millimetres" in capsys.readouterr().err


def test_help_and_version_are_commands_too(capsys: Any) -> None:
    for words, begin in (
        ("help", "usage: focus "),
        ("help set", "usage: focus set MM"),
        ("version", "focus "),
    ):
        assert main(words.split()) == 0
        assert capsys.readouterr().out.startswith(begin)


def test_each_command_can_be_meant() -> None:
    assert set(suggestions.IN_ORDER) == set(COMMANDS)
    assert set(suggestions.SYNONYMS.values()) <= set(COMMANDS)
    for command in COMMANDS:
        assert suggestions.command_for(command.upper()) == command


def test_init_comes_first_in_the_help(capsys: Any) -> None:
    assert main(["--help"]) == 0
    commands = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert commands[0] == "init"
