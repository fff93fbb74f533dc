"""What is said of the history and of holds over Pyro: to everybody, and with addresses to machines that may control."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import BusyError, HeldError
from rockit.focuser.ok3z.service.history import Now
from rockit.focuser.ok3z.service.status import State
from rockit.focuser.ok3z.storage.history_file import HistoryFile, Moment, Motion, Stretch
from tests.support.focusers import NIGHT_S, history_file
from tests.support.pyro import proxy_from

STRANGER = "10.2.5.116"
AT_20 = "2026-09-21T14:13:20Z"
ROW = {
    "kind",
    "begin",
    "end",
    "from_mm",
    "target_mm",
    "to_mm",
    "legs",
    "result",
    "sentence",
    "why",
    "trust",
    "holds",
}


def at(seconds: float) -> Moment:
    return Moment(NIGHT_S + seconds, 5000.0 + seconds)


@pytest.fixture(autouse=True)
def file(focuser: Any, tmp_path: Path) -> Iterator[HistoryFile]:
    """A move from 10 s to 14 s after AT_20, and rest from then to 100 s."""
    file = history_file(tmp_path / "history.sqlite", at(0.0))
    motion = Motion(
        1, "move", at(10.0), at(14.0), 0, 5088, 5088, 1, "arrived", address="10.2.5.115", door="pyro"
    )
    file.write([motion, Stretch(2, at(14.5), at(100.0), 4710, 5088)])
    focuser.history.file = file
    yield file
    file.close()


@pytest.mark.parametrize(
    ("t0", "t1", "moved"),
    [
        ("2026-09-21T14:13:40Z", "2026-09-21T14:14:20.5Z", "no"),
        ("2026-09-21 14:13:40", "2026-09-21T14:14:20.123456+00:00", "no"),
        (NIGHT_S + 20, NIGHT_S + 60.5, "no"),
        ("2026-09-21T14:13:32Z", NIGHT_S + 60, "yes"),
        (NIGHT_S + 60, NIGHT_S + 101, "unknown"),
        (NIGHT_S + 60, NIGHT_S + 20, "unknown"),
        *[
            (value, NIGHT_S, "unknown")
            for value in ("soon", "", None, True, float("nan"), 10**400, [], "2026-13-01T00:00:00Z")
        ],
    ],
)
def test_whether_it_moved(service: Any, t0: object, t1: object, moved: str) -> None:
    answer = service.moved_between(t0, t1)
    assert set(answer) == {"moved", "reason", "motions", "holds"}
    assert answer["moved"] == moved
    assert answer["reason"].endswith(".")


def test_addresses_are_for_machines_that_may_control(
    service: Any, called_from: Callable[[str], None]
) -> None:
    question = NIGHT_S, NIGHT_S + 50
    (known,) = service.moved_between(*question)["motions"]
    assert set(known) == {*ROW, "address", "door"}
    assert (known["address"], known["from_mm"], known["begin"]) == (
        "10.2.5.115",
        0.0,
        "2026-09-21T14:13:30.000Z",
    )
    called_from(STRANGER)
    (public,) = service.moved_between(*question)["motions"]
    assert set(public) == ROW
    assert {*ROW} == set(service.moves(AT_20, NIGHT_S + 50)[-1])


def test_moves_come_the_oldest_first_and_so_many(service: Any) -> None:
    assert [row["kind"] for row in service.moves(AT_20, NIGHT_S + 50)] == ["start", "move"]
    assert [row["kind"] for row in service.moves(AT_20, NIGHT_S + 50, 1)] == ["start"]
    for wrong in (
        ("soon", NIGHT_S),
        (NIGHT_S, NIGHT_S, 0),
        (NIGHT_S, NIGHT_S, 1001),
        (NIGHT_S, NIGHT_S, "5"),
    ):
        assert service.moves(*wrong) == 1


def test_a_history_that_cannot_be_asked_is_unknown(service: Any, focuser: Any) -> None:
    focuser.history.file = None
    assert service.moved_between(NIGHT_S, NIGHT_S)["reason"] == "there is no history."
    assert service.moves(NIGHT_S, NIGHT_S) == 1
    focuser.history.hangs = True
    answer = service.moved_between(NIGHT_S, NIGHT_S)
    assert (answer["moved"], answer["reason"]) == (
        "unknown",
        "the disk of the history does not answer. Look at it.",
    )


def test_a_header_is_flat_and_of_short_keys(service: Any, focuser: Any) -> None:
    focuser.history.now = Now(last_end=at(-30.0))
    service.hold("cam1", 60)
    header = service.focus_header()
    assert header == {
        "FOCDATE": "2026-09-21T14:13:20.000Z",
        "FOCSTATE": "idle",
        "FOCTRUST": "unknown",
        "FOCHOLDS": "cam1",
        "FOCPOS": 2.0,
        "FOCSTEPS": 10176,
        "FOCTARG": 2.0,
        "FOCTERMS": 0.0,
        "FOCTLIST": "",
        "FOCMOVED": "2026-09-21T14:12:50.000Z",
        "FOCSETTL": 30.0,
    }
    assert all(
        len(key) <= 8 and key.isupper() and type(value) in (str, int, float) for key, value in header.items()
    )
    focuser.snapshot = type(focuser.snapshot)(state=State.DISCONNECTED)
    assert not {"FOCPOS", "FOCTARG", "FOCSTEPS"} & set(service.focus_header())


# Holds


def test_a_hold_is_a_token_and_what_is_none_a_number(service: Any, focuser: Any) -> None:
    token = service.hold("cam1", 60)
    assert isinstance(token, str)
    assert [hold["name"] for hold in service.holds()] == ["cam1"]
    assert token not in str(service.holds())
    assert service.hold("cam1", 601) == service.hold("", 60) == service.hold("cam1", 60, "no token") == 1
    assert service.last_failure()["command"] == "hold"
    assert service.release(token) == 0
    assert service.release(token) == 1
    focuser.failures["hold"] = BusyError("a move is running.")
    assert service.hold("cam1", 60) == 2


def test_who_is_refused_because_of_a_hold_gets_2_and_is_told_why(service: Any, focuser: Any) -> None:
    focuser.failures["move"] = HeldError("cam1 holds the focuser.")
    assert service.set_focus(2.5) == service.begin_move(2.5) == 2
    assert service.last_failure()["reason"] == "cam1 holds the focuser."


def test_a_stranger_may_not_hold(uncalled: Any, called_from: Callable[[str], None]) -> None:
    called_from(STRANGER)
    assert uncalled.hold("cam1", 60) == uncalled.release("token") == 3
    assert uncalled.holds() == []


# Who asks, and what for


def test_it_is_told_who_asks_and_what_for(service: Any, focuser: Any) -> None:
    assert service.set_focus(2.5, False, 30, "filter R") == 0
    assert service.begin_move(2.5, why="filter R") == 0
    assert service.audit() == service.initialize(force=True) == service.stop() == 0
    assert {asker.address for asker in focuser.askers} == {"10.2.5.115"}
    assert {asker.door for asker in focuser.askers} == {"pyro"}
    assert [asker.why for asker in focuser.askers] == ["filter R", "filter R", "", "", ""]
    assert focuser.named("move") == [("move", 2.5, False, False, 30.0), ("move", 2.5, False, False)]
    assert focuser.named("initialize") == [("initialize", None, None, False, True)]


@pytest.mark.parametrize(
    "wrong",
    [{"wait_s": -1}, {"wait_s": "5"}, {"wait_s": 1e9}, {"why": 5}, {"why": "x" * 201}, {"why": "two\nlines"}],
)
def test_what_is_no_wait_and_no_reason_is_refused(service: Any, focuser: Any, wrong: dict[str, Any]) -> None:
    assert service.set_focus(2.5, **wrong) == service.begin_move(2.5, **wrong) == 1
    assert focuser.named("move") == []


# Through the port


def test_a_stranger_may_ask_with_a_few_plain_arguments(uri: str) -> None:
    with proxy_from(uri, "127.0.0.9") as proxy:
        assert proxy.moved_between(NIGHT_S + 20, "2026-09-21T14:14:20.5Z")["moved"] == "no"
        assert [row["kind"] for row in proxy.moves(AT_20, NIGHT_S + 50, limit=1)] == ["start"]
        assert proxy.focus_header()["FOCPOS"] == 2.0
        assert proxy.holds() == []
        assert proxy.hold("cam1", 60) == 3
        assert proxy.set_focus(2.0) == 3
        for wrong in ([1], {"a": 1}, "x" * 100, (1, 2), 1 << 200, "back\\slash", b"bytes"):
            with pytest.raises(TypeError, match="these arguments are not read"):
                proxy.moved_between(wrong, 1)
        with pytest.raises(TypeError):
            proxy.moved_between(1, 2, 3)


def test_strangers_ask_so_often_and_machines_that_may_control_as_they_like(uri: str) -> None:
    for source, expected in (("127.0.0.9", {2, "no"}), ("127.0.0.1", {"no"})):
        with proxy_from(uri, source) as proxy:
            answers = [proxy.moved_between(NIGHT_S + 20, NIGHT_S + 30) for _ in range(100)]
        assert {answer if answer == 2 else answer["moved"] for answer in answers} == expected


def test_of_many_rows_strangers_get_some(
    service: Any, file: HistoryFile, called_from: Callable[[str], None]
) -> None:
    file.write([Motion(number, "stop", at(200.0), at(200.0)) for number in range(10, 400)])
    assert len(service.moves(NIGHT_S + 150, NIGHT_S + 250, 1000)) == 390
    called_from(STRANGER)
    assert len(service.moves(NIGHT_S + 150, NIGHT_S + 250, 1000)) == 100


def test_questions_take_no_room_from_commands(uri: str, focuser: Any) -> None:
    focuser.history.file = None
    focuser.history.hangs = True

    def ask(_: int) -> Any:
        with proxy_from(uri, "127.0.0.9") as proxy:
            return proxy.moved_between(NIGHT_S, NIGHT_S)

    with ThreadPoolExecutor(30) as threads:
        asked = list(threads.map(ask, range(30)))
    # Those that found no room are told so.
    assert {answer if answer == 2 else answer["moved"] for answer in asked} == {2, "unknown"}
    with proxy_from(uri) as proxy:
        assert proxy.set_focus(2.0) == 0
