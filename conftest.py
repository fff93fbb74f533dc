"""What holds for every test: it is not timed, leaves no thread and no open file, and keeps off the real state.

And no shell changes its outcome: what one exports is set here.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes any example slow: that says nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# How long what a test ended may take to be gone. It only delays a test that fails.
PATIENCE_S = 5.0
# Most is gone at once, or after some milliseconds. Only then is it looked for rubbish, which takes as long.
RUBBISH_AFTER_S = 0.02

# What a test finds in its environment. A test of one of these sets it itself.
SHELL = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
NOT_IN_THE_SHELL = (
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "PYTHON_COLORS"),
    *("TTY_COMPATIBLE", "TTY_INTERACTIVE", "LANGUAGE", "FOCUSD_CONFIG_PATH", "ROCKIT_SITE_PATH"),
)
UMASK = 0o022


def pytest_sessionstart(session: pytest.Session) -> None:
    if getattr(session.config.option, "numprocesses", None):
        # This process starts those that run the tests, and shows on the user's terminal what becomes of them.
        return
    os.environ.update(SHELL)
    for name in NOT_IN_THE_SHELL:
        os.environ.pop(name, None)
    time.tzset()
    os.umask(UMASK)


def pytest_collection_finish() -> None:
    """Thousands of tests are no rubbish: to look through them took longer than most tests take."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _no_signal_is_ignored() -> None:
    """Processes inherit it where one is, as from `nohup` or a script's `&`: then no test could end them by it."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A daemon started by a test must not write where the developer's own keeps what it knows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIRECTORY", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    threads, files = set(threading.enumerate()), _open_files()
    yield
    ended_s = time.monotonic()
    while True:
        left_threads = [thread.name for thread in threading.enumerate() if thread not in threads]
        left_files = sorted(set(_open_files().items()) - set(files.items()))
        if not left_threads and not left_files:
            return
        waited_s = time.monotonic() - ended_s
        if waited_s > PATIENCE_S:
            pytest.fail(f"left behind: threads {left_threads}, files {left_files}")
        if waited_s > RUBBISH_AFTER_S:
            gc.collect()
        time.sleep(0.001 + waited_s / 10)


def _open_files() -> dict[int, str]:
    """What each file descriptor of this process is open on."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = os.readlink(entry)
        except OSError:
            continue
    return found
