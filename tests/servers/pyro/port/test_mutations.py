"""Messages and arguments that bench/mutations.py makes, which are made to harm: none does."""

from __future__ import annotations

import importlib.util
import random
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import Pyro4
import pytest
from Pyro4 import errors

PROJECT = Path(__file__).parents[4]
OBJECT = "the_object"
CONTROL_IP, STRANGER_IP = "127.0.0.1", "127.0.0.2"


def mutations() -> Any:
    spec = importlib.util.spec_from_file_location("mutations", PROJECT / "bench/mutations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hostile_arguments_harm_nothing(served: Any, say: Any) -> None:
    client = served.greeted()
    for arguments in mutations().HOSTILE_ARGUMENTS:
        client.send(say.written("move", arguments))
        answer = client.value()
        assert answer == 0 or isinstance(answer, (TypeError, errors.PyroError)), arguments
        assert client.call("stop") == 0


def converse(served: Any, source: str, data: bytes) -> None:
    """Say it, wait until it was taken, and be gone."""
    client = served.connect(source)
    # It may have been hung up on before it came to its end.
    with suppress(OSError):
        client.send(data)
        client.sock.shutdown(socket.SHUT_WR)
    assert client.is_hung_up_on()
    client.sock.close()


@pytest.mark.parametrize("seed", range(4))
def test_random_and_mutated_messages(served: Any, seed: int) -> None:
    """250 conversations each. bench/soak.py --kinds garbage says a million of the same kind."""
    served.target.go_on.open()
    before = threading.active_count()
    messages = mutations().PyroMessages(random.Random(seed), OBJECT)
    for number in range(250):
        greeted = messages.greeting() if number % 3 else b""
        data = greeted + b"".join(messages.next() for _ in range(1 + number % 3))
        converse(served, (CONTROL_IP, STRANGER_IP)[number % 2], data)
    assert set(served.ask()) == {"calls"}
    assert not [call for call in served.target.calls if any(isinstance(value, Pyro4.Proxy) for value in call)]
    assert threading.active_count() <= before
