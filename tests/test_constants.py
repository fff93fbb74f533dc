"""The published numbers and texts: other people's programs compare against these."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from importlib import import_module

import pytest
from rich.text import Text

import rockit.focuser.ok3z as face
from rockit.focuser.ok3z import CommandStatus, FocuserStatus
from rockit.focuser.ok3z.config.model import Config

COMMANDS = [
    ("Succeeded", 0, ""),
    ("Failed", 1, "error: command failed"),
    ("Blocked", 2, "error: another command is already running"),
    ("InvalidControlIP", 3, "error: command not accepted from this IP"),
    ("PositionOutsideLimits", 6, "error: requested position outside range"),
    ("NotConnected", 7, "error: focuser is not connected"),
    ("NotDisconnected", 8, "error: focuser is already connected"),
    ("TerminatedByUser", -100, "error: terminated by user"),
    ("CommunicationFailed", -101, "error: unable to communicate with focus daemon"),
]
STATUSES = [
    ("Disabled", 0, "OFFLINE"),
    ("Offline", 0, "OFFLINE"),
    ("Idle", 1, "IDLE"),
    ("Moving", 2, "MOVING"),
]


def numbers_of(cls: type) -> dict[str, int]:
    return {name: value for name, value in vars(cls).items() if name[0] != "_" and isinstance(value, int)}


def test_the_numbers_of_the_commands() -> None:
    assert numbers_of(CommandStatus) == {name: number for name, number, _ in COMMANDS}


@pytest.mark.parametrize(("name", "number", "text"), COMMANDS)
def test_the_text_of_a_command_status(name: str, number: int, text: str) -> None:
    assert CommandStatus.message(number) == text
    assert CommandStatus.message(getattr(CommandStatus, name)) == text


@pytest.mark.parametrize("number", [4, 5, 9, -1, 255, 10**9])
def test_a_number_of_tomorrow_has_a_text_too(number: int) -> None:
    assert CommandStatus.message(number) == f"error: unknown error code {number}"


def test_the_numbers_of_the_focuser() -> None:
    assert numbers_of(FocuserStatus) == {name: number for name, number, _ in STATUSES}


@pytest.mark.parametrize(("name", "number", "label"), STATUSES)
def test_the_label_of_a_focuser_status(name: str, number: int, label: str) -> None:
    assert FocuserStatus.label(number) == FocuserStatus.label(number, formatting=False) == label
    assert FocuserStatus.label(getattr(FocuserStatus, name)) == label


@pytest.mark.parametrize(
    ("number", "label", "style"),
    [(0, "OFFLINE", "red"), (1, "IDLE", "default"), (2, "MOVING", "yellow"), (9, "UNKNOWN", "red")],
)
def test_a_label_with_formatting_is_rich_markup_around_the_same_text(
    number: int, label: str, style: str
) -> None:
    text = Text.from_markup(FocuserStatus.label(number, formatting=True))
    assert text.plain == label
    styles = " ".join(str(span.style) for span in text.spans if (span.start, span.end) == (0, len(label)))
    assert set(styles.split()) == {"bold", style}
    assert FocuserStatus.label(number, True) == FocuserStatus.label(number, formatting=True)


def test_a_status_of_tomorrow_has_a_label() -> None:
    assert FocuserStatus.label(9) == "UNKNOWN"


def test_the_face_of_the_package_shows_what_the_contract_names() -> None:
    assert {"CommandStatus", "Config", "FocuserStatus"} <= set(face.__all__)
    assert face.Config is Config


def test_every_name_of_the_face_is_there_and_has_its_type() -> None:
    """What is loaded later is what the type checker is told."""
    (imported,) = re.findall(
        r"^if TYPE_CHECKING:\n(.*?)\n\n", inspect.getsource(face), re.DOTALL | re.MULTILINE
    )
    later = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(textwrap.dedent(imported)))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for room, name in later:
        assert getattr(face, name) is getattr(import_module(f".{room}", face.__name__), name)
    assert {name for _, name in later} | {"CommandStatus", "FocuserStatus"} == set(face.__all__)
    for name in face.__all__:
        assert getattr(face, name).__name__ == name


def test_a_name_that_is_not_there_is_said_as_python_says_it() -> None:
    with pytest.raises(AttributeError, match=r"module 'rockit\.focuser\.ok3z' has no attribute 'Nothing'"):
        face.Nothing  # noqa: B018
