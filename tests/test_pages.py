"""Man pages and completions: whatever the parsers have is in them, and what they say beside that is true."""

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
from xml.etree import ElementTree

import pytest
from rockit.common import site_file

from rockit.focuser.ok3z.cli import arguments
from rockit.focuser.ok3z.cli import main as cli
from rockit.focuser.ok3z.cli.history import MOVED_UNKNOWN
from rockit.focuser.ok3z.cli.options import EXIT_CODES, USAGE_STATUS
from rockit.focuser.ok3z.config import model as config
from rockit.focuser.ok3z.constants import CommandStatus
from rockit.focuser.ok3z.daemon import main as daemon
from rockit.focuser.ok3z.indi import main as indi
from rockit.focuser.ok3z.indi import properties
from rockit.focuser.ok3z.simulator import control
from rockit.focuser.ok3z.simulator import program as simulator
from rockit.focuser.ok3z.storage import recordings, state_file
from rockit.focuser.ok3z.version import VERSION

PROJECT = Path(__file__).parents[1]
PACKAGING = PROJECT / "packaging"
UNIT = (PACKAGING / "focusd@.service").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
PARSERS = {
    "focus": arguments.new_parser(),
    "focusd": daemon.new_parser(),
    "ok3z-simulator": simulator.new_parser(),
}
# Read by a package that we use.
OF_RICH = {"NO_COLOR"}
# Macros of mdoc that stand on a line with what they mark.
MACROS = {"Ar", "Cm", "Ev", "Ic", "It", "Nm", "No", "Op", "Pa", "Ql", "Xr"}
BOUND_S = 30


def plain(text: str) -> str:
    """Text in mdoc as it is read, in one line, with the options' dashes and without other marks."""
    lines = []
    for line in text.splitlines():
        words = line.split()
        if line.startswith("."):
            words = [word for word in line[1:].split() if word not in MACROS]
            line = " ".join(words).replace("Fl ", "-")
        lines.append(line.replace(r"\(ha", "^").replace(r"\(ti", "~").replace(r"\-", "-").replace(r"\&", ""))
    return re.sub(r" ([,.;)])(?= |$)", r"\1", " ".join(" ".join(lines).split()))


class Page:
    """A man page as its sections, and these as their items."""

    def __init__(self, name: str) -> None:
        self.path = next((PACKAGING / "man").glob(f"{name}.[18]"))
        self.text = self.path.read_text(encoding="utf-8")
        parts = re.split(r"^\.S[hs] (.+)\n", self.text, flags=re.MULTILINE)
        self.sections = dict(zip(parts[1::2], parts[2::2]))

    def items(self, section: str) -> dict[str, str]:
        """What is told of each thing of a section."""
        items = re.findall(r"^(\.It .+)\n((?:(?!\.It |\.El).*\n)*)", self.sections[section], re.MULTILINE)
        return {plain(head): plain(text) for head, text in items}

    def terms(self, section: str) -> set[str]:
        return {term for head in self.items(section) for term in head.split(", ")}


@pytest.fixture(params=PARSERS)
def name(request: pytest.FixtureRequest) -> str:
    """Each program by its name."""
    return str(request.param)


def told(parser: argparse.ArgumentParser, actions: list[argparse.Action]) -> dict[str, str]:
    """The arguments as a page has them: how each is written, and its help."""
    found = {}
    for action in actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction):
            continue
        values = action.metavar if action.nargs != 0 else ""
        shown = values if isinstance(values, tuple) else (values,)
        head = f"{', '.join(action.option_strings)} {' '.join(each or '' for each in shown)}".strip()
        text = (action.help or "") % {"prog": parser.prog}
        found[head] = " ".join(text.replace("`", "").split())
    return found


# What the parsers have


def test_every_option_command_and_help_text_is_in_the_manual(name: str) -> None:
    page, parser = Page(name), PARSERS[name]
    titled = {(group.title or "").capitalize(): group for group in parser._action_groups[2:]}
    device = [action for group in titled.values() for action in group._group_actions]
    common = told(parser, [action for action in parser._actions if action not in device])
    assert len(common) > 3
    check(page, "OPTIONS", common)
    for title, group in titled.items():
        check(page, title, told(parser, group._group_actions))
    for command, below in commands_of(parser).items():
        own = told(below, below._actions)
        check(page, command, {head: text for head, text in own.items() if common.get(head) != text})


def check(page: Page, section: str, expected: dict[str, str]) -> None:
    items = page.items(section)
    assert set(items) == set(expected)
    assert [head for head, text in expected.items() if not items[head].startswith(text)] == []


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands by the titles that a page gives them."""
    return {
        f"{parser.prog} {listed.dest}: {listed.help}": action.choices[listed.dest]
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for listed in action._choices_actions
    }


def test_the_usage_and_description_of_each_command_of_focus_are_in_the_manual() -> None:
    page, commands = Page("focus"), commands_of(PARSERS["focus"])
    assert [title.split()[1].rstrip(":") for title in commands] == list(cli.COMMANDS)
    usages = synopsis(page)
    for title, parser in commands.items():
        assert parser.usage in usages
        assert " ".join((parser.description or "").split()) in plain(page.sections[title])


def synopsis(page: Page) -> list[str]:
    """The usage lines of a page, as argparse would write them."""
    usages: list[str] = []
    for line in page.sections["SYNOPSIS"].splitlines():
        text = f"[{plain(line)}]" if line.startswith(".Op ") else plain(line)
        if line.startswith(".Nm "):
            usages.append(text)
        else:
            usages[-1] += f" {text}"
    return usages


def test_the_synopsis_has_all_options_that_do_not_describe_the_device(name: str) -> None:
    usages = " ".join(synopsis(Page(name)))
    names = [action.option_strings[-1] for action in PARSERS[name]._optionals._group_actions
             if action.option_strings and action.help != argparse.SUPPRESS]  # fmt: skip
    assert [option for option in names if option not in usages] == []


def test_options_that_exclude_each_other_say_so() -> None:
    exclusive = "[--check | --print-port | --commission]"
    assert synopsis(Page("focusd"))[0] == f"focusd {exclusive} [--verbose] [--record RECORDING] FILE"
    items = Page("focusd").items("OPTIONS")
    assert items["--check"].endswith("(not with --print-port, --commission)")
    assert items["--print-port"].endswith("(not with --check, --commission)")
    assert items["--commission"].endswith("(not with --check, --print-port)")


def test_completions_are_what_shtab_makes_of_the_parsers(tmp_path: Path) -> None:
    folder = PACKAGING / "completions"
    subprocess.run([sys.executable, folder / "write.py", tmp_path], check=True, timeout=BOUND_S)
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert len(written) == 6
    packed = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}
    assert {**written, "write.py": packed["write.py"]} == packed, "make completions"


# Exit codes


def test_exit_codes_of_focus() -> None:
    known = {
        value % EXIT_CODES
        for name, value in vars(CommandStatus).items()
        if type(value) is int and not name.startswith("_")
    }
    assert exit_codes("focus") == {*known, USAGE_STATUS, MOVED_UNKNOWN}


def exit_codes(name: str) -> set[int]:
    return {int(code) for code in Page(name).terms("EXIT STATUS")}


def test_exit_codes_of_focusd() -> None:
    known = {value for name, value in vars(daemon).items() if name.startswith("EXIT_")}
    wrong = subprocess.run([BIN / "focusd", "--no-such"], capture_output=True, timeout=BOUND_S).returncode
    assert exit_codes("focusd") == {0, wrong, *known}


def test_systemd_gives_up_on_the_code_that_the_page_says() -> None:
    given_up = re.findall(r"^RestartPreventExitStatus=(\d+)$", UNIT, re.MULTILINE)
    items = Page("focusd").items("EXIT STATUS")
    assert given_up == [code for code, text in items.items() if "not started again by systemd" in text]
    assert given_up == [str(daemon.EXIT_CONFIG)]


def test_exit_codes_of_the_simulator(tmp_path: Path) -> None:
    asked = {"--help": 0, "--no-such": 2, f"--tell {tmp_path}/nobody state": 1}
    seen = {
        subprocess.run(
            [BIN / "ok3z-simulator", *line.split()], capture_output=True, timeout=BOUND_S
        ).returncode
        for line in asked
    }
    assert seen == set(asked.values()) == exit_codes("ok3z-simulator")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_simulator_ends_with_0_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    command = [str(BIN / "ok3z-simulator"), "--link", str(tmp_path / "port")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"ok3z-simulator: ready")
        process.send_signal(number)
        assert process.wait(BOUND_S) == 0


# The environment


def variables_read() -> Iterator[str]:
    """The variables that our code reads from an environment."""
    for path in sorted([*PROJECT.glob("src/**/*.py"), *PROJECT.glob("common/src/**/*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for key in keys_read(tree):
            yield str(constants[key.id] if isinstance(key, ast.Name) else ast.literal_eval(key))


def keys_read(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr == "getenv" or (node.func.attr == "get" and is_environment(node.func.value)):
                yield node.args[0]
        elif isinstance(node, ast.Subscript) and is_environment(node.value):
            yield node.slice


def is_environment(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "environ"


def test_every_variable_that_the_code_reads_is_in_a_manual_and_no_other() -> None:
    read = set(variables_read())
    assert {config.PATH_VARIABLE, state_file.STATE_VARIABLE, site_file.PATH_VARIABLE} <= read
    of_focus, of_focusd = Page("focus").terms("ENVIRONMENT"), Page("focusd").terms("ENVIRONMENT")
    of_indi = Page("indi_ok3z_focus").terms("ENVIRONMENT")
    assert (of_focus | of_focusd | of_indi) - OF_RICH == read
    assert of_indi == {"INDIDEV", config.PATH_VARIABLE, site_file.PATH_VARIABLE}
    assert of_focus == {config.PATH_VARIABLE, site_file.PATH_VARIABLE, "TERM", *OF_RICH}
    assert of_focus & of_focusd == {site_file.PATH_VARIABLE}
    assert "ENVIRONMENT" not in Page("ok3z-simulator").sections


@pytest.mark.parametrize("variable", sorted(OF_RICH))
def test_the_package_that_reads_it_knows_it(variable: str) -> None:
    source = Path(str(importlib.import_module("rich.console").__file__)).read_text(encoding="utf-8")
    assert f'"{variable}"' in source


# Files


def test_files() -> None:
    of_both = {f"{config.DIRECTORY}/*.json", site_file.DEFAULT_PATH}
    assert Page("focus").terms("FILES") == of_both
    example = json.loads((PROJECT / "ngts_m06.json").read_text(encoding="utf-8"))
    folder = re.findall(r"^StateDirectory=(\S+)$", UNIT, re.MULTILINE)[0].replace("%i", "INSTANCE")
    home = os.path.expanduser("~")
    kept = state_file.path_for("DAEMON", {"STATE_DIRECTORY": f"/var/lib/{folder}"})
    assert kept is not None
    assert Page("focusd").terms("FILES") == {
        *of_both,
        example["serial_port"],
        str(kept),
        f"{recordings.folder_beside(kept)}/",
        *map(str, (kept.with_suffix(".commission.json"), kept.with_suffix(".commission.txt"))),
        str(state_file.path_for("DAEMON", {"HOME": home})).replace(home, "~"),
    }


def test_the_unit_serves_the_files_that_the_page_names() -> None:
    assert f"ExecStart=/usr/bin/focusd {config.DIRECTORY}/%i.json\n" in UNIT


def test_the_rule_makes_the_device_that_the_page_names() -> None:
    rule = next(PACKAGING.glob("*.rules")).read_text(encoding="utf-8")
    assert 'SYMLINK+="focuser"' in rule


# Commands


def examples(name: str) -> list[str]:
    """Every command line that a page shows."""
    page = Page(name)
    blocks = re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", page.text, re.MULTILINE)
    quoted = re.findall(r"^\.Ql (.+)$", page.text, re.MULTILINE)
    return [
        *page.items("EXAMPLES"),
        *(line.replace(r"\-", "-") for block in blocks for line in block.splitlines()),
        *(plain(f".Ql {each}").rstrip(".,;") for each in quoted),
    ]


def test_every_example_can_be_parsed(name: str) -> None:
    parsed = 0
    for line in examples(name):
        # Of a line, what is typed before a pipe, and for this machine.
        program, *words = shlex.split(re.split(r" [|>]+ ", line)[0].replace("ssh telescope ", ""))
        if line == program:
            # A name, and no command line.
            continue
        if program in PARSERS:
            parse = arguments.parse if program == "focus" else PARSERS[program].parse_args
            parse(words)
            parsed += 1
        else:
            assert re.search(r" focusd@ngts_m06$|^python3 -m rockit\.common$", line)
    assert parsed > 2


def test_the_manual_has_the_examples_of_the_help(name: str) -> None:
    shown = {line.partition("  #")[0] for line in examples(name)}
    for parser in (PARSERS[name], *commands_of(PARSERS[name]).values()):
        given = re.findall(rf"^  ((?:ssh \w+ )?{name}\b.*?)(?:  .*)?$", parser.epilog or "", re.MULTILINE)
        assert [line for line in given if line not in shown and line != parser.prog] == []


def test_the_examples_of_faults_are_understood(tmp_path: Path) -> None:
    lines = [line for line in Page("ok3z-simulator").items("EXAMPLES") if "--tell" in line]
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


def test_every_option_that_a_page_names_is_there(name: str) -> None:
    options = {
        option
        for parser in PARSERS.values()
        for each in (parser, *commands_of(parser).values())
        for action in each._actions
        for option in action.option_strings
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", plain(Page(name).text)))
    assert named - {"--now"} <= options


def test_other_pages_that_are_ours_are_cited(name: str) -> None:
    ours = {Page(other).path.name.replace(".", " ") for other in PARSERS if other != name}
    assert ours <= {plain(line).rstrip(",") for line in Page(name).sections["SEE ALSO"].splitlines()}


# The INDI driver, which a server starts


def test_the_page_of_the_indi_driver_has_its_options_codes_and_files() -> None:
    page, parser = Page("indi_ok3z_focus"), indi.new_parser()
    check(page, "OPTIONS", told(parser, parser._actions))
    assert synopsis(page) == ["indi_ok3z_focus [--help | --version]"]
    wrong = subprocess.run([BIN / "indi_ok3z_focus", "-x"], capture_output=True, timeout=BOUND_S)
    ended = subprocess.run([BIN / "indi_ok3z_focus"], stdin=subprocess.DEVNULL, timeout=BOUND_S)
    assert {wrong.returncode, ended.returncode} == exit_codes("indi_ok3z_focus")
    assert page.terms("FILES") == {
        f"{config.DIRECTORY}/*.json",
        site_file.DEFAULT_PATH,
        "/usr/share/indi/indi_ok3z_focus.xml",
    }


def test_kstars_finds_the_driver_under_the_name_that_it_has() -> None:
    path = PACKAGING / "indi_ok3z_focus.xml"
    # KStars skips links, and what it takes for a skeleton.
    assert path.is_file()
    assert not path.is_symlink()
    (group,) = ElementTree.parse(path).getroot().findall("devGroup")
    (device,) = group.findall("device")
    driver = device.find("driver")
    assert driver is not None
    assert (group.get("group"), driver.text) == ("Focusers", properties.EXECUTABLE)
    # Another name than the label is never found: the server gives the driver the label.
    assert device.get("label") == driver.get("name") == properties.LABEL
    assert VERSION.startswith(f"{device.findtext('version')}.")
