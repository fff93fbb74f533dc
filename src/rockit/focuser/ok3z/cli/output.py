"""Where `focus` writes: results to stdout, all else to stderr, and no traceback for a closed pipe."""

from __future__ import annotations

import os
import select
import sys


class WriteError(Exception):
    """A result could not be written, to a full disc for instance. The text says why."""


def result(line: str) -> bool:
    """Write one line to stdout at once. False if nobody reads it any more (`focus watch | head -1`).

    Raises WriteError if it cannot be written.
    """
    if sys.stdout is None:
        raise WriteError("the result cannot be written: stdout is closed.")
    try:
        print(writable(line), flush=True)
    except BrokenPipeError:
        return False
    except OSError as error:
        raise WriteError(f"the result cannot be written: {error.strerror}.") from error
    return True


def writable(line: str) -> str:
    """The line, with what the encoding of stdout does not have escaped. (That of stderr always escapes.)"""
    encoding = sys.stdout.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def note(line: str) -> None:
    """Write one line to stderr, if there is one."""
    # A closed stderr is None, which print() would take for stdout.
    if sys.stderr is None:
        return
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        # The exit code remains to say it.
        return


def finish() -> None:
    """Write out what is still buffered: if nobody reads it, the interpreter would complain at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        _abandon_stdout()


def wait_while_read(seconds: float) -> bool:
    """Let time pass; False, and at once, if the reader of stdout goes away meanwhile, or is gone."""
    poll = select.poll()
    # Asked for nothing, it tells of errors only: a pipe that nobody reads, a terminal that hung up.
    poll.register(sys.stdout.fileno(), 0)
    return not poll.poll(seconds * 1000)


def stdout_is_terminal() -> bool:
    """Whether a person reads stdout as it is written."""
    return sys.stdout is not None and sys.stdout.isatty()


def stdout_can_redraw() -> bool:
    """Whether a line on stdout can be written over, as live displays do."""
    return stdout_is_terminal() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def _abandon_stdout() -> None:
    """Send what is still buffered nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    finally:
        os.close(nowhere)
