"""`--all` and `--daemon PATTERN`: focusers of the site's phone book, called at the same time, in one table.

The exit code is the greatest of those that each of them alone would have ended with.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Callable, TypeVar

from ..client import CONNECT_TIMEOUT_S, STATUS_TIMEOUT_S, STOP_TIMEOUT_S
from ..client.calls import CallError, DaemonUnreachableError, FocuserClient, Report
from ..config.site import daemon_names, registered_daemon
from ..constants import CommandStatus, FocuserStatus
from ..errors import ConfigError
from . import output, wording
from .options import Options, exit_code

MOST_AT_ONCE = 32
# Labels as a status line has them; what is none of them went wrong.
MARKED = {FocuserStatus.label(status): FocuserStatus.label(status, True) for status in (0, 1, 2)}
STOPPED = "STOPPED"

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Outcome:
    """What became of the call of one focuser.

    Args:
        status: the CommandStatus.
        report: what it reports; None if it does not.
        problem: a sentence on what went wrong; empty if nothing did.
    """

    status: int
    report: Report | None = None
    problem: str = ""

    @property
    def code(self) -> int:
        """The exit code that it alone would have."""
        return exit_code(self.status)


def run(options: Options) -> int:
    """`status`, `json` or `stop` of each focuser that is meant; gives the exit code. Raises ConfigError."""
    names = chosen(daemon_names(), options.daemon)
    stops = options.command == "stop"
    timeout_s = STOP_TIMEOUT_S if stops else STATUS_TIMEOUT_S
    if options.timeout_s is not None:
        timeout_s = options.timeout_s
    clients = {name: FocuserClient(registered_daemon(name)) for name in names}

    def ask(name: str) -> Outcome:
        return _stopped(clients[name], timeout_s) if stops else _reported(clients[name], timeout_s)

    # A stop is followed by a look. Each call connects before it asks.
    calls = 2 if stops else 1
    answers = ask_all(names, ask, calls * (CONNECT_TIMEOUT_S + timeout_s) if timeout_s > 0 else None)
    silent = Outcome(
        CommandStatus.CommunicationFailed, problem=_with_warning("It did not answer in time.", stops)
    )
    outcomes = {name: answers.get(name, silent) for name in names}
    if options.command == "json":
        _show_json(outcomes)
    else:
        _show_table(outcomes)
    return max(outcome.code for outcome in outcomes.values())


def chosen(known: Sequence[str], pattern: str | None) -> list[str]:
    """Which of the daemons are meant: without a pattern, all focusers. Raises ConfigError if there is none."""
    focusers = [name for name in known if "focus" in name.lower()]
    if not focusers and pattern not in known:
        raise ConfigError("rockit.common.daemons has no focuser: none of its names has `focus` in it")
    if pattern is None:
        return focusers
    if pattern in known:
        return [pattern]
    matching = [name for name in focusers if fnmatchcase(name.lower(), pattern.lower())]
    if not matching:
        raise ConfigError(
            f"no focuser of rockit.common.daemons is called {pattern!r} (there are: {', '.join(focusers)})"
        )
    return matching


def ask_all(
    names: Sequence[str], ask: Callable[[str], _Answer], patience_s: float | None
) -> dict[str, _Answer]:
    """What `ask` gives for each name, in their order, without those that took too long.

    Args:
        names: at most MOST_AT_ONCE of them are asked at the same time.
        ask: asks one, in a thread.
        patience_s: how long to wait for so many; None: as long as it takes.
    """
    left: queue.SimpleQueue[str] = queue.SimpleQueue()
    answered: queue.SimpleQueue[tuple[str, _Answer]] = queue.SimpleQueue()
    for name in names:
        left.put(name)

    def work() -> None:
        while True:
            try:
                name = left.get_nowait()
            except queue.Empty:
                return
            answered.put((name, ask(name)))

    workers = min(len(names), MOST_AT_ONCE)
    for _ in range(workers):
        # Of the daemon kind: neither Ctrl-C nor the end waits for an answer.
        threading.Thread(target=work, name="ask", daemon=True).start()
    lots = -(-len(names) // MOST_AT_ONCE)
    deadline_s = None if patience_s is None else time.monotonic() + lots * patience_s
    answers: dict[str, _Answer] = {}
    while len(answers) < len(names):
        wait_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
        try:
            name, answer = answered.get(timeout=wait_s)
        except queue.Empty:
            break
        answers[name] = answer
    return {name: answers[name] for name in names if name in answers}


def _reported(client: FocuserClient, timeout_s: float) -> Outcome:
    try:
        return Outcome(CommandStatus.Succeeded, client.report_status(timeout_s))
    except CallError as error:
        return Outcome(error.status, problem=str(error))


def _stopped(client: FocuserClient, timeout_s: float) -> Outcome:
    try:
        status = client.stop(timeout_s)
    except DaemonUnreachableError as error:
        return Outcome(error.status, problem=_with_warning(f"{error} Nothing was stopped:", True))
    except CallError as error:
        return Outcome(error.status, _reported(client, timeout_s).report, _with_warning(str(error), True))
    report = _reported(client, timeout_s).report
    if status == CommandStatus.Succeeded:
        return Outcome(status, report)
    why = CommandStatus.message(status).replace("error: ", "")
    if status == CommandStatus.Failed and report is not None and wording.lacks_link(report):
        why = wording.unproven_standstill(report)
    return Outcome(status, report, f"NOT STOPPED: {why}")


def _with_warning(sentence: str, stops: bool) -> str:
    return f"{sentence} THE FOCUSER MAY STILL BE MOVING." if stops else sentence


def _show_json(outcomes: Mapping[str, Outcome]) -> None:
    shown: dict[str, Any] = {
        name: {"error": outcome.problem} if outcome.report is None else outcome.report
        for name, outcome in outcomes.items()
    }
    output.result(wording.as_json(shown))


def _show_table(outcomes: Mapping[str, Outcome]) -> None:
    rows = [_cells(name, outcome) for name, outcome in outcomes.items()]
    if output.stdout_is_terminal():
        _draw_table(rows)
        return
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, label, remark in rows:
        output.result(f"{name.ljust(widths[0])}  {label.ljust(widths[1])}  {remark}".rstrip())


def _cells(name: str, outcome: Outcome) -> tuple[str, str, str]:
    report = outcome.report
    if report is None:
        # A stop that was obeyed by a focuser that did not say more than that.
        label = "ERROR" if outcome.problem else STOPPED
        return name, label, outcome.problem
    label, *parts = wording.table_parts(report)
    return name, label, "  ".join([*parts, outcome.problem] if outcome.problem else parts)


def _draw_table(rows: Sequence[tuple[str, str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text
    from rockit.common import print as site_print

    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column()
    for name, label, remark in rows:
        plain = label if label == STOPPED else f"[b][red]{label}[/][/b]"
        table.add_row(Text(name), Text.from_markup(MARKED.get(label, plain)), Text(output.writable(remark)))
    site_print(table)
