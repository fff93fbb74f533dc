"""docs/simulator.md tells of every option, command and fault, and of none that is not there."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from rockit.focuser.ok3z.simulator.control_commands import COMMANDS
from rockit.focuser.ok3z.simulator.faults import COMMAND_FAULTS, REPLY_FAULTS
from rockit.focuser.ok3z.simulator.options import Options

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
ROWS = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in PAGE.splitlines() if line.startswith("| `")]


def described(count: int) -> dict[str, list[str]]:
    return {row[0].strip("`").replace("\\|", "|"): row[1:] for row in ROWS if len(row) == count}


def test_every_option_is_told_with_its_default_and_meaning() -> None:
    table = described(4)

    assert list(table) == list(Options.describe())
    for one in fields(Options):
        default, _, text = table[one.name]
        assert text == one.metadata["text"]
        assert default == (f"{one.default:g}" if isinstance(one.default, (bool, float)) else str(one.default))


def test_every_command_and_fault_is_told() -> None:
    told = {name: row[0] for name, row in described(2).items()}

    commands = {command.usage: command.text for command in COMMANDS.values()}
    assert told == {**commands, **REPLY_FAULTS, **COMMAND_FAULTS}


@pytest.mark.parametrize("name", re.findall(r"`([a-z_]+)\(", PAGE))
def test_methods_that_the_page_names_exist(name: str) -> None:
    from rockit.focuser.ok3z.simulator import VirtualClock, VirtualOK3Z

    assert hasattr(VirtualOK3Z, name) or hasattr(VirtualClock, name)
