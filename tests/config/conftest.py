"""The site's configuration with other values, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z import Config
from rockit.focuser.ok3z.errors import ConfigError

SITE = json.loads((Path(__file__).parents[2] / "ngts_m06.json").read_text())

Write = Callable[..., Path]
Faults = Callable[[Path], list[str]]


@pytest.fixture(name="write")
def fixture_write(tmp_path: Path) -> Write:
    """Writes the site's configuration with other values; an empty JSON text in `raw` leaves the key out."""

    def write(raw: dict[str, str] | None = None, **values: Any) -> Path:
        texts = {key: json.dumps(value) for key, value in {**SITE, **values}.items()}
        texts.update(raw or {})
        path = tmp_path / "site.json"
        members = ",\n".join(f"{json.dumps(key)}: {text}" for key, text in texts.items() if text)
        path.write_text(f"{{{members}}}")
        return path

    return write


@pytest.fixture(scope="session")
def faults() -> Faults:
    """The lines of the error, without the first, which is checked here."""

    def faults(path: Path) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            Config.load(path)
        head, *lines = str(caught.value).splitlines()
        assert head == f"{path} has {len(lines)} fault{'s' if len(lines) > 1 else ''}:"
        assert all(line.startswith("  ") for line in lines)
        return [line[2:] for line in lines]

    return faults
