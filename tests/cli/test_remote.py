"""What a program in Python gets from `connect`: against a stand-in on real Pyro4, of today and of the first version."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import rockit.focuser.ok3z as face
from rockit.focuser.ok3z import RemoteFocuser, connect
from rockit.focuser.ok3z.client.calls import WrongServiceError
from rockit.focuser.ok3z.errors import (
    BusyError,
    ConfigError,
    FocuserError,
    InvalidArgumentError,
    NotConnectedError,
    NotPermittedError,
    OutsideLimitsError,
)

# Which daemon


def test_a_path_names_a_configuration_and_so_does_a_text_that_looks_like_one(
    phone_book: Any, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOCUSD_CONFIG_PATH")
    monkeypatch.chdir(config_path.parent)

    for where in (config_path, str(config_path), config_path.name, Path(config_path.name), "./night.json"):
        with connect(where) as focuser:
            assert focuser.status().current_mm == 2.0


def test_without_a_word_it_is_found_as_focus_finds_it(phone_book: Any) -> None:
    assert connect().status().current_mm == 2.0


def test_any_other_text_is_the_name_of_a_daemon(phone_book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOCUSD_CONFIG_PATH")

    assert connect("stand_in").status().current_mm == 2.0
    with pytest.raises(ConfigError, match=r"did you mean stand_in\?"):
        connect("stand_on")


def test_a_configuration_whose_daemon_is_unknown_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dusk.json"
    path.write_text('{"daemon": "nobody_knows_it"}')

    with pytest.raises(ConfigError, match=r"dusk\.json: daemon: .*nobody_knows_it"):
        connect(path)
    with pytest.raises(ConfigError, match=r"dawn\.json cannot be read"):
        connect(tmp_path / "dawn.json")


def test_connecting_asks_for_the_status_once_and_for_nothing_else(phone_book: Any, script: Any) -> None:
    with connect(timeout_s=2.0):
        pass

    assert (script.reads, script.calls, phone_book.timeouts) == (1, [], [2.0])


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_a_daemon_that_is_away_is_said_at_once(phone_book: Any, server: Any) -> None:
    server.end()

    with pytest.raises(face.DaemonUnreachableError, match=f"Nothing listens at 127.0.0.1:{server.port}"):
        connect()


def test_another_service_in_its_place_is_a_daemon_that_is_away(phone_book: Any) -> None:
    phone_book.name = "dome_daemon"
    phone_book.uri = phone_book.uri.replace("stand_in_daemon", "dome_daemon")

    with pytest.raises(face.DaemonUnreachableError, match="is no dome_daemon") as caught:
        connect()
    assert isinstance(caught.value, WrongServiceError)


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_a_daemon_may_be_restarted_in_between(focuser: RemoteFocuser, server: Any) -> None:
    assert focuser.status().idle
    server.end()
    with pytest.raises(face.CallError):
        focuser.status()
    server.start()
    assert focuser.status().idle


# Commands


def test_each_method_is_one_command(either_focuser: RemoteFocuser, script: Any) -> None:
    with either_focuser as focuser:
        focuser.initialize()
        focuser.move_to(2.5)
        focuser.move_by(-0.1)
        focuser.stop()
        focuser.disconnect()

    assert script.calls == [
        ("initialize",),
        ("set_focus", 2.5, False),
        ("set_focus", -0.1, True),
        ("stop",),
        ("shutdown",),
    ]


def test_what_a_daemon_of_today_can_do_besides(focuser: RemoteFocuser, script: Any) -> None:
    focuser.initialize(resume=True, restore=True)
    focuser.initialize(new_controller=True)
    focuser.initialize(resume=False)
    focuser.audit()

    assert script.calls == [
        ("initialize", {"resume": True, "restore": True}),
        ("initialize", {"new_controller": True}),
        ("initialize", {"resume": False}),
        ("audit",),
    ]


def test_what_is_as_it_was_asked_for_already_is_no_error(focuser: RemoteFocuser, script: Any) -> None:
    script.answers.update(initialize=8, shutdown=7)

    focuser.initialize()
    focuser.disconnect()


REFUSALS = [
    (1, face.CommandFailedError, "Command failed"),
    (2, BusyError, r"Another command is already running\. .*wait_until_idle\(\)"),
    (3, NotPermittedError, r"Command not accepted from this IP\. Run this on one of the control_machines"),
    (6, OutsideLimitsError, r"Requested position outside range\. .*focus_range_mm"),
    (7, NotConnectedError, r"Focuser is not connected\. Connect and home it with initialize\(\)"),
    (99, face.CommandFailedError, "Unknown error code 99"),
]


def test_an_error_carries_the_sentence_of_the_daemon(focuser: RemoteFocuser, script: Any) -> None:
    # What went wrong for another program.
    script.report["reason"] = "Something else."
    for status, error, _ in REFUSALS:
        failure = {"command": "set_focus", "status": status, "reason": "Because of it."}
        script.answers.update(set_focus=status, last_failure=failure)

        with pytest.raises(error) as caught:
            focuser.move_to(2.5)
        assert type(caught.value) is error
        assert str(caught.value) == "Because of it."
        assert isinstance(caught.value, FocuserError)


@pytest.mark.parametrize(
    "failure",
    [
        {},
        {"command": "set_focus", "status": 55, "reason": "Another's."},
        {"command": "stop", "status": 1, "reason": "Another's."},
        {"reason": "Whose?"},
        RuntimeError("a mistake in it"),
    ],
)
def test_without_one_it_says_what_the_number_means(focuser: RemoteFocuser, script: Any, failure: Any) -> None:
    script.report["reason"] = "Something else."
    for status, error, sentence in REFUSALS:
        script.answers.update(set_focus=status, last_failure=failure)
        with pytest.raises(error, match=f"^{sentence}"):
            focuser.move_to(2.5)


def test_of_an_earlier_daemon_the_status_says_why_a_command_failed(
    old_focuser: RemoteFocuser, script: Any
) -> None:
    script.report["reason"] = "The motor does not turn."
    for status, error, sentence in REFUSALS:
        script.answers["set_focus"] = status
        with pytest.raises(error, match="^The motor does not turn.$" if status == 1 else f"^{sentence}"):
            old_focuser.move_to(2.5)


def test_every_command_is_refused_to_a_machine_that_may_not_control(
    focuser: RemoteFocuser, script: Any
) -> None:
    script.answers.update(initialize=3, audit=3, stop=3, shutdown=3)
    for command in (focuser.initialize, focuser.audit, focuser.stop, focuser.disconnect):
        with pytest.raises(NotPermittedError, match="control_machines"):
            command()
    assert focuser.status().idle


class Half:
    """A number as those of numpy are: no int, no float."""

    def __float__(self) -> float:
        return 0.5


def test_any_number_is_sent_as_a_plain_one(focuser: RemoteFocuser, script: Any) -> None:
    for number in (2, Half(), -0.1):
        focuser.move_to(number)  # type: ignore[arg-type]
        focuser.move_by(number, wait=False)  # type: ignore[arg-type]

    sent = [("set_focus", 2.0), ("begin_move", 2.0), ("set_focus", 0.5), ("begin_move", 0.5)]
    assert [call[:2] for call in script.calls] == [*sent, ("set_focus", -0.1), ("begin_move", -0.1)]
    assert {type(call[1]) for call in script.calls} == {float}


def test_what_is_no_finite_number_is_never_sent(focuser: RemoteFocuser, script: Any) -> None:
    for number in (math.nan, math.inf, -math.inf, 10**400):
        with pytest.raises(OutsideLimitsError, match="finite number of millimetres"):
            focuser.move_to(number)
    for other in (True, "2.5", b"2.5", None, [2.5], 1j):
        with pytest.raises(InvalidArgumentError, match="is no number; give a number of millimetres"):
            focuser.move_by(other)  # type: ignore[arg-type]
    assert script.calls == []
