"""`indi_ok3z_focus`: what indiserver starts. It reads stdin to its end, and ends then; nothing else ends it."""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Sequence

from ..version import VERSION
from .properties import EXECUTABLE, LABEL

# Of a read, in bytes.
CHUNK = 65536
STDIN, STDOUT, STDERR = 0, 1, 2
# How long a thread may keep the others waiting, in seconds. Python's 5 ms would delay each answer during a move.
SWITCH_S = 0.0001
# How long what was said last may take to be read, in seconds.
LAST_WORDS_S = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the driver until stdin ends; gives the exit code."""
    new_parser().parse_args(argv)
    # Ctrl-C of a server that runs in a terminal comes here too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.setswitchinterval(SWITCH_S)
    serve(device_name(os.environ.get("INDIDEV", "")))
    return 0


def new_parser() -> argparse.ArgumentParser:
    """The command line, on which nothing need stand."""
    parser = argparse.ArgumentParser(
        prog=EXECUTABLE,
        description="The INDI driver of the focuser that focusd drives. A server starts it without arguments; it "
        "speaks INDI on stdin and stdout until stdin ends.",
        epilog=f"INDIDEV in the environment is the name of the device (default: {LABEL}).",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {VERSION}", help="show the version and exit"
    )
    return parser


def device_name(asked_for: str) -> str:
    """As clients shall call the device: what the server asks for, as far as XML can say it."""
    return "".join(each if each.isprintable() else "?" for each in asked_for).strip() or LABEL


def serve(name: str) -> None:
    """Serve clients on stdin and stdout until stdin ends."""
    from ..client.unpacking import bounded_answers
    from .driver import Driver
    from .outlet import Outlet

    _open_what_is_closed()
    complaints = Outlet(STDERR)
    handler = logging.StreamHandler(complaints)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    outlet = Outlet(STDOUT, lambda: driver.tell_all())
    driver = Driver(name, outlet)
    complaints.start()
    outlet.start()
    with bounded_answers():
        driver.start()
        while data := read():
            driver.take(data)
        outlet.finish(LAST_WORDS_S)


def _open_what_is_closed() -> None:
    """Else a connection to the daemon would take the place of a stream, and get what is written there."""
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def read() -> bytes:
    """The next bytes of stdin; empty at its end."""
    while True:
        try:
            return os.read(STDIN, CHUNK)
        except BlockingIOError:
            # Whoever started this has made it so. It is not undone: stdout may be the same socket.
            select.select([STDIN], [], [])
        except OSError:
            return b""


if __name__ == "__main__":
    sys.exit(main())
