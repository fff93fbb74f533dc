"""Faults of the field, by their recordings: each file in tests/recordings/ is a test.

A file that is copied there is lived through again. `ENDS` says what must come of those that are understood.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from rockit.focuser.ok3z.errors import (
    FocuserError,
    InternalError,
    LinkLostError,
    NoSwitchError,
    PositionLostError,
    StalledError,
)
from rockit.focuser.ok3z.service.status import State
from rockit.focuser.ok3z.simulator import VirtualClock
from rockit.focuser.ok3z.simulator.protocol_replay import replayed
from rockit.focuser.ok3z.simulator.replay import RecordingError, Replay, load

from .conftest import Bench
from .replaying import RECORDINGS, lines_of, live_through

PATHS = sorted(RECORDINGS.glob("*.jsonl.gz"))

# What the last command failed with (None: it did what it was told), and what the focuser is afterwards.
ENDS: dict[str, tuple[type[FocuserError] | None, State]] = {
    "power-cut-in-a-move": (PositionLostError, State.UNHOMED),
    "power-cut-at-rest": (None, State.UNHOMED),
    "motor-frozen": (StalledError, State.IDLE),
    "adapter-unplugged-in-a-move": (LinkLostError, State.IDLE),
    "limit-switch-dead": (NoSwitchError, State.UNHOMED),
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_recording_is_lived_through_again(path: Path) -> None:
    lived = live_through(path)
    assert not any(isinstance(error, InternalError) for _, error in lived.ends)
    assert "cannot answer" not in lived.snapshot.reason
    if path.name.split(".")[0] in ENDS:
        error, state = ENDS[path.name.split(".")[0]]
        assert (type(lived.ends[-1][1]) if error else lived.ends[-1][1]) is error
        assert lived.snapshot.state is state


def test_there_is_an_end_for_each_example() -> None:
    assert set(ENDS) <= {path.name.split(".")[0] for path in PATHS}


def rewritten(tmp_path: Path, name: str, lines: list[dict[str, object]]) -> Path:
    path = tmp_path / f"{name}.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))
    return path


def test_it_begins_in_the_middle_of_a_night(tmp_path: Path) -> None:
    """Of a long night only the last frames are there: the daemon begins as the recorded one was left."""
    head, *lines = lines_of(RECORDINGS / "power-cut-in-a-move.jsonl.gz")
    last = max(number for number, line in enumerate(lines) if line.get("asked", {}).get("command") == "move")
    path = rewritten(tmp_path, "middle", [head, *lines[last:]])
    lived = live_through(path)
    assert [name for name, _ in lived.ends] == ["resume", "move"]
    assert lived.ends[0][1] is None
    assert isinstance(lived.ends[1][1], PositionLostError)


def test_the_time_before_its_first_question_is_left_out(tmp_path: Path) -> None:
    """A daemon may have waited long, and lost its port, before somebody initialised the focuser."""
    head, *lines = lines_of(RECORDINGS / "power-cut-in-a-move.jsonl.gz")
    before: list[dict[str, object]] = [
        {"t": 0.0, "opened": True},
        {"t": 1.0, "lost": "it was pulled out."},
        {"t": 29.0, "opened": True},
    ]
    after = [{**line, "t": float(line["t"]) + 30} for line in lines]
    replay = Replay(load(rewritten(tmp_path, "waited", [head, *before, *after])), VirtualClock())
    replay.check_port(replay.claim_port())
    replay.write(next(str(line["sent"]) for line in lines if "sent" in line).encode())
    assert replay.next_event_s is not None
    assert replay.next_event_s < replay.clock.monotonic() + 1
    replay.check_port(1)


def test_a_stop_comes_in_its_moment(make_stopped: Path) -> None:
    lived = live_through(make_stopped)
    assert [name for name, _ in lived.ends] == ["initialize", "move", "move"]
    assert lived.snapshot.state is State.IDLE
    recorded = [line["concluded"] for line in lines_of(make_stopped) if "concluded" in line][-1]
    assert recorded.startswith(f"idle at {lived.bench.commands.where}") or lived.snapshot.current_steps


@pytest.fixture
def make_stopped(tmp_path: Path) -> Path:
    from rockit.focuser.ok3z.storage import recordings

    from .conftest import FIRST_LIGHT, Rig
    from .examples import SETTINGS

    rig = Rig(baud_pacing=True)
    rig.home()
    rig.move(1.0)
    rig.interrupt_at(300)
    assert rig.move(4.0) is not None
    rig.rest(3)
    recording = rig.recorder.recording(FIRST_LIGHT)
    path = tmp_path / "stopped.jsonl.gz"
    path.write_bytes(gzip.compress(recordings.encode(recording, {"settings": SETTINGS}, "a test.")))
    rig.close()
    return path


def test_what_it_cannot_answer_it_says(tmp_path: Path) -> None:
    head, *lines = lines_of(RECORDINGS / "power-cut-in-a-move.jsonl.gz")
    for line in lines:
        if "asked" in line and line["asked"]["command"] == "move":
            line["asked"]["mm"] += 0.25
    lived = live_through(rewritten(tmp_path, "other", [head, *lines]))
    (error,) = [error for _, error in lived.ends if error is not None][:1]
    assert "the recording cannot answer #P092" in str(error)
    assert "in it then comes #P092" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b\x08",
        b"{}\n",
        b"[1]\n",
        b'{"format": 99}\n',
        b'{"format": 1}\n{"sent": 1}\n',
        b"\xff\xfe",
    ],
)
def test_what_is_no_recording_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "none.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"none\.jsonl\.gz is no recording"):
        load(path)


def test_of_a_recording_that_was_cut_what_is_whole_is_replayed(tmp_path: Path) -> None:
    packed = (RECORDINGS / "power-cut-in-a-move.jsonl.gz").read_bytes()
    whole, path = load(RECORDINGS / "power-cut-in-a-move.jsonl.gz"), tmp_path / "cut.jsonl.gz"
    path.write_bytes(packed[: len(packed) * 3 // 4])
    cut = load(path)
    assert 0 < len(cut.motions) <= len(whole.motions)
    assert whole.begin_s == cut.begin_s < cut.end_s < whole.end_s


def test_its_port_is_that_of_a_file(tmp_path: Path) -> None:
    path = PATHS[0]
    bench = Bench(None, VirtualClock(), f"replay://{path}")  # type: ignore[arg-type]
    link = bench.port.open()
    link.close()
    with replayed("named", path, VirtualClock()) as url:
        assert url == "replay://named"
