"""What INDI clients say, and what they get: as elements, by property."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable
from xml.etree import ElementTree

from tests.support.processes import BIN
from tests.support.waiting import BOUND_S, wait_until

NAME = "OK3Z test"
GET = "<getProperties version='1.7'/>"


def new_number(vector: str, element: str, value: object, device: str = NAME) -> str:
    """A number, with line ends around it as `indi_setprop` has them."""
    one = f"<oneNumber\n  name='{element}'>\n      {value}\n  </oneNumber>"
    return f"<newNumberVector\n  device='{device}'\n  name='{vector}'>\n  {one}\n</newNumberVector>\n"


def new_switch(vector: str, switch: str, value: str = "On", device: str = NAME) -> str:
    """One switch, and no word of the others: as KStars says it."""
    one = f"<oneSwitch name='{switch}'>{value}</oneSwitch>"
    return f"<newSwitchVector device='{device}' name='{vector}'>{one}</newSwitchVector>"


def go_to(steps: object) -> str:
    return new_number("ABS_FOCUS_POSITION", "FOCUS_ABSOLUTE_POSITION", steps)


CONNECT = new_switch("CONNECTION", "CONNECT")
DISCONNECT = new_switch("CONNECTION", "DISCONNECT")
ABORT = new_switch("FOCUS_ABORT_MOTION", "ABORT")


class Element:
    """One element that clients get."""

    def __init__(self, node: ElementTree.Element) -> None:
        self.tag = node.tag
        self.attributes: Mapping[str, str] = node.attrib
        self.nodes = list(node)
        self.values = {each.get("name", ""): (each.text or "").strip() for each in node}

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    @property
    def state(self) -> str:
        return self.attributes.get("state", "")

    @property
    def message(self) -> str:
        return self.attributes.get("message", "")

    @property
    def value(self) -> str:
        """Of its first element."""
        return next(iter(self.values.values()), "")

    @property
    def told(self) -> tuple[str, str]:
        return self.state, self.value


class Elements:
    """What clients have got, the newest last."""

    def __init__(self) -> None:
        self.all: list[Element] = []

    def add(self, text: str) -> None:
        self.all.append(Element(ElementTree.fromstring(text)))

    def forget(self) -> None:
        self.all = []

    def of(self, name: str) -> list[Element]:
        """The `def` and `set` of one property."""
        return [each for each in list(self.all) if each.name == name and each.tag != "delProperty"]

    def told(self, name: str) -> list[tuple[str, str]]:
        """Of a property each state, and its value then."""
        return [each.told for each in self.of(name)]

    @property
    def abs(self) -> list[tuple[str, str]]:
        return self.told("ABS_FOCUS_POSITION")

    @property
    def rel(self) -> list[tuple[str, str]]:
        return self.told("REL_FOCUS_POSITION")

    @property
    def tags(self) -> list[str]:
        return [f"{each.tag} {each.name}".strip() for each in self.all]

    @property
    def messages(self) -> list[str]:
        return [each.message for each in list(self.all) if each.message]


class Program(Elements):
    """An `indi_ok3z_focus` on pipes, or on one socket as indiserver has it; its output is read on a thread.

    Args:
        environment: of the process; the name of the device is `NAME`.
        descriptors: what it has as stdin and stdout, in the place of pipes.
        reads: whether its output is read from the beginning.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        descriptors: tuple[Any, Any] = (subprocess.PIPE, subprocess.PIPE),
        reads: bool = True,
    ) -> None:
        super().__init__()
        self.popen = subprocess.Popen(
            [str(BIN / "indi_ok3z_focus")],
            stdin=descriptors[0],
            stdout=descriptors[1],
            stderr=subprocess.PIPE,
            env={"INDIDEV": NAME, **environment},
            start_new_session=True,
        )
        self.complaints = b""
        self._parser = ElementTree.XMLPullParser(["start", "end"])
        self._parser.feed("<stream>")
        self._depth = 0
        self._threads = [threading.Thread(target=self._read_complaints)]
        if reads:
            self._threads.append(threading.Thread(target=self._read))
        for thread in self._threads:
            thread.start()

    def read(self) -> None:
        """Begin to read what it says."""
        self._threads.append(threading.Thread(target=self._read))
        self._threads[-1].start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        while data := os.read(self.popen.stdout.fileno(), 65536):
            self._parser.feed(data)
            events: Any = self._parser.read_events()
            for event, node in events:
                self._depth += 1 if event == "start" else -1
                if event == "end" and self._depth == 1:
                    self.all = [*self.all, Element(node)]

    def _read_complaints(self) -> None:
        assert self.popen.stderr is not None
        while data := os.read(self.popen.stderr.fileno(), 65536):
            self.complaints += data

    def write(self, data: bytes) -> None:
        assert self.popen.stdin is not None
        left = memoryview(data)
        deadline_s = time.monotonic() + BOUND_S
        while left:
            ready = select.select([], [self.popen.stdin], [], BOUND_S)[1]
            assert ready, "it reads nothing"
            assert time.monotonic() < deadline_s
            left = left[os.write(self.popen.stdin.fileno(), left[:4096]) :]

    def say(self, text: str) -> None:
        """Say something, and forget what came before."""
        self.forget()
        self.write(text.encode())

    def wait_for(self, name: str, *states: str, which: Callable[[Element], bool] = bool) -> Element:
        """The first element of a property that is in one of these states."""

        def found() -> list[Element]:
            return [each for each in self.of(name) if each.state in states and which(each)]

        try:
            return wait_until(found)[0]
        except AssertionError:
            got = [(each.name, *each.told, each.message) for each in self.all[-9:]]
            raise AssertionError(f"{name} was never in {states}, the last were {got}") from None

    def connect(self) -> Element:
        """Connect, and wait until the focuser can be used."""
        self.say(CONNECT)
        self.wait_for("CONNECTION", "Ok")
        return self.wait_for("FOCUS_ABORT_MOTION", "Idle")

    def ask(self) -> list[str]:
        """What it defines now, which proves that it has read all that was said before."""
        self.say(GET)
        self.wait_for("CONFIG_PROCESS", "Idle", "Ok")
        return [each.name for each in self.all if each.tag.startswith("def")]

    def end(self) -> int:
        """The end of its stdin, at which it ends."""
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        code = self.popen.wait(BOUND_S)
        self._join()
        return code

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(BOUND_S)
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.wait(BOUND_S)
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        self._join()
