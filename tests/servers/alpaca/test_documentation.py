"""docs/alpaca.md and decision 13 say what the code does."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rockit.focuser.ok3z.servers.alpaca.api import Api
from rockit.focuser.ok3z.servers.alpaca.device import Device
from rockit.focuser.ok3z.servers.alpaca.responses import ALPACA_NUMBER_OF

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "alpaca.md").read_text(encoding="utf-8")
DECISION = (DOCS / "decisions/0013-alpaca-sessions.md").read_text(encoding="utf-8")


def first_cells(title: str) -> list[str]:
    """The first column of the table with that title."""
    table = re.search(rf"^\| {title} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, flags=re.MULTILINE)
    assert table
    return [row.split("|")[1] for row in table[1].splitlines()]


def test_every_member_is_in_the_tables() -> None:
    nothing: Any = None
    device = Device(nothing, nothing, nothing, nothing, "dome_focuser", 6.0)
    for title, members in (("Read", device.properties), ("Command", device.commands)):
        assert set(re.findall(r"`(\w+)`", " ".join(first_cells(title)))) == set(members)


def test_every_error_number_is_in_the_table() -> None:
    listed = [int(number) for cell in first_cells("Number") for number in cell.split(",")]
    assert sorted(listed) == sorted(set(ALPACA_NUMBER_OF.values()))
    hexadecimal = [int(text, 16) for text in re.findall(r"0x[0-9A-F]{3}", PAGE.partition("| Number |")[2])]
    assert sorted(hexadecimal) == sorted(listed)


@pytest.mark.parametrize("text", [PAGE, DECISION], ids=["page", "decision"])
def test_quoted_constants_are_those_of_the_code(text: str) -> None:
    quoted = re.findall(r"`(servers\.(?:alpaca|http)\.\w+)\.([A-Z0-9_]+)`\s\(([\d.]+)", text)
    assert len(quoted) >= 4
    for module, name, value in quoted:
        assert float(value) == getattr(importlib.import_module(f"rockit.focuser.ok3z.{module}"), name)


def test_every_curl_line_is_answered_without_an_error(wire: Any) -> None:
    lines = [shlex.split(line) for line in re.findall(r"^curl .*", PAGE, flags=re.MULTILINE)]
    assert len(lines) == 9
    answers = []
    for words in lines:
        verb = words[words.index("-X") + 1] if "-X" in words else "GET"
        body = words[words.index("-d") + 1] if "-d" in words else ""
        url = urlsplit(words[-1])
        answers.append(wire.ask(verb, url.path + (f"?{url.query}" if url.query else ""), body))
        assert answers[-1].error == 0
    assert answers[3].body.decode() in PAGE


def test_the_api_has_no_other_addresses() -> None:
    paths = [route.path for route in Api.routes(Api.__new__(Api))]
    assert paths == ["/api/{rest:.*}", "/management/{rest:.*}"]
