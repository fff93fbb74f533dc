"""`--all` and `--daemon PATTERN`: the focusers of the phone book at once, in one table, with the worst exit code."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rockit.common.daemons as registry

from rockit.focuser.ok3z.cli import several
from rockit.focuser.ok3z.cli.main import main
from tests.support.ports import ReservedPort
from tests.support.waiting import BOUND_S

MOVING = {
    "status": 2,
    "state": "moving",
    "leg": "approach",
    "current_mm": 1.5,
    "target_mm": 2.5,
}
LOST = {"status": 0, "state": "reconnecting", "reason": "the port hung up."}


@pytest.fixture
def focusers(
    registered: Any, registered_old: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, Any]:
    """Two focusers, a daemon that is none, and no configuration."""
    monkeypatch.delattr(registry, "ngts_m06_focuser")
    named = {"north_focuser": registered, "south_focuser": registered_old, "north_dome": registered}
    for name, daemon in named.items():
        monkeypatch.setattr(registry, name, daemon, raising=False)
    monkeypatch.setenv("FOCUSD_CONFIG_PATH", str(tmp_path / "absent.json"))
    return named


@pytest.fixture
def away(focusers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A third focuser, at whose address nothing listens."""
    port = ReservedPort()
    daemon = type(focusers["north_focuser"])("east_daemon", port.host, port.port)
    monkeypatch.setattr(registry, "east_focuser", daemon, raising=False)
    yield daemon
    port.close()


def rows(text: str) -> list[list[str]]:
    """The cells of what was written."""
    return [line.split("  ") for line in text.splitlines()]


@pytest.mark.usefixtures("focusers")
def test_the_status_of_all_is_a_table(script: Any, capsys: Any) -> None:
    script.report = MOVING
    assert main(["status", "--all"]) == 0
    assert capsys.readouterr() == (
        "north_focuser  MOVING  1.500 / 2.500 mm  approach\n"
        "south_focuser  MOVING  1.500 / 2.500 mm  approach\n",
        "",
    )
    script.report = {"status": 0, "state": "reconnecting", "reason": "the port hung up."}
    assert main(["--all", "status"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[0] == "north_focuser  OFFLINE  reconnecting  the port hung up."
    )


def test_they_are_asked_all_at_once(focusers: Any, script: Any) -> None:
    both = threading.Barrier(2, timeout=BOUND_S)

    idle = script.report

    def report() -> Any:
        both.wait()
        return idle

    script.report = report
    assert main(["status", "--all"]) == 0
    script.answers["stop"] = lambda: both.wait() * 0
    script.report = idle
    assert main(["stop", "--all"]) == 0
    assert script.calls == [("stop",), ("stop",)]


def test_the_exit_code_is_the_worst_and_each_focuser_has_its_row(away: Any, script: Any, capsys: Any) -> None:
    nothing = f"Nothing listens at 127.0.0.1:{away.port}."
    assert main(["status", "--all"]) == 155
    assert capsys.readouterr().out == (
        f"east_focuser   ERROR  {nothing}\nnorth_focuser  IDLE   2.000 mm\nsouth_focuser  IDLE   2.000 mm\n"
    )
    assert main(["json", "--all"]) == 155
    answer = json.loads(capsys.readouterr().out)
    assert answer["north_focuser"] == answer["south_focuser"] == script.report
    assert answer["east_focuser"] == {"error": nothing}
    assert main(["stop", "--all"]) == 155
    assert capsys.readouterr().out.splitlines()[0] == (
        f"east_focuser   ERROR  {nothing} Nothing was stopped: THE FOCUSER MAY STILL BE MOVING."
    )


def test_a_stop_that_is_refused_says_why_in_its_row(focusers: Any, script: Any, capsys: Any) -> None:
    script.answers["stop"] = 3
    script.report = MOVING
    assert main(["stop", "--all"]) == 3
    assert capsys.readouterr().out.splitlines()[0] == (
        "north_focuser  MOVING  1.500 / 2.500 mm  approach  NOT STOPPED: command not accepted from this IP"
    )
    script.answers["stop"] = 1
    script.report = LOST
    assert main(["stop", "--all"]) == 1
    assert "  NOT STOPPED: There is no link to the focuser" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("north*", ["north_focuser"]),
        ("*_focuser", ["north_focuser", "south_focuser"]),
        ("*", ["north_focuser", "south_focuser"]),
        ("south_focuser", ["south_focuser"]),
        # Whoever names it means it.
        ("north_dome", ["north_dome"]),
        ("NORTH*", ["north_focuser"]),
    ],
)
def test_a_pattern_chooses_among_the_focusers(
    pattern: str, names: list[str], focusers: Any, capsys: Any
) -> None:
    assert main(["status", "--daemon", pattern]) == 0
    assert [row[0] for row in rows(capsys.readouterr().out)] == names


def test_a_pattern_that_nothing_matches_says_what_there_is(focusers: Any, capsys: Any) -> None:
    assert main(["status", "--daemon", "west*"]) == 255
    assert capsys.readouterr() == (
        "",
        "error: no focuser of rockit.common.daemons is called 'west*' (there are: north_focuser, south_focuser)\n",
    )


def test_a_site_without_focusers_says_so(focusers: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name in ("north_focuser", "south_focuser"):
        monkeypatch.delattr(registry, name)
    assert main(["stop", "--all"]) == 255
    assert capsys.readouterr().err == (
        "error: rockit.common.daemons has no focuser: none of its names has `focus` in it\n"
    )


@pytest.mark.parametrize("words", ["--all set 2", "--daemon * init", "--all watch", "--all kill"])
def test_they_are_for_three_commands_only(words: str, focusers: Any, script: Any, capsys: Any) -> None:
    assert main(words.split()) == 255
    assert "is for status, json and stop. See `focus --help`." in capsys.readouterr().err
    assert script.calls == []


def test_a_configuration_or_a_pattern_is_not_given_beside_all(focusers: Any, capsys: Any) -> None:
    for words in (
        "status --all --config a.json",
        "--daemon north* json --config a.json",
        "status --all --daemon a",
    ):
        assert main(words.split()) == 255
        assert "exclude each other" in capsys.readouterr().err


def test_whoever_wants_a_stop_gets_it_of_all(focusers: Any, script: Any) -> None:
    assert main(["stop", "--all", "--config", "a.json", "now"]) == 0
    assert script.count("stop") == 2


def test_nothing_of_a_hostile_focuser_reaches_the_terminal_raw(
    focusers: Any, script: Any, capsys: Any
) -> None:
    idle = script.report
    evil = "\x1b[31mred\x07\rover\nline\u202e"
    for report in (ValueError(evil), {**idle, "state": evil, "reason": evil, "leg": evil}, evil):
        script.report = report
        for command in ("status", "json", "stop"):
            main([command, "--all"])
            written = "".join(capsys.readouterr())
            assert all(letter.isprintable() or letter == "\n" for letter in written), ascii(written)
            assert len(written.splitlines()) == (1 if command == "json" else 2)


def test_a_focuser_that_never_answers_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers a byte now and then is within each time limit of its connection."""
    released = threading.Event()

    def ask(name: str) -> str:
        if name == "slow":
            released.wait(BOUND_S)
        return f"{name} answered"

    before = threading.active_count()
    try:
        assert several.ask_all(["quick", "slow"], ask, 0.2) == {"quick": "quick answered"}
    finally:
        released.set()
    deadline_s = time.monotonic() + BOUND_S
    while threading.active_count() > before and time.monotonic() < deadline_s:
        time.sleep(0.01)


def test_so_many_are_asked_by_a_few_threads() -> None:
    asking: list[int] = []
    most: list[int] = []

    def ask(name: str) -> str:
        asking.append(1)
        most.append(len(asking))
        time.sleep(0.001)
        asking.pop()
        return name

    names = [f"focuser{number}" for number in range(5 * several.MOST_AT_ONCE)]
    assert list(several.ask_all(names, ask, BOUND_S)) == names
    assert max(most) <= several.MOST_AT_ONCE


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_the_table_fits(columns: int, script: Any, on_terminal: Any, environment: Any) -> None:
    site = Path(environment["ROCKIT_SITE_PATH"])
    port = ReservedPort()
    entry = json.loads(site.read_text())["daemons"]["stand_in"]
    away = {**entry, "name": "south_daemon", "port": port.port}
    site.write_text(json.dumps({"daemons": {"north_focuser": entry, "south_focuser": away}}))
    script.report = {**LOST, "reason": "the port hung up, and it is a long way to the dome. " * 2}

    code, text = on_terminal("status", "--daemon", "?o*th_focuser", columns=columns).end()
    port.close()
    assert code == 155, text
    plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\r", "", text).splitlines()
    assert all(len(line) <= columns for line in plain)
    assert [line.split()[:2] for line in plain if "focuser" in line] == [
        ["north_focuser", "OFFLINE"],
        ["south_focuser", "ERROR"],
    ]
    # Nothing is cut off.
    assert " ".join(" ".join(plain).split()).count("dome.") == 2
