"""One folder for a run of the tests, with a home of its own, where what is slow to make is made once."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from .shell import Result, Word, run

# Debian's rpm keeps the database of installed packages in the home; Enterprise Linux has it here.
RPM_MACROS = "%_dbpath /var/lib/rpm\n"
KEPT_VARIABLES = ("PATH", "PYENV_ROOT", "TMPDIR")


class Workshop:
    """A folder that the workers of one run share.

    What is run in it sees none of the user's settings, and the user's home is not written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.gnupg = folder / "gnupg"
        # Pythons are found below it, though the home is another one.
        pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
        self.env = {
            **{name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            "PYENV_ROOT": pyenv,
            "HOME": str(self.home),
            "GNUPGHOME": str(self.gnupg),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def furnish(self) -> None:
        self.home.mkdir()
        (self.home / ".rpmmacros").write_text(RPM_MACROS)
        self.gnupg.mkdir(mode=0o700)

    def clear(self) -> None:
        """Remove it, with the agent that gpg has started for it."""
        if shutil.which("gpgconf"):
            self.run("gpgconf", "--kill", "gpg-agent")
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words: Word, cwd: Path | None = None, **more: str) -> Result:
        """Run a command here; `more` is added to its environment."""
        return run(*words, env={**self.env, **more}, cwd=cwd or self.folder)

    def once(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of this name, made by the first worker that asks for it; the others wait."""
        path = self.folder / name
        with self._lock(path):
            if not path.exists():
                new = path.with_name(f"{path.name}.new")
                # What another worker failed to finish.
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir()
                make(new)
                new.rename(path)
        return path

    @contextmanager
    def alone(self, name: str) -> Iterator[Path]:
        """The folder of this name, in which no other worker is meanwhile. It may not be there."""
        path = self.folder / name
        with self._lock(path):
            yield path

    @contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_name(f"{path.name}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
