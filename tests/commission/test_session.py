"""How a night is broken off, taken up again, refused and kept; and the table of assumptions is that of the page."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.commission.assumptions import ASSUMPTIONS, NO_TRIAL
from rockit.focuser.ok3z.commission.person import AnswersEndedError
from rockit.focuser.ok3z.commission.session import Interrupts
from rockit.focuser.ok3z.commission.trials import GATES, TRIALS
from rockit.focuser.ok3z.driver.link import Link
from rockit.focuser.ok3z.driver.protocol import QUERIES
from rockit.focuser.ok3z.driver.rates import Ratios
from rockit.focuser.ok3z.driver.refresh import NO_INTERVAL_S
from rockit.focuser.ok3z.simulator import VirtualClock
from rockit.focuser.ok3z.storage import state_file
from rockit.focuser.ok3z.storage.state_file import Entry

from .conftest import FIRST_NIGHT, Night

PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text(encoding="utf-8")
MakeNight = Callable[..., Night]
# All that may be sent.
CODES = {"S051", "S001", "P081", "P092", "P103", "P021", "P031", "E002", "P132", "P052", "P062"}
MOVING = [trial for trial in TRIALS if trial.moves and trial.name != "hand"]
LEFT_AT = Entry(
    "/dev/focuser",
    -23718,
    -30000,
    None,
    0,
    6282,
    FIRST_NIGHT,
    ratios=Ratios(1.5, 1.5, 41, 437),
    near_switch=True,
)


# The table


def test_each_assumption_is_one_of_the_page() -> None:
    words = " ".join(PAGE.split())
    assert [one.id for one in ASSUMPTIONS if one.quote not in words] == []
    assert len({one.id for one in ASSUMPTIONS}) == len(ASSUMPTIONS)


def test_whatever_the_page_does_not_know_is_an_assumption() -> None:
    """Each row of what nobody knows and of other controllers, and each paragraph with something inferred."""
    unknown = [
        row.split("|")[1].strip()
        for part in ("## What nobody knows", "## Other controllers")
        for row in PAGE.partition(part)[2]
        .partition("\nWhat stays refused")[0]
        .partition("\n## ")[0]
        .splitlines()
        if row.startswith("| ") and not row.startswith(("| Not known", "| A controller"))
    ]
    inferred = [
        piece
        for piece in re.split(r"\n(?=[|-])|\n\n", PAGE)
        if re.search(r"\binferred\)|^Inferred:|\(inferred:", piece)
    ]
    assert len(unknown) > 20
    quotes = [one.quote for one in ASSUMPTIONS]
    left = [
        piece
        for piece in (*unknown, *inferred)
        if not any(quote in " ".join(piece.split()) for quote in quotes)
    ]
    assert left == []


def test_each_trial_tests_something() -> None:
    assert {one.trial for one in ASSUMPTIONS} - {NO_TRIAL} == {trial.name for trial in TRIALS}


# A night that goes well


def test_a_whole_night(make_night: MakeNight) -> None:
    night = make_night()
    night.keeper.kept = LEFT_AT
    assert night.run() == 0
    # Before the first motion nobody may rely on the position any more.
    assert night.keeper.written[0].origin_register is None
    kept = night.keeper.kept
    assert kept.origin_register is kept.register is kept.way is None
    assert kept.ratios is not None
    assert (kept.ratios.homing, kept.ratios.legs) == (pytest.approx(1, abs=0.01), pytest.approx(1, abs=0.01))
    assert kept.answer_s == 0.0
    # The register changed at each look: it is known no better than they are apart.
    assert kept.refresh_s is not None
    assert 0 < kept.refresh_s < NO_INTERVAL_S
    assert set(night.model.frames_seen) <= CODES
    assert not night.model.refused
    assert night.model.hard_stop_hits == 0
    assert night.model.highest_motor_mm <= 6.0
    text = night.file.with_suffix(".txt").read_text()
    for one in ASSUMPTIONS:
        assert f"  {one.id}: {one.claim}"[:60] in text
    untested = {one for one, verdict in night.verdicts.items() if verdict == "not tested"}
    assert untested == {"unknown", "travel"}
    shown = {
        one["id"]: [frame for finding in one["findings"] for frame in finding["frames"]]
        for one in night.report["assumptions"]
    }
    frames = [frame for each in shown.values() for frame in each]
    assert frames
    # Those that show it, and not only the last ones of the trial.
    for assumption, codes in (("temperature", {"S051", "S052"}), ("halt-ramp", {"P092", "P021"})):
        assert codes <= {
            text[1:5] for frame in shown[assumption] for key, text in frame.items() if key != "t"
        }
    assert all(set(frame) in ({"t", "sent"}, {"t", "received"}) for frame in frames)


def test_each_motion_is_asked_for_and_short(make_night: MakeNight) -> None:
    """With `yes` instead of `all`, one motion goes out for each question at most, but for those that name several."""
    night = make_night()
    said: list[tuple[str, int, int]] = []

    def yes() -> str:
        sent = sum(night.model.frames_seen[code] for code in ("P092", "P103"))
        said.append((night.engineer.asked[-1], sent, night.model.register))
        return "yes"

    def cut() -> str:
        night.model.power_cut(0.0)
        said.append(("", said[-1][1], 0))
        return "done"

    night.engineer.at = {"Now?": yes, "Cut the power": cut}
    assert night.run() == 0
    assert len(said) > 70
    for (question, before, left), (_, after, reached) in zip(said, said[1:]):
        several = re.search(r"and as many|a homing run, and the same|and in it one", question)
        assert several or after - before <= 1, question
        if question.startswith("A go-to") and reached:
            assert abs(reached - left) <= 0.51 * 5088, question


def test_what_was_measured_is_kept_in_the_state_file(tmp_path: Path) -> None:
    entry = Entry("/dev/focuser", None, None, None, 0, None, None, answer_s=0.3, refresh_s=0.4)
    again, _ = state_file.decode(state_file.encode(entry, "focuser", FIRST_NIGHT), "focuser")
    assert again == entry


# A night that does not


@pytest.mark.one_in(3)
@pytest.mark.parametrize("trial", MOVING, ids=lambda trial: trial.name)
def test_ctrl_c_halts_in_each_trial_and_it_is_taken_up_again(make_night: MakeNight, trial: Any) -> None:
    night = make_night()
    night.leave_only(trial.name)

    class InMotion(Interrupts):
        def checkpoint(self) -> None:
            if night.model.is_moving:
                self.wish()
            super().checkpoint()

    night.interrupts = InMotion()
    assert night.run() == 130
    assert night.model.is_at_rest
    assert "The motor stands." in night.engineer.told
    assert any(data.startswith(b"#P021") for _, data in night.model.journal)
    assert night.report["trials"][trial.name]["state"] == "broken off"
    assert night.keeper.kept.origin_register is None  # type: ignore[union-attr]

    night.interrupts = Interrupts()
    assert night.run() == 0
    assert night.report["trials"][trial.name]["state"] == "done"
    assert any("Go on with it?" in question for question in night.engineer.asked)


def test_ctrl_c_at_a_question_and_the_end_of_a_pipe_end_it(make_night: MakeNight) -> None:
    for wish, code in ((lambda night: night.interrupts.wish(), 130), (lambda night: "", 1)):
        night = make_night()

        def at_question(night: Night = night, wish: Any = wish) -> str:
            wish(night)
            raise AnswersEndedError

        night.engineer.at = {"of 0.05 mm inward": at_question, "Now?": lambda: "yes"}
        assert night.run() == code
        assert night.model.is_at_rest
        assert "The motor stands." in night.engineer.told


def test_a_mistake_of_the_program_halts_as_well(make_night: MakeNight) -> None:
    night = make_night()
    night.leave_only("homing")

    class Mistaken(Interrupts):
        def checkpoint(self) -> None:
            if night.model.is_moving:
                raise ZeroDivisionError

    night.interrupts = Mistaken()
    with pytest.raises(ZeroDivisionError):
        night.run()
    assert night.model.is_at_rest
    assert night.model.frames_seen["P021"] >= 1


def test_begun_anew_if_the_engineer_says_so(make_night: MakeNight) -> None:
    night = make_night()
    night.leave_only()
    night.engineer.at["Go on with it?"] = lambda: "no"
    assert night.run() == 0
    assert len(night.report["trials"]) == len(TRIALS)
    assert night.verdicts["line"] == "confirmed"


def test_what_was_found_at_other_settings_is_not_taken_up(make_night: MakeNight) -> None:
    night = make_night()
    night.leave_only()
    assert night.run(speed_mm_sec=0.25) == 0
    assert not any("Go on with it?" in question for question in night.engineer.asked)
    assert night.report["trials"][TRIALS[0].name]["at"]


def test_no_other_motion_without_the_first_ones(make_night: MakeNight) -> None:
    for gate in GATES:
        night = make_night()
        night.leave_only(gate, "speed", "range")
        night.engineer.at["Now?"] = lambda: "no"
        assert night.run() == 0
        assert not {"P092", "P103"} & set(night.model.frames_seen)
        assert night.report["trials"][gate]["state"] == "declined"
        assert "speed" not in night.report["trials"]


def test_a_command_that_is_lost_is_sent_again(make_night: MakeNight) -> None:
    """Its run then begins slowly, which is no surprise."""
    night = make_night(leg_rate=0.2)
    night.leave_only("first-step", "first-second", "homing", "speed")
    night.model.fault("command_lost", to="P092", count=1)
    night.model.fault("command_lost", to="P103", count=1, after=1)
    assert night.run() == 0
    assert night.report["trials"]["speed"]["state"] == "done"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("frozen", "was sent to -40254, and stands at -40000"),
        ("reversed", "runs the wrong way"),
        ("miswired", "did not confirm that the focuser runs outward"),
        ("stalled", "did not confirm that the focuser runs outward"),
    ],
)
def test_a_motor_that_does_otherwise_is_halted(make_night: MakeNight, fault: str, said: str) -> None:
    night = make_night()
    night.leave_only("first-step", "first-second", "homing", "speed")
    night.model.motor(fault)
    assert night.run() == 1
    assert said in night.report["trials"]["first-step"]["why"]
    assert night.model.is_at_rest
    assert abs(night.model.motor_mm - 3.2) < 0.11
    assert "homing" not in night.report["trials"]
    if fault == "miswired":
        assert night.verdicts["inward"] == "refuted"


def test_a_switch_that_is_not_there_is_found(make_night: MakeNight) -> None:
    night = make_night(start_mm=0.5)
    night.leave_only("homing", "speed")
    night.model.limit_switch("dead")
    assert night.run() == 1
    assert "went further than told" in night.report["trials"]["homing"]["why"]
    assert night.model.is_at_rest


# What is no OK3Z


class Wrong:
    """A port behind which is something else."""

    def __init__(self, clock: VirtualClock, answer: Callable[[bytes], bytes]) -> None:
        self._clock = clock
        self._answer = answer
        self._waiting = b""
        self.written = b""

    @property
    def in_waiting(self) -> int:
        return len(self._waiting)

    def write(self, data: bytes) -> None:
        self.written += data
        self._waiting += self._answer(data)

    def read(self, size: int) -> bytes:
        if not self._waiting:
            self._clock.sleep(0.02)
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    def close(self) -> None:
        pass


_dice = random.Random(1)
_turns = itertools.count()
WRONG: dict[str, tuple[Callable[[bytes], bytes], dict[str, str]]] = {
    "silence": (lambda data: b"", {"line": "nothing came at all"}),
    "echo": (lambda data: data, {"line": "what came begins with", "echo": "questions themselves come back"}),
    "random text": (lambda data: _dice.randbytes(20), {"line": "what came begins with"}),
    "a mount": (lambda data: b"LX200 GPS#", {"line": "LX200 GPS"}),
    "one letter": (
        lambda data: data.replace(b"S001 F", b"S004 F S").replace(b"S051 F", b"S052 F x"),
        {"still-letters": ""},
    ),
    "no number": (
        lambda data: data.replace(b"S001 F", b"S004 F NS")
        .replace(b"S051 F", b"S052 F")
        .replace(b"P081 F", b"P081 F 1.5"),
        {"register": "'1.5'"},
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_controller_is_refuted_and_never_moved(
    make_night: MakeNight, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    answer, refuted = WRONG[kind]
    night = make_night()
    port = Wrong(night.clock, answer)
    monkeypatch.setattr(
        "tests.commission.conftest.open_link",
        lambda url, baud, clock, tap: Link(port, clock, tap),  # type: ignore[arg-type]
    )
    assert night.run() == 1
    for assumption, said in refuted.items():
        assert night.verdicts[assumption] == "refuted"
        assert said in night.sentences(assumption)
    assert night.verdicts["inward"] == "not tested"
    assert set(re.findall(rb"#(\w+)", port.written)) <= {query.code.encode() for query in QUERIES}


def test_a_port_that_is_taken_is_refused(make_night: MakeNight) -> None:
    night = make_night()
    ticket = night.model.claim_port()
    assert night.run() == 1
    assert "cannot be opened" in night.engineer.told[0]
    night.model.release_port(ticket)
    assert not night.file.exists()
