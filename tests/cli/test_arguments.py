"""The command line of `focus`: numbers as people write them, options anywhere, one line for what is wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rockit.focuser.ok3z.cli import arguments
from rockit.focuser.ok3z.cli import main as cli
from rockit.focuser.ok3z.cli.main import COMMANDS, main
from rockit.focuser.ok3z.cli.options import PLAIN_COMMANDS, UsageError

NUMBERS = {
    "2.5": 2.5,
    "+2.5": 2.5,
    "0": 0.0,
    ".5": 0.5,
    "5.": 5.0,
    "-0.25": -0.25,
    "-.5": -0.5,
    "-5.": -5.0,
    "-1e-2": -0.01,
    "-1E+1": -10.0,
    "1e2": 100.0,
}


@pytest.mark.parametrize("command", ["set", "offset"])
def test_a_number_is_read_as_it_is_written(command: str) -> None:
    assert {text: arguments.millimetres(cli.read([command, text])) for text in NUMBERS} == NUMBERS


def test_what_is_no_finite_number_is_read_as_such() -> None:
    for text in ("nan", "NaN", "-nan", "inf", "-inf", "+Infinity", "1e400", "-1e400"):
        assert not math.isfinite(arguments.millimetres(cli.read(["set", text]))), text


@pytest.mark.parametrize("command", ["set", "offset"])
def test_what_is_no_number_is_refused_with_an_example(command: str) -> None:
    for text in ("abc", "2,5", "1_0", "", " ", "2.5mm", "0x10", "٣", "-", "-.", "-.5x", "--5", "1e", "e1"):
        with pytest.raises(
            UsageError,
            match=rf"^focus( {command})?: .*(Example: `focus {command} |Did you mean `focus {command} |--help)",
        ):
            arguments.millimetres(cli.read([command, text]))


@pytest.mark.parametrize("words", [[], ["1", "2"], ["-1", "-2", "-3"]])
def test_one_number_is_asked_for_where_there_is_another_count(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"one number of mm is needed, (none was|\d were) given"):
        arguments.millimetres(cli.read(["set", *words]))


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "a.json", "--timeout", "7", "set", "-1"],
        ["set", "-1", "--config", "a.json", "--timeout", "7"],
        ["set", "--timeout=7", "-1", "--config=a.json"],
        ["--config", "a.json", "set", "--timeout", "7", "-1"],
        ["--config", "b.json", "--timeout", "9", "set", "--timeout", "7", "--config", "a.json", "-1"],
    ],
)
def test_options_are_taken_before_and_after_the_command(words: list[str]) -> None:
    read = cli.read(words)

    assert (read.config, read.timeout_s) == ("a.json", 7.0)
    assert arguments.millimetres(read) == -1


def test_without_options_the_defaults_are_left_to_the_command() -> None:
    read = cli.read(["status"])

    assert (read.command, read.config, read.timeout_s) == ("status", None, None)


def test_a_plain_command_is_read_alike_on_both_ways() -> None:
    for command in PLAIN_COMMANDS:
        assert vars(cli.read([command])) == vars(arguments.parse([command]))
        assert cli.read([command]).command == command


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["init"], (False, False, False)),
        (["init", "--resume"], (True, False, False)),
        (["init", "--restore", "--timeout", "7"], (False, True, False)),
        (["--timeout", "7", "init", "--restore", "--resume"], (True, True, False)),
        (["init", "--new-controller"], (False, False, True)),
    ],
)
def test_an_initialisation_is_asked_to_resume_to_restore_and_to_forget_another_controller(
    words: list[str], flags: tuple[bool, bool, bool]
) -> None:
    read = cli.read(words)

    assert read.command == "init"
    assert (read.resume, read.restore, read.new_controller) == flags


def test_a_timeout_is_seconds_with_0_for_no_limit() -> None:
    for seconds in ("0", "0.5", "1e3"):
        assert cli.read(["json", "--timeout", seconds]).timeout_s == float(seconds)


def test_a_timeout_that_cannot_be_waited_for_is_refused() -> None:
    for seconds in ("-1", "-1e-3", "nan", "inf", "1e400", "1e7", "soon", "", "1_0"):
        with pytest.raises(UsageError, match="--timeout"):
            cli.read(["json", "--timeout", seconds])


WRONG = [
    *("", "--timeout 5", "move 2", "status now", "set 2 --fast", "set 2 --resume", "audit --new-controller"),
    *("init --res", "init --resume=yes", "audit 3", "--conf a.json status", "status --config", "set"),
    *("set 1 2", "set abc", "offset -- 1 2"),
]


def test_wrong_usage_ends_with_255_and_says_so_on_stderr(capsys: Any) -> None:
    for words in WRONG:
        assert main(words.split()) == 255, words
        written = capsys.readouterr()
        assert written.out == "", words
        assert written.err.startswith("error: focus"), words
        assert "Traceback" not in written.err, words
        # The usage is added where not even a command was given.
        assert written.err.count("\n") == (2 if words in ("", "--timeout 5") else 1), words


def test_every_command_has_a_help_with_an_example(capsys: Any) -> None:
    for command in COMMANDS:
        assert main([command, "--help"]) == 0
        written = capsys.readouterr().out
        assert f"usage: focus {command} " in written
        assert f"  focus {command}" in written.partition("example")[2]
        assert "--config FILE" in written
        assert "--timeout S" in written


def test_the_help_lists_every_command(capsys: Any) -> None:
    assert main(["--help"]) == 0

    written = capsys.readouterr().out
    assert all(f"    {command} " in written for command in COMMANDS)


def test_the_version_is_told(capsys: Any) -> None:
    from rockit.focuser.ok3z.version import VERSION

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"focus {VERSION}\n"
