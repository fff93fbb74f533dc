"""`./focusd`, `./focus` and `./indi_ok3z_focus` straight from a clone: from anywhere, through links, with blanks in
the path."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.support.processes import BIN, run

CLONE = Path(__file__).resolve().parents[2]
PARTS = ("focusd", "focus", "indi_ok3z_focus", "packaging/run-from-clone", "test.json", "ngts_m06.json")


def copy_of_the_clone(folder: Path) -> Path:
    """The launchers in another place, with the sources but without .venv."""
    clone = folder / "a clone 'of' mine"
    for part in PARTS:
        (clone / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CLONE / part, clone / part)
    (clone / "src").symlink_to(CLONE / "src")
    (clone / "common").symlink_to(CLONE / "common")
    return clone


@pytest.mark.parametrize("has_venv", [True, False])
def test_from_a_path_with_blanks_through_a_link(
    make_daemon: Any, tmp_path: Path, background: Callable[..., Any], has_venv: bool
) -> None:
    clone = copy_of_the_clone(tmp_path)
    if has_venv:
        (clone / ".venv").symlink_to(BIN.parent)
    link = tmp_path / "bin"
    link.mkdir()
    for name in ("focusd", "focus"):
        (link / name).symlink_to(clone / name)
    daemon = make_daemon()
    # A python3 that has what is needed comes first, as on a machine with the distribution's packages.
    daemon.environment["PATH"] = f"{BIN}{os.pathsep}{daemon.environment['PATH']}"
    daemon.start(command=link / "focusd")
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    for command, cwd in ((link / "focus", elsewhere), ("./focus", clone)):
        status = run(command, "status", cwd=cwd, env=daemon.environment)
        assert (status.returncode, status.stdout, status.stderr) == (0, "Focuser is OFFLINE\n", "")
    daemon.end()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with its .venv, which is that of the tests whatever they call it."""
    clone = copy_of_the_clone(tmp_path)
    (clone / ".venv").symlink_to(BIN.parent)
    return clone


def test_as_the_observatory_documents_it(make_daemon: Any, clone: Path) -> None:
    """A relative configuration, from the clone's own directory."""
    daemon = make_daemon()
    relative = os.path.relpath(daemon.config_path, clone)
    port = run("./focusd", "--print-port", relative, cwd=clone, env=daemon.environment)
    assert (port.returncode, port.stdout) == (0, f"{daemon.address.port}\n")
    environment = {**daemon.environment, "FOCUSD_CONFIG_PATH": relative}
    status = run("./focus", "status", cwd=clone, env=environment)
    assert status.returncode == 155
    assert f"127.0.0.1:{daemon.address.port}" in status.stderr


def test_the_examples_of_the_clone_are_valid(environment: dict[str, str], clone: Path) -> None:
    for example in ("test.json", "ngts_m06.json"):
        check = run("./focusd", "--check", example, cwd=clone, env=environment)
        assert (check.returncode, check.stderr) == (0, "")


def test_without_anything_it_says_what_to_do(tmp_path: Path) -> None:
    clone = copy_of_the_clone(tmp_path)
    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in ("readlink", "dirname", "sh"):
        (bare / tool).symlink_to(str(shutil.which(tool)))
    python = bare / "python3"
    python.write_text(f'#!/bin/sh\nexec {os.path.realpath(sys.executable)} -S -E "$@"\n')
    python.chmod(0o755)
    for name in ("focusd", "focus"):
        said = run(clone / name, "--help", cwd=tmp_path, env={"PATH": str(bare)})
        assert said.returncode == 255
        assert said.stderr.startswith(f"{name}: ")
        assert f"make -C '{clone}' venv" in said.stderr or "venv" in said.stderr
        assert "Traceback" not in said.stderr


@pytest.mark.parametrize("has_venv", [True, False])
def test_a_server_may_start_the_driver_from_a_clone(tmp_path: Path, has_venv: bool) -> None:
    clone = copy_of_the_clone(tmp_path)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    if has_venv:
        (clone / ".venv").symlink_to(BIN.parent)
    shown = run(clone / "indi_ok3z_focus", "--version", env={**os.environ, "PATH": path})
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("indi_ok3z_focus ")
