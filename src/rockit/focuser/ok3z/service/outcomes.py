"""What became of a command, in the words of the log: the answer to "what was it told last night, and then?"."""

from __future__ import annotations

from ..driver.planning import as_float, mm_from_steps
from ..errors import FocuserError, RequestError
from .status import Snapshot, Trust

# What is larger than every number that means a position is shown with an exponent.
MOST_WRITTEN_OUT = 1e16


def where(snapshot: Snapshot) -> str:
    """Where the focuser is."""
    steps = snapshot.current_steps
    return "an unknown position" if steps is None else f"{mm_from_steps(steps) + 0.0:.3f} mm"


def move(position: object, offset: bool = False) -> str:
    """A move as it was asked for; `position` may be anything."""
    # Looked at no closer than this: it may be of a class that answers badly.
    if not (type(position) is int or type(position) is float):
        return f"a {type(position).__name__}"
    text = number(position)
    if not offset:
        return f"{text} mm"
    return f"by {text} mm" if text.startswith("-") else f"by +{text} mm"


def number(value: float) -> str:
    """A number that somebody sent, however large, as it was written if it may mean something."""
    return repr(value if abs(value) < MOST_WRITTEN_OUT else as_float(value))


def arrived(snapshot: Snapshot) -> str:
    """How a move ended."""
    return f"arrived at {where(snapshot)}"


def stands(snapshot: Snapshot) -> str:
    """How a stop ended."""
    return f"stands at {where(snapshot)}"


def initialized(snapshot: Snapshot) -> str:
    """How `initialize` ended."""
    how = "resumed" if snapshot.confidence.trust is Trust.RESUMED else "homed"
    return f"{how}, {stands(snapshot)}"


def audited(snapshot: Snapshot) -> str:
    """How an audit ended."""
    lost_steps = snapshot.audit.lost_steps if snapshot.audit else None
    lost = "an unknown number of" if lost_steps is None else str(lost_steps)
    return f"{lost} steps were lost, {stands(snapshot)}"


def disconnected(_: Snapshot) -> str:
    """How a shutdown ended."""
    return "disconnected"


def succeeded(how: str, took_s: float) -> str:
    """How a command ended that did what it was told: `how`, such as "arrived at 2.500 mm", after so many seconds."""
    return f"{how} after {took_s:.1f} s"


def failed(error: FocuserError, snapshot: Snapshot, took_s: float) -> str:
    """How a command ended that did not."""
    if isinstance(error, RequestError):
        return f"refused: {error}"
    return f"ended at {where(snapshot)} after {took_s:.1f} s: {error}"
