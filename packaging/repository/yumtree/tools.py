"""Running other programs, with an end in sight, and writing so that it survives a power failure."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# The slowest of them signs or reads some dozen small packages, which takes a second.
TOOL_BOUND_S = 300.0

# What to install, on Debian and on Enterprise Linux.
PACKAGES_OF_TOOLS = {
    "createrepo_c": ("createrepo-c", "createrepo_c"),
    "gpg": ("gnupg", "gnupg2"),
    "gpgconf": ("gnupg", "gnupg2"),
    "rpm": ("rpm", "rpm"),
    "rpmkeys": ("rpm", "rpm"),
    "rpmsign": ("rpm", "rpm-sign"),
    "rsync": ("rsync", "rsync"),
    "ssh": ("openssh-client", "openssh-clients"),
}


class TroubleError(Exception):
    """Something that a person must mend. Its text is a sentence that says how."""


class ToolError(TroubleError):
    """A program, or something that a program made, was not as it should be. A full disk may be behind it."""


def need_tools(*names: str) -> None:
    """Refuse to begin where a program is missing."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        debian, enterprise = zip(*(PACKAGES_OF_TOOLS[name] for name in missing))
        raise TroubleError(
            f"{_and(missing)} {'is' if len(missing) == 1 else 'are'} not on PATH. Install, on Debian: "
            f"{' '.join(sorted(set(debian)))}; on Enterprise Linux: {' '.join(sorted(set(enterprise)))}."
        )


def attempt(
    arguments: Sequence[str | Path],
    *,
    bound_s: float = TOOL_BOUND_S,
    extra_env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return how it ended, whichever way that is."""
    command = [str(argument) for argument in arguments]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=bound_s,
            # What is read here is read in English.
            env={**os.environ, "LC_ALL": "C", **(extra_env or {})},
            check=False,
        )
    except FileNotFoundError as error:
        need_tools(command[0])
        raise TroubleError(f"{command[0]} cannot be run: {error}.") from error
    except subprocess.TimeoutExpired as error:
        raise TroubleError(
            f"{command[0]} did not end within {bound_s:.0f} s and was ended. Does it wait for a passphrase, "
            "or for a disk or a network that hangs?"
        ) from error


def run(
    arguments: Sequence[str | Path],
    doing: str,
    *,
    bound_s: float = TOOL_BOUND_S,
    extra_env: Mapping[str, str] | None = None,
) -> str:
    """Run a program that must succeed, and return what it printed. `doing` names the work, as in "signing x.rpm"."""
    ended = attempt(arguments, bound_s=bound_s, extra_env=extra_env)
    if ended.returncode == 0:
        return ended.stdout
    raise ToolError(
        f"{doing} failed: {arguments[0]} ended with {ended.returncode}. It said: {last_words(ended)}"
    )


def last_words(ended: subprocess.CompletedProcess[str]) -> str:
    """What a program said of its failure, on one line."""
    lines = [line.strip() for line in (ended.stderr or ended.stdout).splitlines() if line.strip()]
    return " / ".join(lines[-4:]) or "nothing"


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk and not only on its way there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_all(folder: Path) -> None:
    """Have the files in a folder, and the folder, on the disk."""
    for entry in folder.iterdir():
        flush(entry)
    flush(folder)


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
