"""A motion from its start to its last line: with a bar on a terminal, and with Ctrl-C as its stop button."""

from __future__ import annotations

from typing import Callable

from ..client.calls import DaemonUnreachableError, FocuserClient, Report
from ..client.report import number_in, status_of
from ..constants import CommandStatus, FocuserStatus
from . import interruptible, output, wording
from .answers import Answers
from .interruptible import Outcome


def carry_out(client: FocuserClient, answers: Answers, move: Callable[[], int]) -> int:
    """Run `move`, which calls `client` and blocks until the focuser has arrived; gives a CommandStatus."""
    if output.stdout_can_redraw():
        from .progress import ProgressDisplay

        with ProgressDisplay(client.status_feed()) as display:
            outcome = interruptible.run(move, client.stop, display.tick)
            report = _final_report(outcome, answers)
            display.end(outcome.succeeded, report, outcome.gave_up)
    else:
        outcome = interruptible.run(move, client.stop, lambda _stopping: None)
        report = _final_report(outcome, answers)
    return _show(outcome, report, answers)


def _final_report(outcome: Outcome, answers: Answers) -> Report | None:
    """The status after the motion; None if nobody waits for it, or it cannot be had."""
    unreachable = outcome.answer is not None and isinstance(outcome.answer.error, DaemonUnreachableError)
    return None if outcome.gave_up or unreachable else answers.report()


def _show(outcome: Outcome, report: Report | None, answers: Answers) -> int:
    if outcome.interrupted:
        _show_interruption(outcome, report)
        return CommandStatus.TerminatedByUser
    assert outcome.answer is not None
    if outcome.answer.error is not None:
        return answers.show_error(outcome.answer.error, motion=True, report=report)
    return answers.show_end(outcome.answer.status, report)


def _show_interruption(outcome: Outcome, report: Report | None) -> None:
    output.note(CommandStatus.message(CommandStatus.TerminatedByUser))
    if outcome.gave_up:
        output.note("Gave up waiting. THE FOCUSER MAY STILL BE MOVING: run `focus stop`.")
    elif not outcome.stopped:
        now = f" Now: {wording.status_line(report)}." if report is not None else ""
        output.note(
            f"THE STOP FAILED, AND THE FOCUSER MAY STILL BE MOVING. {_why_not_stopped(outcome)}{now} "
            "Run `focus stop`; if that fails too, cut the motor's power."
        )
    elif report is None:
        output.note("Stopped. The daemon does not answer where: try `focus status`.")
    else:
        _show_standstill(report)


def _show_standstill(report: Report) -> None:
    current_mm = number_in(report, "current_mm")
    if status_of(report) == FocuserStatus.Idle and current_mm is not None:
        output.result(f"Stopped at {wording.millimetres(current_mm)} mm")
        return
    if status_of(report) == FocuserStatus.Moving:
        output.note(f"The stop was obeyed, but the focuser moves again: {wording.status_line(report)}.")
    else:
        output.result(f"Stopped. {wording.status_line(report)}")
    for line in wording.detail_lines(report):
        output.note(line)


def _why_not_stopped(outcome: Outcome) -> str:
    if outcome.stop_answer is None:
        return f"No answer came within {interruptible.STOP_PATIENCE_S:g} s."
    if outcome.stop_answer.error is not None:
        return str(outcome.stop_answer.error)
    if outcome.stop_answer.status == CommandStatus.Succeeded:
        return "The stop was answered, but not the motion."
    return f"The daemon refused: {CommandStatus.message(outcome.stop_answer.status)}."
