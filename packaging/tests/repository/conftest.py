"""publish.py as a person or the workflow runs it, for a host that is a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.publishing import BOUND_S, Forge, Reader, Signer

PUBLISH = Path(__file__).resolve().parents[2] / "repository/publish.py"


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    signer = Signer()
    yield signer
    signer.close()


@pytest.fixture(scope="session")
def key(signer: Signer) -> str:
    """The fingerprint of the key that signs."""
    return signer.make_key("release@example.org")


@pytest.fixture(scope="session")
def reader(signer: Signer, key: str) -> Reader:
    return Reader(signer, key)


@pytest.fixture(scope="session")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    return Forge(tmp_path_factory.mktemp("forge"))


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "host").mkdir()
    return tmp_path / "host"


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """Where the program works. Nothing is left there, whatever happens, unless it is killed."""
    (tmp_path / "scratch").mkdir()
    yield tmp_path / "scratch"
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.fixture
def program(
    signer: Signer, key: str, host: Path, scratch: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs publish.py, and returns how it ended."""

    def run(*arguments: object, before: Any = (), **env: str) -> subprocess.CompletedProcess[str]:
        words = [*before, sys.executable, PUBLISH, *arguments]
        # A workflow gives all of it by the environment.
        if not any(name.startswith("FOCUSD_") for name in env):
            defaults = {"--key": key, "--target": host}
            words += [
                f"{name}={it}" for name, it in defaults.items() if name not in " ".join(map(str, arguments))
            ]
        return subprocess.run(
            [str(word) for word in words],
            env={**signer.env, "TMPDIR": str(scratch), **env},
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )

    return run


@pytest.fixture
def publish(program: Any) -> Callable[..., str]:
    """Publishes, which must work, and returns what was printed."""

    def run(*arguments: object, **how: Any) -> str:
        ended = program(*arguments, **how)
        assert (ended.returncode, ended.stderr) == (0, "")
        return str(ended.stdout)

    return run


@pytest.fixture
def refused(program: Any, host: Path) -> Callable[..., str]:
    """Publishes, which must be refused and change nothing, and returns the complaint."""

    def run(*arguments: object, **how: Any) -> str:
        before = contents(host)
        ended = program(*arguments, **how)
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        assert "Traceback" not in ended.stderr
        assert ended.stderr.startswith("publish: ")
        assert contents(host) == before
        return str(ended.stderr)

    return run


def contents(folder: Path) -> dict[str, Any]:
    """What readers see of a host, byte for byte, and all else in it that is no tree of ours."""
    current = folder / "current"
    paths = [path for path in folder.rglob("*") if "trees" not in path.relative_to(folder).parts]
    if current.exists():
        paths += current.resolve().rglob("*")
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in paths
    }


@pytest.fixture
def imposters(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Puts programs of the test's own in front of the real ones. Returns the environment for it."""

    def put(**scripts: str) -> dict[str, str]:
        folder = tmp_path / "imposters"
        folder.mkdir(exist_ok=True)
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/bash\n{script}\n".replace("REAL", str(shutil.which(name))))
            (folder / name).chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    return put
