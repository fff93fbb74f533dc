"""How a controller may write its answers, late, rounded or restless, and still be right."""

from __future__ import annotations

from typing import Any, Callable

import pytest

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"reply_end": "crlf"}, b"#P081 F -1234$\r\n"),
        ({"reply_end": "cr"}, b"#P081 F -1234$\r"),
        ({"reply_end": "none"}, b"#P081 F -1234$"),
        ({"register_width": 8}, b"#P081 F    -1234$\n"),
        ({"register_width": 8, "register_digits": 6}, b"#P081 F  -001234$\n"),
        ({"register_plus": 1}, b"#P081 F -1234$\n"),
        ({"trailing_spaces": 1}, b"#P081 F -1234 $\n"),
        ({"reply_spaces": 2}, b"#P081 F  -1234$\n"),
        ({"register_digits": 7}, b"#P081 F -0001234$\n"),
        ({"register_digits": 7, "reply_spaces": 2}, b"#P081 F  -0001234$\n"),
        ({"echo": 1}, b"#P081 F$\n#P081 F -1234$\n"),
        ({"register_grid": 8}, b"#P081 F -1232$\n"),
    ],
)
def test_answers_are_written_as_the_options_say(
    make_bench: Make, options: dict[str, Any], answer: bytes
) -> None:
    bench = make_bench(register=-1234, **options)
    bench.port.write(b"#P081 F$\n")

    assert bench.everything() == answer


def test_padding_has_no_sign_where_there_is_none(make_bench: Make) -> None:
    assert make_bench(register=42, register_digits=7).ask("P081") == b"#P081 F 0000042$\n"


def test_plus_stands_before_what_is_not_negative(make_bench: Make) -> None:
    assert make_bench(register=42, register_plus=1, register_width=5).ask("P081") == b"#P081 F   +42$\n"
    assert make_bench(register=0, register_plus=1).ask("P081") == b"#P081 F +0$\n"


def test_faults_spoil_answers_of_every_style(make_bench: Make) -> None:
    bench = make_bench(reply_end="crlf", reply_spaces=2, echo=1)
    bench.model.fault("replaced", to="P081", text="17")
    bench.model.fault("merged", to="S001")
    bench.port.write(b"#P081 F$\n#S001 F$\n")

    assert bench.everything() == b"#P081 F$\n#P081 F  17$\r\n#S001 F$\n#S004 F  NS"


@pytest.mark.parametrize("text", ["\tS", "#S#", "$S$", "\xffS\x80", "NSO", "NSOU", " S ", "N"])
def test_state_texts_may_hold_any_bytes(make_bench: Make, text: str) -> None:
    bench = make_bench(still_text=text, moving_text=text.replace("S", "\xc5"))
    assert bench.ask("S001") == b"#S004 F " + text.encode("latin-1") + b"$\n"
    bench.tell("P103", "V 21341")

    assert bench.ask("S001") == b"#S004 F " + text.replace("S", "\xc5").encode("latin-1") + b"$\n"


def test_answers_can_take_their_time(make_bench: Make) -> None:
    bench = make_bench(reply_delay_s=0.3, time_scale=2)
    begun = bench.clock.monotonic()

    assert bench.ask("S001") == b"#S004 F NS$\n"

    assert bench.clock.monotonic() - begun == pytest.approx(0.15 + 21 * 10 / 38400 / 2)


def test_register_may_be_renewed_seldom(make_bench: Make) -> None:
    bench = make_bench(register_refresh_s=0.5)
    bench.configure()
    bench.tell("P103", "V 21341")

    told = []
    for _ in range(40):
        told.append(bench.ask("P081"))
        bench.clock.sleep(0.05)

    assert 4 <= len(set(told)) <= 6
    bench.rest()
    bench.clock.sleep(0.5)
    assert bench.ask("P081") == f"#P081 F {bench.model.register}$\n".encode()


def test_seldom_renewed_register_does_not_depend_on_who_looks(make_bench: Make) -> None:
    seldom, often = make_bench(register_refresh_s=0.5), make_bench(register_refresh_s=0.5)
    for bench in (seldom, often):
        bench.model.write(b"#P132 F 41$\n#P103 F V 21341$\n")
    for _ in range(100):
        seldom.clock.sleep(0.0173)
        often.model.advance()

    for bench in (seldom, often):
        bench.model.write(b"#P081 F$\n")

    assert seldom.everything() == often.everything(0) != b"#P081 F -40000$\n"


def test_power_cut_shows_at_once_in_a_seldom_renewed_register(make_bench: Make) -> None:
    bench = make_bench(register_refresh_s=60)

    bench.model.power_cut()

    assert bench.ask("P081") == b"#P081 F 0$\n"


def test_targets_are_rounded_with_the_register(make_bench: Make) -> None:
    bench = make_bench(register_grid=8, backlash_mm=0)
    bench.configure()

    bench.tell("P092", "-40011")
    bench.rest()

    assert bench.model.register == -40008
    assert bench.ask("P081") == b"#P081 F -40008$\n"


def test_register_may_flicker_at_rest_and_only_there(make_bench: Make) -> None:
    bench = make_bench(register_flicker=1)

    told = {bench.ask("P081") for _ in range(30)}

    assert told == {b"#P081 F %d$\n" % register for register in (-40001, -40000, -39999)}
    assert bench.model.register == -40000


@pytest.mark.parametrize("off", [-1, 1])
def test_arrival_may_be_a_step_off(make_bench: Make, off: int) -> None:
    bench = make_bench(arrival_off_steps=off)
    bench.configure()

    for _ in range(2):
        bench.tell("P092", "-41000")
        bench.rest()

        assert bench.model.register == -41000 + off
