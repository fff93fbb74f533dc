"""What the package says after an upgrade of the daemons that run on: packaging/rpm/after-upgrade."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable

import pytest

from tests.support.processes import BIN, run

PROJECT = Path(__file__).parents[1]
SCRIPT = PROJECT / "packaging/rpm/after-upgrade"
SITE = json.loads((PROJECT / "ngts_m06.json").read_text())

Say = Callable[..., str]


@pytest.fixture(name="say")
def fixture_say(tmp_path: Path) -> Say:
    """Runs the script on a machine where `systemctl` prints these units, and of each of them this status; gives what
    it says."""
    configurations = tmp_path / "etc"
    configurations.mkdir()
    (configurations / "ngts_m06.json").write_text(json.dumps(SITE))
    (configurations / "ngts_m06.json").chmod(0o644)
    (configurations / "old.json").write_text(json.dumps({**SITE, "steps_per_mm": 5000, "colour": "red"}))
    programs = tmp_path / "bin"
    programs.mkdir()

    def say(units: str, status: str = "Focuser is IDLE (2.000 mm)", **environment: str) -> str:
        (tmp_path / "list-units").write_text(units)
        (tmp_path / "show").write_text(f"{status}\n")
        (programs / "systemctl").write_text(
            f"#!/bin/sh\necho \"$@\" >>'{tmp_path}/asked'\ncat '{tmp_path}'/$1\n"
        )
        (programs / "systemctl").chmod(0o755)
        ran = run(
            SCRIPT,
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "FOCUSD": str(BIN / "focusd"),
                "FOCUSD_CONFIGURATIONS": str(configurations),
                **environment,
            },
            timeout_s=50,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout

    return say


def test_nothing_is_said_where_nothing_runs(say: Say, tmp_path: Path) -> None:
    assert say("") == ""
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.split()[0] == "list-units", "it asks, and does nothing"


def test_a_daemon_that_runs_is_named_with_the_command_that_restarts_it(say: Say) -> None:
    said = say("focusd@ngts_m06.service loaded active running Focuser daemon\n")
    assert "    sudo systemctl restart focusd@ngts_m06\n" in said
    assert "The restart halts the motor. Afterwards: focus init --resume" in said
    assert "focus stop" not in said
    assert "DO NOT" not in said


@pytest.mark.parametrize("instance", ["ngts_m06", "old"])
def test_a_daemon_of_before_these_packages_is_not_said_to_halt_its_motor(
    say: Say, tmp_path: Path, instance: str
) -> None:
    """It tells systemd no status, and nobody knows what it does with its motor when it ends."""
    said = say(f"focusd@{instance}.service loaded active running Focuser daemon\n", status="")
    assert f"show --value --property=StatusText focusd@{instance}.service" in (tmp_path / "asked").read_text()
    assert "halts the motor" not in said
    assert "may leave its motor running when it ends. Before the restart: focus stop" in said
    assert said.index("sudo systemctl restart") < said.index("focus stop") < said.index("focus init\n")
    assert "--resume" not in said


def test_a_configuration_that_is_refused_keeps_the_operator_from_restarting(say: Say, tmp_path: Path) -> None:
    said = say(
        "focusd@old.service loaded active running Focuser daemon\n"
        "focusd@ngts_m06.service loaded active running Focuser daemon\n"
    )
    old, good = said.split("focusd@ngts_m06 goes on")
    assert "focusd@old goes on with the version that it was started with. DO NOT RESTART IT YET" in old
    assert "steps_per_mm: 5000 was given; expected 5088" in old
    assert "colour" in old
    assert f"focusd --check {tmp_path}/etc/old.json && sudo systemctl restart focusd@old" in old
    assert "DO NOT" not in good


@pytest.mark.parametrize(
    ("focusd", "code"),
    [("exit 1", 1), ("echo 'No module named Pyro4' >&2; exit 2", 2), ("exit 124", 124)],
)
def test_a_new_version_that_cannot_run_is_no_reason_to_restart(
    say: Say, tmp_path: Path, focusd: str, code: int
) -> None:
    broken = tmp_path / "focusd"
    broken.write_text(f"#!/bin/sh\n{focusd}\n")
    broken.chmod(0o755)
    said = say("focusd@ngts_m06.service loaded active running x\n", FOCUSD=str(broken))
    assert "DO NOT RESTART IT YET" in said
    assert f"could not even be tried: focusd --check ended with {code}." in said
    assert ("No module named Pyro4" in said) == (code == 2)


def test_an_absent_new_version_is_no_reason_to_restart(say: Say, tmp_path: Path) -> None:
    said = say("focusd@ngts_m06.service loaded active running x\n", FOCUSD=str(tmp_path / "none"))
    assert "DO NOT RESTART IT YET" in said
    assert "ended with 127" in said


def test_a_configuration_that_only_root_may_read_is_said(say: Say, tmp_path: Path) -> None:
    (tmp_path / "etc/ngts_m06.json").chmod(0o640)
    said = say("focusd@ngts_m06.service loaded active running x\n")
    assert "DO NOT RESTART IT YET" in said
    assert f"chmod a+r {tmp_path}/etc/ngts_m06.json" in said


def test_other_lines_of_systemctl_are_passed_over(say: Say) -> None:
    assert say("other.service loaded active running x\n\n0 loaded units listed.\n") == ""


def test_a_machine_without_systemd_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    ran = run("/bin/sh", SCRIPT, env={"PATH": str(tmp_path)})
    assert (ran.returncode, ran.stdout) == (0, "")
