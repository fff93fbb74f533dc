"""Shows what a daemon answered: a result on stdout, or one line on stderr that says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ..client.calls import (
    AnswerLostError,
    CallError,
    DaemonUnreachableError,
    FocuserClient,
    Report,
    TooOldError,
)
from ..client.report import text_in
from ..constants import CommandStatus
from . import output, wording
from .advice import Place


@dataclass(frozen=True)
class Answers:
    """Shows the answers of one daemon. Every method gives the CommandStatus that the command ends with.

    Args:
        client: calls it.
        config_path: the configuration that named it.
        when_done: makes of the report what is said below the status line once the command has succeeded.
        asked_for: mm, and whether they count from the target: for the case that the daemon refuses them.
    """

    client: FocuserClient
    config_path: Path
    when_done: Callable[[Report], str] | None = None
    asked_for: tuple[float, bool] | None = None

    def report(self) -> Report | None:
        """What the daemon reports now; None if it does not answer."""
        try:
            return self.client.report_status()
        except CallError:
            return None

    def show_report(self, report: Report) -> int:
        """The status line, and below it what else a person should know."""
        if output.stdout_is_terminal():
            from rich.text import Text
            from rockit.common import print as site_print

            # As a Text: of a plain str rich would mark the numbers and the brackets too.
            site_print(Text.from_markup(wording.status_line(report, formatting=True)))
            for line in wording.detail_lines(report):
                output.result(line)
            return CommandStatus.Succeeded
        output.result(wording.status_line(report))
        # A script that reads stdout gets the one line that it always got.
        for line in wording.detail_lines(report):
            output.note(line)
        return CommandStatus.Succeeded

    def show_status(self, report: Report) -> int:
        """The report for somebody who asked for it."""
        self.show_report(report)
        if output.stdout_is_terminal():
            for line in wording.status_lines(report):
                output.result(line)
        return CommandStatus.Succeeded

    def show_end(self, status: int, report: Report | None = None) -> int:
        """The end of a command that the daemon answered with `status`; `report` is what it reported then."""
        report = report or self.report()
        if status == CommandStatus.PositionOutsideLimits and self.asked_for is not None:
            number_mm, offset = self.asked_for
            output.note(
                wording.outside_range(
                    number_mm, self._place.range_mm(), offset, report, str(self.config_path)
                )
            )
        elif status == CommandStatus.InvalidControlIP:
            self.show_refusal(status, self._place.who_may_control())
        elif status == CommandStatus.Blocked and (held := self._why_held()):
            output.note(f"{CommandStatus.message(status)}. {held}")
        elif status != CommandStatus.Succeeded:
            output.note(wording.refusal(status, report))
        elif report is None:
            output.note("Done, but the daemon does not answer a status call. Try `focus status`.")
        else:
            self._show_success(report)
        return status

    def _why_held(self) -> str:
        """Who holds the focuser, if that was the reason of the refusal."""
        try:
            failure = self.client.last_failure()
        except CallError:
            return ""
        reason = text_in(failure, "reason")
        return (
            reason
            if failure.get("status") == CommandStatus.Blocked and " holds the focuser " in reason
            else ""
        )

    def _show_success(self, report: Report) -> None:
        try:
            self.show_report(report)
            if self.when_done is not None:
                output.result(self.when_done(report))
        except output.WriteError as error:
            # What was asked for is done, and a script that closed stdout goes by the exit code.
            output.note(f"Done, but {error}")

    def show_end_of_stop(self, status: int) -> int:
        """The end of a stop that the daemon answered with `status`."""
        report = self.report()
        if status != CommandStatus.Failed or report is None or not wording.lacks_link(report):
            return self.show_end(status, report)
        return self.show_refusal(status, wording.unproven_standstill(report))

    def show_refusal(self, status: int, advice: str) -> int:
        """A refusal whose `advice` depends on the command that was refused."""
        output.note(f"{CommandStatus.message(status)}. {advice}")
        return status

    def show_error_of_stop(self, error: CallError) -> int:
        """A stop without an answer: whatever moved may move on."""
        return self.show_error(
            error, motion=True, unsent="Nothing was stopped: THE FOCUSER MAY STILL BE MOVING."
        )

    def show_error(
        self, error: CallError, motion: bool = False, report: Report | None = None, unsent: str = ""
    ) -> int:
        """A call without an answer.

        Args:
            motion: whether the focuser may be moving if the answer was lost.
            report: what the daemon reported afterwards.
            unsent: what it means that the daemon was not even asked.
        """
        sentences = [f"{CommandStatus.message(error.status)}.", str(error)]
        if isinstance(error, AnswerLostError) and motion:
            sentences.append("THE FOCUSER MAY STILL BE MOVING: see `focus status`, end it with `focus stop`.")
            if report is not None:
                sentences.append(f"Now: {wording.status_line(report)}.")
        elif isinstance(error, DaemonUnreachableError):
            sentences += [unsent] if unsent else []
            sentences.append(self._place.how_to_reach(error))
        elif not isinstance(error, TooOldError):
            sentences.append(self._place.where_to_look())
        output.note(" ".join(sentences))
        return error.status

    @property
    def _place(self) -> Place:
        return Place(self.client.daemon, self.config_path)
