"""Every fault of the line does what its name says, to the frames it was meant for, as often as told."""

from __future__ import annotations

from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.simulator import STEPS_PER_MM, OptionError
from rockit.focuser.ok3z.simulator.faults import KINDS
from rockit.focuser.ok3z.simulator.frames import Frame, frames_in

Make = Callable[..., Any]
POSITION = b"#P081 F -40000$\n"
STATE = b"#S004 F NS$\n"


def test_lost_replies_are_the_next_ones_to_that_query(bench: Any) -> None:
    bench.model.fault("lost", to="P081", count=2)

    assert bench.ask("S001") == STATE
    assert [bench.ask("P081") for _ in range(3)] == [b"", b"", POSITION]


def test_after_lets_some_pass_first(bench: Any) -> None:
    bench.model.fault("lost", to="P081", after=1)

    assert [bench.ask("P081") for _ in range(3)] == [POSITION, b"", POSITION]


def test_count_zero_lasts_until_cleared(bench: Any) -> None:
    bench.model.fault("lost", count=0)
    assert [bench.ask("P081") for _ in range(4)] == [b""] * 4

    bench.model.clear_faults()

    assert bench.ask("P081") == POSITION


@pytest.mark.parametrize(
    ("fault", "details", "answer", "next_answer", "rest"),
    [
        ("late", {"seconds": 1}, b"", b"", POSITION + STATE),
        ("late", {"seconds": 1, "order": "out"}, b"", STATE, POSITION),
        ("cut", {"keep": 9}, POSITION[:9], STATE, b""),
        ("merged", {}, POSITION[:-2], STATE, b""),
        ("doubled", {}, POSITION, POSITION, STATE),
        ("replaced", {"text": "17"}, b"#P081 F 17$\n", STATE, b""),
    ],
)
def test_spoilt_reply_and_what_follows_it(
    bench: Any, fault: str, details: dict[str, Any], answer: bytes, next_answer: bytes, rest: bytes
) -> None:
    bench.model.fault(fault, to="P081", **details)

    assert bench.ask("P081") == answer
    assert bench.ask("S001") == next_answer
    assert bench.everything() == rest


def test_overtaken_reply_comes_after_what_overtook_it_though_nobody_looked(bench: Any) -> None:
    bench.model.fault("late", to="P081", seconds=1, order="out")
    bench.ask("P081")
    bench.port.write(b"#S001 F$\n")

    assert bench.everything() == STATE + POSITION


def test_hang_up_that_waits_for_a_frame_leaves_the_port_free(bench: Any) -> None:
    bench.model.fault("hang_up", to="P081")
    with pytest.raises(OSError, match="hung up"):
        bench.ask("P081")
    bench.model.come_back()

    with serial.serial_for_url(bench.port.port, baudrate=38400, timeout=0.25) as fresh:
        fresh.write(b"#P081 F$\n")
        assert fresh.readline() == POSITION


def test_cut_reply_ends_somewhere(bench: Any) -> None:
    bench.model.fault("cut", count=0)
    parts = [bench.ask("P081") for _ in range(20)]

    assert all(part and part != POSITION and POSITION.startswith(part) for part in parts)
    assert len(set(parts)) > 3


def test_garbled_reply_has_wrong_bytes(bench: Any) -> None:
    bench.model.fault("garbled", keep=2)
    bench.ask("P081")

    spoilt = bench.model.trace[-1].data
    assert len(spoilt) == len(POSITION)
    assert sum(a != b for a, b in zip(spoilt, POSITION)) == 2


def test_cleanly_garbled_reply_is_no_frame_ever(bench: Any) -> None:
    bench.model.fault("garbled", count=0, clean=True)
    for _ in range(50):
        bench.ask("P081")

    assert all(frames_in(entry.data) == [] for entry in bench.model.trace if entry.direction == "<")


def test_noise_comes_before_the_reply(bench: Any) -> None:
    bench.model.fault("noise")
    bench.port.write(b"#P081 F$\n")

    received = bench.everything()
    assert received.endswith(POSITION)
    assert len(received) > len(POSITION)


def test_lost_command_is_not_obeyed(bench: Any) -> None:
    origin = bench.home()
    bench.model.fault("command_lost", to="P092")

    bench.go_to_mm(origin, 2.0)

    assert bench.model.is_at_rest
    assert bench.model.journal[-1][1].startswith(b"#P092")
    assert bench.model.frames_seen["P092"] == 0


def test_garbled_command_is_not_what_was_sent(bench: Any) -> None:
    bench.model.fault("command_garbled", to="S051", clean=True)

    assert bench.ask("S051") == b""
    assert bench.model.frames_seen["S051"] == 0
    assert bench.ask("S051") != b""


def test_power_cut_can_wait_for_a_command(bench: Any) -> None:
    origin = bench.home()
    bench.model.fault("power_cut", to="P092", seconds=1)

    bench.go_to_mm(origin, 2.0)

    assert bench.model.register == 0
    assert bench.ask("S051") == b""
    bench.clock.sleep(1)
    assert bench.ask("S051") != b""


def test_reset_before_a_frame_lets_it_be_obeyed_with_nothing_set(bench: Any) -> None:
    bench.configure()
    bench.model.fault("reset", to="P103")

    bench.tell("P103", "V 21341")

    assert bench.model.register == 0
    assert bench.model.is_moving
    assert bench.model.state()["limit_speed_mm_per_s"] < 0.05


def test_reset_after_a_frame_ends_what_it_began(bench: Any) -> None:
    origin = bench.home()
    bench.model.fault("reset", to="P092", when="after")

    bench.go_to_mm(origin, 2.0)

    assert (bench.model.register, bench.model.is_at_rest, bench.model.carriage_mm) == (0, True, 0)


def test_reset_can_come_later_and_in_a_later_frame(bench: Any) -> None:
    origin = bench.home()
    bench.model.fault("reset", to="P092", after=1, when="after", delay_s=2)
    bench.move_to_mm(origin, 1.0)

    bench.go_to_mm(origin, 3.0)
    bench.clock.sleep(1.9)
    assert bench.model.register < origin - STEPS_PER_MM
    bench.clock.sleep(20)

    assert (bench.model.register, bench.model.is_at_rest) == (0, True)
    assert 1.9 < bench.model.motor_mm < 2.0  # 2 s at 0.49 mm/s, less the ramp


def test_reset_at_a_query_keeps_or_takes_the_answer(bench: Any) -> None:
    bench.model.fault("reset", to="P081")
    assert bench.ask("P081") == b"#P081 F 0$\n"

    bench.model.fault("reset", to="P081", when="after")
    assert bench.ask("P081") == b""

    bench.model.hand(-1, register=True)
    bench.model.fault("reset", to="P081", when="after", delay_s=0.02)
    assert bench.ask("P081") == b"#P081 F 5088$\n"
    bench.clock.sleep(0.02)
    assert bench.ask("P081") == b"#P081 F 0$\n"


def test_reset_strikes_before_the_frames_that_arrive_with_its_own(make_bench: Make) -> None:
    bench = make_bench(baud_pacing=0)
    bench.model.fault("reset", to="P031", when="after")

    bench.port.write(b"#P132 F 41$\n#P031 F $\n#E002 F 3$\n")

    assert bench.model.refused == ["E002 F 3"]


def test_reset_gives_no_power_to_a_controller_that_has_none(make_bench: Make) -> None:
    bench = make_bench(boot_s=1)
    bench.model.fault("reset", to="S001", delay_s=0.5)
    bench.ask("S001")
    bench.model.power_off()
    bench.clock.sleep(5)

    assert not bench.model.state()["powered"]


def test_cleared_faults_take_the_reset_on_its_way_with_them(bench: Any) -> None:
    bench.model.fault("reset", to="S001", delay_s=0.5)
    bench.ask("S001")

    bench.model.clear_faults()
    bench.clock.sleep(5)

    assert bench.model.register == -40000


def test_several_faults_fall_on_one_reply(bench: Any) -> None:
    bench.model.fault("cut", keep=11)
    bench.model.fault("replaced", text="12345")
    bench.model.fault("late", seconds=1)

    assert bench.ask("P081") == b""
    assert bench.everything() == b"#P081 F 123"


def test_faults_may_be_named_with_dashes_and_their_values_be_text(bench: Any) -> None:
    bench.model.fault("command-lost", to="P081", count="2")

    assert bench.model.state()["faults"] == ["command_lost to=P081 count=2"]


def test_wrong_faults_are_refused_in_a_sentence(bench: Any) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("lots", {}, "There is no fault 'lots'"),
        ("lost", {"two": "P081"}, "A fault has no 'two'"),
        ("lost", {"count": "many"}, "count='many' is not a whole number"),
        ("lost", {"count": -1}, "0 or more"),
        ("late", {"seconds": "nan"}, "seconds='nan'"),
        ("late", {"seconds": "-1"}, "seconds is 0 to 3600"),
        ("late", {"order": "random"}, "neither in nor out"),
        ("replaced", {"text": "a$b"}, "printable ASCII"),
        ("reset", {"when": "later"}, "when='later' is neither before nor after"),
        ("reset", {"delay_s": -1}, "delay_s=-1.0 is not a number from 0 to 3600"),
    ]
    for kind, details, said in wrong:
        with pytest.raises(OptionError, match=said):
            bench.model.fault(kind, **details)
    assert bench.model.state()["faults"] == []


def test_waiting_faults_are_bounded(bench: Any) -> None:
    for _ in range(100):
        bench.model.fault("lost")
    with pytest.raises(OptionError, match="100 faults"):
        bench.model.fault("lost")


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_leaves_a_line_that_works_afterwards(bench: Any, kind: str) -> None:
    bench.model.fault(kind)
    try:
        bench.ask("S001")
    except OSError:
        bench.model.come_back()
        bench.port.close()
        bench.port.open()
    bench.everything()

    assert bench.ask("S051") == b"#S052 F OK3Z virtual 1$\n"
    assert bench.model.state()["faults"] == []


@pytest.mark.parametrize(
    ("option", "note"),
    [
        ("reply_loss", "lost"),
        ("reply_late", "late"),
        ("reply_cut", "cut"),
        ("reply_garble", "garbled"),
        ("reply_merge", "merged"),
        ("command_loss", "command_lost"),
        ("command_garble", "command_garbled"),
    ],
)
def test_random_rates_strike_about_as_often_as_told(make_bench: Make, option: str, note: str) -> None:
    bench = make_bench(**{option: 0.3}, garble="clean")
    for _ in range(200):
        bench.port.write(b"#S001 F$\n")
        bench.clock.sleep(1)

    struck = sum(note in entry.note.split() for entry in bench.model.trace)
    assert 35 < struck < 85


def test_rate_can_be_changed_while_it_runs(make_bench: Make) -> None:
    bench = make_bench(reply_loss=1)
    assert bench.ask("P081") == b""

    bench.model.rate("reply_loss", 0)

    assert bench.ask("P081") == POSITION
    with pytest.raises(OptionError, match="no rate 'gain'; the rates are: reply_loss"):
        bench.model.rate("gain", 0)
    with pytest.raises(OptionError, match="reply_loss=2 is not a number from 0 to 1"):
        bench.model.rate("reply_loss", 2)


def test_same_seed_same_faults(make_bench: Make) -> None:
    def run(seed: int) -> bytes:
        bench = make_bench(reply_loss=0.2, reply_cut=0.2, reply_garble=0.2, seed=seed)
        for _ in range(50):
            bench.port.write(b"#P081 F$\n")
            bench.clock.sleep(0.1)
        return bytes(bench.everything())

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_garbled_digits_can_pass_for_others_unless_garbling_is_clean(make_bench: Make) -> None:
    bench = make_bench(reply_garble=1.0, register=-11111111)
    for _ in range(300):
        bench.ask("P081")

    replies = [frames_in(entry.data) for entry in bench.model.trace if entry.direction == "<"]
    believed = [frames for frames in replies if frames]
    assert believed
    assert all(frames != [Frame("P081", "-11111111")] for frames in believed)
