"""The controller obeys what the device obeys, and nothing else."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.simulator import STEPS_PER_MM

Make = Callable[..., Any]


def test_commands_are_never_answered(bench: Any) -> None:
    bench.home()
    bench.tell("P092", "0")
    bench.tell("P021")
    bench.tell("P031")

    assert bench.everything() == b""


def test_a_driver_that_forgets_to_configure_is_slow(bench: Any) -> None:
    bench.tell("P092", str(bench.model.register + STEPS_PER_MM))
    bench.clock.sleep(5)

    assert bench.model.is_moving
    assert bench.model.state()["limit_speed_mm_per_s"] < 0.05


def test_microstep_mode_is_refused_before_a_release(bench: Any) -> None:
    bench.tell("P132", "41")

    bench.tell("E002", "3")

    assert bench.model.refused == ["E002 F 3"]
    assert bench.model.state()["limit_speed_mm_per_s"] < 0.05


def test_a_motion_ends_the_release(bench: Any) -> None:
    bench.tell("P031")
    bench.tell("P092", str(bench.model.register))

    bench.tell("E002", "3")

    assert bench.model.refused == ["E002 F 3"]


@pytest.mark.parametrize("mode", ["0", "2", "7"])
def test_another_microstep_mode_is_taken_and_leaves_the_motor_slow(bench: Any, mode: str) -> None:
    bench.tell("P132", "41")
    bench.tell("P031")

    bench.tell("E002", mode)

    assert bench.model.refused == []
    assert bench.model.state()["limit_speed_mm_per_s"] < 0.05


def test_release_ends_a_motion(bench: Any) -> None:
    origin = bench.home()
    bench.go_to_mm(origin, 3.0)
    bench.clock.sleep(2)

    bench.tell("P031")

    assert not bench.model.is_moving


WRONG_FRAMES = [
    *("P132 F 0", "P132 F 1024", "P132 F -1", "P052 F 0", "P052 F 4096", "P062 F 4096"),
    *("P103 F 21341", "P103 F W 21341", "P103 F V 0", "P103 F V 1048576", "P103 F V  21341"),
    *("P092 F ", "P092 F 12.5", "P092 F nan", "P092 F 1e3", "P092 F 99999999999"),
    *("P021 F 1", "P031 F 1", "E002 F 8", "Q999 F 1", "P081 F 5", "S001 F "),
]


def test_wrong_frames_change_nothing_and_are_noted(bench: Any) -> None:
    bench.configure()

    def state() -> dict[str, Any]:
        return {
            key: value for key, value in bench.model.state().items() if key not in ("frames_seen", "refused")
        }

    before = state()
    for frame in WRONG_FRAMES:
        bench.port.write(f"#{frame}$\n".encode())
        bench.clock.sleep(1)
        assert state() == before, frame
    assert bench.model.refused == WRONG_FRAMES
    assert bench.everything() == b""


@pytest.mark.parametrize("stop", [b"#P021 F$\n", b"#P021 F $", b"#P021 F$", b"#P021 F $\r\n", b"xy$#P021 F$"])
def test_a_command_needs_no_space_and_no_line_feed(bench: Any, stop: bytes) -> None:
    origin = bench.home()
    bench.go_to_mm(origin, 3.0)
    bench.clock.sleep(1)

    bench.port.write(stop)
    bench.clock.sleep(1)

    assert not bench.model.is_moving
    assert bench.model.refused == []


def test_frames_without_line_feeds_are_obeyed_one_by_one(bench: Any) -> None:
    bench.port.write(b"#P132 F 41$#P031 F$#E002 F 3$#S001 F$#P081 F$")

    assert bench.everything() == b"#S004 F NS$\n#P081 F -40000$\n"
    assert bench.model.state()["limit_speed_mm_per_s"] == pytest.approx(0.491832, abs=1e-6)


def test_frame_that_comes_byte_by_byte_is_obeyed_once(bench: Any) -> None:
    for byte in b"#P081 F$\r\n":
        bench.port.write(bytes([byte]))
        bench.clock.sleep(0.1)

    assert bench.everything() == b"#P081 F -40000$\n"
    assert len(bench.model.journal) == 1


@pytest.mark.parametrize(
    ("unknown", "answer"),
    [("ignore", b""), ("echo", b"#Q123 F abc$\n"), ("question", b"#Q123 F ?$\n")],
)
def test_unknown_frames_are_answered_as_the_option_says(
    make_bench: Make, unknown: str, answer: bytes
) -> None:
    bench = make_bench(unknown=unknown)

    bench.tell("Q123", "abc")

    assert bench.everything() == answer


def test_moving_texts_are_used_in_turn(make_bench: Make) -> None:
    bench = make_bench(moving_text="AB,CD")
    bench.tell("P103", "V 21341")

    texts = [bench.ask("S001") for _ in range(3)]

    assert texts == [b"#S004 F AB$\n", b"#S004 F CD$\n", b"#S004 F AB$\n"]


@pytest.mark.parametrize(
    ("version", "arguments"),
    [("642,643,645", [b"642", b"643", b"645", b"642"]), ("", [b"", b""]), ("a,", [b"a", b"", b"a"])],
)
def test_answer_to_s051_may_drift_or_be_empty(make_bench: Make, version: str, arguments: list[bytes]) -> None:
    bench = make_bench(version=version)

    assert [bench.ask("S051") for _ in arguments] == [b"#S052 F " + text + b"$\n" for text in arguments]


def test_homing_is_limited_by_the_maximum_speed(bench: Any) -> None:
    bench.configure()
    bench.tell("P132", "8")

    bench.tell("P103", "V 21341")
    bench.clock.sleep(1)

    assert bench.model.state()["speed_mm_per_s"] == pytest.approx(0.095967, abs=1e-5)


def test_power_cut_wipes_register_and_settings_and_nothing_moves(bench: Any) -> None:
    origin = bench.home()
    bench.go_to_mm(origin, 3.0)
    bench.clock.sleep(3)
    stood = bench.model.carriage_mm

    bench.model.power_cut()
    bench.clock.sleep(1)

    assert bench.model.carriage_mm == stood
    assert bench.ask("P081") == b"#P081 F 0$\n"
    assert bench.ask("S001") == b"#S004 F NS$\n"
    assert bench.model.state()["limit_speed_mm_per_s"] < 0.05
    bench.tell("E002", "3")
    assert bench.model.refused == ["E002 F 3"]


@pytest.mark.parametrize(("mode", "travel"), [(2, 2.0), (3, 1.0), (4, 0.5), (7, 1 / 16)])
@pytest.mark.parametrize("follows", [True, False])
def test_power_up_mode_changes_how_far_and_how_fast_steps_go(
    make_bench: Make, mode: int, travel: float, follows: bool
) -> None:
    bench = make_bench(power_up_mode=mode, slow_until_set=0, rate_follows_mode=follows, start_mm=0)
    bench.home()
    bench.model.power_cut()
    for code, value in (("P132", "41"), ("P052", "437"), ("P062", "437")):
        bench.tell(code, value)

    bench.tell("P092", str(-2 * STEPS_PER_MM))
    bench.clock.sleep(0.2)
    speed = bench.model.state()["speed_mm_per_s"]
    bench.rest()

    assert speed == pytest.approx(-0.491832 * (1 if follows else travel), abs=2e-6)
    assert bench.model.register == -2 * STEPS_PER_MM
    assert bench.model.motor_mm == pytest.approx(2 * travel)


def test_homing_in_another_mode_ends_at_the_switch_with_another_count(make_bench: Make) -> None:
    bench = make_bench(power_up_mode=4, slow_until_set=0, register=0, backlash_mm=0)
    for code, value in (("P132", "41"), ("P052", "437")):
        bench.tell(code, value)
    bench.tell("P103", "V 21341")
    bench.clock.sleep(1)
    assert bench.model.state()["speed_mm_per_s"] == pytest.approx(0.25, abs=1e-4)
    bench.rest()

    assert bench.model.carriage_mm == 0
    assert bench.model.register == 2 * 3 * STEPS_PER_MM


def test_setting_the_mode_keeps_the_register_and_mends_the_travel(make_bench: Make) -> None:
    bench = make_bench(power_up_mode=4, start_mm=0, register=777, backlash_mm=0)
    bench.configure()
    assert bench.model.register == 777

    bench.tell("P092", str(777 - STEPS_PER_MM))
    bench.rest()

    assert bench.model.motor_mm == pytest.approx(1.0)


def test_mode_that_is_set_is_one_of_the_same_kind(make_bench: Make) -> None:
    bench = make_bench(slow_until_set=0, start_mm=0, register=0, backlash_mm=0)
    bench.configure()
    bench.tell("P031")
    bench.tell("E002", "2")

    bench.tell("P092", str(-STEPS_PER_MM))
    bench.rest()

    assert bench.model.motor_mm == pytest.approx(2.0)


def test_hand_moves_as_far_in_every_mode(make_bench: Make) -> None:
    bench = make_bench(power_up_mode=2, register=0, slow_until_set=0)
    bench.model.hand(1, register=True)
    bench.model.hand(1, drive=True)
    bench.rest()

    assert bench.model.register == -STEPS_PER_MM
    assert bench.model.motor_mm == pytest.approx(5.2, abs=1e-4)


def test_power_up_speed_and_acceleration_hold_until_they_are_set(make_bench: Make) -> None:
    bench = make_bench(power_up_speed=20, power_up_acceleration=1000, slow_until_set=0)
    assert bench.model.state()["limit_speed_mm_per_s"] == pytest.approx(20 * 0.0119959, abs=1e-6)
    bench.tell("P132", "41")
    assert bench.model.state()["limit_speed_mm_per_s"] == pytest.approx(0.491832, abs=1e-6)

    bench.model.power_cut()

    assert bench.model.state()["limit_speed_mm_per_s"] == pytest.approx(20 * 0.0119959, abs=1e-6)


@pytest.mark.parametrize(("homing", "leg"), [(0.5, 1), (1, 2), (2, 0.5)])
def test_real_rates_of_homing_and_legs_may_differ(make_bench: Make, homing: float, leg: float) -> None:
    bench = make_bench(homing_rate=homing, leg_rate=leg)
    bench.configure()
    bench.tell("P103", "V 21341")
    bench.clock.sleep(1)
    assert bench.model.state()["speed_mm_per_s"] == pytest.approx(0.25 * homing, abs=1e-4)
    bench.rest()

    bench.go_to_mm(bench.model.register, 3.0)
    bench.clock.sleep(1)
    assert bench.model.state()["speed_mm_per_s"] == pytest.approx(-0.491832 * leg, abs=2e-6)
    bench.rest()

    assert bench.model.motor_mm == pytest.approx(3.0)


@pytest.mark.parametrize("register", [30000, -2544, 2_000_000_000])
def test_register_may_begin_at_any_power_up_value(make_bench: Make, register: int) -> None:
    bench = make_bench(register=register, power_up_register=register)
    assert bench.ask("P081") == f"#P081 F {register}$\n".encode()
    origin = bench.home()

    bench.model.fault("reset", to="P092", when="after", delay_s=1)
    bench.go_to_mm(origin, 2.0)
    bench.clock.sleep(2)

    assert bench.model.register == register
    assert 0.4 < bench.model.motor_mm < 0.5


def test_without_power_nothing_is_heard_and_later_nothing_is_made_up(make_bench: Make) -> None:
    bench = make_bench(boot_s=2)
    bench.model.power_on()
    assert bench.model.register == -40000, "it had power"
    bench.model.power_off()
    assert not bench.model.state()["powered"]
    assert bench.ask("S051") == b""
    bench.model.power_on()
    assert bench.ask("S051") == b""

    bench.clock.sleep(2)

    assert bench.ask("S051") == b"#S052 F OK3Z virtual 1$\n"
    assert bench.everything() == b""


def test_power_cut_takes_the_reply_that_is_on_its_way(bench: Any) -> None:
    bench.port.write(b"#S051 F$\n")
    bench.clock.sleep(9 * 10 / 38400 + 5.5 * 10 / 38400)

    bench.model.power_cut()

    assert bench.everything() == b"#S052"


def test_journal_holds_what_arrived_with_its_time(bench: Any) -> None:
    begun = bench.clock.monotonic()

    bench.ask("S051")
    bench.port.write(b"xyz\n")
    bench.port.flush()

    lines = [line for _, line in bench.model.journal]
    assert lines == [b"#S051 F$\n", b"xyz\n"]
    assert bench.model.journal[0][0] == pytest.approx(begun + 9 * 10 / 38400)
