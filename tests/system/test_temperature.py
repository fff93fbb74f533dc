"""A real focusd follows a real daemon's temperature: over Pyro, as an Alpaca action, and by `focus reference`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, Callable

import Pyro4
import pytest

from tests.support.waiting import wait_until


class Weather:
    """A daemon of an observatory that knows the temperature of the tube."""

    def __init__(self) -> None:
        self.celsius = 10.0

    @Pyro4.expose
    def last_measurement(self) -> dict[str, Any]:
        return {"tube": {"temperature": self.celsius, "temperature_valid": True}}


@pytest.fixture(name="weather")
def fixture_weather() -> Iterator[tuple[Weather, int]]:
    weather = Weather()
    server = Pyro4.Daemon(host="127.0.0.1", port=0)
    server.register(weather, "weather")
    thread = threading.Thread(target=server.requestLoop, daemon=True)
    thread.start()
    yield weather, server.sock.getsockname()[1]
    server.shutdown()
    thread.join(5)


def test_a_night_with_a_thermometer(
    make_daemon: Any,
    run_focus: Any,
    proxy_from: Callable[[Any, str], Any],
    weather: tuple[Weather, int],
) -> None:
    thermometer, port = weather
    source = {
        "daemon": "weather",
        "method": "last_measurement",
        "key": "tube.temperature",
        "slope_mm_per_k": -0.1,
        "smoothing_s": 0,
        "quiet_s": 0,
        # So it is asked every three seconds.
        "oldest_s": 30,
        "active": True,
    }
    site = {"daemons": {"weather": {"name": "weather", "machine": "LocalHost", "port": port}}}
    daemon = make_daemon(site=site, temperature=source).start()
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 2.0) == 0
    wait_until(lambda: daemon.status()["temperature"]["celsius"] == 10.0)
    assert daemon.status()["temperature"]["state"] == "unset"

    ran = run_focus(daemon, "reference", "--why", "autofocus")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert daemon.status()["temperature"]["reference_celsius"] == 10.0
    assert proxy_from(daemon, "127.0.0.3").set_reference() == 3
    assert daemon.call("set_term", "temperature", 0.3, "temperature") == 1
    assert "set by this daemon itself" in daemon.call("last_failure")["reason"]

    thermometer.celsius = 9.0
    daemon.wait_for(lambda report: report["temperature"]["term_mm"] == 0.1 == report["terms_mm"], "the term")
    assert daemon.status()["current_mm"] == 2.1
    (reference,) = [row for row in daemon.call("moves", 0, 4e9) if row["kind"] == "reference"]
    assert (reference["why"], reference["door"], reference["result"]) == ("autofocus", "pyro", "10.000")
    kept = json.loads((daemon.folder / "state" / "system_test.temperature.json").read_text())
    assert (kept["celsius"], kept["set_mm"]) == (10.0, 0.1)
    assert daemon.truth()["carriage_mm"] == pytest.approx(2.1, abs=0.0005)
