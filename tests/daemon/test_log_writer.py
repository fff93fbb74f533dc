"""The daemon's own log: it never waits, never raises, and shows what there is to show."""

from __future__ import annotations

import _thread
import logging
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.daemon import log_writer
from rockit.focuser.ok3z.daemon.log_writer import (
    MAX_EVENT_CHARS,
    MAX_WAITING_LINES,
    STDERR,
    STDOUT,
    LogWriter,
)
from tests.support.waiting import BOUND_S

Start = Callable[[], LogWriter]


class Written:
    """What reaches the outputs, which can be made to hang."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()

    def write(self, descriptor: int, text: str) -> None:
        self.began.set()
        assert self.gate.wait(BOUND_S)
        self.lines.append((descriptor, text))

    @property
    def errors(self) -> list[str]:
        return [text for descriptor, text in self.lines if descriptor == STDERR]


@pytest.fixture(name="written")
def fixture_written(monkeypatch: pytest.MonkeyPatch) -> Written:
    written = Written()
    monkeypatch.setattr(log_writer, "_write", written.write)
    monkeypatch.setattr(log_writer, "_write_where_there_is_room", written.write)
    return written


@pytest.fixture(name="start")
def fixture_start(
    written: Written, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[[], LogWriter]]:
    """Starts the log of a daemon: stdout, stderr and all that is logged are its own. To be called in the test
    itself, for pytest takes them for itself just before."""
    logs: list[LogWriter] = []

    def start() -> LogWriter:
        monkeypatch.setattr(log_writer, "CLOSE_PATIENCE_S", BOUND_S)
        monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])
        monkeypatch.setattr(logging.getLogger("Pyro4"), "level", logging.NOTSET)
        monkeypatch.setattr(sys, "stdout", sys.stdout)
        monkeypatch.setattr(sys, "stderr", sys.stderr)
        caplog.set_level(logging.INFO)
        logs.append(LogWriter())
        logs[-1].start(logging.INFO)
        return logs[-1]

    yield start
    written.gate.set()
    for log in logs:
        log.finish()


@pytest.mark.parametrize("named", [True, False])
def test_the_journal_is_told_levels_and_no_time(tmp_path: Path, named: bool) -> None:
    """Only where stderr is the stream that systemd has named: it may have been redirected since."""
    with (tmp_path / "err").open("w+b") as stream:
        status = os.fstat(stream.fileno())
        log = "for level in (10, 20, 30, 40): logging.log(level, 'level %d\\nand more', level)"
        program = (
            "import logging, os\n"
            "from rockit.focuser.ok3z.daemon.log_writer import LogWriter\n"
            f"log = LogWriter(os.environ); log.start(logging.DEBUG)\n{log}\nlog.finish()"
        )
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino if named else 1}"},
            stderr=stream,
            check=True,
            timeout=BOUND_S,
        )
        stream.seek(0)
        lines = stream.read().decode().splitlines()
    if named:
        expected = [(7, 10), (6, 20), (4, 30), (3, 40)]
        assert lines[::2] == [f"<{priority}>root: level {level}" for priority, level in expected]
        assert lines[1::2] == [f"<{priority}>and more" for priority, _ in expected]
    else:
        assert lines[0].endswith("DEBUG root: level 10")
        assert lines[0][:4].isdigit()


def test_what_is_logged_and_what_is_printed_are_written_in_their_order(
    start: Start, written: Written
) -> None:
    log = start()
    logging.getLogger("a.room").info("%d mm", 3)
    print("on stdout")
    print("on stderr", file=sys.stderr)
    log.finish()
    (first, *rest) = written.lines
    assert first[0] == STDERR
    assert first[1].endswith(" INFO a.room: 3 mm")
    assert rest == [(STDOUT, "on stdout"), (STDERR, "on stderr")]


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("it has no words")

    __repr__ = __str__


MISTAKES: list[tuple[Any, ...]] = [
    *(("%d", "x"), ("%s %s", "one"), ("nothing", "too much"), ("%(name)s", {"other": 1})),
    *(("%s", Unspeakable()), (Unspeakable(),)),
]


def test_a_mistake_in_what_is_logged_is_logged_itself_and_never_raised(
    start: Start, written: Written
) -> None:
    log = start()
    for mistake in MISTAKES:
        logging.getLogger("a.room").warning(*mistake)
    logging.getLogger("a.room").warning("the next one")
    log.finish()
    *told, following = written.errors
    assert len(told) == len(MISTAKES)
    for line in told:
        assert line.startswith("WARNING a.room: what ")
        assert "test_log_writer.py:" in line
        assert "cannot be written" in line
    assert following.endswith("the next one")


def test_an_event_is_bounded_and_keeps_both_ends(start: Start, written: Written) -> None:
    log = start()
    logging.getLogger("a.room").error("begins %s ends", "x" * 10 * MAX_EVENT_CHARS)
    sys.stderr.write("y" * 3 * MAX_EVENT_CHARS)
    log.finish()
    logged, printed = written.errors
    assert "begins" in logged
    assert "characters left out] " in logged
    assert logged.endswith("ends")
    assert max(len(logged), len(printed)) < MAX_EVENT_CHARS + 100


def test_nobody_waits_for_an_output_that_nobody_reads_and_what_waits_is_bounded(
    start: Start, written: Written
) -> None:
    """That this test comes to its end shows that nothing here waits."""
    log = start()
    written.gate.clear()
    print("the one that hangs")
    assert written.began.wait(BOUND_S)
    surplus = 70
    for number in range(MAX_WAITING_LINES + surplus):
        print(number, file=sys.stderr)
    written.gate.set()
    log.finish()
    assert written.errors[0] == f"{surplus} lines were dropped: nobody read them"
    assert written.errors[1:] == [str(number) for number in range(MAX_WAITING_LINES)]


def test_the_traceback_of_a_thread_waits_for_nobody(start: Start, written: Written) -> None:
    log = start()
    written.gate.clear()
    thread = threading.Thread(target=Unspeakable().__str__, name="the motor's")
    # pytest has one of its own, which would take it for a failure.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", _thread._excepthook)
        thread.start()
        thread.join(BOUND_S)
    assert not thread.is_alive()
    written.gate.set()
    log.finish()
    assert "Exception in thread the motor's:" in written.errors[0]
    assert "RuntimeError: it has no words" in written.errors


def test_a_finalizer_may_print_in_the_middle_of_a_print(start: Start, written: Written) -> None:
    """It strikes any thread anywhere. A queue with a lock of its own would then wait for itself."""
    start()
    striking = False

    def strike(*_: object) -> None:
        nonlocal striking
        if not striking:
            striking = True
            print("a last word", file=sys.stderr)
            striking = False

    def struck_at_every_call() -> None:
        sys.setprofile(strike)
        print("x")
        sys.setprofile(None)

    thread = threading.Thread(target=struck_at_every_call, daemon=True)
    thread.start()
    thread.join(BOUND_S / 4)
    assert not thread.is_alive(), "a print waits for itself"


def test_what_the_site_set_up_for_logging_is_replaced(start: Start) -> None:
    """It would wait for whoever reads stderr."""
    log = start()
    assert logging.getLogger().handlers == [log]


def test_what_comes_after_the_end_is_written_all_the_same(start: Start, written: Written) -> None:
    log = start()
    log.finish()
    print("a last word", file=sys.stderr)
    assert written.lines == [(STDERR, "a last word")]


# In a process of its own: what becomes of real outputs, and of the interpreter's last words

PROGRAM = """
import logging, sys, threading
from rockit.focuser.ok3z.daemon.log_writer import LogWriter
log = LogWriter()
log.start(logging.INFO)
"""


def run(program: str, stderr: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        timeout=BOUND_S,
        check=False,
    )
    return done.returncode


def said_on_stderr(program: str) -> str:
    reader, writer = os.pipe()
    run(program, writer)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        return pipe.read()


def test_a_crash_is_seen() -> None:
    said = said_on_stderr("try:\n    1 / 0\nfinally:\n    log.finish()")
    assert "Traceback (most recent call last):" in said
    assert said.endswith("ZeroDivisionError: division by zero\n")


def test_the_last_words_of_the_interpreter_are_seen() -> None:
    said = said_on_stderr(
        "class Last:\n    def __del__(self): raise RuntimeError('the very last word')\n"
        "last = Last()\nlog.finish()"
    )
    assert "the very last word" in said


@pytest.mark.parametrize("ending", ["log.finish()", "log.finish()\nraise RuntimeError('x' * 100_000)"])
def test_a_process_ends_though_nobody_reads_what_it_says(ending: str) -> None:
    """The terminal holds some 4000 bytes, and nobody takes them."""
    master, slave = pty.openpty()
    try:
        program = f"for number in range(20_000):\n    print(number, file=sys.stderr)\n{ending}"
        assert run(program, slave) == ("raise" in ending)
    finally:
        os.close(slave)
        os.close(master)


def test_an_output_that_was_closed_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with suppress(OSError):
        assert run("print('x', file=sys.stderr)\nlog.finish()\nprint('y', file=sys.stderr)", writer) == 0
    os.close(writer)
