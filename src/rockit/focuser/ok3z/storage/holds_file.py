"""Who holds the focuser, as a file that outlives the daemon and not the machine: in memory, beside the note of
`outdated`.

It takes no disk, so it is written before a hold is granted.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from .outdated import make_own_folder, note_for
from .state_file import write_durably

_log = logging.getLogger(__name__)

MOST_FILE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Hold:
    """Somebody has been promised that the focuser does not move.

    Args:
        name: who, in its own word.
        token: proves that it is theirs.
        since_utc_s: since when, in Unix seconds.
        since_boot_s, until_boot_s: from when to when, in seconds since the machine's boot.
        number: of its row in the history.
        address: of the machine that asked for it.
        door: by which of the ways in.
    """

    name: str
    token: str
    since_utc_s: float
    since_boot_s: float
    until_boot_s: float
    number: int = 0
    address: str = ""
    door: str = ""


def path_for(state_file: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Where the holds of a daemon lie; None if it has no state file."""
    note = note_for(state_file, environ).path
    return None if note is None else note.with_suffix(".holds")


class HoldsFile:
    """The file of one daemon. Nothing here waits for a disk, and nothing raises.

    Args:
        path: where it is; None: holds do not outlive the daemon.
        boot: which boot of the machine this is.
    """

    def __init__(self, path: Path | None, boot: str) -> None:
        self._path = path
        self._boot = boot

    def read(self) -> list[Hold]:
        """Those of this boot of the machine."""
        if self._path is None:
            return []
        try:
            make_own_folder(self._path.parent)
            with open(self._path, encoding="ascii") as file:
                values = json.loads(file.read(MOST_FILE_BYTES))
            if values["boot"] != self._boot:
                return []
            return [Hold(**one) for one in values["holds"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.warning("the holds of before cannot be read: %s", error)
            return []

    def write(self, holds: list[Hold]) -> None:
        """Replace them."""
        if self._path is None:
            return
        content = json.dumps({"boot": self._boot, "holds": [asdict(one) for one in holds]})
        new = self._path.with_name(f".{self._path.name}.new")
        try:
            make_own_folder(self._path.parent)
            with suppress(FileNotFoundError):
                os.unlink(new)
            write_durably(new, content.encode("ascii"))
            os.replace(new, self._path)
        except OSError as error:
            _log.warning("the holds would not outlive the daemon: %s", error)
