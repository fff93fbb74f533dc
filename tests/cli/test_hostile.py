"""A daemon that is hostile or odd: nothing of it reaches a terminal raw, and nothing large is unpacked."""

from __future__ import annotations

import json
import zlib
from functools import partial
from typing import Any

import Pyro4
import pytest

from rockit.focuser.ok3z.cli.main import main
from rockit.focuser.ok3z.client import calls
from rockit.focuser.ok3z.client.calls import CallError
from rockit.focuser.ok3z.client.report import LONGEST_TEXT, printable, text_in

pytestmark = pytest.mark.usefixtures("phone_book")

# Colours, a bell, a return, a new title, a C1 control, and text from right to left.
EVIL = "\x1b[31mred\x07\rover\nline\x1b]0;title\x07\x9b2J\u202egnirts\u2066"


def assert_harmless(text: str) -> None:
    assert all(letter.isprintable() or letter == "\n" for letter in text), ascii(text)


def test_no_text_of_a_report_reaches_the_terminal_raw(script: Any, capsys: Any) -> None:
    words = ("status", "init", "set 1", "offset 1", "stop", "audit", "kill", "record", "json")
    report = {
        **script.report,
        **dict.fromkeys(("state", "reason", "trust_reason", "position_trust", "homed_at"), EVIL),
    }
    for status in (0, 1, 2, 99):
        script.report = {**report, "status": status, "state_file_problem": EVIL, "alpaca_problem": EVIL}
        for answer in (0, 1, 2):
            script.answers = {
                **dict.fromkeys(script.answers, answer),
                "last_failure": {"reason": EVIL, "status": 1},
            }
            script.answers["record"] = EVIL if answer == 0 else answer
            for line in words:
                main(line.split())
                written = capsys.readouterr()
                assert_harmless(written.out + written.err)


def test_no_exception_of_a_daemon_does(script: Any, capsys: Any) -> None:
    for odd in (ValueError(EVIL), EVIL, [EVIL], {EVIL: EVIL}):
        script.answers = dict.fromkeys(script.answers, odd)
        for line in ("init", "set 1", "stop", "kill"):
            assert main(line.split()) != 0
            written = capsys.readouterr()
            assert_harmless(written.out + written.err)


def test_what_is_escaped_can_be_read() -> None:
    assert printable("a\x1b[31mb\u202ec é") == "a\\x1b[31mb\\u202ec é"
    assert printable("a" * 10_000) == "a" * (LONGEST_TEXT + 1) + "…"
    assert len(text_in({"reason": "a" * 10_000}, "reason")) == LONGEST_TEXT + 1
    assert str(CallError(EVIL)) == printable(EVIL)


def test_an_answer_is_bounded_before_it_is_unpacked() -> None:
    unpack = partial(calls._unpacked, json.loads)
    assert unpack(b"[1]") == [1]
    assert unpack(zlib.compress(b"[1]"), compressed=2) == [1]
    bomb = zlib.compress(b" " * (calls.MOST_ANSWER_BYTES + 1))
    assert len(bomb) < 2000
    with pytest.raises(Pyro4.errors.ProtocolError, match="more than 1000000 bytes"):
        unpack(bomb, compressed=2)


def test_focus_takes_no_large_answer(script: Any, capsys: Any) -> None:
    script.report = {**script.report, "reason": "a" * (calls.MOST_ANSWER_BYTES + 1)}
    assert main(["status"]) == 155
    assert len(capsys.readouterr().err) < 1000


@pytest.mark.parametrize(
    "command", ["status", "set 1", "stop", "json --daemon stand_in", "set x", "status --config absent"]
)
def test_the_bound_holds_for_the_command_and_not_for_the_process(command: str, capsys: Any) -> None:
    serializer = Pyro4.util.get_serializer("serpent")
    before = Pyro4.config.MAX_MESSAGE_SIZE
    main(command.split())
    assert before == Pyro4.config.MAX_MESSAGE_SIZE
    assert "deserializeData" not in vars(serializer)
    capsys.readouterr()


def test_several_take_no_large_answer_either(script: Any, capsys: Any) -> None:
    script.report = {**script.report, "reason": "a" * (calls.MOST_ANSWER_BYTES + 1)}
    assert main(["status", "--daemon", "stand_in"]) == 155
    assert len(capsys.readouterr().out) < 1000
