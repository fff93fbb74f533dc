"""Where a build works, and where it puts what it has made."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import RefusedError

# rpm's macros, and the scripts that they become, take a path as it stands: a space would be its end.
PLAIN_PATH = re.compile(r"[A-Za-z0-9_/.,+@~-]+")


@contextmanager
def work_folder(out: Path) -> Iterator[Path]:
    """Where nobody else builds meanwhile. It keeps the venvs and the logs."""
    work = out / ".work"
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(
                f"Another build runs in {out}. Wait for its end, or use another --out."
            ) from None
        yield work


@contextmanager
def plain_folder(work: Path) -> Iterator[Path]:
    """The work folder, if rpm can build in it; else a folder in its place, which goes when the build has ended."""
    if PLAIN_PATH.fullmatch(f"{work}"):
        yield work
        return
    temporary = tempfile.gettempdir()
    # Always of the same name, for source packages tell it.
    name = f"focusd-rpm-{os.getuid()}-{hashlib.sha256(bytes(work)).hexdigest()[:12]}"
    plain = Path(temporary if PLAIN_PATH.fullmatch(temporary) else "/tmp", name)
    # That of a build that was killed. What is somebody else's stays, and nothing is built in it.
    shutil.rmtree(plain, ignore_errors=True)
    try:
        plain.mkdir(mode=0o700)
    except FileExistsError:
        raise RefusedError(
            f"rpm cannot build in {work}, because of its name, and {plain} is not to be used instead: it is there "
            "already. Use an --out of letters and digits."
        ) from None
    try:
        yield plain
    finally:
        shutil.rmtree(plain)


def deliver(built: list[Path], folder: Path) -> list[Path]:
    """Puts the packages into the folder, in the place of those of an earlier build."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rpm"):
        old.unlink()
    return [Path(shutil.copy(path, folder)) for path in built]
