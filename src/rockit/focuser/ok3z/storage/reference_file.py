"""At which temperature the focus was good, as a file beside the state file. Whole or not at all: a new file takes the
place of the old one.

Each function takes as long as the disk does: they are called on a thread of their own.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from .state_file import write_durably

FORMAT = 1
MOST_FILE_BYTES = 4096
# No number in it is larger, in mm or degrees Celsius.
LARGEST = 1e6
_FOLDER_MODE = 0o700


@dataclass(frozen=True)
class Reference:
    """The focus was good at a temperature.

    Args:
        celsius: the smoothed temperature.
        utc: when that was said, as published.
        term_mm: the term `temperature` at that moment, which corrections are added to.
        focus_mm: where the focuser stood, without all other terms.
        set_mm: what the term is now, as far as this was seen.
        asked_mm: what it was about to become.
        error_mm: how far off the focus would have been then, had it followed the slope since the reference before;
            None for the first.
        drift_mm: the same without any correction.
    """

    celsius: float
    utc: str
    term_mm: float
    focus_mm: float
    set_mm: float
    asked_mm: float
    error_mm: float | None = None
    drift_mm: float | None = None


def path_beside(state_file: Path | None) -> Path | None:
    """Where it lies; None if there is no state file."""
    return None if state_file is None else state_file.with_suffix(".temperature.json")


class ReferenceFile:
    """The file of one daemon.

    Args:
        path: where it is; None: nothing outlives the daemon.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> Reference | None:
        """What was kept; None if nothing was. Raises OSError; ValueError if it is damaged."""
        if self._path is None:
            return None
        try:
            with open(self._path, encoding="ascii") as file:
                values = json.loads(file.read(MOST_FILE_BYTES))
            written_format = values.pop("format")
            reference = Reference(**values) if written_format == FORMAT else None
        except FileNotFoundError:
            return None
        except (ValueError, AttributeError, KeyError, RecursionError, TypeError) as error:
            raise ValueError(f"it is damaged ({error})") from error
        if reference is None:
            raise ValueError(f"it is not of format {FORMAT}")
        numbers = {
            **asdict(reference),
            "error_mm": reference.error_mm or 0.0,
            "drift_mm": reference.drift_mm or 0.0,
        }
        utc = numbers.pop("utc")
        if not isinstance(utc, str) or not all(_is_number(value) for value in numbers.values()):
            raise ValueError("it is damaged")
        return reference

    def write(self, reference: Reference) -> None:
        """Replace it. Raises OSError."""
        if self._path is None:
            return
        content = json.dumps({"format": FORMAT, **asdict(reference)}).encode("ascii")
        os.makedirs(self._path.parent, _FOLDER_MODE, exist_ok=True)
        new = self._path.with_name(f".{self._path.name}.new")
        with suppress(FileNotFoundError):
            os.unlink(new)
        write_durably(new, content)
        os.replace(new, self._path)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST
