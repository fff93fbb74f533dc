"""`focus`: what each command does, from its command line to its exit code.

Whatever only some commands need is imported by those: `focus stop` and `focus json` must start at once. So is the
client, which takes most of the start: Ctrl-C is understood before that.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable

from ..constants import CommandStatus
from ..errors import ConfigError
from . import output
from .options import PLAIN_COMMANDS, USAGE_STATUS, Options, UsageError

if TYPE_CHECKING:
    from .answers import Answers

EXIT_CODES = 256


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
    return status % EXIT_CODES


def _run(words: Sequence[str]) -> int:
    try:
        options = read(words)
    except (SystemExit, BrokenPipeError):
        # --help and --version end so, the latter where nobody reads them.
        return CommandStatus.Succeeded
    return COMMANDS[options.command](options)


def read(words: Sequence[str]) -> Options:
    """The options of a command line. Raises UsageError; --help and --version print and raise SystemExit."""
    if len(words) == 1 and words[0] in PLAIN_COMMANDS:
        # Building argparse's parsers takes longer than a stop may be delayed for nothing.
        return Options(words[0])
    from .arguments import parse

    return parse(words)


class Target:
    """The daemon that the options mean: how it is called, and which configuration named it."""

    def __init__(self, options: Options) -> None:
        from pathlib import Path

        from ..client.calls import FocuserClient, configured_daemon
        from ..config.model import find

        self.config_path = Path(options.config) if options.config else find(os.environ)
        self.client = FocuserClient(configured_daemon(self.config_path))

    def answers(self) -> Answers:
        """Shows what this daemon answers."""
        from .answers import Answers

        return Answers(self.client, self.config_path)


def _timeout_s(options: Options, default_s: float) -> float:
    return default_s if options.timeout_s is None else options.timeout_s


def _stop(options: Options) -> int:
    from ..client.calls import CallError
    from ..client.timeouts import STOP_TIMEOUT_S

    target = Target(options)
    try:
        status = target.client.stop(_timeout_s(options, STOP_TIMEOUT_S))
    except CallError as error:
        return target.answers().show_error_of_stop(error)
    return target.answers().show_end_of_stop(status)


def _shutdown(options: Options) -> int:
    from ..client.calls import CallError
    from ..client.timeouts import SHUTDOWN_TIMEOUT_S

    target = Target(options)
    try:
        status = target.client.shutdown(_timeout_s(options, SHUTDOWN_TIMEOUT_S))
    except CallError as error:
        return target.answers().show_error(error)
    answers = target.answers()
    if status == CommandStatus.NotConnected:
        return answers.show_refusal(status, "There is nothing to disconnect.")
    return answers.show_end(status)


def _status(options: Options) -> int:
    from ..client.calls import CallError
    from ..client.timeouts import STATUS_TIMEOUT_S

    target = Target(options)
    try:
        report = target.client.report_status(_timeout_s(options, STATUS_TIMEOUT_S))
    except CallError as error:
        return target.answers().show_error(error)
    return target.answers().show_status(report)


def _record(options: Options) -> int:
    from ..client.calls import CallError
    from ..client.timeouts import STATUS_TIMEOUT_S

    target = Target(options)
    try:
        answer = target.client.record(_timeout_s(options, STATUS_TIMEOUT_S))
    except CallError as error:
        return target.answers().show_error(error)
    if isinstance(answer, int):
        return target.answers().show_end(answer)
    output.result(f"Recorded in {answer}, in the folder of recordings on the machine of the daemon.")
    return CommandStatus.Succeeded


def _json(options: Options) -> int:
    import json

    from ..client.calls import CallError
    from ..client.timeouts import STATUS_TIMEOUT_S

    target = Target(options)
    try:
        report = target.client.report_status(_timeout_s(options, STATUS_TIMEOUT_S))
    except CallError as error:
        return target.answers().show_error(error)
    output.result(json.dumps(_with_null_for_no_number(report), default=str, allow_nan=False))
    return CommandStatus.Succeeded


def _with_null_for_no_number(value: object) -> object:
    """JSON has no NaN and no infinities."""
    if isinstance(value, dict):
        return {str(key): _with_null_for_no_number(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_null_for_no_number(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def _watch(options: Options) -> int:
    from ..client.timeouts import STATUS_TIMEOUT_S
    from .live_status import watch

    with Target(options).client.status_feed(_timeout_s(options, STATUS_TIMEOUT_S)) as feed:
        watch(feed)
    return CommandStatus.Succeeded


def _initialize(options: Options) -> int:
    from ..client.timeouts import MOTION_TIMEOUT_S
    from .motion import carry_out
    from .wording import initialized

    target = Target(options)
    timeout_s = _timeout_s(options, MOTION_TIMEOUT_S)
    answers = target.answers()
    if options.resume or options.restore:
        answers.add_when_done(lambda report: initialized(report, options.resume, options.restore))
    return carry_out(
        target.client,
        answers,
        lambda: target.client.initialize(
            options.resume or None, options.restore or None, options.new_controller, timeout_s
        ),
    )


def _audit(options: Options) -> int:
    from ..client.timeouts import MOTION_TIMEOUT_S
    from .motion import carry_out
    from .wording import audited

    target = Target(options)
    timeout_s = _timeout_s(options, MOTION_TIMEOUT_S)
    answers = target.answers()
    answers.add_when_done(audited)
    return carry_out(target.client, answers, lambda: target.client.audit(timeout_s))


def _move(options: Options) -> int:
    from math import isfinite

    from ..client.timeouts import MOTION_TIMEOUT_S
    from .arguments import millimetres
    from .motion import carry_out

    number_mm = millimetres(options)
    offset = options.command == "offset"
    if not isfinite(number_mm):
        # Older daemons take NaN for a position: it never leaves this process.
        output.note(
            f"{CommandStatus.message(CommandStatus.PositionOutsideLimits)}. "
            "That is no position: give a finite number of millimetres."
        )
        return CommandStatus.PositionOutsideLimits
    target = Target(options)
    timeout_s = _timeout_s(options, MOTION_TIMEOUT_S)
    answers = target.answers()
    answers.asked_for(number_mm, offset)
    return carry_out(target.client, answers, lambda: target.client.set_focus(number_mm, offset, timeout_s))


COMMANDS: dict[str, Callable[[Options], int]] = {
    "set": _move,
    "offset": _move,
    "stop": _stop,
    "status": _status,
    "json": _json,
    "init": _initialize,
    "audit": _audit,
    "kill": _shutdown,
    "record": _record,
    "watch": _watch,
}

if __name__ == "__main__":
    sys.exit(main())
