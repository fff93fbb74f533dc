"""What docs/protocol.md assumes of a controller, as data: one claim a row, and the trial that tests it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """What became of a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Assumption:
    """One claim.

    Args:
        id: its name in reports.
        claim: a sentence that can be confirmed or refuted.
        quote: the words of docs/protocol.md that rest on it.
        trial: the name of the trial that tests it; "" if none can.
        also: other words that rest on it.
    """

    id: str
    claim: str
    quote: str
    trial: str
    also: str = ""


ASSUMPTIONS = tuple(
    Assumption(*row)
    for row in (
        # The line
        ("line", "A focuser answers at the configured speed of the line.", "38400 baud", "answers"),
        ("byte-time", "A byte takes its 0.26 ms.", "A byte takes 10 / 38400 s", "answers"),
        (
            "latency",
            "The adapter holds nothing back for longer than 2 ms.",
            "An FTDI adapter holds a short packet back",
            "answers",
        ),
        (
            "answer-time",
            "An answer takes less than 50 ms.",
            "take 300 ms for an answer, or up to `serial_timeout`",
            "answers",
        ),
        ("quality", "No answer is lost, late, cut or garbled.", "Answers can be lost, late, cut", "answers"),
        (
            "unasked",
            "The controller says nothing unasked.",
            "The controller says nothing unasked",
            "temperature",
        ),
        # Frames
        (
            "frame-end",
            "An answer ends with `$` and a line feed.",
            "end a frame with CR LF, CR, spaces, or nothing",
            "answers",
        ),
        ("dollar", "A frame ends at its `$`.", "A frame ends at the `$` (inferred", "answers"),
        ("ascii", "Answers are ASCII.", "All is ASCII (known of what is sent; inferred", "answers"),
        (
            "spaces",
            "One space stands behind the `F`, and none before the `$`.",
            "put more spaces behind the `F`, and some before the `$`",
            "answers",
        ),
        (
            "digits",
            "The register is written without padding and plus.",
            "pad a number with zeros or spaces, or give it a plus",
            "answers",
        ),
        (
            "echo",
            "A question does not come back before its answer.",
            "send the question back before its answer",
            "answers",
        ),
        (
            "buffered",
            "What comes without a pause is buffered.",
            "Commands may follow each other without a pause: the controller buffers what comes (inferred",
            "pairs",
        ),
        (
            "order",
            "Two questions are answered in their order.",
            "Whether a late answer keeps its place in the order",
            "pairs",
        ),
        ("unknown", "An unknown command is ignored.", "What an unknown command gets", ""),
        # What it says
        (
            "temperature",
            "The text of S051 stays the same for two minutes.",
            "What the answer to `S051` means",
            "temperature",
        ),
        (
            "still-letters",
            "At rest the second letter of the state is `S`.",
            "Which letters the state text can hold",
            "answers",
        ),
        (
            "plain-letters",
            "The state text is letters alone.",
            "say anything in the text of the state",
            "answers",
        ),
        (
            "motor-states",
            "The second letter is one of S, A, C and D, and all are seen.",
            "stopped, accelerating, constant speed, decelerating (inferred)",
            "speed",
        ),
        (
            "register",
            "The register is a signed decimal number.",
            "a signed decimal number of steps",
            "answers",
        ),
        (
            "flicker",
            "At rest the register does not change.",
            "let the register flicker at rest by up to 3",
            "answers",
        ),
        (
            "refresh",
            "The register that it tells is that of now.",
            "Whether the register that it tells is that of now",
            "speed",
            "renew its register only every",
        ),
        # Where it runs
        ("inward", "The register grows inward.", "The **register grows inward**", "first-step"),
        (
            "go-to",
            "A go-to runs to its register position.",
            "go to the absolute register position `n`",
            "first-step",
        ),
        (
            "start",
            "A go-to shows within 0.6 s.",
            "How long after a go-to the state first reads moving",
            "start",
        ),
        (
            "in-a-run",
            "A go-to in a run takes the place of the old one.",
            "What a go-to does while the motor runs",
            "in-a-run",
        ),
        ("halt", "A halt ends a homing run.", "halt the motor now", "first-second"),
        (
            "halt-ramp",
            "A halt ramps down.",
            "Whether the halt ramps down or ends at once",
            "halt-ramp",
        ),
        (
            "rounding",
            "A go-to ends at its target, to the step.",
            "Whether the register counts whole steps at the end of a run",
            "rounding",
        ),
        # How fast it runs
        (
            "scale",
            "Four position steps are one full step, so that speeds are as computed.",
            "perhaps eighths of a full step, the L6470's STEP_SEL 3 (inferred)",
            "speed",
        ),
        (
            "speed",
            "Speed goes with its register, and the register as computed.",
            "Inferred: the motor's driver is an ST L6470",
            "speed",
        ),
        (
            "acceleration",
            "Acceleration goes with its register, as computed.",
            "| acceleration, deceleration | 12 |",
            "acceleration",
        ),
        (
            "homing-speed",
            "The homing run makes 0.25 mm/s.",
            "318 full steps/s, 0.25 mm/s",
            "homing",
        ),
        (
            "held-back",
            "The maximum speed holds a homing run back.",
            "Whether the maximum speed holds a homing run back",
            "repeatability",
        ),
        (
            "one-ratio",
            "Homing runs and moves are off by one factor.",
            "How fast it really runs, and whether a homing run differs from a move in that",
            "speed",
        ),
        # The limit switch
        (
            "homing",
            "The homing run ends at the limit switch.",
            "inward at speed `n`, until the inner limit switch stops the motor",
            "homing",
        ),
        (
            "repeatability",
            "Homing runs end within 8 steps of each other.",
            "A move inward that stands within",
            "repeatability",
        ),
        (
            "fall-back",
            "The drive does not fall back from the limit switch.",
            "Whether the switch lets the drive fall back as it ends a run",
            "repeatability",
        ),
        (
            "switch-level",
            "A homing run that begins at the limit switch moves nothing.",
            "What the homing run does where the switch is closed already",
            "switch",
        ),
        (
            "zero",
            "A go-to reaches 0 mm.",
            "It never sends a target beyond 0 mm",
            "switch",
        ),
        (
            "switch-stops",
            "The limit switch ends a go-to, too.",
            "What the motor does at the limit switch outside a homing run",
            "beyond",
        ),
        # The mechanics
        ("mm", "5088 position steps are 1 mm.", "5088 position steps are 1 mm of travel", "range"),
        (
            "range",
            "The whole configured range is free, and no steps are lost there.",
            "Steps that the motor lost do not show in it",
            "range",
        ),
        ("travel", "The mechanics travel 9 mm.", "The mechanics travel 9 mm", ""),
        (
            "backlash",
            "anti_backlash_mm is more than the backlash.",
            "There is backlash, so the last approach must always run inward",
            "backlash",
        ),
        (
            "hand",
            "The hand control moves the register.",
            "Whether the hand controller moves the register",
            "hand",
        ),
        # A power cut
        (
            "power-up",
            "After a power cut the register begins at 0.",
            "After a power cut it begins anew (known), at 0 (inferred)",
            "power-cut",
        ),
        (
            "known-power-up",
            "What it begins at can be told from where it was.",
            "Whether the register begins at 0 after a power cut",
            "power-cut",
        ),
        (
            "power-up-letters",
            "After a power cut the state text is another one.",
            "The third may tell of a power cut",
            "power-cut",
        ),
        (
            "power-up-mode",
            "After a power cut a position step is as long as before.",
            "In which microstep mode, and at which speeds, it begins after a power cut",
            "power-cut",
        ),
        (
            "power-up-speed",
            "After a power cut it runs at another speed.",
            "The register is volatile",
            "power-cut",
        ),
        (
            "mode-first",
            "A speed has effect before the microstep mode is set.",
            "The microstep mode can be set only after it",
            "power-cut",
        ),
        (
            "deaf",
            "Within serial_timeout of getting its power it answers.",
            "How long a controller that has just got its power stays deaf",
            "power-cut",
        ),
    )
)
