"""Our own words in the manual pages, which no parser holds, are compared with the code."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rockit.common import site_file

from rockit.focuser.ok3z.cli import main as cli
from rockit.focuser.ok3z.cli.options import USAGE_STATUS
from rockit.focuser.ok3z.config import model as config
from rockit.focuser.ok3z.constants import CommandStatus
from rockit.focuser.ok3z.daemon import main as daemon
from rockit.focuser.ok3z.simulator import control
from rockit.focuser.ok3z.storage import state_file

PROJECT = Path(__file__).parents[1]
PACKAGING = PROJECT / "packaging"
UNIT = PACKAGING / "focusd@.service"
BIN = Path(sys.executable).parent
PROGRAMS = ("focus", "focusd", "ok3z-simulator")
SOURCES = sorted([*PROJECT.glob("src/**/*.py"), *PROJECT.glob("common/src/**/*.py")])
# Read by packages that we use: rich, and the library behind every terminal.
OF_OTHERS = {"NO_COLOR"}
BOUND_S = 30


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Our words, by program."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    found: dict[str, Any] = importlib.import_module("pages.words").WORDS
    return found


@pytest.fixture
def parsers(words: dict[str, Any]) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = importlib.import_module("pages.parsers").parsers()
    return found


def terms(entries: Any) -> set[str]:
    return {term for together, _ in entries for term in together.split(", ")}


# Exit codes


def test_exit_codes_of_focus(words: dict[str, Any]) -> None:
    known = {
        value % cli.EXIT_CODES
        for name, value in vars(CommandStatus).items()
        if type(value) is int and not name.startswith("_")
    }
    assert set(words["focus"].exit_status) == {*known, USAGE_STATUS}


def test_exit_codes_of_focusd(words: dict[str, Any]) -> None:
    known = {value for name, value in vars(daemon).items() if name.startswith("EXIT_")}
    wrong = subprocess.run([BIN / "focusd", "--no-such"], capture_output=True, timeout=BOUND_S).returncode
    assert set(words["focusd"].exit_status) == {0, wrong, *known}


def test_systemd_gives_up_on_the_code_that_the_page_says(words: dict[str, Any]) -> None:
    given_up = re.findall(r"^RestartPreventExitStatus=(\d+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    told = [code for code, text in words["focusd"].exit_status.items() if "does not start it again" in text]
    assert [int(code) for code in given_up] == told == [daemon.EXIT_CONFIG]


def test_exit_codes_of_the_simulator(words: dict[str, Any], tmp_path: Path) -> None:
    command = str(BIN / "ok3z-simulator")
    asked = {"": 0, "--help": 0, "--no-such": 2, f"--tell {tmp_path}/nobody state": 1}
    seen = {
        subprocess.run([command, *line.split()], capture_output=True, timeout=BOUND_S).returncode
        for line in asked
        if line
    }
    assert seen == set(asked.values()) == set(words["ok3z-simulator"].exit_status)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_simulator_ends_with_0_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    command = [str(BIN / "ok3z-simulator"), "--link", str(tmp_path / "port")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"ok3z-simulator: ready")
        process.send_signal(number)
        assert process.wait(BOUND_S) == 0


# The environment


def variables_read() -> Iterator[tuple[str, Path]]:
    """The variables that our code reads from an environment, and where."""
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for key in keys_read(tree):
            yield str(constants[key.id] if isinstance(key, ast.Name) else ast.literal_eval(key)), path


def keys_read(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr == "getenv" or (node.func.attr == "get" and is_environment(node.func.value)):
                yield node.args[0]
        elif isinstance(node, ast.Subscript) and is_environment(node.value):
            yield node.slice


def is_environment(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "environ"


def test_every_variable_that_the_code_reads_is_in_a_manual_and_no_other(words: dict[str, Any]) -> None:
    read = {name for name, _ in variables_read()}
    assert {config.PATH_VARIABLE, state_file.STATE_VARIABLE, site_file.PATH_VARIABLE} <= read
    told = set().union(*(terms(each.environment) for each in words.values()))
    assert told - OF_OTHERS == read


def test_each_program_tells_its_own_variables(words: dict[str, Any]) -> None:
    of_focus = {config.PATH_VARIABLE, site_file.PATH_VARIABLE, "TERM", *OF_OTHERS}
    assert terms(words["focus"].environment) == of_focus
    assert terms(words["focusd"].environment) & of_focus == {site_file.PATH_VARIABLE}
    assert terms(words["ok3z-simulator"].environment) == set()


@pytest.mark.parametrize("name", sorted(OF_OTHERS))
def test_the_package_that_reads_it_knows_it(name: str) -> None:
    source = Path(str(importlib.import_module("rich.console").__file__)).read_text(encoding="utf-8")
    assert f'"{name}"' in source


# Files


def test_files(words: dict[str, Any]) -> None:
    configurations = f"{config.DIRECTORY}/*.json"
    of_focus, of_focusd = terms(words["focus"].files), terms(words["focusd"].files)
    assert of_focus == {configurations, site_file.DEFAULT_PATH}
    example = json.loads((PROJECT / "ngts_m06.json").read_text(encoding="utf-8"))
    in_service = {"STATE_DIRECTORY": f"/var/lib/{state_folder_of_the_unit()}"}
    assert of_focusd == {
        configurations,
        site_file.DEFAULT_PATH,
        example["serial_port"],
        str(state_file.path_for("DAEMON", in_service)),
        str(state_file.path_for("DAEMON", {"HOME": os.path.expanduser("~")})).replace(
            os.path.expanduser("~"), "~"
        ),
    }


def state_folder_of_the_unit() -> str:
    found = re.search(r"^StateDirectory=(\S+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found.group(1).replace("%i", "INSTANCE")


def test_the_unit_serves_the_files_that_the_page_names() -> None:
    assert f"ExecStart=/usr/bin/focusd {config.DIRECTORY}/%i.json\n" in UNIT.read_text(encoding="utf-8")


def test_the_rule_makes_the_device_that_the_page_names() -> None:
    rule = next(PACKAGING.glob("*.rules")).read_text(encoding="utf-8")
    assert 'SYMLINK+="focuser"' in rule


# Commands


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_example_can_be_parsed(name: str, words: dict[str, Any], parsers: Any) -> None:
    program = importlib.import_module("pages.reader").read(parsers[name])
    examples = [*words[name].examples, *(each for _, level in program.levels() for each in level.examples)]
    # Of a line, what is typed before a pipe, and for this machine.
    lines = [re.split(r" [|>]+ ", each.line)[0].replace("ssh telescope ", "") for each in examples]
    mine = [shlex.split(line)[1:] for line in lines if line.startswith(f"{name} ")]
    assert len(mine) > 2
    for typed in mine:
        parsers[name].parse_args([f" {word}" if re.match(r"-[\d.]", word) else word for word in typed])


def test_the_other_examples_are_of_the_unit(words: dict[str, Any]) -> None:
    foreign = [each.line for each in words["focusd"].examples if not each.line.startswith("focusd ")]
    assert len(foreign) == 3
    assert all(re.search(r" focusd@ngts_m06$", line) for line in foreign)
    assert {line.split()[0] for line in foreign} == {"systemctl", "journalctl"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_command_and_option_that_our_words_name_is_there(
    name: str, words: dict[str, Any], parsers: Any
) -> None:
    texts = " ".join(all_texts(words[name]))
    options = {option for parser in parsers.values() for option in options_of(parser)}
    of_others = {"--now"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", texts)) - of_others <= options
    commands = set(re.findall(r"`focus ([a-z]+)", texts))
    assert commands <= set(cli.COMMANDS)


def all_texts(words: Any) -> Iterator[str]:
    yield from (*words.description, *words.usage, *words.exit_status.values())
    for term, text in (*words.files, *words.environment):
        yield from (term, text)
    for example in words.examples:
        yield from (example.line, example.meaning)


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from options_of(below)


def test_the_usage_of_the_simulator_has_all_options_that_do_not_describe_the_device(parsers: Any) -> None:
    given = parsers["ok3z-simulator"].usage
    plain = [each.option_strings[-1] for each in parsers["ok3z-simulator"]._optionals._group_actions]
    assert [name for name in plain if name not in given] == []


def test_the_examples_of_faults_are_understood(words: dict[str, Any], tmp_path: Path) -> None:
    lines = [each.line for each in words["ok3z-simulator"].examples if "--tell" in each.line]
    assert len(lines) == 3
    socket_path = tmp_path / "control"
    command = [str(BIN / "ok3z-simulator"), "--link", str(tmp_path / "port"), "--control", str(socket_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        answers = [control.tell(str(socket_path), shlex.split(line)[3]) for line in lines]
        process.terminate()
        process.wait(BOUND_S)
    assert [answer["ok"] for answer in answers] == [True] * 3


@pytest.mark.parametrize("name", PROGRAMS)
def test_other_pages_that_are_ours_exist(name: str, words: dict[str, Any]) -> None:
    ours = {f"{other}({each.section})" for other, each in words.items()}
    told = set(words[name].see_also)
    assert ours - told == {f"{name}({words[name].section})"}
