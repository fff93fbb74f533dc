"""What the pages show as an example is run."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from rockit.common import site_file
from rockit.common.registered_daemon import RegisteredDaemon

from rockit.focuser.ok3z import RemoteFocuser
from rockit.focuser.ok3z.client.calls import FocuserClient
from rockit.focuser.ok3z.simulator.control_commands import obey
from rockit.focuser.ok3z.simulator.controller import VirtualOK3Z
from rockit.focuser.ok3z.storage.history_file import HistoryFile, Moment
from rockit.focuser.ok3z.storage.history_store import file_beside
from tests.support.markdown import PROJECT, blocks, page
from tests.support.processes import Focusd, Program, run, running
from tests.support.temperature import shadow_night
from tests.support.waiting import wait_until


def test_the_site_of_the_readme_is_valid() -> None:
    (text,) = blocks(page("README.md"), "json")
    site = site_file.parse(text.encode(), "README.md")
    assert site.daemons["dome_focuser"].uri == "PYRO:dome_focuser_daemon@10.1.2.3:9005"


def test_what_the_readme_tells_the_simulator() -> None:
    told = re.findall(r"--tell \S+ '([^']+)'", page("README.md"))
    assert len(told) == 2
    for line in told:
        assert obey(VirtualOK3Z(), line)["ok"], line


@pytest.fixture(name="focusd")
def fixture_focusd(tmp_path: Path) -> Iterator[Focusd]:
    """A real focusd on a fast virtual controller, registered as `docs_test`."""
    shipped = {**json.loads(page("test.json")), "daemon": "docs_test"}
    # Its port is for one focusd of a machine.
    del shipped["alpaca"], shipped["serial_port"]
    with running(Focusd(tmp_path, "docs_test", **shipped)) as focusd:
        yield focusd


def test_the_ten_lines_run(focusd: Focusd) -> None:
    example, waiting = blocks(page("docs/pyro.md"), "python")
    assert len(example.splitlines()) == 10

    lines = f"{example}\n{waiting}".replace("localhost_test", "docs_test")
    ran = run("python", "-c", lines, env=focusd.environment)

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "2.6 arrived",
        "2.55 arrived",
        "2.5 arrived",
        "stands at 2.5",
        "stands at 2.4",
    ]


def test_the_five_lines_run(focusd: Focusd) -> None:
    (example,) = blocks(page("README.md"), "python")
    assert blocks(page("docs/python.md"), "python") == [example]
    assert len(example.splitlines()) == 5

    lines = example.replace("test.json", str(focusd.config_path))
    lines += "    print(focuser.status().current_mm)"
    ran = run("python", "-c", lines, env=focusd.environment)

    assert (ran.stderr, ran.stdout) == ("", "2.5\n")


# docs/examples, each with the real daemon


EXAMPLES = PROJECT / "docs/examples"


def example(focusd: Focusd, name: str, *words: str) -> Program:
    """An example that runs until Ctrl-C; its output is read as it comes."""
    return Program("python", EXAMPLES / name, *words, env=focusd.environment, together=True)


@pytest.fixture(name="focuser")
def fixture_focuser(focusd: Focusd) -> RemoteFocuser:
    """The test's own look at the focuser."""
    address = focusd.address
    return RemoteFocuser(FocuserClient(RegisteredDaemon(focusd.object_name, address.host, address.port)))


def test_every_example_is_run_here() -> None:
    tested = set(re.findall(r"[a-z_]+\.py(?=\")", Path(__file__).read_text(encoding="utf-8")))
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix == ".py"} <= tested


def test_the_sweep_goes_to_the_best_position(focusd: Focusd, focuser: RemoteFocuser) -> None:
    words = ("2.4", "2.0", "5")
    ran = run("python", EXAMPLES / "focus_sweep.py", focusd.config_path, *words, env=focusd.environment)

    assert (ran.returncode, ran.stderr) == (0, "")
    measured = [line.partition(" mm")[0] for line in ran.stdout.splitlines()]
    assert measured == ["2.400", "2.300", "2.200", "2.100", "2.000", "best: 2.200"]
    assert focuser.status().current_mm == 2.2


def test_the_sweep_says_why_it_was_refused(focusd: Focusd, focuser: RemoteFocuser) -> None:
    words = ("9", "2", "2")
    ran = run("python", EXAMPLES / "focus_sweep.py", focusd.config_path, *words, env=focusd.environment)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("sweep refused: ")
    assert "Traceback" not in ran.stderr
    assert focuser.status().current_mm == 0.0


def test_the_watchdog_says_each_change_and_goes_on(focusd: Focusd, focuser: RemoteFocuser) -> None:
    with example(focusd, "watchdog.py", str(focusd.config_path), "0.05") as watchdog:
        assert "ALARM: OFFLINE" in watchdog.read_line("OFFLINE")
        focuser.initialize()
        watchdog.read_line("ok: at 0.0 mm")
        focuser.move_to(1.5)
        watchdog.read_line("ok: at 1.5 mm")
        focuser.disconnect()
        watchdog.read_line("ALARM: OFFLINE")
        assert watchdog.end(signal.SIGINT)[0] == 0


def test_the_watchdog_tells_an_absent_daemon(focusd: Focusd, tmp_path: Path) -> None:
    values = {**json.loads(focusd.config_path.read_text()), "daemon": "localhost_test5"}
    (tmp_path / "away.json").write_text(json.dumps(values))
    with example(focusd, "watchdog.py", str(tmp_path / "away.json"), "0.05") as watchdog:
        assert "ALARM: no status. Nothing listens at 127.0.0.1:9004" in watchdog.read_line("ALARM")
        assert watchdog.end(signal.SIGINT)[0] == 0


def renew(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def test_the_altitude_is_followed(focusd: Focusd, focuser: RemoteFocuser, tmp_path: Path) -> None:
    focuser.initialize()
    focuser.move_to(2.0)
    altitude = tmp_path / "altitude"
    altitude.write_text("90.0")
    words = (str(focusd.config_path), str(altitude), "0.2", "0.2")
    with example(focusd, "altitude_term.py", *words) as loop:
        loop.read_line("at 90 degrees: +0.0000 mm")
        renew(altitude, "60")
        loop.read_line("at 60 degrees: +0.1000 mm")
        assert focuser.status().current_mm == 2.1
        # Whoever focuses in between is not undone.
        focuser.move_to(3.0)
        renew(altitude, "0")
        loop.read_line("at 0 degrees: +0.2000 mm")
        assert focuser.status().current_mm == 3.1
        focuser.disconnect()
        renew(altitude, "45")
        loop.read_line("ended: ")
        assert loop.end()[0] == 1


def test_the_slope_is_fitted_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    shipped = {**json.loads(page("test.json")), "daemon": "docs_test"}
    del shipped["alpaca"], shipped["serial_port"]
    wrong = {"daemon": "docs_test", "method": "last_measurement", "key": "none", "slope_mm_per_k": 0.03}
    focusd = Focusd(tmp_path, "docs_test", **shipped, temperature=wrong)
    rows = shadow_night(slope=0.03).rows
    later_s = time.time() - 3600 - rows[-1].begin.utc_s
    moments = [Moment(row.begin.utc_s + later_s, 1.0) for row in rows]
    kept = [replace(row, number=n, begin=moments[n], end=moments[n]) for n, row in enumerate(rows)]
    path = file_beside(Path(focusd.environment["STATE_DIRECTORY"]) / "docs_test.json")
    assert path is not None
    file = HistoryFile(path, "1.0.0", moments[0], "another boot")
    file.write(kept)
    file.close()
    command = ("python", EXAMPLES / "fit_temperature.py", focusd.config_path, "1")
    with running(focusd):
        ran = run(*command, env=focusd.environment)
    assert (ran.returncode, ran.stderr) == (1, "")
    slope, _, configured = ran.stdout.splitlines()
    assert re.fullmatch(r"slope: -0\.0\d{4} mm/K, standard error 0\.00\d{3} mm/K, of 5 autofocuses", slope)
    assert configured.startswith("configured: +0.03000 mm/K, ")


def test_the_header_writer(focusd: Focusd, focuser: RemoteFocuser) -> None:
    focuser.initialize()
    focuser.move_to(1.5)
    with focuser.held("cam1"):
        ran = run("python", str(EXAMPLES / "fits_header.py"), str(focusd.config_path), env=focusd.environment)
    assert ran.stderr == ""
    cards = dict(line.split("=", 1) for line in ran.stdout.splitlines())
    assert {len(line) for line in ran.stdout.splitlines()} == {80}
    assert cards["FOCPOS  "].split("/")[0].strip() == "1.5"
    assert cards["FOCHOLDS"].split("/")[0].strip() == "'cam1    '"
    assert float(cards["FOCSETTL"].split("/")[0]) > 0


def test_the_pipeline_check(focusd: Focusd, focuser: RemoteFocuser) -> None:
    focuser.initialize()
    # Two readings at rest, one before an exposure and one after it, and a move in the next.
    wait_until(lambda: _moved(focuser, time.time() - 1.5, time.time() - 1.4) == "no")
    begin_s = time.time() - 1.5
    quiet = f"quiet.fits {_utc(begin_s)} {_utc(begin_s + 0.1)}"
    focuser.move_to(1.5)
    moved = f"moved.fits {_utc(begin_s)} {_utc(time.time())}"
    command = ("python", str(EXAMPLES / "check_exposures.py"), str(focusd.config_path))
    first = run(*command, env=focusd.environment, stdin=f"{quiet}\n")
    assert (first.returncode, first.stdout.split()[:2]) == (0, ["quiet.fits", "no"])
    both = run(*command, env=focusd.environment, stdin=f"{quiet}\n{moved}\n")
    assert both.returncode == 1
    assert both.stdout.splitlines()[1].startswith("moved.fits yes it was moved at 20")


def _moved(focuser: RemoteFocuser, begin_s: float, end_s: float) -> str:
    return str(focuser.moved_between(begin_s, end_s)["moved"])


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
