"""docs/simulator.md tells of every option, command and fault, and of none that is not there."""

from __future__ import annotations

import re
from dataclasses import fields

from rockit.focuser.ok3z.simulator import VirtualClock, VirtualOK3Z
from rockit.focuser.ok3z.simulator.control_commands import COMMANDS
from rockit.focuser.ok3z.simulator.faults import COMMAND_FAULTS, REPLY_FAULTS
from rockit.focuser.ok3z.simulator.options import Options
from tests.support.markdown import page, rows

PAGE = page("docs/simulator.md")


def test_every_option_is_told_with_its_default_and_meaning() -> None:
    table = {row["Option"].strip("`"): row for row in rows(PAGE, "Option", "Default", "Values", "Meaning")}
    assert list(table) == list(Options.describe())
    for one in fields(Options):
        assert table[one.name]["Meaning"] == one.metadata["text"]
        default = f"{one.default:g}" if isinstance(one.default, (bool, float)) else str(one.default)
        assert table[one.name]["Default"] == default


def test_every_command_and_fault_is_told() -> None:
    tables = [("Command", "Meaning")]
    tables += [("Kind", "What happens to a reply"), ("Kind", "What happens to a frame from the host")]
    told = {row[key].strip("`"): row[text] for key, text in tables for row in rows(PAGE, key, text)}
    commands = {command.usage: command.text for command in COMMANDS.values()}
    assert told == {**commands, **REPLY_FAULTS, **COMMAND_FAULTS}


def test_methods_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`([a-z_]+)\(", PAGE))
    assert named
    assert named <= {*dir(VirtualOK3Z), *dir(VirtualClock)}
