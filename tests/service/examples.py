"""Makes the recordings of faults of the virtual controller: `.venv/bin/python -m tests.service.examples`."""

from __future__ import annotations

import gzip
from typing import Callable

import serial

from rockit.focuser.ok3z.storage import recordings

from .conftest import Rig
from .replaying import RECORDINGS

SETTINGS = {
    "serial_timeout_s": 5.0,
    "move_timeout_s": 180.0,
    "anti_backlash_mm": 0.5,
    "focus_range_mm": 6.0,
    "travel_mm": 6.0,
    "speed_mm_sec": 0.5,
    "acceleration_mm_sec_sec": 5.0,
}


def in_a_move(rig: Rig, strike: Callable[[], None]) -> None:
    """Something happens once, when the motor comes past 2 mm on its way outward."""
    struck = False

    def look(_: int) -> None:
        nonlocal struck
        if not struck and rig.model.is_moving and rig.model.motor_mm >= 2.0:
            struck = True
            strike()

    rig.at_exchange = look
    rig.move(4.0)


def power_cut_in_a_move(rig: Rig) -> None:
    in_a_move(rig, lambda: rig.model.power_cut(0.5))


def power_cut_at_rest(rig: Rig) -> None:
    rig.model.power_cut(2.0)


def motor_frozen(rig: Rig) -> None:
    in_a_move(rig, lambda: rig.model.motor("frozen"))


def adapter_unplugged_in_a_move(rig: Rig) -> None:
    in_a_move(rig, rig.model.hang_up)
    rig.rest(2)
    rig.model.come_back()


def limit_switch_dead(rig: Rig) -> None:
    rig.model.limit_switch("dead")
    rig.carry_out(rig.commands.audit)


def main() -> None:
    """Write all of them."""
    serial.protocol_handler_packages.append("rockit.focuser.ok3z.simulator")
    for fault in (
        power_cut_in_a_move,
        power_cut_at_rest,
        motor_frozen,
        adapter_unplugged_in_a_move,
        limit_switch_dead,
    ):
        rig = Rig(baud_pacing=True)
        rig.home()
        rig.move(1.0)
        fault(rig)
        rig.rest(8)
        ((recording, why),) = rig.archive.kept[:1]
        about = {"daemon": "ngts_m06_focuser", "settings": SETTINGS}
        content = gzip.compress(recordings.encode(recording, about, why), mtime=0)
        (RECORDINGS / f"{fault.__name__.replace('_', '-')}.jsonl.gz").write_bytes(content)
        rig.close()


if __name__ == "__main__":
    main()
