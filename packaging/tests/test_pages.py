"""The manual pages as mandoc reads them, and their generator on the bare Pythons of both releases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = ("focus.1", "focusd.8", "ok3z-simulator.1")
VERSIONS = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO")
BOUND_S = 60


def generate(folder: Path, *python: str) -> None:
    subprocess.run(
        [*python, "packaging/pages", str(folder)],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "src:common/src", "SOURCE_DATE_EPOCH": "0"},
        check=True,
        timeout=BOUND_S,
    )


def pythons(version: str) -> list[str]:
    """The interpreters of a version that are on this machine."""
    found = [str(path) for path in sorted(VERSIONS.glob(f"{version}.*/bin/python"))]
    return found or [f"python{version}"]


@pytest.fixture(scope="module")
def man(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    generate(folder, sys.executable)
    return folder / "man"


@pytest.fixture
def rendered(man: Path, request: pytest.FixtureRequest) -> str:
    """A page as it is read."""
    return render(man / request.param)


def render(page: Path) -> str:
    command = ["mandoc", "-Tutf8", "-O", "width=100", str(page)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=BOUND_S).stdout
    return re.sub(".\b", "", shown)


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_finds_no_fault(man: Path, name: str) -> None:
    command = ["mandoc", "-Tlint", "-Wwarning", str(man / name)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("rendered", PAGES, indirect=True)
def test_a_page_has_its_sections_in_their_order(rendered: str) -> None:
    titles = re.findall(r"^([A-Z][A-Z ]+)$", rendered, re.MULTILINE)
    assert [title for title in titles if title in SECTIONS] == list(SECTIONS)


@pytest.mark.parametrize("rendered", PAGES, indirect=True)
def test_no_escape_is_left_on_a_page(rendered: str) -> None:
    assert re.findall(r"\\\S*", rendered) == []


@pytest.mark.parametrize("rendered", ["focus.1"], indirect=True)
def test_focus_says_what_is_needed_at_night(rendered: str) -> None:
    text = " ".join(rendered.split())
    for line in (
        "focus [--config FILE] [--timeout S] command ...",
        "focus init [--resume] [--restore] [--new-controller] [--config FILE] [--timeout S]",
        "Positions are millimetres outward from the inner limit switch",
        "focus stop stops any movement",
        "155 No daemon answers.",
    ):
        assert line in text


@pytest.mark.parametrize("rendered", ["focusd.8"], indirect=True)
def test_focusd_says_which_options_exclude_each_other(rendered: str) -> None:
    assert "focusd [--check | --print-port] [--verbose] FILE\n" in rendered


@pytest.mark.parametrize("rendered", ["ok3z-simulator.1"], indirect=True)
def test_the_simulator_has_its_options_under_their_title(rendered: str) -> None:
    options = rendered.partition("\n   The device\n")[2].partition("EXIT STATUS")[0]
    assert {"--start-mm X", "--time-scale X"} <= {line.strip() for line in options.splitlines()}
    assert "ok3z-simulator --tell PATH TEXT\n" in rendered


@pytest.mark.parametrize("version", ["3.9", "3.12"])
def test_the_python_of_each_release_makes_the_same_without_any_package(
    man: Path, tmp_path: Path, version: str
) -> None:
    for number, python in enumerate(pythons(version)):
        # Nothing but the interpreter's own library, whatever is installed for it.
        bare = subprocess.run(
            [python, "-S", "-c", "import Pyro4, rich, serial, jsonschema"],
            capture_output=True,
            timeout=BOUND_S,
        )
        assert b"No module named 'Pyro4'" in bare.stderr
        generate(tmp_path / str(number), python, "-S")
        assert contents(tmp_path / str(number)) == contents(man.parent)


def contents(folder: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(files) == 9
    return files
