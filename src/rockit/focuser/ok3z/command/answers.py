"""Shows what a daemon answered: a result on stdout, or one line on stderr that says what to do."""

from __future__ import annotations

import shlex
from pathlib import Path

from ..client import AnswerLostError, CallError, DaemonUnreachableError, FocuserClient, Report
from ..config import DIRECTORY
from ..constants import CommandStatus
from . import output, wording


class Answers:
    """Shows the answers of one daemon. Every method gives the CommandStatus that the command ends with."""

    def __init__(self, client: FocuserClient, config_path: Path) -> None:
        self._client = client
        self._config_path = config_path
        self._number_mm = 0.0
        self._offset = False

    def asked_for(self, number_mm: float, offset: bool) -> None:
        """Remember what was asked of the daemon, for the case that it refuses."""
        self._number_mm = number_mm
        self._offset = offset

    def report(self) -> Report | None:
        """What the daemon reports now; None if it does not answer."""
        try:
            return self._client.report_status()
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

    def show_end(self, status: int, report: Report | None = None) -> int:
        """The end of a command that the daemon answered with `status`; `report` is what it reported then."""
        report = report or self.report()
        if status == CommandStatus.PositionOutsideLimits:
            output.note(wording.outside_range(self._number_mm, self._range_mm(), self._offset, report))
        elif status != CommandStatus.Succeeded:
            output.note(wording.refusal(status, report))
        elif report is None:
            output.note("Done, but the daemon does not answer a status call. Try `focus status`.")
        else:
            self.show_report(report)
        return status

    def show_refusal(self, status: int, advice: str) -> int:
        """A refusal whose `advice` depends on the command that was refused."""
        output.note(f"{CommandStatus.message(status)}. {advice}")
        return status

    def show_error(self, error: CallError, motion: bool = False, report: Report | None = None) -> int:
        """A call without an answer; `motion` where the focuser may be moving for lack of it."""
        sentences = [f"{CommandStatus.message(error.status)}.", str(error)]
        if isinstance(error, AnswerLostError) and motion:
            sentences.append("THE FOCUSER MAY STILL BE MOVING: see `focus status`, end it with `focus stop`.")
            if report is not None:
                sentences.append(f"Now: {wording.status_line(report)}.")
        elif isinstance(error, DaemonUnreachableError):
            sentences.append(self._how_to_start())
        else:
            sentences.append(self._where_to_look())
        output.note(" ".join(sentences))
        return error.status

    def _range_mm(self) -> float | None:
        from ..config_file import parse

        values = parse(self._config_path).values
        return wording.number_in(values, "focus_range_mm") if isinstance(values, dict) else None

    def _is_installed(self) -> bool:
        return self._config_path.parent == DIRECTORY

    def _how_to_start(self) -> str:
        if self._is_installed():
            unit = shlex.quote(f"focusd@{self._config_path.stem}")
            return f"Start it with `systemctl start {unit}`; `systemctl status {unit}` says why it ended."
        return f"Start it with `focusd {shlex.quote(str(self._config_path))}`, or mend the network."

    def _where_to_look(self) -> str:
        if self._is_installed():
            return f"See `journalctl -u {shlex.quote(f'focusd@{self._config_path.stem}')}`."
        return "See the daemon's log."
