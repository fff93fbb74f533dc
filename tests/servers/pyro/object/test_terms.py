"""Terms over Pyro: set and cleared by machines that may control, read by everybody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import HeldError, InvalidArgumentError, NotConnectedError, OutsideLimitsError
from rockit.focuser.ok3z.service.terms import Term
from tests.support.focusers import NIGHT_S

STRANGER = "192.168.99.99"


def test_a_term_is_set_listed_and_cleared(service: Any, focuser: Any) -> None:
    assert service.set_term("filter", 0.12, "camera", 60) == 0
    assert service.terms() == [
        {
            "name": "filter",
            "mm": 0.12,
            "owner": "camera",
            "set_at": "2026-09-21T14:13:20Z",
            "expires_at": "2026-09-21T14:14:20Z",
        }
    ]
    assert focuser.askers[-1].door == "pyro"
    report = service.report_status()
    assert (report["base_mm"], report["terms_mm"]) == (2.0, 0.12)
    header = service.focus_header()
    assert (header["FOCBASE"], header["FOCTERMS"], header["FOCTLIST"]) == (2.0, 0.12, "filter +0.1200")
    assert service.clear_term("filter", "camera") == 0
    assert service.terms() == []


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (HeldError("cam1 holds the focuser."), 2),
        (OutsideLimitsError("7 mm was asked for."), 6),
        (NotConnectedError("the focuser is not connected."), 7),
        (InvalidArgumentError("the term filter is camera's."), 1),
    ],
)
def test_each_refusal_has_its_number_and_its_reason(
    service: Any, focuser: Any, failure: Exception, status: int
) -> None:
    focuser.failures["term"] = failure
    assert service.set_term("filter", 0.12, "me") == service.clear_term("filter", "me") == status
    assert service.last_failure()["reason"] == str(failure)


def test_what_is_no_term_reaches_nobody(service: Any, focuser: Any) -> None:
    assert service.set_term("filter", "0.12", "me") == service.set_term("", 0.12, "me") == 1
    assert service.set_term("filter", 0.12, "me", -1) == service.clear_term("filter", None) == 1
    assert service.set_term("filter", float("nan"), "me") == 6
    assert focuser.named("term") == []


def test_a_stranger_may_look(uncalled: Any, called_from: Callable[[str], None]) -> None:
    called_from(STRANGER)
    assert uncalled.set_term("filter", 0.12, "me") == uncalled.clear_term("filter", "me") == 3
    assert uncalled.terms() == []
    assert uncalled.report_status()["base_mm"] is None


def test_a_card_holds_as_many_terms_as_it_can(service: Any, focuser: Any) -> None:
    terms = tuple(Term(f"a.long.name.of.a.term.{number}", 0.01, "me", NIGHT_S) for number in range(9))
    focuser.snapshot = replace(focuser.snapshot, terms=terms)
    text = service.focus_header()["FOCTLIST"]
    assert len(text) <= 68
    assert text.endswith(", ...")
