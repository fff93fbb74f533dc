"""Which version is newer: rpm itself is asked."""

from __future__ import annotations

import importlib
import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2] / "repository"
VERSIONS = [
    *(
        "1",
        "1.0",
        "1.00",
        "01",
        "1.",
        "1.0.0",
        "1.0.1",
        "1.9",
        "1.10",
        "2",
        "10",
        "1a",
        "1.a",
        "a",
        "A",
        "b1",
        "1b1",
    ),
    *(
        "1~",
        "1~rc1",
        "1~~",
        "1.0~rc1",
        "1^",
        "1^git1",
        "1.0^",
        "1^~",
        "1~^",
        "~",
        "^",
        "1_0",
        "1+0",
        "..",
        "1-",
    ),
    *("20240712", "20261122120000.g0a1b2c3", "20261122120000.gfffffff", "20261122120000.dirty", "1.0.0.el9"),
]
RPM = """%{lua:
for line in io.lines(os.getenv("PAIRS")) do
  local one, other = line:match("(.*) (.*)")
  print(rpm.vercmp(one, other) .. "\\n")
end}"""


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPOSITORY))
    return importlib.import_module("yumtree.versions")


def test_versions_are_in_rpms_order(versions: Any, tmp_path: Path) -> None:
    pairs = [pair for pair in itertools.product(VERSIONS, repeat=2) if "-" not in "".join(pair)]

    assert [versions.compare_versions(*pair) for pair in pairs] == asked(pairs, tmp_path)


def test_epochs_versions_and_releases_are_in_rpms_order(versions: Any, tmp_path: Path) -> None:
    texts = [
        "1-1",
        "1-2",
        "0:1-1",
        "1:1-1",
        "1:0.9-9",
        "2-1.el9",
        "2-1.el10",
        "2-1",
        "1:1.0.0-20261122.g1.el9",
    ]
    pairs = list(itertools.product(texts, repeat=2))

    assert [versions.Evr.parse(one).compare(versions.Evr.parse(other)) for one, other in pairs] == asked(
        pairs, tmp_path
    )


def asked(pairs: list[Any], folder: Path) -> list[int]:
    """What rpm says of these."""
    (folder / "pairs").write_text("".join(f"{one} {other}\n" for one, other in pairs))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PAIRS": str(folder / "pairs")}
    ended = subprocess.run(
        ["rpm", "--eval", RPM], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    return [int(line) for line in ended.stdout.split()]
