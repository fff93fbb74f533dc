"""A fault leaves what went over the wire behind, once the motor stands."""

from __future__ import annotations

import sys
from typing import Callable

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.driver import recorder
from rockit.focuser.ok3z.driver.recorder import Kind, Record, Recorder, Recording
from rockit.focuser.ok3z.simulator import VirtualClock

from .conftest import FIRST_LIGHT, Rig


def records_of(rig: Rig) -> list[Record]:
    return rig.recorder.recording(FIRST_LIGHT).records()


def texts(records: list[Record], kind: Kind) -> list[str]:
    return [record.data.decode() for record in records if record.kind is kind]


def test_what_goes_over_the_wire_is_recorded_in_its_order(rig: Rig) -> None:
    begun_s = rig.clock.monotonic()
    assert rig.move(2.5) is None
    records = [record for record in records_of(rig) if record.at_s >= begun_s]
    sent = texts(records, Kind.SENT)
    (goes,) = [number for number, record in enumerate(records) if b"P092" in record.data][:1]
    assert records[goes].kind is Kind.SENT
    # Each question has its answer behind it, and the line says nothing unasked.
    exchanges = [record for record in records if record.kind in (Kind.SENT, Kind.RECEIVED)]
    for asked, answered in zip(exchanges, exchanges[1:]):
        if asked.kind is Kind.SENT and asked.data.startswith((b"#S001", b"#P081")):
            assert answered.kind is Kind.RECEIVED
    assert [record.at_s for record in records] == sorted(record.at_s for record in records)
    assert len(sent) > 10
    assert texts(records, Kind.CONCLUDED)[-1] == "idle at 2.500 mm."
    assert '"command": "move"' in texts(records, Kind.ASKED)[0]


def test_nothing_is_kept_without_a_fault(rig: Rig) -> None:
    assert rig.move(2.5) is None
    rig.interrupt_at(20)
    assert rig.move(4.0) is not None
    rig.rest(5)
    assert rig.archive.kept == []
    assert '"command": "stop"' in texts(records_of(rig), Kind.ASKED)[-1]


def power_cut(rig: Rig) -> None:
    rig.model.power_cut(0.5)


def unplugged(rig: Rig) -> None:
    rig.model.hang_up()


def frozen(rig: Rig) -> None:
    rig.model.motor("frozen")


@pytest.mark.parametrize("fault", [power_cut, unplugged, frozen])
def test_a_fault_is_kept_once_and_when_the_motor_stands(
    make_rig: Callable[..., Rig], fault: Callable[[Rig], None]
) -> None:
    rig = make_rig()
    rig.home()
    stood: list[bool] = []
    keep = rig.archive.keep
    rig.archive.keep = lambda recording, why: (  # type: ignore[method-assign]
        stood.append(rig.model.is_at_rest) or keep(recording, why)
    )
    rig.do_at(60, lambda: fault(rig))
    error = rig.move(4.0)
    assert error is not None
    rig.rest(2)
    rig.model.come_back()
    rig.model.motor("works")
    rig.rest(10)
    ((recording, why),) = rig.archive.kept
    assert stood == [True]
    assert why == error.reason
    concluded = texts(recording.records(), Kind.CONCLUDED)
    assert f"fault: {error.reason}" in concluded


def test_it_takes_less_than_a_megabyte() -> None:
    clock = VirtualClock()
    usual, babble = Recorder(clock), Recorder(clock)
    for _ in range(recorder.LONGEST_RECORDING + 500):
        usual.sent(b"#P081 F$\n")
        usual.received(b"#P081 F -123456$\n")
        babble.received(b"x" * 5000)
    assert len(usual.recording(FIRST_LIGHT).packed) == recorder.LONGEST_RECORDING
    for one in (usual, babble):
        packed = one.recording(FIRST_LIGHT).packed
        assert sum(map(sys.getsizeof, packed)) + 8 * len(packed) < 1_000_000


def test_a_copy_does_not_change(rig: Rig) -> None:
    copy = rig.recorder.recording(FIRST_LIGHT)
    before = copy.records()
    assert rig.move(1.0) is None
    assert copy.records() == before
    assert isinstance(copy, Recording)


def test_what_a_stop_finds_is_kept_as_well(make_rig: Callable[..., Rig]) -> None:
    """The power was cut just before the stop, and halting found it."""
    rig = make_rig()
    rig.home()
    assert rig.move(2.0) is None
    kept_before, cut_at = len(rig.archive.kept), rig.exchanges + 12

    def cut_and_stop(number: int) -> None:
        if number >= cut_at:
            rig.at_exchange = lambda _number: None
            rig.model.power_cut(0.0)
            rig.interrupt_at(0)

    rig.at_exchange = cut_and_stop
    rig.move(5.0)
    rig.rest(2.0)
    assert rig.status != FocuserStatus.Idle
    (_, why) = rig.archive.kept[kept_before]
    assert "power" in why
