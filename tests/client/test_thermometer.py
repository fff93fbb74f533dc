"""A thermometer is asked: what is found in its answer, and how each way of giving none is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import Pyro4
import pytest
from rockit.common.registered_daemon import RegisteredDaemon

from rockit.focuser.ok3z.client import thermometer
from rockit.focuser.ok3z.client.thermometer import Thermometer, found
from rockit.focuser.ok3z.client.unpacking import MOST_ANSWER_BYTES, bounded_answers
from rockit.focuser.ok3z.errors import ThermometerError
from tests.support.ports import free_port

ANSWER = {
    "date": "2026-11-22T20:00:00Z",
    "temperature": 7.5,
    "temperature_valid": True,
    "dew": 3.0,
    "dew_valid": False,
    "tube": {"date": "2026-11-22T20:00:01Z", "sensors": [{"t": 1.0}, {"t": -2}]},
}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("temperature", (7.5, "2026-11-22T20:00:00Z")),
        ("tube.sensors.1.t", (-2, "2026-11-22T20:00:01Z")),
        ("tube.sensors", ([{"t": 1.0}, {"t": -2}], "2026-11-22T20:00:01Z")),
    ],
)
def test_a_value_is_found_by_its_path_with_the_date_nearest_to_it(key: str, expected: object) -> None:
    assert found(ANSWER, key.split(".")) == expected


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (ANSWER, "dew"),
        (ANSWER, "wind"),
        (ANSWER, "date.t"),
        (ANSWER, "tube.sensors.2.t"),
        (ANSWER, "tube.sensors.-1.t"),
        (ANSWER, "tube.sensors.99999999999.t"),
        (None, "t"),
        (7.5, "t"),
        ("text", "0"),
    ],
)
def test_what_is_not_there_or_not_valid_is_said_without_a_word_of_the_configuration_to_strangers(
    answer: object, key: str
) -> None:
    with pytest.raises(ThermometerError, match="the thermometer ") as caught:
        found(answer, key.split("."))
    assert not set(key.split(".")) & set(str(caught.value.reason).replace(".", "").split())


class Weather:
    """A daemon of an observatory."""

    @Pyro4.expose
    def last_measurement(self) -> dict[str, Any]:
        return ANSWER

    @Pyro4.expose
    def huge(self) -> str:
        return "x" * (2 * MOST_ANSWER_BYTES)

    @Pyro4.expose
    def broken(self) -> float:
        raise SystemExit(0)

    @Pyro4.expose
    def silent(self) -> None:
        threading.Event().wait(0.5)


@pytest.fixture(name="weather", scope="module")
def fixture_weather() -> Iterator[RegisteredDaemon]:
    server = Pyro4.Daemon(host="127.0.0.1", port=0)
    server.register(Weather(), "weather")
    thread = threading.Thread(target=server.requestLoop, daemon=True)
    thread.start()
    yield RegisteredDaemon("weather", "127.0.0.1", server.sock.getsockname()[1])
    server.shutdown()
    thread.join(5)


def test_a_daemon_is_asked(weather: RegisteredDaemon) -> None:
    with bounded_answers():
        assert Thermometer(weather, "last_measurement", ["temperature"]).read() == (7.5, ANSWER["date"])


@pytest.mark.parametrize("method", ["huge", "broken", "silent", "no_such_method"])
def test_a_daemon_that_answers_nonsense_is_told(
    weather: RegisteredDaemon, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thermometer, "PATIENCE_S", 0.1 if method == "silent" else 5.0)
    with bounded_answers(), pytest.raises(ThermometerError) as caught:
        Thermometer(weather, method, ["temperature"]).read()
    assert str(caught.value.reason) == "the thermometer gives no answer."
    assert str(weather.port) in str(caught.value)


def test_a_daemon_that_is_away_is_told() -> None:
    port = free_port()
    with pytest.raises(ThermometerError, match=f"gives no answer: Nothing listens at 127.0.0.1:{port}"):
        Thermometer(RegisteredDaemon("weather", "127.0.0.1", port), "last_measurement", ["t"]).read()
