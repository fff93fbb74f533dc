"""The focuser as the observatory's programs call it: numbers for errors, a dict for the state, control by address."""

from __future__ import annotations

import itertools
import json
import math
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Callable

import Pyro4
import Pyro4.errors
import pytest
from rockit.common import helpers

from rockit.focuser.ok3z import errors
from rockit.focuser.ok3z.errors import FocuserError
from rockit.focuser.ok3z.mechanics import Leg, Limits, requested_steps
from rockit.focuser.ok3z.pyro_service import COMMAND_STATUS_OF, PyroFocuser, command_status, report
from rockit.focuser.ok3z.snapshot import Snapshot, State

NOW = datetime(2026, 11, 22, 20, 1, 2, 999999, tzinfo=timezone.utc)
CONTROL_IPS = ("10.2.5.115", "127.0.0.1")
LIMITS = Limits.from_mm(6.0, 6.0, 0.5)
COMMANDS = ("initialize", "shutdown", "set_focus", "stop")

# contract.md: what a call may answer for each cause. Whatever is not named is 1.
NAMED_STATUS: dict[type[FocuserError], int] = {
    errors.BusyError: 2,
    errors.NotPermittedError: 3,
    errors.OutsideLimitsError: 6,
    errors.NotConnectedError: 7,
    errors.AlreadyConnectedError: 8,
}


def all_errors(cls: type[FocuserError] = FocuserError) -> Iterator[type[FocuserError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from all_errors(child)


class StandIn:
    """A Focuser that notes what reaches it, and fails as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None
        self.snapshot = Snapshot(state=State.IDLE, current_steps=10176, target_steps=10176, read_at_s=1.0)
        self.age_s: float | None = 0.25

    def reading_age_s(self, snapshot: Snapshot) -> float | None:
        return self.age_s if snapshot is self.snapshot else None

    def initialize(self) -> None:
        self._note("initialize")

    def shutdown(self) -> None:
        self._note("shutdown")

    def set_focus(self, position: object, offset: bool = False) -> None:
        self._note("set_focus", position, offset)
        requested_steps(position, 5088 if offset else None, LIMITS)

    def stop(self, by: str) -> None:
        self._note("stop", by)

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failure:
            raise self.failure


@pytest.fixture(name="stand_in")
def fixture_stand_in() -> StandIn:
    return StandIn()


@pytest.fixture(name="called_from")
def fixture_called_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this thread one that serves a call from an address."""

    def called_from(address: str) -> None:
        monkeypatch.setattr(Pyro4.current_context, "client", object())
        monkeypatch.setattr(Pyro4.current_context, "client_sock_addr", (address, 50000))

    called_from(CONTROL_IPS[0])
    return called_from


@pytest.fixture(name="service")
def fixture_service(stand_in: StandIn, called_from: Callable[[str], None]) -> PyroFocuser:
    return served(stand_in)


def served(stand_in: StandIn) -> PyroFocuser:
    # It has of a Focuser what the service uses.
    focuser: Any = stand_in
    return PyroFocuser(focuser, CONTROL_IPS)


def call(service: PyroFocuser, command: str) -> int:
    status = service.set_focus(2.0) if command == "set_focus" else getattr(service, command)()
    assert type(status) is int
    return status


# Numbers for errors


@pytest.mark.parametrize("cls", list(all_errors()), ids=lambda cls: cls.__name__)
def test_every_error_has_its_published_number(cls: type[FocuserError]) -> None:
    assert command_status(cls("why")) == NAMED_STATUS.get(cls, 1)


def test_an_error_of_tomorrow_is_answered_as_its_ancestor_is() -> None:
    class StillBusyError(errors.BusyError):
        code = "still_busy"

    class OtherError(FocuserError):
        code = "other"

    assert command_status(StillBusyError("why")) == 2
    assert command_status(OtherError("why")) == 1


def test_the_table_is_total_and_names_no_stranger() -> None:
    assert FocuserError in COMMAND_STATUS_OF
    assert set(COMMAND_STATUS_OF) <= set(all_errors())


@pytest.mark.parametrize("cls", list(all_errors()), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_error_reaches_the_caller_as_an_exception(
    cls: type[FocuserError], command: str, service: PyroFocuser, stand_in: StandIn
) -> None:
    stand_in.failure = cls("why")
    status = call(service, command)
    expected = NAMED_STATUS.get(cls, 1)
    if command == "stop" and expected != 3:
        expected = 1
    assert status == expected


@pytest.mark.parametrize(
    "failure", [ValueError("x"), KeyError("x"), RuntimeError(), AssertionError(), OSError(5, "x")]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistake_of_the_program_is_a_failed_command_and_logged(
    failure: Exception,
    command: str,
    service: PyroFocuser,
    stand_in: StandIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand_in.failure = failure
    assert call(service, command) == 1
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.levelname == "ERROR"
    assert command in record.getMessage()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_succeeds_is_0_and_reaches_the_focuser_once(
    command: str, service: PyroFocuser, stand_in: StandIn
) -> None:
    assert call(service, command) == 0
    assert [name for name, *_ in stand_in.calls] == [command]


def test_a_stop_says_who_asked(service: PyroFocuser, stand_in: StandIn) -> None:
    service.stop()
    assert stand_in.calls == [("stop", "10.2.5.115")]


# Who may control


@pytest.mark.parametrize("address", ["10.2.5.116", "10.2.5.11", "1.2.3.4", "::1", "", "garbage"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_stranger_is_refused_whatever_is_asked(
    address: str,
    command: str,
    service: PyroFocuser,
    stand_in: StandIn,
    called_from: Callable[[str], None],
) -> None:
    called_from(address)
    assert call(service, command) == 3
    assert stand_in.calls == []


@pytest.mark.parametrize("command", COMMANDS)
def test_outside_a_pyro_call_nothing_is_permitted(command: str, stand_in: StandIn) -> None:
    assert call(served(stand_in), command) == 3
    assert stand_in.calls == []


@pytest.mark.parametrize("address", CONTROL_IPS)
def test_every_control_machine_may_control(
    address: str, service: PyroFocuser, called_from: Callable[[str], None]
) -> None:
    called_from(address)
    assert service.set_focus(1.0) == 0


def test_a_stranger_may_ask_for_the_status(service: PyroFocuser, called_from: Callable[[str], None]) -> None:
    called_from("1.2.3.4")
    assert service.report_status()["status"] == 1


class Untouchable:
    """An argument that must not be looked at, in no way at all."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was looked at")

    def _refuse(self, *_: object) -> Any:
        raise AssertionError("it was looked at")

    __bool__ = __float__ = __int__ = __index__ = __len__ = __str__ = __repr__ = __eq__ = __hash__ = _refuse


def test_a_stranger_is_refused_before_any_argument_is_looked_at(
    service: PyroFocuser,
    stand_in: StandIn,
    called_from: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    called_from("1.2.3.4")
    assert service.set_focus(Untouchable(), Untouchable()) == 3
    assert stand_in.calls == []
    assert not [record for record in caplog.records if record.exc_info]


def test_a_site_whose_helper_fails_permits_nothing(
    service: PyroFocuser, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> bool:
        raise RuntimeError("the site's own copy")

    monkeypatch.setattr(helpers, "pyro_client_matches", fail)
    for command in COMMANDS:
        assert call(service, command) == 1
    assert stand_in.calls == []


def test_a_site_s_helper_gets_a_list_of_addresses(
    service: PyroFocuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def matches(ips: object) -> bool:
        asked.append(ips)
        return True

    monkeypatch.setattr(helpers, "pyro_client_matches", matches)
    assert service.initialize() == 0
    assert asked == [list(CONTROL_IPS)]


# Hostile arguments


@pytest.mark.parametrize(
    "position",
    [
        None,
        "2.0",
        "",
        b"2",
        [],
        [2.0],
        {},
        {"pos": 2.0},
        (2.0,),
        True,
        False,
        2j,
        object(),
        Decimal(2),
    ],
    ids=lambda position: type(position).__name__,
)
@pytest.mark.parametrize("offset", [False, True])
def test_what_is_no_number_is_1(position: Any, offset: bool, service: PyroFocuser) -> None:
    assert service.set_focus(position, offset) == 1


@pytest.mark.parametrize(
    "position", [math.nan, math.inf, -math.inf, 1e308, 10**400, -(10**400), 6.001, -1.001]
)
@pytest.mark.parametrize("offset", [False, True])
def test_what_is_outside_is_6(position: Any, offset: bool, service: PyroFocuser) -> None:
    assert service.set_focus(position, offset) == 6


def test_an_offset_that_cannot_be_read_is_1(service: PyroFocuser, stand_in: StandIn) -> None:
    assert service.set_focus(1.0, Untouchable()) == 1
    assert stand_in.calls == []


def test_a_position_that_cannot_be_read_is_1(service: PyroFocuser) -> None:
    assert service.set_focus(Untouchable()) == 1


@pytest.mark.parametrize("offset", [True, False, 0, 1, None])
def test_an_offset_is_a_yes_or_a_no(offset: Any, service: PyroFocuser, stand_in: StandIn) -> None:
    assert service.set_focus(0.5, offset) == 0
    (given,) = stand_in.calls
    assert given == ("set_focus", 0.5, bool(offset))
    assert type(given[2]) is bool


# The report


def snapshots() -> Iterator[Snapshot]:
    for state, known, leg, details in itertools.product(
        State, (True, False), (None, Leg(30528, overshoot=True), Leg(10176)), (True, False)
    ):
        yield Snapshot(
            state=state,
            reason="why" if details else "",
            current_steps=5088 if known else None,
            target_steps=10176 if known else None,
            leg=leg,
            speed_mm_sec=0.49183 if details else 0.0,
            time_left_s=1.26 if details else None,
            homing_travelled_mm=2.34567 if details else None,
            shortfall_steps=1272 if details else 0,
            read_at_s=1.0,
        )


PUBLIC_STATUS = {
    State.DISCONNECTED: 0,
    State.CONNECTING: 0,
    State.HOMING: 0,
    State.UNHOMED: 0,
    State.FAULT: 0,
    State.IDLE: 1,
    State.MOVING: 2,
    State.STOPPING: 2,
}
LABELS = {0: "OFFLINE", 1: "IDLE", 2: "MOVING"}


def test_every_state_is_published() -> None:
    assert set(PUBLIC_STATUS) == set(State)
    assert {state.value for state in State} == {
        "disconnected",
        "connecting",
        "homing",
        "idle",
        "moving",
        "stopping",
        "unhomed",
        "fault",
    }


@pytest.mark.parametrize("snapshot", list(snapshots()), ids=lambda snapshot: snapshot.state.value)
def test_the_report_of_every_state(snapshot: Snapshot) -> None:
    answer = report(snapshot, 0.12345, NOW)
    status = PUBLIC_STATUS[snapshot.state] if snapshot.current_steps is not None else 0
    running = snapshot.state in (State.HOMING, State.MOVING, State.STOPPING)

    expected: dict[str, Any] = {
        "date": "2026-11-22T20:01:02Z",
        "status": status,
        "status_label": LABELS[status],
        "state": snapshot.state.value,
        "moving": running,
        "reading_age_s": 0.123,
    }
    if snapshot.reason:
        expected["reason"] = "why"
    if status:
        expected.update(current_mm=1.0, target_mm=2.0, current_steps=5088)
        if snapshot.shortfall_steps:
            expected["backlash_shortfall_mm"] = 0.25
    if running:
        expected["speed_mm_sec"] = round(snapshot.speed_mm_sec, 3)
        if snapshot.time_left_s is not None:
            expected["time_left_s"] = 1.3
        if snapshot.leg:
            expected["leg"] = "overshoot" if snapshot.leg.overshoot else "approach"
        if snapshot.state is State.HOMING and snapshot.homing_travelled_mm is not None:
            expected["homing_travelled_mm"] = 2.346
    assert answer == expected


@pytest.mark.parametrize("snapshot", list(snapshots()), ids=lambda snapshot: snapshot.state.value)
def test_a_report_holds_nothing_but_plain_values(snapshot: Snapshot) -> None:
    for age_s in (None, 0.0, 123.456789):
        answer = report(snapshot, age_s, NOW)
        assert {type(value) for value in answer.values()} <= {str, int, float, bool}
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer
        assert ("reading_age_s" in answer) == (age_s is not None)


def test_without_a_link_the_report_is_short() -> None:
    assert report(Snapshot(), None, NOW) == {
        "date": "2026-11-22T20:01:02Z",
        "status": 0,
        "status_label": "OFFLINE",
        "state": "disconnected",
        "moving": False,
    }


def test_the_position_has_three_decimals_and_no_minus_zero() -> None:
    def positions(steps: int) -> tuple[float, float]:
        answer = report(Snapshot(state=State.IDLE, current_steps=steps, target_steps=steps), None, NOW)
        return answer["current_mm"], answer["target_mm"]

    assert positions(1) == (0.0, 0.0)
    assert positions(3) == (0.001, 0.001)
    assert positions(30528) == (6.0, 6.0)
    assert positions(6281) == (1.234, 1.234)
    for steps in (0, -1, -2):
        assert [math.copysign(1, value) for value in positions(steps)] == [1, 1]


def test_a_target_that_is_not_known_is_where_the_focuser_is() -> None:
    answer = report(Snapshot(state=State.IDLE, current_steps=5088), None, NOW)
    assert (answer["current_mm"], answer["target_mm"]) == (1.0, 1.0)


def test_during_an_overshoot_the_target_is_the_one_asked_for() -> None:
    snapshot = Snapshot(
        state=State.MOVING, current_steps=12000, target_steps=10176, leg=Leg(12720, overshoot=True)
    )
    assert report(snapshot, None, NOW)["target_mm"] == 2.0


def test_the_report_is_of_the_snapshot_and_of_now(service: PyroFocuser, stand_in: StandIn) -> None:
    stand_in.snapshot = Snapshot(state=State.MOVING, current_steps=5088, target_steps=10176, read_at_s=3.0)
    before = datetime.now(timezone.utc).replace(microsecond=0)
    answer = service.report_status()
    after = datetime.now(timezone.utc)
    assert (answer["status"], answer["current_mm"], answer["reading_age_s"]) == (2, 1.0, 0.25)
    said = datetime.strptime(answer["date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert before <= said <= after
    assert stand_in.calls == []


# Over real Pyro


@pytest.fixture(name="uri")
def fixture_uri(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The service behind a real Pyro daemon on a free loopback port."""
    monkeypatch.setattr(Pyro4.config, "SERIALIZERS_ACCEPTED", {"serpent"})
    daemon = Pyro4.Daemon(host="127.0.0.1", port=0)
    uri = daemon.register(served(stand_in), objectId="focuser")
    thread = threading.Thread(target=daemon.requestLoop)
    thread.start()
    yield str(uri)
    daemon.shutdown()
    thread.join()
    daemon.close()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((2.5,), 0),
        ((2,), 0),
        ((-0.5, True), 0),
        ((math.nan,), 6),
        ((math.inf,), 6),
        ((10**400,), 6),
        ((6.5,), 6),
        (("2.5",), 1),
        ((None,), 1),
        ((True,), 1),
        (([2.5],), 1),
        (({"pos": 2.5},), 1),
        ((Decimal("2.5"),), 1),
        ((b"2.5",), 1),
        (("x" * 100_000,), 1),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_calls_that_come_over_pyro(uri: str, arguments: tuple[Any, ...], status: int) -> None:
    with Pyro4.Proxy(uri) as proxy:
        proxy._pyroTimeout = 10
        assert proxy.set_focus(*arguments) == status
        assert proxy.report_status()["current_mm"] == 2.0


def test_only_the_five_calls_are_exposed(uri: str) -> None:
    with Pyro4.Proxy(uri) as proxy:
        proxy._pyroTimeout = 10
        proxy._pyroBind()
        assert set(proxy._pyroMethods) == {"initialize", "shutdown", "set_focus", "stop", "report_status"}
        assert set(proxy._pyroAttrs) == set()
