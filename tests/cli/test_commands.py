"""Each command against the stand-in, piped: its lines, its exit code and what it asks of the daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.cli.main import main
from rockit.focuser.ok3z.constants import CommandStatus

pytestmark = pytest.mark.usefixtures("phone_book")

OFFLINE = {"date": "2026-11-22T20:00:00Z", "status": 0}


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["set", "2.5"], ("set_focus", 2.5, False)),
        (["set", "0"], ("set_focus", 0.0, False)),
        (["offset", "-0.25"], ("set_focus", -0.25, True)),
        (["offset", "-1e-2", "--timeout", "0"], ("set_focus", -0.01, True)),
        (["init"], ("initialize",)),
        (["init", "--timeout", "7"], ("initialize",)),
        (["kill"], ("shutdown",)),
        (["stop"], ("stop",)),
    ],
)
def test_a_command_makes_its_one_call_and_prints_the_result_in_one_line(
    words: list[str], call: tuple[Any, ...], script: Any, capsys: Any
) -> None:
    assert main(words) == 0

    assert script.calls == [call]
    assert capsys.readouterr() == ("Focuser is IDLE (2.000 mm)\n", "")


@pytest.mark.parametrize("words", ["set 9", "offset 9", "init", "init --resume", "audit", "kill", "stop"])
def test_a_refused_command_ends_with_its_number_and_one_line_on_stderr(
    words: str, script: Any, capsys: Any
) -> None:
    for status in (1, 2, 3, 6, 7, 8):
        script.answers = dict.fromkeys(script.answers, status)

        assert main(words.split()) == status
        written = capsys.readouterr()
        assert written.out == ""
        assert written.err.startswith(CommandStatus.message(status))
        assert written.err.count("\n") == 1


RESUMED = {
    "position_trust": "resumed",
    "homed_at": "2026-11-22T19:00:00Z",
    "trust_reason": "The controller was found as it had been left.",
}


def test_an_initialisation_that_was_asked_to_resume_says_what_came_of_it(script: Any, capsys: Any) -> None:
    script.report.update(RESUMED)

    assert main(["init", "--resume"]) == 0
    assert script.calls == [("initialize", {"resume": True})]
    assert capsys.readouterr() == (
        "Focuser is IDLE (2.000 mm)\n"
        "Resumed, last homed at 2026-11-22 19:00:00 UTC (The controller was found as it had been left).\n",
        "",
    )


def test_an_initialisation_that_was_asked_to_restore_says_where_it_stands(script: Any, capsys: Any) -> None:
    script.report.update(position_trust="homed", homed_at="2026-11-22T19:00:00Z")

    assert main(["init", "--restore"]) == 0
    assert script.calls == [("initialize", {"restore": True})]
    assert capsys.readouterr().out == (
        "Focuser is IDLE (2.000 mm)\nHomed at 2026-11-22 19:00:00 UTC. It stands at 2.000 mm.\n"
    )


def test_an_initialisation_is_told_that_the_controller_is_another_one(script: Any, capsys: Any) -> None:
    assert main(["init", "--new-controller"]) == 0
    assert script.calls == [("initialize", {"new_controller": True})]
    assert capsys.readouterr().out == "Focuser is IDLE (2.000 mm)\n"


def test_a_failed_initialisation_says_nothing_of_resuming(script: Any, capsys: Any) -> None:
    script.answers["initialize"] = 1
    script.report = {**OFFLINE, **RESUMED, "reason": "The motor does not advance."}

    assert main(["init", "--resume"]) == 1
    assert capsys.readouterr() == ("", "error: command failed. The motor does not advance.\n")


def test_an_audit_says_how_many_steps_were_lost(script: Any, capsys: Any) -> None:
    script.report["audit"] = {
        "date": "2026-11-22T20:00:00Z",
        "since": "2026-11-22T18:00:00Z",
        "lost_steps": 120,
        "lost_mm": 0.024,
    }

    assert main(["audit"]) == 0
    assert script.calls == [("audit",)]
    written = capsys.readouterr()
    assert written.err == ""
    assert written.out.startswith(
        "Focuser is IDLE (2.000 mm)\n"
        "Audit: 120 steps (0.024 mm) were lost since the homing at 2026-11-22 18:00:00 UTC: "
    )
    assert written.out.count("\n") == 2


@pytest.mark.parametrize(
    "words", [["audit"], ["init", "--resume"], ["init", "--restore"], ["init", "--new-controller"]]
)
def test_an_earlier_daemon_refuses_what_it_does_not_know_in_one_line(
    words: list[str],
    registered_old: Any,
    script: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    import rockit.common.daemons as registry

    monkeypatch.setattr(registry, "stand_in", registered_old, raising=False)

    assert main(words) == 1
    assert script.calls == []
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err == (
        f"error: command failed. The daemon at 127.0.0.1:{registered_old.port} is of an earlier version, which "
        f"does not know `{words[-1]}`. Nothing was moved. Update focusd, or do without.\n"
    )


@pytest.mark.parametrize(
    ("state", "ending"),
    [
        ("reconnecting", "The daemon keeps trying to get the link back by itself."),
        ("disconnected", "Connect with `focus init`."),
    ],
)
def test_a_stop_without_a_link_says_that_the_standstill_is_unproven(
    state: str, ending: str, script: Any, capsys: Any
) -> None:
    script.answers["stop"] = 1
    script.report = {**OFFLINE, "state": state, "reason": "the port hung up."}

    assert main(["stop"]) == 1
    assert capsys.readouterr() == (
        "",
        "error: command failed. There is no link to the focuser, so whether its motor stands cannot be told: "
        f"look at it. The port hung up. {ending}\n",
    )


def test_a_stop_that_is_not_permitted_says_so_without_a_link_too(script: Any, capsys: Any) -> None:
    script.answers["stop"] = 3
    script.report = {**OFFLINE, "state": "disconnected"}

    assert main(["stop"]) == 3
    assert "Run it on one of the control_machines" in capsys.readouterr().err


def test_a_stop_that_failed_with_a_link_tells_the_reason(script: Any, capsys: Any) -> None:
    script.answers["stop"] = 1
    script.report = {**OFFLINE, "state": "stopping", "reason": "The motor was not seen standing."}

    assert main(["stop"]) == 1
    assert capsys.readouterr().err == "error: command failed. The motor was not seen standing.\n"


def test_a_piped_status_says_nothing_of_trust(script: Any, capsys: Any) -> None:
    script.report.update(RESUMED, state_file_problem="the disk is full.")

    assert main(["status"]) == 0
    assert capsys.readouterr() == ("Focuser is IDLE (2.000 mm)\n", "")


def test_there_is_nothing_to_kill_where_nothing_is_connected(script: Any, capsys: Any) -> None:
    script.answers["shutdown"] = 7

    assert main(["kill"]) == 7
    assert capsys.readouterr().err == "error: focuser is not connected. There is nothing to disconnect.\n"


def test_a_failure_tells_the_reason_of_the_daemon(script: Any, capsys: Any) -> None:
    script.answers["set_focus"] = 1
    script.report = {**OFFLINE, "state": "fault", "reason": "The motor does not advance. Look at its power."}

    assert main(["set", "3"]) == 1
    assert capsys.readouterr().err == (
        "error: command failed. The motor does not advance. Look at its power.\n"
    )


def test_a_position_outside_the_range_is_told_with_the_range_of_the_configuration(
    script: Any, capsys: Any
) -> None:
    script.answers["set_focus"] = 6

    assert main(["offset", "4.5"]) == 6
    assert capsys.readouterr().err == (
        "error: requested position outside range. 2 mm +4.5 mm is 6.5 mm, which is not between 0 and 6 mm.\n"
    )


def test_what_is_no_finite_number_is_refused_without_asking_the_daemon(script: Any, capsys: Any) -> None:
    for words in ("set nan", "offset -inf", "set 1e400"):
        assert main(words.split()) == 6
        assert capsys.readouterr().err.startswith("error: requested position outside range. ")
    assert script.calls == []


def test_piped_details_of_the_status_go_to_stderr(script: Any, capsys: Any) -> None:
    script.report = {**OFFLINE, "state": "fault", "reason": "The port hung up."}

    assert main(["status"]) == 0
    assert capsys.readouterr() == ("Focuser is OFFLINE\n", "  state: fault\n  reason: The port hung up.\n")


@pytest.mark.parametrize("report", [{}, {"status": "on"}, {"status": 1, "reason": [1], "state": {}}])
def test_a_strange_report_breaks_no_command(report: Any, script: Any, capsys: Any) -> None:
    script.report = report
    for words in ("status", "set 1", "init", "init --resume --restore", "audit", "stop"):
        assert main(words.split()) == 0
        assert capsys.readouterr().out.startswith("Focuser is "), words


def test_json_is_everything_the_daemon_says_on_one_line(script: Any, capsys: Any) -> None:
    script.report = {**script.report, "reason": "a\nb " + "long " * 100, "extra": [1, {"x": None}]}

    assert main(["json"]) == 0
    written = capsys.readouterr()
    assert written.out.count("\n") == 1
    assert json.loads(written.out) == script.report
    assert written.err == ""


def test_json_is_valid_whatever_the_daemon_says(script: Any, capsys: Any) -> None:
    script.report = {"status": 1, "current_mm": float("nan"), "list": [float("inf"), 1.5], "set": {3}}

    assert main(["json"]) == 0

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    report = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert report["current_mm"] is None
    assert report["list"] == [None, 1.5]


def test_a_daemon_that_breaks_is_told_in_one_line(script: Any, capsys: Any) -> None:
    script.answers["stop"] = ValueError("boom")

    assert main(["stop"]) == 1
    assert capsys.readouterr().err == (
        "error: command failed. stop failed in the daemon: ValueError: boom. See the daemon's log.\n"
    )


def test_success_stays_success_where_the_status_cannot_be_had_afterwards(script: Any, capsys: Any) -> None:
    script.report = ValueError("boom")

    assert main(["set", "2"]) == 0
    assert capsys.readouterr().err.startswith("Done, but")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "night.json cannot be read: No such file"),
        ("{", "night.json is no valid JSON: line 1, column 2"),
        ('{"daemon": "dome"}', 'night.json: daemon: "dome" was given; expected a daemon registered'),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told_in_one_line(
    text: Any, said: str, config_path: Path, capsys: Any
) -> None:
    if text is None:
        config_path.unlink()
    else:
        config_path.write_text(text)

    assert main(["status"]) == 255
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


def test_the_configuration_of_the_command_line_comes_before_that_of_the_environment(
    config_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("FOCUSD_CONFIG_PATH", "/nowhere/at-all.json")

    assert main(["status"]) == 255
    assert main(["status", "--config", str(config_path)]) == 0
    assert capsys.readouterr().out == "Focuser is IDLE (2.000 mm)\n"
