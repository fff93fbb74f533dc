"""Whatever a host sends, the controller neither crashes nor falls silent."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rockit.focuser.ok3z.simulator import VirtualClock, VirtualOK3Z
from rockit.focuser.ok3z.simulator.control_commands import obey

_pieces = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"#", b"$\n", b" F ", b"#P092 F ", b"#P081 F$\n", b"#P103 F V 21341$\n", b"-1", b"9" * 300]
    ),
)


@given(st.lists(_pieces, max_size=20))
@settings(max_examples=150)
def test_any_bytes_then_a_question_is_answered(pieces: list[bytes]) -> None:
    clock = VirtualClock()
    model = VirtualOK3Z(clock, unknown="echo")
    for piece in pieces:
        model.write(piece)
        clock.sleep(0.01)
    clock.sleep(10)
    model.read(10**6)

    model.write(b"\n#S051 F$\n")
    clock.sleep(1)

    assert model.read(10**6).endswith(b"#S052 F OK3Z virtual 1$\n")


@given(st.text(max_size=80))
def test_any_line_on_the_control_socket_has_an_answer(line: str) -> None:
    answer = obey(VirtualOK3Z(VirtualClock()), line)

    assert answer["ok"] in (True, False)
    assert answer["ok"] or answer["error"]


def test_unended_input_is_bounded() -> None:
    clock = VirtualClock()
    model = VirtualOK3Z(clock)
    for _ in range(100):
        model.write(b"x" * 4096)
        clock.sleep(2)

    model.write(b"\n#S051 F$\n")
    clock.sleep(1)

    assert model.read(100) == b"#S052 F OK3Z virtual 1$\n"
    assert max(len(line) for _, line in model.journal) <= 257
