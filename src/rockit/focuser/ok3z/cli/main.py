"""`focus`: what each command does, from its command line to its exit code.

Whatever only some commands need is imported by those: `focus stop` and `focus json` must start at once. So is the
client, which takes most of the start: Ctrl-C is understood before that.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable

from ..client import (
    MOTION_TIMEOUT_S,
    REFERENCE_TIMEOUT_S,
    SHUTDOWN_TIMEOUT_S,
    STATUS_TIMEOUT_S,
    STOP_TIMEOUT_S,
)
from ..constants import CommandStatus
from ..errors import ConfigError
from . import output
from .options import PLAIN_COMMANDS, USAGE_STATUS, Options, UsageError, exit_code

if TYPE_CHECKING:
    from ..client.calls import Report
    from .answers import Answers


def main(argv: Sequence[str] | None = None) -> int:
    """Run `focus` with these words (by default those of its own command line); gives the exit code."""
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
    except (UsageError, ConfigError) as error:
        output.note(f"error: {error}")
        status = USAGE_STATUS
    except KeyboardInterrupt:
        output.note(CommandStatus.message(CommandStatus.TerminatedByUser))
        status = CommandStatus.TerminatedByUser
    except output.WriteError as error:
        output.note(f"error: {error}")
        status = CommandStatus.Failed
    output.finish()
    return exit_code(status)


def _run(words: Sequence[str]) -> int:
    try:
        options = read(words)
    except (SystemExit, BrokenPipeError):
        # --help and --version end so, the latter if nobody reads them.
        return CommandStatus.Succeeded
    from ..client.report import printable
    from ..client.unpacking import bounded_answers

    with bounded_answers():
        status = _carried_out(options)
    if options.ignored:
        command, ignored = options.command, printable(" ".join(options.ignored))
        output.note(f"focus {command}: ignored: {ignored}. See `focus {command} --help`.")
    return status


def _carried_out(options: Options) -> int:
    if options.means_several:
        from . import several

        return several.run(options)
    return COMMANDS[options.command](options)


def read(words: Sequence[str]) -> Options:
    """The options of a command line. Raises UsageError; --help and --version print and raise SystemExit."""
    if len(words) == 1 and words[0] in PLAIN_COMMANDS:
        # Building argparse's parsers takes longer than a stop may be delayed for nothing.
        return Options(words[0])
    from .arguments import parse

    return parse(words)


class Target:
    """The daemon that the options mean: how it is called, and which configuration named it.

    Args:
        options: what was given.
        default_timeout_s: how long to wait for its answer if they do not say.
    """

    def __init__(self, options: Options, default_timeout_s: float) -> None:
        from pathlib import Path

        from ..client.calls import FocuserClient, configured_daemon
        from ..config.model import find

        self.config_path = Path(options.config) if options.config else find(os.environ)
        self.client = FocuserClient(configured_daemon(self.config_path))
        self.timeout_s = default_timeout_s if options.timeout_s is None else options.timeout_s

    def answers(self) -> Answers:
        """Shows what this daemon answers."""
        from .answers import Answers

        return Answers(self.client, self.config_path)

    def carry_out(
        self,
        move: Callable[[], int],
        when_done: Callable[[Report], str] | None = None,
        asked_for: tuple[float, bool] | None = None,
    ) -> int:
        """Run `move`, which moves the focuser; the rest as for `Answers`."""
        from .answers import Answers
        from .motion import carry_out

        return carry_out(self.client, Answers(self.client, self.config_path, when_done, asked_for), move)


def _stop(options: Options) -> int:
    from ..client.calls import CallError

    target = Target(options, STOP_TIMEOUT_S)
    try:
        status = target.client.stop(target.timeout_s)
    except CallError as error:
        return target.answers().show_error_of_stop(error)
    return target.answers().show_end_of_stop(status)


def _shutdown(options: Options) -> int:
    from ..client.calls import CallError

    target = Target(options, SHUTDOWN_TIMEOUT_S)
    try:
        status = target.client.shutdown(target.timeout_s)
    except CallError as error:
        return target.answers().show_error(error)
    if status == CommandStatus.NotConnected:
        return target.answers().show_refusal(status, "There is nothing to disconnect.")
    return target.answers().show_end(status)


def _record(options: Options) -> int:
    from ..client.calls import CallError

    target = Target(options, STATUS_TIMEOUT_S)
    try:
        answer = target.client.record(target.timeout_s)
    except CallError as error:
        return target.answers().show_error(error)
    if isinstance(answer, int):
        return target.answers().show_end(answer)
    output.result(f"Recorded in {answer}, in the folder of recordings on the machine of the daemon.")
    return CommandStatus.Succeeded


def _reference(options: Options) -> int:
    from ..client.calls import CallError

    target = Target(options, REFERENCE_TIMEOUT_S)
    try:
        status = target.client.set_reference(options.why, target.timeout_s)
    except CallError as error:
        return target.answers().show_error(error)
    return target.answers().show_end(status)


def _report(options: Options) -> int:
    """`status` and `json`."""
    from ..client.calls import CallError

    target = Target(options, STATUS_TIMEOUT_S)
    try:
        report = target.client.report_status(target.timeout_s)
    except CallError as error:
        return target.answers().show_error(error)
    if options.command == "status":
        return target.answers().show_status(report)
    from .wording import as_json

    output.result(as_json(report))
    return CommandStatus.Succeeded


def _watch(options: Options) -> int:
    from .live_status import watch

    target = Target(options, STATUS_TIMEOUT_S)
    with target.client.status_feed(target.timeout_s) as feed:
        watch(feed)
    return CommandStatus.Succeeded


def _initialize(options: Options) -> int:
    from .wording import initialized

    target = Target(options, MOTION_TIMEOUT_S)
    resume, restore = options.resume, options.restore
    return target.carry_out(
        lambda: target.client.initialize(
            resume or None, restore or None, options.new_controller, target.timeout_s
        ),
        when_done=(lambda report: initialized(report, resume, restore)) if resume or restore else None,
    )


def _audit(options: Options) -> int:
    from .wording import audited

    target = Target(options, MOTION_TIMEOUT_S)
    return target.carry_out(lambda: target.client.audit(target.timeout_s), when_done=audited)


def _move(options: Options) -> int:
    from math import isfinite

    from .arguments import millimetres

    number_mm = millimetres(options)
    offset = options.command == "offset"
    if not isfinite(number_mm):
        # Older daemons take NaN for a position: it never leaves this process.
        output.note(
            f"{CommandStatus.message(CommandStatus.PositionOutsideLimits)}. "
            "That is no position: give a finite number of millimetres."
        )
        return CommandStatus.PositionOutsideLimits
    target = Target(options, MOTION_TIMEOUT_S)
    return target.carry_out(
        lambda: target.client.set_focus(number_mm, offset, target.timeout_s, options.wait_s, options.why),
        asked_for=(number_mm, offset),
    )


def _of_history(options: Options) -> int:
    """`log`, `moved`, `hold`, `release` and `run`."""
    from . import history

    target = Target(options, STATUS_TIMEOUT_S)
    return getattr(history, options.command)(options, target.client, target.answers(), target.timeout_s)  # type: ignore[no-any-return]


def _of_terms(options: Options) -> int:
    """`terms` and `term`."""
    from . import terms

    if options.command == "terms":
        target = Target(options, STATUS_TIMEOUT_S)
        return terms.list_all(target.client, target.answers(), target.timeout_s)
    wanted = terms.wanted(options)
    target = Target(options, MOTION_TIMEOUT_S)
    return target.carry_out(lambda: wanted(target.client, target.timeout_s))


COMMANDS: dict[str, Callable[[Options], int]] = {
    "init": _initialize,
    "set": _move,
    "offset": _move,
    "stop": _stop,
    "status": _report,
    "json": _report,
    "audit": _audit,
    "kill": _shutdown,
    "record": _record,
    "reference": _reference,
    "watch": _watch,
    **dict.fromkeys(("log", "moved", "hold", "release", "run"), _of_history),
    **dict.fromkeys(("terms", "term"), _of_terms),
}

if __name__ == "__main__":
    sys.exit(main())
