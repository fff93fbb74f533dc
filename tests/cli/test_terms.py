"""`focus terms` and `focus term`, against the stand-in."""

from __future__ import annotations

from typing import Any

import pytest

from rockit.focuser.ok3z.cli.main import main

pytestmark = pytest.mark.usefixtures("phone_book")

TERM = {
    "name": "filter",
    "mm": 0.12,
    "owner": "camera",
    "set_at": "2026-11-22T20:00:00Z",
    "expires_at": "2026-11-22T21:00:00Z",
}
REPORT = {"status": 1, "current_mm": 2.12, "target_mm": 2.12, "base_mm": 2.0, "terms_mm": 0.12}


def test_terms_are_a_line_each_and_the_base(script: Any, capsys: Any) -> None:
    script.answers["terms"] = [TERM, {"name": "\x1b[2J"}]
    script.report = REPORT
    assert main(["terms"]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "filter +0.120 mm, camera, since 2026-11-22 20:00:00 UTC, until 2026-11-22 21:00:00 UTC"
    assert "\x1b" not in second
    assert last == "base 2.000 mm, terms +0.120 mm"
    script.answers["terms"], script.report = [], {"status": 0, "base_mm": None}
    assert main(["terms"]) == 0
    assert capsys.readouterr().out == "an unknown base, terms +0.000 mm\n"


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("term filter 0.12 --owner me", ("set_term", "filter", 0.12, "me")),
        ("term --owner me filter -0.12", ("set_term", "filter", -0.12, "me")),
        ("term filter 1e-2 --owner me --ttl 1h", ("set_term", "filter", 0.01, "me", {"ttl": 3600.0})),
        ("term --clear filter", ("clear_term", "filter", "camera")),
        ("term --clear filter --owner me", ("clear_term", "filter", "me")),
        ("term --clear tilt", ("clear_term", "tilt", "nobody")),
    ],
)
def test_a_term_is_set_and_cleared(script: Any, capsys: Any, words: str, call: tuple[object, ...]) -> None:
    script.answers |= {"terms": [TERM], "set_term": 0, "clear_term": 0}
    script.report = REPORT
    assert main(words.split()) == 0
    assert call in script.calls
    assert capsys.readouterr().out == "Focuser is IDLE (2.120 mm)\n"


def test_a_refusal_is_its_exit_code(script: Any, capsys: Any) -> None:
    script.answers["set_term"] = 1
    script.report = {**REPORT, "reason": "the term filter is camera's."}
    assert main(["term", "filter", "0.12", "--owner", "me"]) == 1
    assert "The term filter is camera's." in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "term",
        "term filter",
        "term filter 0.12",
        "term filter much --owner me",
        "term filter 0.12 0.13 --owner me",
        "term filter 0.12 --owner me --ttl forever",
        "term --clear filter 0.12",
        "term --clear filter --ttl 1h",
    ],
)
def test_wrong_usage_calls_nobody(script: Any, capsys: Any, words: str) -> None:
    assert main(words.split()) == 255
    assert script.calls == []
    assert "focus term" in capsys.readouterr().err
