"""`focus log`, `moved`, `hold`, `release` and `run`: what the history knows, and holds. Each gives an exit code."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ..client.calls import CallError, FocuserClient, Report
from ..client.report import number_in, printable, text_in
from ..constants import CommandStatus
from . import output
from .answers import Answers
from .arguments import DURATION, SECONDS
from .options import Options, UsageError

MOVED = {"no": 0, "yes": 1}
MOVED_UNKNOWN = 10
# At rest there is a reading a second: whoever asks of the moment that was is asked to wait that long.
NEXT_READING_S = 1.5
# As many as fit into `unpacking.MOST_ANSWER_BYTES` even if each says much.
ROWS_AT_ONCE = 100
# A hold lasts as long as the program does, and little longer than this command.
HELD_FOR_S, RENEWED_EVERY_S = 60.0, 15.0
NOT_RUNNABLE, NOT_FOUND = 126, 127
SIGNALLED = 128

COLUMNS = (
    *("kind", "begin", "end", "from_mm", "target_mm", "to_mm", "legs", "result", "sentence", "why", "trust"),
    *("holds", "address", "door"),
)


def log(options: Options, client: FocuserClient, answers: Answers, timeout_s: float) -> int:
    """Print the history, the oldest first."""
    try:
        rows = _rows(client, _since(options.since), timeout_s)
        if options.csv:
            output.result(_csv(COLUMNS))
        for row in rows:
            line = _json(row) if options.json else _csv([row.get(key) for key in COLUMNS])
            if not output.result(line if options.json or options.csv else _line(row)):
                break
    except CallError as error:
        return answers.show_error(error)
    return CommandStatus.Succeeded


def moved(options: Options, client: FocuserClient, answers: Answers, timeout_s: float) -> int:
    """Say whether it moved."""
    t0, t1 = _moment(options.t0), _moment(options.t1)
    try:
        answer = client.moved_between(t0, t1, timeout_s)
        if "later than the last reading" in text_in(answer, "reason"):
            time.sleep(NEXT_READING_S)
            answer = client.moved_between(t0, t1, timeout_s)
    except CallError as error:
        return answers.show_error(error)
    verdict = text_in(answer, "moved")
    output.result(f"{verdict}: {text_in(answer, 'reason')}")
    motions = answer.get("motions")
    for motion in motions if isinstance(motions, list) else ():
        output.result(f"  {_line(motion)}")
    return MOVED.get(verdict, MOVED_UNKNOWN)


def hold(options: Options, client: FocuserClient, answers: Answers, timeout_s: float) -> int:
    """Have nothing move, and print the token."""
    try:
        token = client.hold(options.name, options.seconds, timeout_s=timeout_s)
    except CallError as error:
        return answers.show_error(error)
    if isinstance(token, int):
        return _refused(client, token)
    output.result(token)
    return CommandStatus.Succeeded


def release(options: Options, client: FocuserClient, answers: Answers, timeout_s: float) -> int:
    """End a hold."""
    try:
        status = client.release(options.token, timeout_s)
    except CallError as error:
        return answers.show_error(error)
    return _refused(client, status) if status else CommandStatus.Succeeded


def run(options: Options, client: FocuserClient, answers: Answers, timeout_s: float) -> int:
    """Run a program while nothing moves."""
    if not options.program:
        raise UsageError(
            "focus run: a command is missing. Example: `focus run --hold cam1 -- expose 60 m31.fits`."
        )
    try:
        token = client.hold(options.name, HELD_FOR_S, timeout_s=timeout_s)
    except CallError as error:
        return answers.show_error(error)
    if isinstance(token, int):
        return _refused(client, token)
    held = _Held(client, options.name, token)
    try:
        return _exit_code(options.program)
    finally:
        held.end()


class _Held:
    """A hold that is renewed until its end."""

    def __init__(self, client: FocuserClient, name: str, token: str) -> None:
        self._client, self._name, self._token = client, name, token
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="hold", daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_EVERY_S):
            try:
                answer = self._client.hold(self._name, HELD_FOR_S, self._token)
            except CallError:
                # A daemon that is restarted keeps it.
                continue
            if isinstance(answer, int):
                output.note("warning: the hold is lost: the focuser may move while the program runs.")
                return

    def end(self) -> None:
        self._ended.set()
        try:
            self._client.release(self._token)
        except CallError as error:
            output.note(f"warning: the hold ends by itself within {HELD_FOR_S:g} s: {error}")


def _exit_code(program: Any) -> int:
    """Run it to its end; Ctrl-C is for it, and SIGTERM is passed on."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # Not to be ignored: the program would inherit that.
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        running = subprocess.Popen(program)
        signal.signal(signal.SIGTERM, lambda *_: running.terminate())
        code = running.wait()
    except FileNotFoundError:
        output.note(f"error: there is no program {program[0]}.")
        return NOT_FOUND
    except OSError as error:
        output.note(f"error: {program[0]} cannot be run: {error.strerror}.")
        return NOT_RUNNABLE
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code if code >= 0 else SIGNALLED - code


def _refused(client: FocuserClient, status: int) -> int:
    """Say why, as the daemon does."""
    try:
        failure = client.last_failure()
    except CallError:
        failure = {}
    reason = text_in(failure, "reason") if failure.get("status") == status else ""
    output.note(" ".join(filter(None, (f"{CommandStatus.message(status)}.", reason))))
    return status


def _rows(client: FocuserClient, since_s: float, timeout_s: float) -> Iterator[Report]:
    until_s = time.time() + SECONDS["d"]
    told: list[Report] = []
    while True:
        rows = client.moves(since_s, until_s, ROWS_AT_ONCE, timeout_s)
        new = [row for row in rows if row not in told]
        yield from new
        if len(rows) < ROWS_AT_ONCE or not new:
            return
        told, since_s = rows, _moment_s(text_in(rows[-1], "begin")) - 0.001


def _since(text: str) -> float:
    ago = DURATION.fullmatch(text)
    if ago is not None:
        return time.time() - float(ago[1]) * SECONDS[ago[2]]
    try:
        return _moment_s(text)
    except ValueError:
        raise UsageError(
            f"focus log: {text!r} is no time. Examples: `--since 12h`, `--since 2026-11-22T18:00`."
        ) from None


def _moment(text: str) -> str | float:
    """Unix seconds as a number; the daemon reads all else."""
    try:
        return float(text)
    except ValueError:
        return text


def _moment_s(text: str) -> float:
    moment = datetime.fromisoformat(text.removesuffix("Z"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _line(row: Mapping[str, Any]) -> str:
    """A row for people."""
    begin = text_in(row, "begin").replace("T", " ").removesuffix("Z")
    kind = text_in(row, "kind")
    parts = [f"{begin}  {kind:<6}"]
    if kind in ("move", "hand", "audit", "homing"):
        parts.append(f"{_mm(row, 'from_mm')} → {_mm(row, 'to_mm')}")
    address, door = text_in(row, "address"), text_in(row, "door")
    parts += [text_in(row, "result"), f"by {address} ({door})" if address else ""]
    parts += [text_in(row, "why"), text_in(row, "sentence")]
    if kind != "hold" and text_in(row, "holds"):
        parts.append(f"while {text_in(row, 'holds')} held it")
    return printable("  ".join(filter(None, parts)))


def _mm(row: Mapping[str, Any], key: str) -> str:
    number_mm = number_in(row, key)
    return "?" if number_mm is None else f"{number_mm:.3f}"


def _csv(values: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        ["" if value is None else printable(value) if isinstance(value, str) else value for value in values]
    )
    return line.getvalue()


def _json(row: Mapping[str, Any]) -> str:
    return json.dumps(row, default=str)
