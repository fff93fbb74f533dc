"""A note beside a state file, in memory, that it tells of what is past: its own disk may not take even that.

The folder is one that outlives the daemon and not the machine. Nothing here waits for a disk, and nothing raises.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .state_file import write_durably

_log = logging.getLogger(__name__)

# The folder that systemd made for this service, and the one that the XDG directory specification names.
RUNTIME_VARIABLE = "RUNTIME_DIRECTORY"
XDG_VARIABLE = "XDG_RUNTIME_DIR"
SHARED_MEMORY = Path("/dev/shm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


def note_for(state_file: Path | None, environ: Mapping[str, str]) -> Outdated:
    """The note of a state file. Nothing is opened or made.

    Args:
        state_file: whose; None for none.
        environ: the environment; systemd's folder in it comes first, then the XDG one, then shared memory.
    """
    if state_file is None:
        return Outdated(None)
    of_this_file = hashlib.sha256(os.fsencode(os.path.abspath(state_file))).hexdigest()[:32]
    return Outdated(_folder(environ) / f"{of_this_file}.outdated")


def _folder(environ: Mapping[str, str]) -> Path:
    for given in environ.get(RUNTIME_VARIABLE, "").split(":"):
        if os.path.isabs(given):
            return Path(given)
    runtime = environ.get(XDG_VARIABLE, "")
    return Path(runtime, "focusd") if os.path.isabs(runtime) else SHARED_MEMORY / f"focusd-{os.getuid()}"


def make_own_folder(folder: Path) -> None:
    """Make a folder, unless it is there. Raises OSError, also if it is of somebody else's making: what lies in it could
    be made by anybody."""
    os.makedirs(folder, _FOLDER_MODE, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is of another user")


def this_boot(note: Outdated) -> str:
    """Which boot of the machine this is, as the kernel says. A sandbox may hide that (ProcSubset=pid): then by a word
    beside the note, which outlives the daemon and not the machine; and if there is no place for that, one that no other
    process has."""
    with suppress(OSError):
        return BOOT_ID.read_text(encoding="ascii").strip()
    word = uuid.uuid4().hex
    if note.path is None:
        return word
    marker = note.path.with_suffix(".boot")
    try:
        make_own_folder(marker.parent)
        with suppress(FileExistsError):
            write_durably(marker, word.encode("ascii"))
        return marker.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        _log.debug("no word for this boot of the machine: %s", error)
        return word


class Outdated:
    """The note of one state file.

    Args:
        path: where it is; None: it is never set.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def path(self) -> Path | None:
        """Where it is; None if there is no place for it."""
        return self._path

    @property
    def is_set(self) -> bool:
        """Whether the file is said to be out of date."""
        return self._path is not None and os.path.lexists(self._path)

    def set(self) -> None:
        """Say that the file is out of date."""
        if self._path is not None:
            try:
                self._make(self._path)
            except OSError as error:
                _log.debug("no note that the state file is out of date: %s", error)

    def clear(self) -> None:
        """Say no more that the file is out of date."""
        if self._path is not None:
            try:
                os.unlink(self._path)
            except OSError as error:
                _log.debug("no note to remove: %s", error)

    def _make(self, path: Path) -> None:
        make_own_folder(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE))
