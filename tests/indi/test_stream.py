"""Whatever comes is cut and parsed alone, and little of it is held."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.indi.stream import LONGEST_ELEMENT, LONGEST_TAG, Cutter, Message, parse
from tests.support.indi import ABORT, CONNECT, GET, go_to

GOOD = GET.encode()
SOON = LONGEST_ELEMENT + 2 * LONGEST_TAG


def cut(data: bytes, size: int = 65536) -> list[bytes]:
    """The elements of a stream that comes in pieces."""
    cutter = Cutter()
    return [element for at in range(0, len(data), size) for element in cutter.feed(data[at : at + size])]


def messages(data: bytes) -> list[Message]:
    """What of a stream can be parsed."""
    found = []
    for element in cut(data):
        try:
            found.append(parse(element))
        except ValueError:
            continue
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 65536])
def test_elements_are_cut_however_they_come(size: int) -> None:
    texts = [GET, go_to(5), CONNECT, "<enableBLOB device='a>b'>Never</enableBLOB>", ABORT]
    stream = "<?xml version='1.0'?>\n" + "\n between \n".join(texts)
    assert cut(stream.encode(), size) == [text.strip().encode() for text in texts]


def test_a_number_comes_with_line_ends_around_it() -> None:
    (message,) = messages(go_to("5e3").encode())
    assert (message.tag, message.device, message.name) == (
        "newNumberVector",
        "OK3Z test",
        "ABS_FOCUS_POSITION",
    )
    assert message.elements == (("FOCUS_ABSOLUTE_POSITION", "5e3"),)


BROKEN = {
    "an undefined entity": go_to("&boom;").encode(),
    "a control character": go_to("5\x07").encode(),
    "a zero byte": go_to("5\0").encode(),
    "bad UTF-8": go_to("5").encode().replace(b"5\n", b"\xff\xfe\n"),
    "a doubled attribute": b"<getProperties version='1.7' version='1.7'/>",
    "an end of another": b"<newNumberVector device='x'><oneNumber name='a'>5</newNumberVector>",
    "an element in a number": go_to("5<b/>").encode(),
    "switches among numbers": go_to("5").replace("oneNumber", "oneSwitch").encode(),
    "a tag that does not end": b"<newNumberVector device='x' name='y' ",
    "a quote that does not end": b"<newNumberVector device='x ",
    "a doctype": b"<!DOCTYPE x [<!ENTITY a '<newNumberVector></newNumberVector>'>]>",
    "a doctype inside": go_to("<!DOCTYPE x [<!ENTITY a 'b'>]>&a;").encode(),
    "half a vector": go_to("5").encode()[:-20],
    "half an element": b"<newNumberVector device='OK3Z test' name='ABS_FOCUS_POSITION'><oneNumber na",
    "ends alone": b"</newNumberVector></a></>",
    "angles": b"<<<>>><>< <",
    "a root": b"<indi>",
    "other tags": b"<pleaseMove><to>5</to></pleaseMove>",
    "a command in a comment": f"<!-- {go_to(5)} -->".encode(),
    "a command in CDATA": f"<message><![CDATA[{go_to(5)}]]></message>".encode(),
    "an attribute without quotes": b"<newNumberVector device=x></newNumberVector>",
    "bytes": bytes(range(256)).replace(b"<", b"").replace(b"'", b"").replace(b'"', b""),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_harms_nothing_that_follows(what: str) -> None:
    found = messages(BROKEN[what] + GOOD)
    assert [message.tag for message in found if message.tag != "pleaseMove"][-1:] == ["getProperties"]
    assert not any(message.tag == "newNumberVector" for message in found)


@pytest.mark.parametrize(
    "begin", [b"<!--", b"<![CDATA[", b"<?x", b"<!DOCTYPE x [", b"<!ENTITY ", b"<a b='", b"<a "]
)
def test_what_does_not_end_swallows_little(begin: bytes) -> None:
    filling = b"<newNumberVector/>" * (SOON // 18)
    found = messages(begin + filling + GOOD)
    assert found[-1].tag == "getProperties"


def test_what_stood_in_an_endless_comment_is_not_done_later() -> None:
    commented = b"<!-- " + go_to(5).encode()
    assert messages(commented + b" " * LONGEST_TAG + GOOD)[0].tag == "getProperties"


@pytest.mark.parametrize(
    "filling", [b"A" * 1000, b"<a>" * 300, b"<a b='c'/>" * 100, b"&#65;" * 200, b"<!-- " * 100, b"\n" * 999]
)
def test_a_long_element_is_dropped_as_it_comes(filling: bytes) -> None:
    cutter = Cutter()
    held = 0
    assert list(cutter.feed(b"<newBLOBVector device='x'><oneBLOB name='y'>")) == []
    for _ in range(3000):
        assert list(cutter.feed(filling)) == []
        held = max(held, cutter.held)
    assert held <= SOON
    # A comment that was open swallows so much.
    end = b" " * LONGEST_TAG + b"</oneBLOB></newBLOBVector>"
    assert list(cutter.feed(end + GOOD)) == [GOOD]
    assert cutter.dropped == 1


def test_half_elements_for_ever() -> None:
    cutter = Cutter()
    for _ in range(20_000):
        assert list(cutter.feed(b"<newNumberVector device='x'><oneNumber name='y'>5")) == []
        assert cutter.held < 200
    assert list(cutter.feed(GOOD)) == [GOOD]
    assert cutter.dropped == 20_000


@given(
    st.lists(
        st.sampled_from([b"<", b">", b"'", b'"', b"/", b"!--", b"-->", b"a", b" ", b"[", b"]", b"?", GOOD])
    )
)
def test_any_bytes_are_cut_or_dropped(parts: list[bytes]) -> None:
    cutter = Cutter()
    for part in parts:
        for element in cutter.feed(part):
            try:
                parse(element)
            except ValueError:
                continue
    assert cutter.held <= SOON


@given(st.binary(max_size=300), st.integers(1, 50))
def test_it_is_cut_in_the_same_places_however_it_comes(data: bytes, size: int) -> None:
    assert cut(data + GOOD, size) == cut(data + GOOD)
