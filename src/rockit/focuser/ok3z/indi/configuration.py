"""Which configuration a device stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..config.model import DIRECTORY, find
from ..errors import ConfigError


def find_for(device: str, environ: Mapping[str, str], directory: Path = DIRECTORY) -> Path:
    """The file that `focus` would read; of several, the one whose name is in the name of the device.

    Raises ConfigError if there is none, or if it cannot be told which.
    """
    try:
        return find(environ, directory)
    except ConfigError:
        names = _names(directory)
        if len(names) < 2:
            raise
    meant = sorted((name for name in names if name.lower() in device.lower()), key=len)
    if not meant or (len(meant) > 1 and len(meant[-2]) == len(meant[-1])):
        raise ConfigError(
            f"{directory} holds {len(names)} configurations, and {device!r} names none of them alone. Call the device "
            f"after one: {', '.join(sorted(names))}."
        )
    return directory / f"{meant[-1]}.json"


def _names(directory: Path) -> list[str]:
    """Of the configurations in it, without their endings."""
    try:
        return [
            Path(name).stem for name in os.listdir(directory) if name.endswith(".json") and name[0] != "."
        ]
    except OSError:
        return []
