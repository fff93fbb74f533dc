"""What the pages show as an example is run."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rockit.common import site_file

from rockit.focuser.ok3z.simulator.commands import obey
from rockit.focuser.ok3z.simulator.controller import VirtualOK3Z

PROJECT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def page(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def test_the_site_of_the_readme_is_valid() -> None:
    (text,) = blocks(page("README.md"), "json")
    site = site_file.parse(text.encode(), "README.md")
    assert site.daemons["dome_focuser"].uri == "PYRO:dome_focuser_daemon@10.1.2.3:9005"


def test_what_the_readme_tells_the_simulator() -> None:
    told = re.findall(r"--tell \S+ '([^']+)'", page("README.md"))
    assert len(told) == 2
    for line in told:
        assert obey(VirtualOK3Z(), line)["ok"], line


@pytest.fixture(name="served")
def fixture_served(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real focusd on a fast virtual controller, registered as `docs_test`; the environment that finds it."""
    with socket.socket() as reserved:
        # Bound and not listening: nobody else is given the port, and focusd can still listen on it.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        entry = {"name": "docs_test_daemon", "machine": "LocalHost", "port": reserved.getsockname()[1]}
        (tmp_path / "site.json").write_text(json.dumps({"daemons": {"docs_test": entry}}))
        values = {
            **json.loads(page("test.json")),
            "daemon": "docs_test",
            "serial_port": "sim://?time_scale=50",
        }
        # Its port is for one focusd of a machine.
        del values["alpaca"]
        (tmp_path / "docs.json").write_text(json.dumps(values))
        environment = {**os.environ, "ROCKIT_SITE_PATH": str(tmp_path / "site.json")}
        with subprocess.Popen(
            [str(BIN / "focusd"), str(tmp_path / "docs.json")],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stderr is not None
                assert any("serving docs_test_daemon" in line for line in process.stderr)
                yield environment
            finally:
                process.terminate()
                process.communicate(timeout=20)
        assert process.returncode == 0


def test_the_ten_lines_run(served: dict[str, str]) -> None:
    (example,) = blocks(page("README.md"), "python")
    the_same, waiting = blocks(page("docs/pyro.md"), "python")
    assert the_same == example
    assert len(example.splitlines()) == 10

    ran = subprocess.run(
        [sys.executable, "-c", f"{example}\n{waiting}".replace("localhost_test", "docs_test")],
        env=served,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "2.6 arrived",
        "2.55 arrived",
        "2.5 arrived",
        "stands at 2.5",
        "stands at 2.4",
    ]
