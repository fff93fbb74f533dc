"""`focus terms` and `focus term`: corrections of several programs, which add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ..client.calls import CallError, FocuserClient
from ..client.report import number_in, printable, text_in
from ..constants import CommandStatus, utc_for_people
from . import output
from .answers import Answers
from .arguments import NUMBER
from .options import Options, UsageError
from .suggestions import number_for

Call = Callable[[FocuserClient, float], int]


def list_all(client: FocuserClient, answers: Answers, timeout_s: float) -> int:
    """Print a line for each, and what they add to."""
    try:
        terms = client.terms(timeout_s)
        report = client.report_status(timeout_s)
    except CallError as error:
        return answers.show_error(error)
    for term in terms:
        output.result(_line(term))
    base_mm, terms_mm = number_in(report, "base_mm"), number_in(report, "terms_mm")
    base = "an unknown base" if base_mm is None else f"base {base_mm:.3f} mm"
    output.result(f"{base}, terms {0.0 if terms_mm is None else terms_mm:+.3f} mm")
    return CommandStatus.Succeeded


def wanted(options: Options) -> Call:
    """What `focus term` is to do. Raises UsageError."""
    words = [word.strip() for word in options.words]
    if options.clear:
        if words or options.ttl_s is not None:
            raise UsageError("focus term: --clear takes a name alone. Example: `focus term --clear filter`.")
        return _clearing(options.clear, options.owner)
    if len(words) != 2 or not NUMBER.fullmatch(words[1]):
        meant = number_for(words[1:])
        owner = f" --owner {options.owner}" if options.owner else ""
        hint = (
            f"Did you mean `focus term {words[0]} {meant}{owner}`?"
            if meant
            else "Example: `focus term filter 0.12 --owner me`."
        )
        raise UsageError(f"focus term: a name and a number of mm are needed. {hint}")
    if not options.owner:
        raise UsageError("focus term: --owner is needed. Example: `focus term filter 0.12 --owner me`.")
    name, mm = words[0], float(words[1])
    return lambda client, timeout_s: client.set_term(name, mm, options.owner, options.ttl_s, timeout_s)


def _clearing(name: str, owner: str) -> Call:
    def clear(client: FocuserClient, timeout_s: float) -> int:
        # A person may take back whatever there is.
        owners = [text_in(term, "owner") for term in client.terms() if term.get("name") == name]
        return client.clear_term(name, owner or (owners or ["nobody"])[0], timeout_s)

    return clear


def _line(term: Mapping[str, Any]) -> str:
    mm = number_in(term, "mm")
    added = "?" if mm is None else f"{mm:+.3f} mm"
    until = text_in(term, "expires_at")
    parts = [
        f"{text_in(term, 'name')} {added}",
        text_in(term, "owner"),
        f"since {utc_for_people(text_in(term, 'set_at'))}",
        f"until {utc_for_people(until)}" if until else "",
    ]
    return printable(", ".join(filter(None, parts)))
