"""How the programs of this folder end: a sentence for whatever went wrong, and a code that is not 0."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from yumtree.tools import TroubleError

FAILED = 1
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def run_program(name: str, tree: Path, work: Callable[[], None]) -> int:
    """Do the work, and return the code to end with."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C does: the work in hand is cleared away on the way out.
        signal.signal(number, _interrupt)
    try:
        work()
    except TroubleError as trouble:
        return _complain(name, str(trouble))
    except (OSError, shutil.Error) as error:
        return _complain(name, _sentence(error, tree))
    except KeyboardInterrupt:
        return _complain(
            name, f"Stopped. What readers see in {tree} is whole. Run this again to complete it."
        )
    return 0


def _sentence(error: OSError, tree: Path) -> str:
    if error.errno in _FULL:
        return (
            f"The disk of {tree} is full ({os.strerror(error.errno or 0)}). "
            "What is published is whole. Make room, then run this again."
        )
    if error.errno in _NOT_WRITABLE:
        return (
            f"{tree} cannot be written: {error.strerror} ({error.filename}). What is published is whole. "
            "Run this as the owner of the tree, on a disk that is not read-only."
        )
    return (
        f"{tree} could not be worked on: {error}. What is published is whole. Mend that, then run this again."
    )


def _complain(name: str, words: str) -> int:
    print(f"{name}: {words}", file=sys.stderr)
    return FAILED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
