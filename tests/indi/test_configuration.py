"""Which configuration a device stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from rockit.focuser.ok3z.errors import ConfigError
from rockit.focuser.ok3z.indi.configuration import find_for


def folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).write_text("{}")
    return path


def test_what_focus_would_read(tmp_path: Path) -> None:
    only = folder(tmp_path, "ngts_m06.json", ".hidden.json", "notes.txt")
    assert find_for("ASA OK3Z", {}, only) == only / "ngts_m06.json"
    assert find_for("OK3Z ngts_m06", {"FOCUSD_CONFIG_PATH": "/x.json"}, only) == Path("/x.json")
    with pytest.raises(ConfigError, match="no configuration"):
        find_for("ASA OK3Z", {}, tmp_path / "nowhere")


def test_of_several_the_one_that_the_device_is_named_after(tmp_path: Path) -> None:
    several = folder(tmp_path, "m06.json", "ngts_m06.json", "north.json", "south.json")
    assert find_for("OK3Z ngts_m06", {}, several).name == "ngts_m06.json"
    assert find_for("Focuser M06", {}, several).name == "m06.json"
    assert find_for("North focuser", {}, several).name == "north.json"
    for device in ("ASA OK3Z", "north and south"):
        with pytest.raises(ConfigError, match=r"4 configurations.*m06, ngts_m06, north, south"):
            find_for(device, {}, several)
