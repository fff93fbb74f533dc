"""What holds for every test: it is not timed, leaves no thread and no open file, and keeps off the real state.

And no shell changes its outcome: what one exports is set here.

Of large matrices a run has a sample, the same one each time. FOCUSER_EVERY_CASE=1 has them whole, which `.ci/run`
says once.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import engine

EVERY_CASE = os.environ.get("FOCUSER_EVERY_CASE", "0") != "0"

# A busy machine makes any example slow: that says nothing about the code.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=200 if EVERY_CASE else 50,
    # With what a failure says it can be had again.
    print_blob=True,
)
settings.load_profile("any machine")
# An example that fails is made as small as can be in this time: a test is ended after a minute, and then says nothing.
engine.MAX_SHRINKING_SECONDS = min(20, engine.MAX_SHRINKING_SECONDS)

# How long what a test ended may take to be gone. It only delays a test that fails.
PATIENCE_S = 5.0
# Most is gone at once, or after some milliseconds. Only then is it looked for rubbish, which takes as long.
RUBBISH_AFTER_S = 0.02

# Pyro4 asks by this name in each round of a server. Its warning cannot be ignored: between two tests, while pytest sets
# its filters up, it would end the thread of a server that goes on.
threading.Event.isSet = threading.Event.is_set  # type: ignore[method-assign]

# What a test finds in its environment. A test of one of these sets it itself.
SHELL = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
NOT_IN_THE_SHELL = (
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "PYTHON_COLORS"),
    *("TTY_COMPATIBLE", "TTY_INTERACTIVE", "LANGUAGE"),
)
UMASK = 0o022
# What would lead the project's programs, Python, systemd's messages, a browser or a shell elsewhere. It goes now, for
# `rockit.common` reads its site file when a folder of tests is imported.
LEADS_ELSEWHERE = (
    *("FOCUSD_CONFIG_PATH", "ROCKIT_SITE_PATH", "RUNTIME_DIRECTORY", "XDG_STATE_HOME"),
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"),
    *("PYTHONPATH", "PYTHONIOENCODING", "PYTHONOPTIMIZE", "PYTHONUTF8", "PYTHONWARNINGS"),
    *("all_proxy", "http_proxy", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"),
    *("BASH_ENV", "CDPATH", "ENV", "MAKEFLAGS"),
)
for _name in LEADS_ELSEWHERE:
    os.environ.pop(_name, None)


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


# Samples of matrices


def pytest_report_header() -> str:
    return (
        "matrices: whole"
        if EVERY_CASE
        else "matrices: a sample of each (FOCUSER_EVERY_CASE=1 has them whole)"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test with `@pytest.mark.one_in(n)`, leave out all cases but every n-th."""
    for item in items:
        if item.get_closest_marker("one_in") or "some_of" in getattr(item, "fixturenames", ()):
            item.add_marker("matrix")
    if EVERY_CASE:
        return
    groups: dict[str, list[Any]] = {}
    for item in items:
        if item.get_closest_marker("one_in"):
            groups.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out: set[pytest.Item] = set()
    for cases in groups.values():
        left_out |= set(cases) - set(_sample(cases, cases[0].get_closest_marker("one_in").args[0]))
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def _sample(cases: list[Any], every: int) -> list[Any]:
    """Every so-manieth case, but each value of each parameter at least once, if there is more than one parameter."""
    # One text for each parameter.
    words = {case: tuple(case.callspec._idlist) for case in cases}
    if len(words[cases[0]]) == 1:
        # They may have been shuffled.
        return sorted(cases, key=lambda case: (len(case.name), case.name))[::every]
    mixed = sorted(cases, key=lambda case: zlib.crc32(case.nodeid.encode()))
    kept: list[Any] = []
    met: set[tuple[int, str]] = set()
    for case in mixed:
        values = set(enumerate(words[case]))
        if not values <= met:
            kept.append(case)
            met |= values
    others = [case for case in mixed if case not in kept]
    return kept + others[: max(0, len(cases) // every - len(kept))]


@pytest.fixture(scope="session")
def some_of() -> Callable[..., Sequence[Any]]:
    """Of the cases of a loop, takes every so-manieth and the last: some_of(range(1, 40), every=5)."""

    def choose(cases: Sequence[Any], every: int) -> Sequence[Any]:
        if EVERY_CASE:
            return cases
        return [case for number, case in enumerate(cases) if number % every == 0 or number == len(cases) - 1]

    return choose


# What holds for every test


@pytest.fixture(autouse=True, scope="session")
def _no_signal_is_ignored() -> None:
    """Processes inherit it where one is, as from `nohup` or a script's `&`: then no test could end them by it."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A daemon started by a test must not write where the developer's own keeps what it knows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIRECTORY", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
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
