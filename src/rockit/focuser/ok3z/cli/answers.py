"""Shows what a daemon answered: a result on stdout, or one line on stderr that says what to do."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ..client.calls import (
    AnswerLostError,
    CallError,
    DaemonSilentError,
    DaemonUnreachableError,
    FocuserClient,
    Report,
    TooOldError,
    WrongServiceError,
)
from ..client.report import number_in, text_in
from ..config.model import DIRECTORY
from ..constants import CommandStatus
from . import output, wording


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
            from rockit.common import print as site_print

            site_print(wording.status_line(report, formatting=True))
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
            output.note(wording.outside_range(number_mm, self._range_mm(), offset, report))
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
            sentences.append(self._how_to_reach(error))
        elif not isinstance(error, TooOldError):
            sentences.append(self._where_to_look())
        output.note(" ".join(sentences))
        return error.status

    def _range_mm(self) -> float | None:
        from ..config.reader import parse

        values = parse(self.config_path).values
        return number_in(values, "focus_range_mm") if isinstance(values, dict) else None

    def _how_to_reach(self, error: DaemonUnreachableError) -> str:
        if isinstance(error, WrongServiceError):
            return f"End the program that has this port, or mend `daemon` in {self._file}."
        if isinstance(error, DaemonSilentError):
            restart = f"end it and run `focusd {self._file}`"
            if self._unit:
                restart = f"restart it with `systemctl restart {self._unit}`"
            return f"The daemon may hang: if it runs there, {restart}; if not, look at the network."
        if self._unit:
            return f"Start it with `systemctl start {self._unit}`; `systemctl status {self._unit}` says why it ended."
        return f"Start it with `focusd {self._file}`, or mend the network."

    def _where_to_look(self) -> str:
        return f"See `journalctl -u {self._unit}`." if self._unit else "See the daemon's log."

    @property
    def _file(self) -> str:
        return shlex.quote(str(self.config_path))

    @property
    def _unit(self) -> str:
        """Its systemd unit; empty if it is not installed."""
        if self.config_path.parent != DIRECTORY:
            return ""
        return shlex.quote(f"focusd@{self.config_path.stem}")
