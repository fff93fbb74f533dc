"""What each command says where no answer came: what that means for the focuser, and what to do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import Pyro4
import pytest

from rockit.focuser.ok3z.cli.main import main

pytestmark = pytest.mark.usefixtures("phone_book")


@pytest.fixture
def silent(phone_book: Any) -> Iterator[str]:
    """A daemon that hangs: its port listens, and nothing ever answers. Gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        phone_book.port = listener.getsockname()[1]
        phone_book.uri = f"PYRO:{phone_book.name}@127.0.0.1:{phone_book.port}"
        yield f"127.0.0.1:{phone_book.port}"


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_without_a_daemon_one_line_says_the_address_and_what_to_do(
    server: Any, config_path: Path, capsys: Any
) -> None:
    server.end()
    begin = f"error: unable to communicate with focus daemon. Nothing listens at 127.0.0.1:{server.port}. "
    start = f"Start it with `focusd {config_path}`.\n"
    for command in ("set 2", "offset 1", "status", "json", "init", "audit", "kill"):
        assert main(command.split()) == 155
        assert capsys.readouterr() == ("", begin + start)
    assert main(["stop"]) == 155
    warning = "Nothing was stopped: THE FOCUSER MAY STILL BE MOVING. "
    assert capsys.readouterr() == ("", begin + warning + start)


def test_another_service_at_the_address_is_not_to_be_started(
    server: Any, phone_book: Any, config_path: Path, capsys: Any
) -> None:
    phone_book.uri = phone_book.uri.replace(phone_book.name, "dome_daemon")
    for command in ("set 2", "stop", "status"):
        assert main(command.split()) == 155
        written = capsys.readouterr().err
        assert "Start it" not in written
        assert written.endswith(f"End the program that has this port, or mend `daemon` in {config_path}.\n")


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_an_installed_daemon_is_started_by_its_unit(
    server: Any, config_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from rockit.focuser.ok3z.cli import advice

    monkeypatch.setattr(advice, "DIRECTORY", config_path.parent)
    server.end()

    assert main(["status"]) == 155
    assert "`sudo systemctl start focusd@night`; `systemctl status focusd@night`" in capsys.readouterr().err


def test_a_move_whose_answer_is_lost_warns_that_the_focuser_may_move(script: Any, capsys: Any) -> None:
    script.hold("set_focus")
    script.report = {**script.report, "status": 2, "current_mm": 1.0, "target_mm": 3.0}

    assert main(["set", "3", "--timeout", "0.1"]) == 155
    error = capsys.readouterr().err
    assert "did not answer set_focus within 0.1 s. THE FOCUSER MAY STILL BE MOVING: " in error
    assert error.endswith("Now: Focuser is MOVING (1.000 / 3.000 mm).\n")


def test_a_stop_whose_answer_is_lost_warns_too(script: Any, capsys: Any) -> None:
    script.hold("stop")

    assert main(["stop", "--timeout", "0.1"]) == 155
    assert "did not answer stop within 0.1 s. THE FOCUSER MAY STILL BE MOVING: " in capsys.readouterr().err


def test_a_stop_that_a_hanging_daemon_does_not_take_warns_too(
    silent: str, config_path: Path, capsys: Any
) -> None:
    assert main(["stop", "--timeout", "0.1"]) == 155
    assert capsys.readouterr().err == (
        f"error: unable to communicate with focus daemon. {silent} did not answer within 0.1 s. "
        "Nothing was stopped: THE FOCUSER MAY STILL BE MOVING. "
        f"The daemon may hang: if it runs there, end it and run `focusd {config_path}`; if not, look at the "
        "network.\n"
    )


@pytest.mark.parametrize("command", ["set 2", "init", "status"])
def test_a_hanging_daemon_is_to_be_restarted_and_has_moved_nothing(
    command: str, silent: str, config_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from rockit.focuser.ok3z.cli import advice

    monkeypatch.setattr(advice, "DIRECTORY", config_path.parent)

    assert main([*command.split(), "--timeout", "0.1"]) == 155
    assert capsys.readouterr().err == (
        f"error: unable to communicate with focus daemon. {silent} did not answer within 0.1 s. "
        "The daemon may hang: if it runs there, restart it with `sudo systemctl restart focusd@night`; if not, look at "
        "the network.\n"
    )


UNREACHABLE = {errno.ENETUNREACH: "Network is unreachable", errno.EHOSTUNREACH: "No route to host"}


@pytest.fixture
def at_a_desk(phone_book: Any, config_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """This machine is not that of the daemon, whose package it has."""
    from rockit.focuser.ok3z.cli import advice

    monkeypatch.setattr(advice, "DIRECTORY", config_path.parent)
    phone_book.host = "10.2.5.115"
    return phone_book


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_at_a_desk_the_daemon_is_started_on_its_own_machine(
    server: Any, at_a_desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from rockit.focuser.ok3z.cli import advice

    server.end()
    begin = f"error: unable to communicate with focus daemon. Nothing listens at 10.2.5.115:{server.port}. "
    assert main(["status"]) == 155
    assert capsys.readouterr().err == (
        f"{begin}Start it on NGTSDASNUC: `sudo systemctl start focusd@night`; "
        "`systemctl status focusd@night` says there why it ended.\n"
    )
    monkeypatch.setattr(advice, "DIRECTORY", tmp_path / "elsewhere")
    assert main(["status"]) == 155
    assert capsys.readouterr().err == f"{begin}Start `focusd` on NGTSDASNUC.\n"
    # Of a machine that the phone book does not know there is the address.
    at_a_desk.host = "10.2.5.116"
    assert main(["status"]) == 155
    assert capsys.readouterr().err.endswith("Start `focusd` on 10.2.5.116.\n")


@pytest.mark.parametrize("number", UNREACHABLE)
def test_a_network_without_a_way_is_to_be_looked_at_and_nothing_is_to_be_started(
    number: int, at_a_desk: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def bind(_proxy: Any) -> None:
        raise Pyro4.errors.CommunicationError("cannot connect") from OSError(number, os.strerror(number))

    monkeypatch.setattr(Pyro4.Proxy, "_pyroBind", bind)
    for command in ("status", "set 1", "stop"):
        assert main(command.split()) == 155
        written = capsys.readouterr().err
        assert f"10.2.5.115:{at_a_desk.port} cannot be reached: {UNREACHABLE[number]}. " in written
        assert "Look at the network" in written
        assert "systemctl" not in written
        assert ("its firewall" in written) == (number == errno.EHOSTUNREACH)


def test_at_a_desk_a_daemon_that_hangs_is_restarted_on_its_own_machine(
    silent: str, at_a_desk: Any, capsys: Any
) -> None:
    assert main(["status", "--timeout", "0.1"]) == 155
    assert capsys.readouterr().err.endswith(
        "The daemon may hang: if it runs on NGTSDASNUC, restart it there with "
        "`sudo systemctl restart focusd@night`; if not, look at the network.\n"
    )


def test_at_a_desk_the_log_is_that_of_its_machine(script: Any, at_a_desk: Any, capsys: Any) -> None:
    script.answers["stop"] = ValueError("odd")
    assert main(["stop"]) == 1
    assert capsys.readouterr().err.endswith("See `journalctl -u focusd@night` on NGTSDASNUC.\n")
