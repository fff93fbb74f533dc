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
        trial: the name of the trial that tests it; NO_TRIAL if none can.
        claim: a sentence that can be confirmed or refuted.
        quote: the words of docs/protocol.md that rest on it.
    """

    id: str
    trial: str
    claim: str
    quote: str


NO_TRIAL = "-"
_TABLE = """\
line | answers | A focuser answers at the configured speed of the line. | 38400 baud
byte-time | answers | A byte takes its 0.26 ms. | A byte takes 10 / 38400 s
latency | answers | The adapter holds nothing back for longer than 2 ms. | An FTDI adapter holds a short packet back
answer-time | answers | An answer takes less than 50 ms. | take 300 ms for an answer
quality | answers | No answer is lost, late, cut or garbled. | Answers can be lost, late, cut
unasked | temperature | The controller says nothing unasked. | The controller says nothing unasked
frame-end | answers | An answer ends with `$` and a line feed. | end a frame with CR LF
dollar | answers | A frame ends at its `$`. | A frame ends at the `$` (inferred
ascii | answers | Answers are ASCII. | All is ASCII (known of what is sent; inferred
spaces | answers | One space stands behind the `F`, and none before the `$`. | put more spaces behind the `F`
digits | answers | The register is written without padding and plus. | pad a number with zeros or spaces
echo | answers | A question does not come back before its answer. | send the question back before its answer
buffered | pairs | What comes without a pause is buffered. | the controller buffers what comes (inferred
order | pairs | Two questions are answered in their order. | late answer keeps its place in the order
queries | pairs | Questions are buffered, too. | Queries may follow each other without a pause as well
one-write | pairs | Two questions in one write are both answered. | Whether it takes two questions in one write
one-write-order | pairs | They are answered one after the other. | take no two questions in one write
unknown | - | An unknown command is ignored. | What an unknown command gets
temperature | temperature | The text of S051 stays the same for two minutes. | What the answer to `S051` means
still-letters | answers | At rest the second letter of the state is `S`. | Which letters the state text can hold
plain-letters | answers | The state text is letters alone. | say anything in the text of the state
motor-states | speed | The second letter is one of S, A, C and D, and all are seen. | an L6470's four motor states
register | answers | The register is a signed decimal number. | a signed decimal number of steps
flicker | answers | At rest the register does not change. | let the register flicker at rest by up to 4
refresh | speed | The register that it tells is that of now. | Whether the register that it tells
renewal | speed | It renews its register every 2 s at least. | renew its register only every
inward | first-step | The register grows inward. | The **register grows inward**
go-to | first-step | A go-to runs to its register position. | go to the absolute register position `n`
start | start | A go-to shows within 0.6 s. | How long after a go-to the state
in-a-run | in-a-run | A go-to in a run takes the place of the old one. | What a go-to does while the motor runs
halt | first-second | A halt ends a homing run. | halt the motor now
halt-ramp | halt-ramp | A halt ramps down. | Whether the halt ramps down or ends at once
rounding | rounding | A go-to ends at its target, to the step. | Whether the register counts whole steps
scale | speed | Four position steps are a full step: speeds are as computed. | the L6470's STEP_SEL 3 (inferred)
speed | speed | Speed goes with its register, as computed. | driver is an ST L6470, with a tick
acceleration | acceleration | Acceleration goes with its register, as computed. | acceleration, deceleration
homing-speed | homing | The homing run makes 0.25 mm/s. | 318 full steps/s, 0.25 mm/s
held-back | repeatability | The maximum speed holds a homing run back. | holds a homing run back
one-ratio | speed | Homing runs and moves are off by one factor. | whether a homing run differs from a move
homing | homing | The homing run ends at the limit switch. | until the inner limit switch stops the motor
repeatability | repeatability | Homing runs end within 8 steps of each other. | A move inward that stands within
fall-back | repeatability | The drive does not fall back from the limit switch. | the drive fall back as it ends a run
switch-level | switch | A homing run that begins at the limit switch moves nothing. | where the switch is closed already
zero | switch | A go-to reaches 0 mm. | It never sends a target beyond 0 mm
switch-stops | beyond | The limit switch ends a go-to, too. | at the limit switch outside a homing run
mm | range | 5088 position steps are 1 mm. | 5088 position steps are 1 mm of travel
range | range | The configured range is free, and no steps are lost there. | the motor lost do not show in it
travel | - | The mechanics travel 9 mm. | The mechanics travel 9 mm
backlash | backlash | anti_backlash_mm is more than the backlash. | There is backlash
hand | hand | The hand control moves the register. | Whether the hand controller moves the register
power-up | power-cut | After a power cut the register begins at 0. | begins anew (known), at 0 (inferred)
known-power-up | power-cut | What it begins at can be told from where it was. | Whether the register begins at 0 after
power-up-letters | power-cut | After a power cut the state text is another one. | The third may tell of a power cut
power-up-mode | power-cut | After a power cut a position step is as long as before. | In which microstep mode, and at
power-up-speed | power-cut | After a power cut it runs at another speed. | The register is volatile
mode-first | power-cut | A speed has effect before the microstep mode is set. | can be set only after it
deaf | power-cut | Within serial_timeout of its power it answers. | just got its power stays deaf
"""

ASSUMPTIONS = tuple(Assumption(*row.split(" | ")) for row in _TABLE.splitlines())
