"""A daemon that is hostile or odd: nothing of it reaches a terminal raw, and nothing large is unpacked."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import socket
import threading
import time
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import Pyro4
import pytest

from rockit.focuser.ok3z import connect
from rockit.focuser.ok3z.cli.main import main
from rockit.focuser.ok3z.client import unpacking
from rockit.focuser.ok3z.client.calls import CallError
from rockit.focuser.ok3z.client.report import LONGEST_TEXT, printable, text_in
from tests.support.waiting import BOUND_S

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
    unpack = partial(unpacking._unpacked, json.loads)
    assert unpack(b"[1]") == [1]
    assert unpack(zlib.compress(b"[1]"), compressed=2) == [1]
    bomb = zlib.compress(b" " * (unpacking.MOST_ANSWER_BYTES + 1))
    assert len(bomb) < 2000
    with pytest.raises(Pyro4.errors.ProtocolError, match="more than 100000 bytes"):
        unpack(bomb, compressed=2)


def test_focus_takes_no_large_answer(script: Any, capsys: Any) -> None:
    script.report = {**script.report, "reason": "a" * (unpacking.MOST_ANSWER_BYTES + 1)}
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
    script.report = {**script.report, "reason": "a" * (unpacking.MOST_ANSWER_BYTES + 1)}
    assert main(["status", "--daemon", "stand_in"]) == 155
    assert len(capsys.readouterr().out) < 1000


class Evil:
    """Answers each message of a client with bytes of the test's choice, one after the other, on a port of its own.

    Args:
        answers: to the greeting, to the first call, and so on.
        drip_s: how long to wait between two bytes of the last of them.
    """

    def __init__(self, *answers: bytes, drip_s: float = 0.0) -> None:
        self._answers = answers
        self._drip_s = drip_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(BOUND_S)
                for answer in self._answers:
                    if not client.recv(65536):
                        break
                    if self._drip_s and answer is self._answers[-1]:
                        for place in range(len(answer)):
                            client.sendall(answer[place : place + 1])
                            time.sleep(self._drip_s)
                    client.sendall(answer)

    def __enter__(self) -> Evil:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(BOUND_S)


METHODS = ["report_status", "stop", "initialize", "set_focus", "shutdown", "record"]


def greeting(data: Any = None, serializer: str = "serpent", packed: bytes = b"") -> bytes:
    """What a Pyro daemon says first, or something of that shape."""
    if data is None:
        data = {"handshake": "hello", "meta": {"methods": METHODS, "oneway": [], "attrs": []}}
    with_methods = Pyro4.message.FLAGS_META_ON_CONNECT
    return packet(Pyro4.message.MSG_CONNECTOK, data, serializer, packed, with_methods, 0)


def packet(
    kind: int, data: Any, serializer: str = "serpent", packed: bytes = b"", flags: int = 0, number: int = 1
) -> bytes:
    used = Pyro4.util.get_serializer(serializer)
    packed = packed or used.serializeData(data)[0]
    message: bytes = Pyro4.message.Message(kind, packed, used.serializer_id, flags, number).to_bytes()
    return message


def calling(evil: Evil, phone_book: Any) -> None:
    phone_book.port = evil.port
    phone_book.uri = f"PYRO:{phone_book.name}@127.0.0.1:{evil.port}"


class Runs:
    """Makes a folder wherever it is unpacked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("who", ["focus", "a program"])
def test_no_greeting_runs_anything_here(
    who: str, phone_book: Any, tmp_path: Path, config_path: Path, capsys: Any
) -> None:
    made = tmp_path / "made"
    with Evil(greeting(serializer="pickle", packed=pickle.dumps(Runs(made)))) as evil:
        calling(evil, phone_book)
        if who == "focus":
            assert main(["status"]) == 155
            assert "its greeting is no plain value. End the program" in capsys.readouterr().err
        else:
            with pytest.raises(CallError, match="no plain value"):
                connect(config_path)
    assert not made.exists()
    assert Pyro4.util.get_serializer_by_id is unpacking._any_serializer


@pytest.mark.parametrize(
    "data",
    [
        greeting(packed=b"[" * 50_000 + b"]" * 50_000),
        greeting(packed=b"-" * 50_000 + b"1"),
        greeting(data=[]),
        greeting(data={"handshake": 1}),
        greeting(data={"handshake": 1, "meta": {"methods": 7, "oneway": None, "attrs": [[]]}}),
        b"PYRO" + b"\xff" * 200,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"\x1b[31m" * 50,
    ],
    ids=["deep", "minus", "list", "no meta", "odd meta", "ones", "http"],
)
def test_an_odd_greeting_is_one_line(data: bytes, phone_book: Any, capsys: Any) -> None:
    with Evil(data) as evil:
        calling(evil, phone_book)
        for command in ("status", "set 1", "stop", "status --daemon stand_in"):
            assert main(command.split()) == 155, command
            written = capsys.readouterr()
            assert_harmless(written.out + written.err)
            assert (written.out + written.err).count("\n") == 1


@pytest.mark.parametrize("raised", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_nothing_that_a_daemon_raises_ends_the_command_as_if_it_were_done(
    raised: str, phone_book: Any, capsys: Any
) -> None:
    error = {"__class__": raised, "__exception__": True, "args": (0,), "attributes": {}}
    answer = packet(Pyro4.message.MSG_RESULT, error, flags=Pyro4.message.FLAGS_EXCEPTION)
    with Evil(greeting(), answer) as evil:
        calling(evil, phone_book)
        for command in ("status", "set 1", "init", "stop", "kill", "stop --daemon stand_in"):
            assert main(command.split()) == 1, command
            written = capsys.readouterr()
            assert f"{raised}: 0" in written.out + written.err


@pytest.mark.parametrize("code", [-256, 256, 10**20, -(10**20)])
@pytest.mark.parametrize("command", ["stop", "stop --daemon stand_in"])
def test_no_code_of_an_odd_daemon_looks_like_a_success(script: Any, code: int, command: str) -> None:
    script.answers = dict.fromkeys(script.answers, code)
    assert 0 < main(command.split()) < 256


@pytest.mark.parametrize("greets", [False, True])
def test_an_answer_that_drips_is_not_waited_for_without_end(
    greets: bool, phone_book: Any, capsys: Any
) -> None:
    """Each byte comes in time, and all of them in an hour."""
    slow = greeting("x" * 90_000)
    answers = [greeting(), packet(Pyro4.message.MSG_RESULT, "x" * 90_000)] if greets else [slow]
    with Evil(*answers, drip_s=0.05) as evil:
        calling(evil, phone_book)
        for command in ("status", "stop"):
            assert main([command, "--timeout", "0.3"]) == 155
            assert "within 0.3 s" in capsys.readouterr().err
