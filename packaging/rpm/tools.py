"""How the build calls other programs, and how it says that it cannot go on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

SHORT_BOUND_S = 60
BUILD_BOUND_S = 600
# Those of the second line are what the macros find that the build requires.
EL_PACKAGES = (
    "git rpm-build python3-devel pyproject-rpm-macros systemd-rpm-macros "
    "python3-pip python3-setuptools python3-packaging python3-wheel"
)
EL_INSTALL = f"dnf --enablerepo=crb install {EL_PACKAGES}"
DEBIAN_PACKAGES = "rpm git python3 python3-packaging"
KILLED = -signal.SIGKILL


class RefusedError(Exception):
    """Why nothing is built, and what to do, for whoever called."""


def run(
    command: Sequence[str | Path],
    why: str,
    env: Mapping[str, str] | None = None,
    bound_s: float = SHORT_BOUND_S,
) -> str:
    """The stdout of a command that has to succeed. `why` is what cannot be done without it."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=bound_s,
            check=False,
        )
    except OSError as error:
        raise RefusedError(
            f"{why}: {words[0]} cannot be run ({error.strerror}). It is in one of these: "
            f"apt-get install {DEBIAN_PACKAGES} (Debian), {EL_INSTALL} (Enterprise Linux)."
        ) from None
    except subprocess.TimeoutExpired:
        raise RefusedError(f"{why}: {words[0]} did not end within {bound_s:.0f} s.") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or "nothing"
        raise RefusedError(f"{why}: {words[0]} ended with {done.returncode}, and said: {said}")
    return done.stdout


def run_logged(command: Sequence[str | Path], env: Mapping[str, str], log: Path) -> int:
    """The exit code of a long command, or KILLED where it and all that it started were, after the bound."""
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(
            [str(word) for word in command],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as child,
    ):
        try:
            return child.wait(BUILD_BOUND_S)
        except subprocess.TimeoutExpired:
            return KILLED
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
