"""The report of a commissioning: what became of each assumption, as text for people. Pure: what was found in, text out.

The JSON for machines is the session file itself (`session`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from .assumptions import ASSUMPTIONS, NO_TRIAL, Assumption, Verdict

WIDTH = 100
# Of each frame so much is shown, and so many of the first and the last ones of a finding; the JSON has them whole.
LONGEST_FRAME, SHOWN_FRAMES = 70, 4
_ORDER = (Verdict.REFUTED, Verdict.NOT_TESTED, Verdict.CONFIRMED)


def outcomes(trials: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What became of each assumption, from what the trials found."""
    return [_outcome(assumption, trials) for assumption in ASSUMPTIONS]


def _outcome(assumption: Assumption, trials: Mapping[str, Any]) -> dict[str, Any]:
    found = [
        finding
        for trial in trials.values()
        for finding in trial["findings"]
        if finding["assumption"] == assumption.id
    ]
    verdicts = {finding["verdict"] for finding in found}
    verdict = next(
        (one for one in (Verdict.REFUTED, Verdict.CONFIRMED) if one.value in verdicts), Verdict.NOT_TESTED
    )
    why = "" if found else _why_not(assumption, trials)
    return {
        "id": assumption.id,
        "claim": assumption.claim,
        "verdict": verdict.value,
        "why": why,
        "findings": found,
    }


def _why_not(assumption: Assumption, trials: Mapping[str, Any]) -> str:
    if assumption.trial == NO_TRIAL:
        return "no trial can test it safely."
    state = trials[assumption.trial]["state"] if assumption.trial in trials else "not reached"
    return f"the trial {assumption.trial} {'told nothing of it' if state == 'done' else f'was {state}'}."


def as_text(session: Mapping[str, Any]) -> str:
    """The report for people: what is refuted first, with the frames that show it."""
    lines = [f"First night of {session['daemon']} at {session['port']}, begun {session['begun_at']}", ""]
    for name, trial in session["trials"].items():
        if trial["state"] == "ended by a surprise":
            lines += [*_wrapped(f"The trial {name} was ended by a surprise: {trial['why']}", ""), ""]
    if "sister" in session:
        lines += [f"Of the line: {session['sister']}", ""]
    ordered = outcomes(session["trials"])
    for verdict in _ORDER:
        chosen = [one for one in ordered if one["verdict"] == verdict.value]
        lines += [f"{verdict.value.upper()} ({len(chosen)})", ""]
        for one in chosen:
            lines += _told(one, verdict is Verdict.REFUTED)
        lines.append("")
    lines += ["MEASURED", ""]
    lines += [f"  {name}: {value}" for name, value in session["measured"].items()]
    return "\n".join(lines) + "\n"


def _told(outcome: Mapping[str, Any], with_frames: bool) -> Iterator[str]:
    yield from _wrapped(f"{outcome['id']}: {outcome['claim']}", "  ")
    if outcome["why"]:
        yield from _wrapped(outcome["why"], "      ")
    for finding in outcome["findings"]:
        yield from _wrapped(finding["sentence"], "      ")
        if with_frames and finding["verdict"] == Verdict.REFUTED.value:
            frames = finding["frames"]
            shown = (
                frames
                if len(frames) <= 2 * SHOWN_FRAMES
                else [*frames[:SHOWN_FRAMES], *frames[-SHOWN_FRAMES:]]
            )
            yield from map(_frame, shown)


def _frame(frame: Mapping[str, Any]) -> str:
    sent = "sent" in frame
    data = ascii(frame["sent"] if sent else frame["received"])[1:-1]
    return f"        {frame['t']:12.3f} {'>' if sent else '<'} {data[:LONGEST_FRAME]}"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
