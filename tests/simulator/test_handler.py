"""What `sim://` does beyond a serial port: timing, names, options, and a controller that stays powered."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.simulator import (
    OptionError,
    VirtualOK3Z,
    register,
    registered,
    unregister,
)
from rockit.focuser.ok3z.simulator.clock import EndlessWaitError, SystemClock, VirtualClock
from rockit.focuser.ok3z.simulator.control import tell

Make = Callable[..., Any]
BYTE_S = 10 / 38400


def open_url(url: str, timeout: float | None = 0.25) -> Any:
    return serial.serial_for_url(url, baudrate=38400, timeout=timeout)


def test_bytes_take_their_time_in_both_directions(bench: Any) -> None:
    begun = bench.clock.monotonic()

    answer = bench.ask("S001")

    assert bench.clock.monotonic() - begun == pytest.approx((len("#S001 F$\n") + len(answer)) * BYTE_S)


def test_adapter_holds_a_short_answer_back_and_gives_it_whole(make_bench: Make) -> None:
    bench = make_bench(latency_timer_ms=16)
    begun = bench.clock.monotonic()

    bench.port.write(b"#S001 F$\n")
    first = bench.port.read(1)

    assert first == b"#"
    assert bench.port.in_waiting == len("#S004 F NS$\n") - 1
    assert bench.clock.monotonic() - begun == pytest.approx(21 * BYTE_S + 0.016)


def test_adapter_waits_anew_after_each_byte_until_a_packet_is_full(make_bench: Make) -> None:
    bench = make_bench(latency_timer_ms=16, version="x" * 61)
    begun = bench.clock.monotonic()
    bench.port.write(b"#S051 F$\n")

    bench.port.read(1)

    assert bench.clock.monotonic() - begun == pytest.approx((9 + 62) * BYTE_S)
    assert bench.port.in_waiting == 61
    assert len(bench.port.read_until(b"\n")) == 71 - 1
    assert bench.clock.monotonic() - begun == pytest.approx((9 + 71) * BYTE_S + 0.016)


def test_packet_that_has_gone_is_not_held_back_by_the_next(make_bench: Make) -> None:
    bench = make_bench(latency_timer_ms=1)
    bench.ask("S001")
    begun = bench.clock.monotonic()

    bench.ask("S001")

    assert bench.clock.monotonic() - begun == pytest.approx(21 * BYTE_S + 0.001)


def test_adapter_may_pass_on_together_what_is_ready(make_bench: Make) -> None:
    bench = make_bench(usb_latency_ms=16)
    begun = bench.clock.monotonic()
    bench.port.write(b"#S001 F$\n#S001 F$\n")

    assert bench.port.read(1) == b"#"

    assert bench.clock.monotonic() - begun == pytest.approx(10 * BYTE_S + 0.016)
    assert bench.port.in_waiting == 2 * len("#S004 F NS$\n") - 1


TWO = b"#S001 F$\n#P081 F$\n"
STATE, REGISTER = b"#S004 F NS$\n", b"#P081 F -40000$\n"


@pytest.mark.parametrize(
    ("two_questions", "answers"),
    [
        ("both", STATE + REGISTER),
        ("first", STATE),
        ("last", REGISTER),
        ("swapped", REGISTER + STATE),
    ],
)
@pytest.mark.parametrize("baud_pacing", [True, False])
def test_two_questions_in_one_write(
    make_bench: Make, two_questions: str, answers: bytes, baud_pacing: bool
) -> None:
    bench = make_bench(two_questions=two_questions, baud_pacing=baud_pacing)
    bench.port.timeout = 0.1
    bench.port.write(TWO)
    assert bench.port.read(100) == answers
    # One after the other they are answered in any case.
    for question, answer in ((b"#S001 F$\n", STATE), (b"#P081 F$\n", REGISTER)):
        bench.port.write(question)
        assert bench.port.read(100) == answer


def test_while_the_first_of_two_questions_is_answered_the_second_arrives(make_bench: Make) -> None:
    bench = make_bench()
    begun = bench.clock.monotonic()
    bench.port.write(TWO)

    assert bench.port.read(len(STATE + REGISTER)) == STATE + REGISTER

    assert bench.clock.monotonic() - begun == pytest.approx((9 + len(STATE + REGISTER)) * BYTE_S)


def test_adapter_splits_an_answer_that_is_not_ready_in_time(make_bench: Make) -> None:
    bench = make_bench(usb_latency_ms=1)
    begun = bench.clock.monotonic()
    bench.port.write(b"#S001 F$\n")

    bench.port.read(1)

    assert bench.clock.monotonic() - begun == pytest.approx(10 * BYTE_S + 0.001)
    assert bench.port.in_waiting == 3
    assert bench.port.read(11) == b"S004 F NS$\n"
    assert bench.clock.monotonic() - begun == pytest.approx((9 + 9) * BYTE_S + 0.001)


def test_full_packet_goes_out_at_once_however_late_its_first_byte_would(make_bench: Make) -> None:
    bench = make_bench(usb_latency_ms=200, version="x" * 61)
    begun = bench.clock.monotonic()
    bench.port.write(b"#S051 F$\n")

    bench.port.read(1)

    assert bench.clock.monotonic() - begun == pytest.approx((9 + 62) * BYTE_S)
    assert bench.port.in_waiting == 61


def test_power_cut_leaves_what_the_adapter_already_has(make_bench: Make) -> None:
    bench = make_bench(latency_timer_ms=16)
    bench.port.write(b"#S051 F$\n")
    bench.clock.sleep(9 * BYTE_S + 5.5 * BYTE_S)

    bench.model.power_cut()

    assert bench.everything() == b"#S052"
    assert bench.ask("S001") == b"#S004 F NS$\n"


def test_frames_written_at_once_queue_up_in_both_directions(bench: Any) -> None:
    begun = bench.clock.monotonic()

    bench.port.write(b"#S001 F$\n")
    bench.port.write(b"#S001 F$\n")
    answers = bench.port.read(24)

    assert answers == b"#S004 F NS$\n" * 2
    times = [time_s - begun for time_s, _ in bench.model.journal]
    assert times == pytest.approx([9 * BYTE_S, 18 * BYTE_S])
    assert bench.clock.monotonic() - begun == pytest.approx((9 + 24) * BYTE_S)


def test_bytes_arrive_one_by_one(bench: Any) -> None:
    bench.port.write(b"#S001 F$\n")
    bench.clock.sleep((9 + 3.5) * BYTE_S)

    assert bench.port.in_waiting == 3
    assert bench.port.read(2) == b"#S"
    bench.clock.sleep(BYTE_S)
    assert bench.port.in_waiting == 2


def test_without_pacing_the_answer_is_there_at_once(make_bench: Make) -> None:
    bench = make_bench(baud_pacing=0)
    bench.port.timeout = 0
    bench.port.write(b"#S001 F$\n")

    assert bench.port.read(100) == b"#S004 F NS$\n"


def test_pacing_is_scaled_with_time(make_bench: Make) -> None:
    bench = make_bench(time_scale=10)
    begun = bench.clock.monotonic()

    bench.ask("S001")

    assert bench.clock.monotonic() - begun == pytest.approx(21 * BYTE_S / 10)


def test_timed_out_read_takes_exactly_its_timeout(bench: Any) -> None:
    begun = bench.clock.monotonic()

    assert bench.port.read(1) == b""

    assert bench.clock.monotonic() - begun == pytest.approx(0.25)


def test_endless_read_in_virtual_time_is_an_error_and_no_hang(bench: Any) -> None:
    bench.port.timeout = None

    with pytest.raises(EndlessWaitError, match="Give the port a timeout"):
        bench.port.read(1)


def test_reset_input_buffer_spares_what_is_still_on_the_wire(bench: Any) -> None:
    bench.port.write(b"#S001 F$\n")
    bench.clock.sleep((9 + 3.5) * BYTE_S)

    bench.port.reset_input_buffer()

    assert bench.everything() == b"#S004 F NS$\n"[3:]


def test_reset_output_buffer_stops_what_has_not_left(bench: Any) -> None:
    bench.port.write(b"#S001 F$\n#S051 F$\n")
    bench.clock.sleep(10 * BYTE_S)
    assert bench.port.out_waiting == 9

    bench.port.reset_output_buffer()

    assert bench.port.out_waiting == 0
    assert bench.everything() == b"#S004 F NS$\n"


def test_full_line_times_out_a_write_that_does_not_fit(bench: Any) -> None:
    bench.port.write_timeout = 0.1
    bench.port.write(b"x" * 4096)

    with pytest.raises(serial.SerialTimeoutException, match="Write timeout"):
        bench.port.write(b"#S051 F$\n")


def test_full_line_lets_a_patient_write_through(bench: Any) -> None:
    bench.port.write_timeout = 2
    bench.port.write(b"x" * 4095 + b"\n")

    assert bench.port.write(b"#S051 F$\n") == 9
    assert bench.everything().endswith(b"virtual 1$\n")


def test_write_timeout_zero_takes_what_fits(bench: Any) -> None:
    bench.port.write_timeout = 0
    assert bench.port.write(b"x" * 5000) == 4096
    assert bench.port.write(b"x") == 0


def test_unread_replies_are_bounded(make_bench: Make) -> None:
    bench = make_bench(baud_pacing=0)
    for _ in range(1000):
        bench.port.write(b"#S051 F$\n")

    assert bench.port.in_waiting == 4096


@pytest.mark.parametrize(
    ("setting", "value"), [("baudrate", 9600), ("parity", "E"), ("stopbits", 2), ("bytesize", 7)]
)
def test_wrong_line_settings_are_heard_as_noise(bench: Any, setting: str, value: Any) -> None:
    setattr(bench.port, setting, value)

    assert bench.ask("S051") == b""


def test_wrong_baud_rate_is_warned_of_when_the_port_is_opened(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench.port.close()
    bench.port.baudrate = 9600
    with caplog.at_level(logging.WARNING):
        bench.port.open()

    assert "is set to 9600 baud and the virtual controller to 38400" in caplog.text


def test_line_settings_need_not_be_checked(make_bench: Make) -> None:
    bench = make_bench(check_baud=0)
    bench.port.baudrate = 9600

    assert bench.ask("S051") != b""


def test_controller_stays_powered_while_its_port_is_closed() -> None:
    url = "sim://?register=5&baud_pacing=0"
    with open_url(url) as port:
        port.write(b"#P031 F $\n#E002 F 3$\n#P132 F 7$\n")
        model = port.model

    with open_url(url) as port:
        assert port.model is model
        assert port.model.frames_seen == {"P031": 1, "E002": 1, "P132": 1}


def test_replies_that_come_while_the_port_is_closed_are_gone(bench: Any) -> None:
    bench.port.write(b"#S051 F$\n")
    bench.port.close()
    bench.clock.sleep(1)

    bench.port.open()

    assert bench.everything() == b""


def test_port_open_before_a_hang_up_stays_dead_after_the_return(bench: Any) -> None:
    bench.model.hang_up()
    bench.model.come_back()
    fresh = open_url(bench.port.port)

    with pytest.raises(serial.SerialException, match="open it anew"):
        bench.port.read(1)
    fresh.write(b"#S051 F$\n")
    assert fresh.readline() == b"#S052 F OK3Z virtual 1$\n"
    bench.port.close()
    fresh.write(b"#S051 F$\n")
    assert fresh.readline() == b"#S052 F OK3Z virtual 1$\n"
    fresh.close()


def test_motor_goes_on_during_a_hang_up(bench: Any) -> None:
    origin = bench.home()
    bench.go_to_mm(origin, 2.0)
    bench.model.hang_up()
    bench.clock.sleep(10)

    assert bench.model.motor_mm == pytest.approx(2.0)


def test_unread_and_unsent_bytes_do_not_survive_a_hang_up(bench: Any) -> None:
    bench.model.fault("late", seconds=3, order="out")
    bench.ask("P081")
    bench.port.write(b"#S051 F$\n")
    bench.model.hang_up()
    bench.model.come_back()
    bench.port.close()
    bench.port.open()

    assert bench.everything() == b""


def test_frame_cut_by_a_hang_up_is_not_completed_later(bench: Any) -> None:
    bench.port.write(b"#P08")
    bench.clock.sleep(1)
    bench.model.hang_up()
    bench.model.come_back()
    bench.port.close()
    bench.port.open()

    bench.port.write(b"1 F$\n")

    assert bench.everything() == b""


def test_hang_up_is_noticed_though_the_adapter_came_back_at_once(bench: Any) -> None:
    class Mischief(VirtualClock):
        def wait(self, condition: threading.Condition, seconds: float | None) -> None:
            bench.model.hang_up()
            bench.model.come_back()
            super().wait(condition, seconds)

    bench.model.clock = Mischief()

    with pytest.raises(serial.SerialException, match="hung up"):
        bench.port.read(1)


def test_urls_with_other_options_are_other_controllers() -> None:
    with open_url("sim://?seed=1") as one, open_url("sim://?seed=2") as two:
        assert one.model is not two.model


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sim://?speling=1", "There is no option 'speling'; the options are: start_mm"),
        ("sim://?speling=1", "control=PATH"),
        ("sim://?start_mm=x", "start_mm='x' is not a number from 0 to 20"),
        ("sim://?start_mm", "'start_mm' is not of the form option=value"),
        ("sim://?seed=1&seed=2", "gives an option twice"),
        ("sim://nobody", "No virtual controller was registered as sim://nobody"),
        ("sim://?control=/nowhere/at/all", "The control socket /nowhere/at/all cannot be made"),
    ],
)
def test_wrong_url_is_a_serial_exception_with_one_sentence(url: str, said: str) -> None:
    with pytest.raises(serial.SerialException) as caught:
        serial.serial_for_url(url)

    assert said in str(caught.value)
    assert url in str(caught.value)


def test_names_are_unique_and_given_back() -> None:
    model = VirtualOK3Z()
    with registered("mine", model) as url:
        assert url == "sim://mine"
        with pytest.raises(OptionError, match="already"):
            register("mine", model)
    register("mine", model)
    unregister("mine")
    unregister("mine")
    with pytest.raises(OptionError, match="cannot be the name"):
        register("not a name?", model)


def test_url_can_ask_for_a_control_socket(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with open_url(f"sim://?control={path}") as port:
        assert tell(str(path), "hand 1") == {"ok": True, "carriage_mm": pytest.approx(4.0)}
        assert port.model.carriage_mm == pytest.approx(4.0)
        assert json.dumps(tell(str(path), "state"))


def test_closing_from_another_thread_ends_a_read(ends_of_a_read: Any) -> None:
    port = open_url("sim://")

    assert len(ends_of_a_read(port, port.close)) == 1


def test_clocks_do_what_their_names_say() -> None:
    virtual = VirtualClock(5.0)
    virtual.sleep(2)
    virtual.sleep(-1)
    assert virtual.monotonic() == 7.0
    condition = threading.Condition()
    virtual.wait(condition, 3)
    assert virtual.monotonic() == 10.0

    system = SystemClock()
    before = system.monotonic()
    system.sleep(0.001)
    with condition:
        system.wait(condition, 0.001)
    assert system.monotonic() >= before + 0.001
