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


@pytest.mark.parametrize("vector", WIRE["decode"], ids=lambda vector: vector["note"])
def test_stream_holds_exactly_these_frames(vector: dict[str, Any]) -> None:
    frames = [list(frame) for frame in frames_in(vector["bytes"].encode("latin-1"))]

    assert frames == vector["frames"]


@pytest.mark.parametrize("vector", WIRE["encode"] + WIRE["reply"], ids=lambda vector: vector["bytes"].strip())
def test_frame_is_read_and_written_back(vector: dict[str, Any]) -> None:
    data = vector["bytes"].encode("latin-1")

    frame = read_frame(data)

    assert frame is not None
    assert format_frame(frame) == data


@pytest.mark.parametrize("vector", WIRE["encode"], ids=lambda vector: vector["bytes"].strip())
def test_firmware_understands_what_a_driver_sends(
    make_bench: Callable[..., Any], vector: dict[str, Any]
) -> None:
    bench = make_bench()
    if vector["meaning"] == "microstep_mode":
        bench.tell("P031")

    bench.port.write(vector["bytes"].encode("latin-1"))
    bench.port.flush()

    assert bench.model.frames_seen[vector["bytes"][1:5]] == 1
    assert bench.model.refused == []


@pytest.mark.parametrize("vector", WIRE["reply"], ids=lambda vector: vector["bytes"].strip())
def test_firmware_answers_as_the_vectors_say(make_bench: Callable[..., Any], vector: dict[str, Any]) -> None:
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


@pytest.mark.parametrize("vector", _accepted("maximum_speed"), ids=lambda vector: str(vector["register"]))
def test_speed_register_gives_the_speed_of_the_vectors(
    make_bench: Callable[..., Any], vector: dict[str, Any]
) -> None:
    bench = make_bench()
    bench.configure()

    bench.tell("P132", str(vector["register"]))

    assert bench.model.state()["limit_speed_mm_per_s"] == pytest.approx(vector["actual"], abs=2e-6)


@pytest.mark.parametrize("vector", _accepted("acceleration"), ids=lambda vector: str(vector["register"]))
def test_acceleration_register_gives_the_acceleration_of_the_vectors(
    make_bench: Callable[..., Any], vector: dict[str, Any]
) -> None:
    bench = make_bench(start_mm=4.5, baud_pacing=0, backlash_mm=0)
    bench.configure()
    bench.tell("P132", "1023")
    bench.tell("P052", str(vector["register"]))
    start = bench.model.motor_mm
    bench.tell("P092", str(bench.model.register - 20000))

    bench.clock.sleep(0.01)

    assert bench.model.motor_mm - start == pytest.approx(vector["actual"] * 0.01**2 / 2, rel=1e-4)
