"""What the pages show as an example is run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rockit.common import site_file
from rockit.common.registered_daemon import RegisteredDaemon

from rockit.focuser.ok3z import RemoteFocuser
from rockit.focuser.ok3z.client.calls import FocuserClient
from rockit.focuser.ok3z.simulator.control_commands import obey
from rockit.focuser.ok3z.simulator.controller import VirtualOK3Z

PROJECT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
BOUND_S = 20.0


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
        environment = {
            **os.environ,
            "ROCKIT_SITE_PATH": str(tmp_path / "site.json"),
            "DOCS_CONFIG": str(tmp_path / "docs.json"),
        }
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


def run(served: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, env=served, capture_output=True, text=True, timeout=50, check=False)


def test_the_ten_lines_run(served: dict[str, str]) -> None:
    example, waiting = blocks(page("docs/pyro.md"), "python")
    assert len(example.splitlines()) == 10

    ran = run(served, "-c", f"{example}\n{waiting}".replace("localhost_test", "docs_test"))

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "2.6 arrived",
        "2.55 arrived",
        "2.5 arrived",
        "stands at 2.5",
        "stands at 2.4",
    ]


def test_the_five_lines_run(served: dict[str, str]) -> None:
    (example,) = blocks(page("README.md"), "python")
    assert blocks(page("docs/python.md"), "python") == [example]
    assert len(example.splitlines()) == 5

    ran = run(
        served,
        "-c",
        example.replace("test.json", served["DOCS_CONFIG"]) + "    print(focuser.status().current_mm)",
    )

    assert (ran.stderr, ran.stdout) == ("", "2.5\n")


# docs/examples, each with the real daemon


EXAMPLES = PROJECT / "docs/examples"


class Running:
    """An example that runs until Ctrl-C; its output is read as it comes."""

    def __init__(self, served: dict[str, str], name: str, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(EXAMPLES / name), *words],
            env=served,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, text: str) -> str:
        """The next line that has this text."""
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if text in line:
                return line
        raise AssertionError(f"ended without {text!r}: {said}")

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=BOUND_S)
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=BOUND_S)


@pytest.fixture(name="start")
def fixture_start(served: dict[str, str]) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(name: str, *words: str) -> Running:
        running.append(Running(served, name, *words))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture(name="focuser")
def fixture_focuser(served: dict[str, str]) -> RemoteFocuser:
    """The test's own look at the focuser."""
    entry = json.loads(Path(served["ROCKIT_SITE_PATH"]).read_text())["daemons"]["docs_test"]
    return RemoteFocuser(FocuserClient(RegisteredDaemon(entry["name"], "127.0.0.1", entry["port"])))


def test_every_example_is_run_here() -> None:
    tested = set(re.findall(r"[a-z_]+\.py(?=\")", Path(__file__).read_text(encoding="utf-8")))
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix == ".py"} <= tested


def test_the_sweep_goes_to_the_best_position(served: dict[str, str], focuser: RemoteFocuser) -> None:
    ran = run(served, str(EXAMPLES / "focus_sweep.py"), served["DOCS_CONFIG"], "2.4", "2.0", "5")

    assert (ran.returncode, ran.stderr) == (0, "")
    measured = [line.partition(" mm")[0] for line in ran.stdout.splitlines()]
    assert measured == ["2.400", "2.300", "2.200", "2.100", "2.000", "best: 2.200"]
    assert focuser.status().current_mm == 2.2


def test_the_sweep_says_why_it_was_refused(served: dict[str, str], focuser: RemoteFocuser) -> None:
    ran = run(served, str(EXAMPLES / "focus_sweep.py"), served["DOCS_CONFIG"], "9", "2", "2")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("sweep refused: ")
    assert "Traceback" not in ran.stderr
    assert focuser.status().current_mm == 0.0


def test_the_watchdog_says_each_change_and_goes_on(
    served: dict[str, str], focuser: RemoteFocuser, start: Callable[..., Running]
) -> None:
    watchdog = start("watchdog.py", served["DOCS_CONFIG"], "0.05")

    assert "ALARM: OFFLINE" in watchdog.until("OFFLINE")
    focuser.initialize()
    watchdog.until("ok: at 0.0 mm")
    focuser.move_to(1.5)
    watchdog.until("ok: at 1.5 mm")
    focuser.disconnect()
    watchdog.until("ALARM: OFFLINE")
    assert watchdog.interrupt() == 0


def test_the_watchdog_tells_an_absent_daemon(start: Callable[..., Running], tmp_path: Path) -> None:
    values = {**json.loads((tmp_path / "docs.json").read_text()), "daemon": "localhost_test5"}
    (tmp_path / "away.json").write_text(json.dumps(values))

    watchdog = start("watchdog.py", str(tmp_path / "away.json"), "0.05")

    assert "ALARM: no status. Nothing listens at 127.0.0.1:9004" in watchdog.until("ALARM")
    assert watchdog.interrupt() == 0


def renew(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def test_the_temperature_is_followed(
    served: dict[str, str], focuser: RemoteFocuser, start: Callable[..., Running], tmp_path: Path
) -> None:
    focuser.initialize()
    focuser.move_to(2.0)
    thermometer = tmp_path / "temperature"
    thermometer.write_text("10.0")
    loop = start("temperature_loop.py", served["DOCS_CONFIG"], str(thermometer), "-0.02", "0.2")
    loop.until("starts at 10.0 degrees")

    renew(thermometer, "9.0")
    loop.until("moved by +0.020 mm")
    assert focuser.wait_until_idle().target_mm == 2.02
    renew(thermometer, "5.0")
    loop.until("moved by +0.080 mm")
    assert focuser.wait_until_idle().target_mm == 2.1
    focuser.disconnect()
    renew(thermometer, "0.0")
    loop.until("ended: ")
    assert loop.process.wait(BOUND_S) == 1
