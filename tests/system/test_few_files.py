"""How many files the process may open: enough for a stop at any time, or it says so and does not start."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.servers.pyro.pool import LEAST_FILES

Background = Callable[..., "Future[Any]"]


@pytest.mark.parametrize("files", [40, 66, LEAST_FILES - 1])
def test_with_too_few_files_it_says_so_and_does_not_start(make_daemon: Any, files: int) -> None:
    daemon = make_daemon(alpaca={})
    daemon.launch(command=daemon.launcher(f"ulimit -n {files}"))
    assert daemon.wait() == 78
    assert daemon.log.startswith(f"focusd: this process may open {files} files, and it needs {LEAST_FILES}: ")
    assert len(daemon.log.splitlines()) == 1


def test_with_just_enough_a_stop_is_never_refused(make_daemon: Any, background: Background) -> None:
    """While a move runs, programs look, and machines that may control hold connections open."""
    daemon = make_daemon(alpaca={}, speed_mm_sec=0.05)
    daemon.start(command=daemon.launcher(f"ulimit -n {LEAST_FILES}"))
    assert daemon.call("initialize") == 0
    held = [daemon.proxy() for _ in range(40)]
    for proxy in held:
        proxy._pyroBind()
    move = background(daemon.call, "set_focus", 5.0)
    daemon.wait_for_leg("overshoot")
    others = [background(daemon.call, "set_focus", 1.0) for _ in range(10)]
    assert daemon.call("stop") == 0
    assert move.result() == 1
    assert {other.result() for other in others} <= {1, 2}
    for proxy in held:
        proxy._pyroRelease()
