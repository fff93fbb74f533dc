"""The simulator reads and writes the wire as the shared vectors say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.simulator.frames import format_frame, frames_in, read_frame

VECTORS = Path(__file__).parent.parent / "vectors"
WIRE = json.loads((VECTORS / "wire.json").read_text())
REGISTERS = json.loads((VECTORS / "registers.json").read_text())


Make = Callable[..., Any]


def test_stream_holds_exactly_these_frames() -> None:
    for vector in WIRE["decode"]:
        frames = [list(frame) for frame in frames_in(vector["bytes"].encode("latin-1"))]
        assert frames == vector["frames"], vector["note"]


def test_frame_is_read_and_written_back() -> None:
    for vector in WIRE["encode"] + WIRE["reply"]:
        data = vector["bytes"].encode("latin-1")
        frame = read_frame(data)
        assert frame is not None, vector
        assert format_frame(frame) == data


def test_firmware_understands_what_a_driver_sends(make_bench: Make) -> None:
    for vector in WIRE["encode"]:
        bench = make_bench()
        if vector["meaning"] == "microstep_mode":
            bench.tell("P031")

        bench.port.write(vector["bytes"].encode("latin-1"))
        bench.port.flush()

        assert bench.model.frames_seen[vector["bytes"][1:5]] == 1, vector
        assert bench.model.refused == []


def test_firmware_answers_as_the_vectors_say(make_bench: Make) -> None:
    for vector in WIRE["reply"]:
        meaning, argument = vector["meaning"], vector["argument"]
        options: dict[str, Any] = {
            "identify": {"version": argument},
            "state": {"still_text": argument} if argument == "NS" else {"moving_text": argument},
            "position": {"register": argument},
        }[meaning]
        bench = make_bench(**options)
        if argument == "SN":
            bench.tell("P103", "V 21341")

        answer = bench.ask({"identify": "S051", "state": "S001", "position": "P081"}[meaning])

        assert answer == vector["bytes"].encode("latin-1")


@pytest.mark.parametrize("vector", WIRE["manner"], ids=lambda vector: vector["note"])
def test_firmware_answers_in_other_manners(make_bench: Callable[..., Any], vector: dict[str, Any]) -> None:
    bench = make_bench(**{"register": -1234, **vector["options"]})

    bench.port.write(b"#S001 F$\n" if vector["meaning"] == "state" else b"#P081 F$\n")

    assert bench.everything() == vector["bytes"].encode("latin-1")


def _accepted(section: str) -> list[dict[str, Any]]:
    return [vector for vector in REGISTERS[section] if vector["register"] != "refused"]


def test_speed_register_gives_the_speed_of_the_vectors(make_bench: Make) -> None:
    bench = make_bench()
    bench.configure()
    for vector in _accepted("maximum_speed"):
        bench.tell("P132", str(vector["register"]))
        limit = bench.model.state()["limit_speed_mm_per_s"]
        assert limit == pytest.approx(vector["actual"], abs=2e-6), vector


def test_acceleration_register_gives_the_acceleration_of_the_vectors(make_bench: Make) -> None:
    for vector in _accepted("acceleration"):
        bench = make_bench(start_mm=4.5, baud_pacing=0, backlash_mm=0)
        bench.configure()
        bench.tell("P132", "1023")
        bench.tell("P052", str(vector["register"]))
        start = bench.model.motor_mm
        bench.tell("P092", str(bench.model.register - 20000))

        bench.clock.sleep(0.01)

        expected = pytest.approx(vector["actual"] * 0.01**2 / 2, rel=1e-4)
        assert bench.model.motor_mm - start == expected, vector
