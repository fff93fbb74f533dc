"""A real Prometheus scrapes five real daemons on virtual controllers, while each thing is broken once.

Each alert must come and go again, and each query of the dashboard must find something. The rules are those of
`alerts.yml` with their times made short (SHORTER): what takes minutes at a site takes seconds here, and all else is as
it is there. That the times themselves are right, `alerts.test.yml` says.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.support.ports import ReservedPort
from tests.support.processes import Focusd
from tests.support.waiting import wait_until

HERE = Path(__file__).parent
RULES = HERE / "alerts.yml"
# Debian's Prometheus needs Debian's package `prometheus`.
PROMETHEUS, PROMTOOL = "/usr/bin/prometheus", "/usr/bin/promtool"
ALERTS = re.findall(r"alert: (\w+)", RULES.read_text())
SHORTER = {
    "for: 1m": "for: 2s",
    "for: 10m": "for: 4s",
    "for: 15m": "for: 2s",
    "[30d:1h]": "[10m:1s]",
    "[7d]": "[10m]",
    "[1h]": "[12s]",
    "[2h]": "[30s]",
    "[30m]": "[20s]",
    "[15m]": "[8s]",
}
# How long an alert may take to come, or to go.
PATIENCE_S = 60.0
TIME_SCALE = 40
NAMES = ("down", "link", "moves", "wear", "wire")
# Beyond 15 micrometres, and such that two approaches still agree now and then.
SCATTER_STEPS = 150
LOST_STEPS = 300


def promtool(*words: object) -> str:
    """What it says of something that it finds good."""
    run = subprocess.run(
        [PROMTOOL, *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


class Prometheus:
    """A Prometheus that scrapes each second, with what it is asked over HTTP."""

    def __init__(self, folder: Path, targets: str) -> None:
        self._port = ReservedPort()
        rules = RULES.read_text()
        for long, short in SHORTER.items():
            assert long in rules, long
            rules = rules.replace(long, short)
        assert not re.search(r"for: \d+m|\[\d+[mhd]:?\d*[mhd]?\]", rules.replace("[10m", "")), "all are short"
        (folder / "alerts.yml").write_text(rules)
        (folder / "focusers.json").write_text(targets)
        every_second = re.sub(r"_interval: 15s", "_interval: 1s", (HERE / "prometheus.yml").read_text())
        (folder / "prometheus.yml").write_text(every_second)
        promtool("check", "config", folder / "prometheus.yml")
        self._log = (folder / "prometheus.log").open("wb")
        self._popen = subprocess.Popen(
            [
                PROMETHEUS,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self._port.port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self._port.port}/api/v1/{path}?{query}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def value(self, expression: str) -> float:
        """The one number of a query; 0 if there is none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else 0.0

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that fire now: which, and of which focuser."""
        alerts = self.ask("alerts")["alerts"]
        return {(a["labels"]["alertname"], a["labels"]["focuser"]) for a in alerts if a["state"] == "firing"}

    def is_up(self) -> bool:
        try:
            return len(self.query("up == 1")) == len(NAMES)
        except OSError:
            return False

    def end(self) -> None:
        self._popen.terminate()
        self._popen.wait(20)
        self._log.close()
        self._port.close()


Fleet = dict[str, Focusd]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Five daemons, homed."""
    made = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        simulator = {"time_scale": TIME_SCALE, "seed": 7}
        made[name] = Focusd(folder, name=name, alpaca={}, metrics={}, serial_port=simulator)
    try:
        side_by_side(*(daemon.start for daemon in made.values()))
        side_by_side(*(partial(bring_up, daemon) for daemon in made.values()))
        yield made
    finally:
        for daemon in made.values():
            daemon.dispose()


@pytest.fixture(scope="module")
def prometheus(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that found the five in the site file."""
    folder = tmp_path_factory.mktemp("prometheus")
    daemons = {
        name: {
            "name": daemon.object_name,
            "machine": "LocalHost",
            "port": daemon.address.port,
            "metrics": daemon.alpaca.port,
        }
        for name, daemon in fleet.items()
    }
    (folder / "site.json").write_text(json.dumps({"daemons": daemons}))
    environment = {**os.environ, "ROCKIT_SITE_PATH": str(folder / "site.json")}
    command = [sys.executable, "-m", "rockit.common", "--targets"]
    targets = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    server = Prometheus(folder, targets)
    try:
        wait_until(server.is_up, "all five are scraped", PATIENCE_S)
        yield server
    finally:
        server.end()


def side_by_side(*tasks: Callable[[], object]) -> None:
    """Do several things at a time; each must succeed."""
    failures: list[BaseException] = []

    def run(task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def bring_up(daemon: Focusd) -> None:
    assert daemon.call("initialize") == 0


def move(daemon: Focusd, times: int = 1) -> list[int]:
    """So many moves there and back; what each was answered."""
    return [daemon.call("set_focus", 1.0 + number % 2) for number in range(times)]


# What is broken, and how it is mended


def let_moves_fail(daemon: Focusd) -> None:
    daemon.tell("motor frozen")
    # Somewhere else than it stands: it is there already.
    assert 0 not in [daemon.call("set_focus", far_mm) for far_mm in (3.0, 3.5, 4.0)]


def let_moves_arrive(daemon: Focusd) -> None:
    daemon.tell("clear")
    if daemon.status()["position_trust"] == "unknown":
        bring_up(daemon)
    assert move(daemon, 6) == [0] * 6


def wear_out(daemon: Focusd, prometheus: Prometheus) -> None:
    daemon.tell(f"lose-steps {LOST_STEPS}")
    assert daemon.call("audit") == 0
    wait_until(lambda: ("FocuserAuditLossGrows", "wear") in prometheus.firing(), "lost steps", PATIENCE_S)
    assert daemon.call("audit") == 0
    daemon.tell(f"option switch_scatter_steps={SCATTER_STEPS}")
    for _ in range(40):
        daemon.call("audit")
        # Long enough to be scraped.
        time.sleep(1.5)
        if prometheus.value('focuser_homing_repeatability_meters{focuser="wear"}') > 15e-6:
            return
    raise AssertionError("no homing was seen to scatter")


def heal(daemon: Focusd) -> None:
    daemon.tell("option switch_scatter_steps=0")
    # The first may still find what the scatter left behind.
    for _ in range(2):
        if daemon.status()["position_trust"] == "unknown":
            bring_up(daemon)
        assert daemon.call("audit") == 0


def spoil_the_wire(daemon: Focusd) -> None:
    daemon.tell("fault noise count=20")
    wait_until(lambda: daemon.truth()["faults"] == [], "noise came", PATIENCE_S)
    # Divided by the time scale: 80 ms.
    daemon.tell(f"option reply_delay_s={0.08 * TIME_SCALE}")
    assert move(daemon, 8) == [0] * 8


def mend_the_wire(daemon: Focusd) -> None:
    daemon.tell("option reply_delay_s=0")
    daemon.tell("clear")
    assert move(daemon, 20) == [0] * 20


def lose_power(daemon: Focusd) -> None:
    daemon.tell("power-cut")
    daemon.wait_for(lambda report: report["position_trust"] == "unknown", "the power cut is noticed")


# Tests


def test_rules_are_valid_and_come_when_they_should() -> None:
    promtool("check", "rules", RULES)
    promtool("test", "rules", HERE / "alerts.test.yml")
    tested = set(re.findall(r"alertname: (\w+)\n", (HERE / "alerts.test.yml").read_text()))
    assert tested == set(ALERTS)


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    assert {path.stem for path in (HERE / "runbooks").iterdir()} == set(ALERTS)
    assert re.findall(r"runbook: runbooks/(\w+)\.md", RULES.read_text()) == ALERTS


def test_metrics_are_as_prometheus_wants_them(fleet: Fleet) -> None:
    url = f"http://127.0.0.1:{fleet['link'].alpaca.port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        metrics = answer.read()
    run = subprocess.run([PROMTOOL, "check", "metrics"], input=metrics, capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


@pytest.mark.timeout(230)
def test_each_alert_comes_and_goes(fleet: Fleet, prometheus: Prometheus) -> None:
    # Against what was usual, more and longer are judged.
    side_by_side(*(partial(move, daemon, 12) for daemon in fleet.values()))
    assert fleet["wear"].call("audit") == 0
    assert fleet["link"].call("stop") == 0
    time.sleep(3)
    assert prometheus.firing() == set()
    seen: set[tuple[str, str]] = set()

    def wait_for(*alerts: tuple[str, str]) -> None:
        wait_until(lambda: seen.update(prometheus.firing()) or set(alerts) <= seen, f"{alerts}", PATIENCE_S)

    def down() -> None:
        fleet["down"].end()
        wait_for(("FocuserDown", "down"))

    def link() -> None:
        fleet["link"].tell("hang-up")
        wait_for(("FocuserLinkLost", "link"))
        fleet["link"].tell("return")
        wait_until(lambda: ("FocuserLinkLost", "link") not in prometheus.firing(), "back", PATIENCE_S)
        lose_power(fleet["link"])
        wait_for(("FocuserPositionUnknown", "link"))

    def moves() -> None:
        let_moves_fail(fleet["moves"])
        wait_for(("FocuserMovesFail", "moves"))

    def wear() -> None:
        wear_out(fleet["wear"], prometheus)
        seen.add(("FocuserAuditLossGrows", "wear"))
        wait_for(("FocuserHomingScatters", "wear"))

    def wire() -> None:
        spoil_the_wire(fleet["wire"])
        wait_for(*((f"Focuser{what}", "wire") for what in ("Surprises", "RepliesSlow", "OverheadRises")))

    side_by_side(down, link, moves, wear, wire)
    assert {alert for alert, _ in seen} == set(ALERTS)
    look_at_the_dashboard(prometheus)

    def come_back() -> None:
        fleet["down"].start()
        # Nobody has connected it since.
        wait_until(
            lambda: ("FocuserPositionUnknown", "down") in prometheus.firing(), "not connected", PATIENCE_S
        )
        bring_up(fleet["down"])

    side_by_side(
        come_back,
        partial(bring_up, fleet["link"]),
        lambda: let_moves_arrive(fleet["moves"]),
        lambda: heal(fleet["wear"]),
        lambda: mend_the_wire(fleet["wire"]),
    )
    wait_until(lambda: not prometheus.firing(), "all alerts are gone", PATIENCE_S)


def look_at_the_dashboard(prometheus: Prometheus) -> None:
    """Each query finds at least one number, as it stands in the dashboard."""
    dashboard = json.loads((HERE / "dashboard.json").read_text())
    (variable,) = [one for one in dashboard["templating"]["list"] if one["name"] == "focuser"]
    assert variable["definition"] == "label_values(focuser_build_info, focuser)"
    assert {one["metric"]["focuser"] for one in prometheus.query("focuser_build_info")} >= {"link", "wire"}
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 25
    empty = [
        query
        for query in queries
        if all(
            math.isnan(float(one["value"][1]))
            for one in prometheus.query(query.replace("$focuser", variable["allValue"]))
        )
    ]
    assert empty == []
