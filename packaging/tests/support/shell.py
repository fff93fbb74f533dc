"""Commands that are waited for, and that say what they said when they fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

# Nothing is expected to need a tenth of it.
BOUND_S = 120.0

Word = Union[str, Path]


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it said on stdout and stderr."""

    words: tuple[str, ...]
    code: int
    said: str

    def __str__(self) -> str:
        return f"{' '.join(self.words)}\nended with {self.code} and said:\n{self.said}"

    def ok(self) -> str:
        """What it said, for it must have succeeded."""
        assert self.code == 0, str(self)
        return self.said

    def refused(self, *because: str) -> str:
        """What it said, for it must have failed, and said why."""
        assert self.code != 0, str(self)
        for reason in because:
            assert reason in self.said, f"{reason!r} was expected from:\n{self}"
        return self.said


def run(
    *words: Word,
    env: Mapping[str, str],
    cwd: Path | None = None,
    bound_s: float = BOUND_S,
    errors: bool = True,
) -> Result:
    """Run a command to its end.

    Args:
        env: all of its environment.
        errors: whether what it says on stderr belongs to what it said.
    """
    command = texts(words)
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
        env=dict(env),
        cwd=cwd,
        timeout=bound_s,
        check=False,
    )
    return Result(command, done.returncode, done.stdout.decode(errors="replace"))


def texts(words: Sequence[Word]) -> tuple[str, ...]:
    return tuple(os.fspath(word) for word in words)
