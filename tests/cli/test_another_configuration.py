"""A desk whose configuration is not that of the daemon: the daemon's limits count.

And a machine that may not control is told which may.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.cli.main import main

pytestmark = pytest.mark.usefixtures("phone_book")

OUTSIDE = "error: requested position outside range. "


def configured(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({"daemon": "stand_in", **values}))


@pytest.mark.parametrize(
    ("configured_mm", "ending"),
    [
        (6.0, "7 mm is not between 0 and 6 mm.\n"),
        (None, "7 mm is not between 0 and 6 mm.\n"),
        (8.0, "7 mm is not between 0 and 6 mm. ({path} says 8 mm, which the daemon does not use.)\n"),
    ],
)
def test_the_range_is_that_of_the_daemon(
    configured_mm: float | None, ending: str, script: Any, config_path: Path, capsys: Any
) -> None:
    configured(config_path, **({} if configured_mm is None else {"focus_range_mm": configured_mm}))
    script.answers["set_focus"] = 6
    script.report["focus_range_mm"] = 6.0
    assert main(["set", "7"]) == 6
    assert capsys.readouterr().err == OUTSIDE + ending.format(path=config_path)


def test_of_a_daemon_that_does_not_say_its_range_the_configuration_counts(
    script: Any, config_path: Path, capsys: Any
) -> None:
    configured(config_path, focus_range_mm=8.0)
    script.answers["set_focus"] = 6
    assert main(["set", "9"]) == 6
    assert capsys.readouterr().err == f"{OUTSIDE}9 mm is not between 0 and 8 mm.\n"


@pytest.mark.parametrize("command", ["set 1", "init", "stop", "kill", "audit", "record"])
def test_a_machine_that_may_not_control_is_told_which_may(
    command: str, script: Any, config_path: Path, capsys: Any
) -> None:
    configured(config_path, control_machines=["NGTSDASNUC", "DomeNUC"])
    script.answers = dict.fromkeys(script.answers, 3)
    assert main(command.split()) == 3
    assert capsys.readouterr().err == (
        "error: command not accepted from this IP. Run it on one of the control_machines, which are NGTSDASNUC and "
        f"DomeNUC by {config_path}.\n"
    )


def test_with_one_control_machine_it_is_that(script: Any, config_path: Path, capsys: Any) -> None:
    configured(config_path, control_machines=["NGTSDASNUC"])
    script.answers["stop"] = 3
    assert main(["stop"]) == 3
    assert capsys.readouterr().err.endswith(
        f"Run it on the control machine, which is NGTSDASNUC by {config_path}.\n"
    )


@pytest.mark.parametrize("machines", [None, [], "NGTSDASNUC", [1, None]])
def test_without_such_a_list_the_configuration_of_the_daemon_has_it(
    machines: Any, script: Any, config_path: Path, capsys: Any
) -> None:
    configured(config_path, **({} if machines is None else {"control_machines": machines}))
    script.answers["stop"] = 3
    assert main(["stop"]) == 3
    assert capsys.readouterr().err.endswith(
        "Run it on one of the control_machines of the daemon's configuration.\n"
    )


def test_a_machine_that_may_by_its_own_configuration_is_told_that_the_daemon_has_another(
    script: Any, config_path: Path, capsys: Any
) -> None:
    configured(config_path, control_machines=["NGTSDASNUC", "LocalHost"])
    script.answers["stop"] = 3
    assert main(["stop"]) == 3
    assert capsys.readouterr().err == (
        f"error: command not accepted from this IP. By {config_path} this machine, LocalHost, may control: the daemon "
        "has another configuration, or was not restarted after a change.\n"
    )


def test_names_of_machines_reach_no_terminal_raw(script: Any, config_path: Path, capsys: Any) -> None:
    configured(config_path, control_machines=["evil\x1b[31m"])
    script.answers["stop"] = 3
    assert main(["stop"]) == 3
    assert "\x1b" not in capsys.readouterr().err
