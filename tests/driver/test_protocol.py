"""The controller's language: the byte vectors, and what must hold for any bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver import protocol
from rockit.focuser.ok3z.driver.protocol import (
    MAX_LINE_BYTES,
    SETTLED_FRAMES,
    Command,
    Manner,
    Noise,
    Query,
    Reply,
    ReplyParser,
)
from rockit.focuser.ok3z.errors import MalformedReplyError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/wire.json").read_text(encoding="utf-8"))
Vector = dict[str, Any]

QUERIES = {
    "identify": protocol.IDENTIFY,
    "state": protocol.MOTION_STATE,
    "position": protocol.POSITION_REGISTER,
}
COMMANDS: dict[str, Callable[[Any], Query | Command]] = {
    "identify": lambda _: protocol.IDENTIFY,
    "state": lambda _: protocol.MOTION_STATE,
    "position": lambda _: protocol.POSITION_REGISTER,
    "go_to": protocol.go_to,
    "home": protocol.run_to_limit_switch,
    "stop": lambda _: protocol.HALT,
    "release": lambda _: protocol.RELEASE,
    "microstep_mode": lambda _: protocol.MICROSTEP_MODE,
    "maximum_speed": protocol.maximum_speed,
    "acceleration": protocol.acceleration,
    "deceleration": protocol.deceleration,
}
READ: dict[str, Callable[[Reply], Any]] = {
    "identify": protocol.read_text,
    "state": lambda reply: "standing" if protocol.read_stands_still(reply) else "moving",
    "position": protocol.read_register,
}


def bytes_of(vector: Vector) -> bytes:
    return str(vector["bytes"]).encode("latin-1")


def frames_of(vector: Vector) -> list[Reply]:
    return [Reply(code, argument) for code, argument in vector["frames"]]


def replies_in(chunks: Iterable[bytes]) -> list[Reply]:
    parser = ReplyParser()
    return [reply for chunk in chunks for reply in parser.feed(chunk).replies]


def single_bytes(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    """The stream in the pieces between `places`, some of which may be empty."""
    ends = [*sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[start:end] for start, end in zip([0, *ends], ends)]


def encoded(reply: Reply) -> bytes:
    argument = "" if reply.argument is None else f" {reply.argument}"
    return f"#{reply.code} F{argument}$".encode("latin-1")


def visible(data: bytes) -> list[int]:
    """Its bytes in some order, without those that may decorate a frame."""
    return sorted(byte for byte in data if byte not in b" \r\n")


GARBAGE = [
    b"x",
    b"\x00\xff\x80",
    b"\n",
    b"$\n",
    b"#",
    b"F 12$\n",
    b"P081 F 12$\n",
    b"#P081 F 12",
    b"\xa3" * 700,
    b"\n" * 700,
]

decode_vectors = pytest.mark.parametrize(
    "vector", VECTORS["decode"], ids=[vector["note"] for vector in VECTORS["decode"]]
)


# What is said


@pytest.mark.parametrize("vector", VECTORS["encode"], ids=lambda vector: vector["bytes"].strip())
def test_what_is_sent_is_on_the_wire_as_the_vector_says(vector: Vector) -> None:
    assert COMMANDS[vector["meaning"]](vector["argument"]).encode() == bytes_of(vector)


def test_the_vectors_name_everything_that_can_be_sent() -> None:
    assert {vector["meaning"] for vector in VECTORS["encode"]} == set(COMMANDS)


def test_every_query_is_known_and_answered_under_a_code_of_its_own() -> None:
    assert set(protocol.QUERIES) == set(QUERIES.values())
    assert len({query.reply_code for query in protocol.QUERIES}) == len(protocol.QUERIES)


@given(st.integers(-(10**9), 10**9))
def test_a_register_survives_the_way_there_and_back(register: int) -> None:
    (sent,) = replies_in([protocol.go_to(register).encode()])
    assert sent == Reply("P092", str(register))
    assert protocol.read_register(Reply("P081", sent.argument)) == register


# What is heard


@pytest.mark.parametrize("vector", VECTORS["reply"], ids=lambda vector: vector["bytes"].strip())
def test_a_reply_is_understood_as_the_vector_says(vector: Vector) -> None:
    query = QUERIES[vector["meaning"]]
    (reply,) = replies_in([bytes_of(vector)])
    assert reply == Reply(query.reply_code, str(vector["argument"]))


@pytest.mark.parametrize(
    "vector", VECTORS["value"], ids=lambda vector: f"{vector['meaning']}-{vector['argument']!r}"
)
def test_an_argument_means_what_the_vector_says(vector: Vector) -> None:
    reply = Reply(QUERIES[vector["meaning"]].reply_code, vector["argument"])
    read = READ[vector["meaning"]]
    if vector["value"] == "malformed":
        with pytest.raises(MalformedReplyError, match="came as"):
            read(reply)
    else:
        assert read(reply) == vector["value"]


@decode_vectors
def test_a_stream_that_comes_whole(vector: Vector) -> None:
    assert replies_in([bytes_of(vector)]) == frames_of(vector)


@decode_vectors
def test_a_stream_that_comes_byte_by_byte(vector: Vector) -> None:
    assert replies_in(single_bytes(bytes_of(vector))) == frames_of(vector)


@decode_vectors
def test_a_stream_that_comes_in_two_parts_wherever_it_is_cut(vector: Vector) -> None:
    stream = bytes_of(vector)
    for place in range(len(stream) + 1):
        assert replies_in([stream[:place], stream[place:]]) == frames_of(vector), f"cut at {place}"


@decode_vectors
def test_what_follows_unfinished_changes_nothing(vector: Vector) -> None:
    for trailing in (b"#", b"#P081 F 9", b"#P081 F 9$", b"\x00\xff x"):
        assert replies_in([bytes_of(vector) + trailing]) == frames_of(vector), trailing


@decode_vectors
def test_no_stream_swallows_the_good_frame_that_follows(vector: Vector) -> None:
    stream = bytes_of(vector) + b"#P081 F 9$\n"
    for chunks in ([stream], single_bytes(stream)):
        assert replies_in(chunks) == [*frames_of(vector), Reply("P081", "9")]


@decode_vectors
def test_garbage_before_a_frame_does_no_harm(vector: Vector) -> None:
    stream = bytes_of(vector)
    for garbage in GARBAGE:
        line_end = b"" if stream.startswith(b"#") else b"\n"
        spoilt = garbage + line_end + stream
        for chunks in ([spoilt], single_bytes(spoilt)):
            assert replies_in(chunks) == frames_of(vector), garbage


# In other manners


@pytest.mark.parametrize("vector", VECTORS["manner"], ids=lambda vector: vector["note"])
def test_a_reply_of_another_manner_is_understood(vector: Vector) -> None:
    for chunks in ([bytes_of(vector)], single_bytes(bytes_of(vector))):
        (reply,) = heard(ReplyParser(), chunks)
        assert reply == Reply(QUERIES[vector["meaning"]].reply_code, vector["argument"])


@pytest.mark.parametrize("vector", VECTORS["silence"], ids=lambda vector: vector["note"])
def test_silence_ends_a_frame_where_no_line_feed_was_seen(vector: Vector) -> None:
    for chunks in ([bytes_of(vector)], single_bytes(bytes_of(vector))):
        assert heard(ReplyParser(), chunks) == frames_of(vector)


def heard(parser: ReplyParser, chunks: Iterable[bytes]) -> list[Reply]:
    """The replies in a stream after which nothing comes."""
    replies = [reply for chunk in chunks for reply in parser.feed(chunk).replies]
    return replies + parser.silence().replies


def settled(*frames: bytes) -> ReplyParser:
    """A parser that has heard so many answers without a line feed that it awaits none."""
    parser = ReplyParser()
    for _ in range(SETTLED_FRAMES):
        for frame in frames or (b"#S004 F NS$", b"#P081 F -40000$"):
            assert len(heard(parser, [frame])) == 1
    return parser


def test_until_it_is_settled_silence_is_waited_for() -> None:
    parser = ReplyParser()
    for _ in range(SETTLED_FRAMES):
        assert parser.feed(b"#P081 F -40000$").replies == []
        assert parser.silence().replies == [Reply("P081", "-40000")]
    assert parser.feed(b"#P081 F -40001$").replies == [Reply("P081", "-40001")]


def test_a_frame_that_is_shorter_than_the_last_of_its_kind_waits_for_silence() -> None:
    """A wrong byte may have made a `$` of a digit."""
    for number in (b"$40000", b"-$0000", b"-4$000", b"-40$00", b"-400$0", b"-4000$"):
        frame = b"#P081 F " + number + b"$"
        for chunks in ([frame], single_bytes(frame)):
            assert heard(settled(), chunks) == []
    parser = settled()
    assert parser.feed(b"#P081 F -9999$").replies == []
    assert parser.silence().replies == [Reply("P081", "-9999")]
    assert parser.feed(b"#P081 F -9998$").replies == [Reply("P081", "-9998")]


def test_a_dollar_within_a_state_never_makes_a_wrong_letter_count() -> None:
    for text in ("N$", "$S", "$$S", "NS$", "N$S$", "#S", "N#"):
        frame = f"#S004 F {text}$".encode()
        for parser in (ReplyParser(), settled(), settled(frame)):
            for reply in heard(parser, single_bytes(frame)):
                assert reply.argument is not None
                assert reply.argument[1] == text[1]
            parser.reset()
            assert Reply("P081", "7") in heard(parser, [b"#P081 F 7$"])


def test_a_line_feed_that_comes_late_is_a_line_feed_all_the_same() -> None:
    parser = settled()
    assert parser.feed(b"#P081 F -40001$").replies
    assert parser.feed(b"\r\n").replies == []
    assert heard(parser, [b"#P081 F -40002$"]) == []
    assert heard(parser, [b"\n"]) == [Reply("P081", "-40002")]


def test_the_line_feed_of_an_echo_says_nothing_of_the_controller() -> None:
    parser = settled()
    for _ in range(5):
        replies = [
            reply
            for byte in single_bytes(b"#P081 F$\n#P081 F -40002$")
            for reply in parser.feed(byte).replies
        ]
        assert replies == [Reply("P081", None), Reply("P081", "-40002")]


def test_a_line_feed_that_was_noise_does_not_make_a_controller_mute() -> None:
    parser = settled()
    parser.feed(b"#P081 F -40002$\n")
    for _ in range(SETTLED_FRAMES):
        assert heard(parser, [b"#P081 F -40003$"]) == []
        parser.reset()
    assert heard(parser, [b"#P081 F -40003$"]) == [Reply("P081", "-40003")]


# A manner that changes


def written(number: str, spaces: int = 1) -> Reply:
    return Reply("P081", number, spaces)


def test_another_manner_is_believed_when_it_repeats() -> None:
    """A digit that became a space, as the last one or the first, leaves a number that was not said."""
    manner = Manner()
    manner.require_usual(written("-12340"))
    for reply in (written("-1234 "), written("1234", 2), written("+1234")):
        with pytest.raises(MalformedReplyError, match="another manner"):
            manner.require_usual(reply)
        manner.require_usual(written("-12340"))
    with pytest.raises(MalformedReplyError, match="another manner"):
        manner.require_usual(written("-1234 "))
    manner.require_usual(written("-1235 "))
    manner.require_usual(written("-1236 "))


def test_a_manner_is_kept_over_a_change_of_sign_and_of_length() -> None:
    for numbers in (("5", "-5", "12345"), ("+5", "-5", "+12345"), ("00005", "-00005", "12345")):
        manner = Manner()
        for number in (*numbers, *reversed(numbers)):
            manner.require_usual(written(number))


def test_each_kind_of_answer_has_its_own_manner() -> None:
    manner = Manner()
    manner.require_usual(written("5", 3))
    manner.require_usual(Reply("S004", "NS"))
    manner.require_usual(Reply("S004", "N "))
    with pytest.raises(MalformedReplyError, match="another manner"):
        manner.require_usual(Reply("S004", "S", 2))


# Any bytes

FRAGMENTS = [
    *(bytes_of(vector) for section in ("encode", "reply", "decode") for vector in VECTORS[section]),
    b"#",
    b"#P081 F ",
    b"$",
    b"\n",
    b"$\n",
    b"1",
    b"\x80",
    b"A" * 60,
    b"A" * 251,
]
streams = st.one_of(
    st.binary(max_size=600),
    st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=12).map(b"".join),
)
places = st.lists(st.integers(0, 900), max_size=8)


@given(streams, places)
@example(b"#S052 F " + b"A" * 245 + b"$\n", [])
@example(b"#S052 F " + b"A" * 247 + b"$\n", [])
@example(b"#S052 F " + b"A" * 248 + b"$\n", [])
@example(b"#S052 F " + b"A" * 254 + b"$\n", [])
@example(b"#S052 F " + b"A" * 255 + b"$\n", [])
@example(b"#S052 F " + b"A" * 300 + b"$\n", [])
def test_what_is_heard_does_not_depend_on_how_the_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    whole = replies_in([stream])
    assert replies_in(cut(stream, cuts)) == whole
    assert replies_in(single_bytes(stream)) == whole


@given(streams, places)
def test_every_byte_is_in_a_reply_or_noise_or_waits(stream: bytes, cuts: list[int]) -> None:
    parser = ReplyParser()
    found: list[bytes] = []
    for chunk in cut(stream, cuts):
        received = parser.feed(chunk)
        assert all(isinstance(noise, Noise) and noise.data for noise in received.noise)
        found += [encoded(reply) for reply in received.replies]
        found += [noise.data for noise in received.noise]
    waiting = parser.reset()
    assert visible(b"".join([*found, waiting])) == visible(stream)


@given(st.lists(streams, max_size=6))
def test_the_memory_is_bounded(chunks: list[bytes]) -> None:
    for chunk in chunks:
        parser = ReplyParser()
        parser.feed(chunk)
        assert len(parser.reset()) <= MAX_LINE_BYTES


def test_an_endless_line_is_given_out_as_noise_and_does_not_pile_up() -> None:
    parser = ReplyParser()
    noise = [noise for _ in range(1000) for noise in parser.feed(b"x" * 100).noise]
    assert sum(len(piece.data) for piece in noise) == 100_000 - MAX_LINE_BYTES
    assert parser.feed(b"\n#P081 F 7$\n").replies == [Reply("P081", "7")]


def test_the_longest_frame_is_still_a_frame() -> None:
    argument = "A" * (MAX_LINE_BYTES - len("#S052 F $"))
    frame = f"#S052 F {argument}$\n".encode()
    assert replies_in(single_bytes(frame)) == [Reply("S052", argument)]


@given(streams)
def test_a_reply_holds_what_the_controller_can_say(stream: bytes) -> None:
    """Printable ASCII without the signs that make a frame, but for states and versions: what else comes was garbled."""
    for reply in replies_in([stream]):
        assert len(reply.code) == 4
        assert (
            reply.argument is None
            or reply.code in ("S004", "S052")
            or (
                reply.argument.isascii()
                and (reply.argument.isprintable() or not reply.argument)
                and not set("#$") & set(reply.argument)
            )
        )
        assert str(reply).isascii()
        assert str(reply).isprintable()


@given(st.sampled_from(protocol.QUERIES), st.none() | st.text(max_size=300))
def test_every_reply_has_a_value_or_is_refused_as_malformed(query: Query, argument: str | None) -> None:
    reply = Reply(query.reply_code, argument)
    for read in READ.values():
        try:
            value = read(reply)
        except MalformedReplyError as error:
            assert "\n" not in str(error)  # noqa: PT017
            assert len(str(error)) < 500  # noqa: PT017
        else:
            assert isinstance(value, (str, int))


@pytest.mark.parametrize(
    "argument", ["9" * 16, "-" + "9" * 200, "9" * 5000, "12\n", "1 2", "12\t", "\u0661\u0662", "+", "12+"]
)
def test_what_no_register_holds_is_malformed(argument: str) -> None:
    with pytest.raises(MalformedReplyError):
        protocol.read_register(Reply("P081", argument))


def test_a_reset_forgets_the_unfinished_line_and_gives_it_back() -> None:
    parser = ReplyParser()
    parser.feed(b"#P081 F 1")
    assert parser.reset() == b"#P081 F 1"
    assert parser.reset() == b""
    received = parser.feed(b"23$\n")
    assert (received.replies, received.noise) == ([], [Noise(b"23$")])


def test_noise_comes_in_its_order_and_without_the_line_feed() -> None:
    received = ReplyParser().feed(b"abc\nxyz#P081 F 7$\n#S004 F N\n")
    assert [noise.data for noise in received.noise] == [b"abc", b"xyz", b"#S004 F N"]
    assert received.replies == [Reply("P081", "7")]


# One wrong byte, or several

REGISTERS = ["-40000", "-39871", "12345", "7", "-1"]
ends = st.sampled_from([b"\n", b"\r\n", b""])
edits = st.lists(st.tuples(st.sampled_from("ixd"), st.integers(0, 500), st.integers(0, 255)), max_size=6)


def spoilt(stream: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    """A stream with bytes inserted (i), exchanged (x) and deleted (d)."""
    data = bytearray(stream)
    for kind, place, byte in changes:
        at = place % (len(data) + 1)
        data[at : at + (kind != "i")] = b"" if kind == "d" else bytes([byte])
    return bytes(data)


def edits_between(one: str, other: str) -> int:
    """How many characters must be inserted, exchanged or deleted to make one text of another."""
    row = list(range(len(other) + 1))
    for at, char in enumerate(one, start=1):
        before, row[0] = row[0], at
        for to, wanted in enumerate(other, start=1):
            before, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, before + (char != wanted))
    return row[-1]


@given(st.lists(st.sampled_from(REGISTERS), min_size=1, max_size=6), ends, edits, places, st.booleans())
def test_a_register_stood_in_a_frame_with_its_dollar(
    registers: list[str], end: bytes, changes: list[tuple[str, int, int]], cuts: list[int], is_settled: bool
) -> None:
    """Whatever bytes are inserted, deleted or changed, and wherever silence falls."""
    parser = settled(b"#P081 F -400000$") if is_settled else ReplyParser()
    stream = spoilt(b"".join(f"#P081 F {register}$".encode() + end for register in registers), changes)
    replies = [reply for chunk in cut(stream, cuts) for reply in heard(parser, [chunk])]
    for reply in replies:
        if reply.code == "P081" and reply.argument:
            frame = f"#P081 F{' ' * reply.spaces}{reply.argument}$".encode()
            assert frame in stream


@given(st.sampled_from(REGISTERS), ends, edits.map(lambda changes: changes[:1]), st.booleans())
def test_one_wrong_byte_never_leaves_a_part_of_a_register(
    register: str, end: bytes, changes: list[tuple[str, int, int]], is_settled: bool
) -> None:
    """The number that is read is what was sent, with that byte: never what stands before or behind a false `$`."""
    last = f"#P081 F {register}$".encode()
    for parser in (settled(last) if is_settled else ReplyParser(), ReplyParser()):
        stream = spoilt(last + end, changes)
        for reply in heard(parser, single_bytes(stream)):
            if reply.code == "P081" and reply.argument:
                assert edits_between(reply.argument.strip(), register) <= 1
