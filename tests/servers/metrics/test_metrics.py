"""What Prometheus reads: which numbers, in which format, who may ask, and that the focuser is left alone meanwhile."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, cast

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from rockit.focuser.ok3z.driver.rates import Ratios
from rockit.focuser.ok3z.servers.http.rate_limit import BURST
from rockit.focuser.ok3z.servers.metrics import REFUSALS, SURPRISES, Metrics
from rockit.focuser.ok3z.service.focuser import Focuser
from rockit.focuser.ok3z.service.motion_log import RecordedMotion, Result
from rockit.focuser.ok3z.service.status import Audit, Confidence, Snapshot, State, Trust
from tests.support.focusers import MovingFocuser
from tests.support.http import STRANGER
from tests.support.markdown import code, page, rows

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
STEPS_PER_M = 5088_000


@pytest.fixture
def server(focuser: MovingFocuser, serve: Any) -> Any:
    """A server that tells Prometheus of everything."""
    return serve(metrics=Metrics(cast("Focuser", focuser), "dome_focuser"), burst=BURST)


def told(client: Any) -> dict[str, float]:
    """What is told now: each sample as Prometheus names it, and its value."""
    answer = client.ask("GET", "/metrics")
    assert answer.status == 200
    return {
        sample.name + "".join(f"{{{label}={value}}}" for label, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_it_speaks_the_format_that_is_asked_for(wire: Any) -> None:
    plain = wire.ask("GET", "/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert plain.headers["cache-control"] == "no-store"
    modern = wire.ask("GET", "/metrics", Accept=OPENMETRICS)
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=")
    names = {
        family.name for family in openmetrics.text_string_to_metric_families(modern.body.decode("utf-8"))
    }
    assert {"focuser_moves", "focuser_build", "focuser_reply_seconds", "process_cpu_seconds"} <= names


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/openmetrics-text;version=abc", "application/openmetrics-text; version="),
        ("Application/OpenMetrics-Text; version=9.9.9", "application/openmetrics-text; version="),
        ("text/plain;version=x", "text/plain; version=0.0.4"),
        ("text/plain;version=;escaping=;;,,", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
    ],
)
def test_whatever_a_stranger_accepts_is_answered(wire: Any, accept: str, kind: str) -> None:
    answer = wire.ask("GET", "/metrics", Accept=accept)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)
    assert "9.9.9" not in answer.headers["content-type"]


def test_there_are_few_series_and_no_commands_among_them(wire: Any, focuser: MovingFocuser) -> None:
    answer = wire.ask("GET", "/metrics")
    samples = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    assert 80 < len(samples) < 300
    assert focuser.calls == [], "a scrape asks nothing of the service's thread"
    for verb in ("POST", "PUT", "DELETE"):
        assert wire.ask(verb, "/metrics").status == 405


def test_the_snapshot_is_told_in_base_units(wire: Any, focuser: MovingFocuser) -> None:
    focuser.snapshot = Snapshot(
        state=State.MOVING,
        current_steps=10176,
        target_steps=5088,
        read_at_s=1.0,
        confidence=Confidence(Trust.HOMED),
        audit=Audit("2026-11-30T20:00:00Z", "2026-11-29T20:00:00Z", -51),
        ratios=Ratios(0.5, None, 41, 437),
    )
    samples = told(wire)
    assert samples["focuser_position_meters"] == pytest.approx(0.002)
    assert samples["focuser_target_meters"] == pytest.approx(0.001)
    assert samples["focuser_reading_age_seconds"] == 0.25
    assert samples["focuser_audit_lost_meters"] == pytest.approx(-51 / STEPS_PER_M)
    assert {name: samples[f"focuser_state{{state={name}}}"] for name in (state.value for state in State)} == {
        state.value: float(state is State.MOVING) for state in State
    }
    assert [samples[f"focuser_position_trust{{trust={trust.value}}}"] for trust in Trust] == [
        float(trust is Trust.HOMED) for trust in Trust
    ]
    assert samples["focuser_rate_ratio{run=homing}"] == 0.5
    assert "focuser_rate_ratio{run=leg}" not in samples


def test_what_is_not_known_is_left_out(wire: Any, focuser: MovingFocuser) -> None:
    focuser.snapshot = Snapshot()
    focuser.reading_s = None
    samples = told(wire)
    for absent in ("position_meters", "target_meters", "reading_age_seconds", "audit_lost_meters"):
        assert f"focuser_{absent}" not in samples
    assert "focuser_homing_repeatability_meters" not in samples
    assert samples["focuser_state{state=disconnected}"] == 1


def test_what_was_counted_is_told(wire: Any, focuser: MovingFocuser) -> None:
    counters = focuser.counters
    counters.motion_begins()
    counters.plans(3.96)
    move = RecordedMotion(1, False, "", 0, 10176, 10176, Result.ARRIVED, ended_s=focuser.now_s + 4.0)
    counters.motion_ended(move)
    counters.motion_ended(replace(move, result=Result.UNSEEN, ended_s=None))
    counters.motion_ended(replace(move, to_steps=None))
    counters.motion_ended(replace(move, homing=True, to_steps=None))
    counters.published(Snapshot(current_steps=10176))
    counters.published(Snapshot(current_steps=5088))
    counters.published(Snapshot(current_steps=None))
    counters.published(Snapshot(current_steps=0))
    counters.wire.reply_s.note(0.011)
    counters.wire.surprises["astray"] += 2
    counters.stop_s.note(0.1)
    counters.link_losses += 1
    counters.homing_scatter_steps = 51
    samples = told(wire)
    assert samples["focuser_moves_total{result=arrived}"] == 1, "not what somebody drove by hand"
    assert samples["focuser_moves_total{result=unseen}"] == 1
    assert samples["focuser_homings_total{result=arrived}"] == 1
    assert (samples["focuser_move_seconds_count"], samples["focuser_move_seconds_sum"]) == (1, 4.0)
    assert samples["focuser_move_seconds_bucket{le=5.0}"] == 1
    assert samples["focuser_move_seconds_bucket{le=2.0}"] == 0
    assert samples["focuser_move_overhead_seconds_sum"] == pytest.approx(0.04)
    assert samples["focuser_travel_meters_total"] == pytest.approx(0.001), "not over what nobody saw"
    assert samples["focuser_reply_seconds_bucket{le=0.01}"] == 0
    assert samples["focuser_reply_seconds_bucket{le=0.015}"] == 1
    assert samples["focuser_stop_seconds_bucket{le=0.1}"] == 1, "a bound is within its class"
    assert samples["focuser_link_losses_total"] == 1
    assert [samples[f"focuser_surprises_total{{kind={kind}}}"] for kind in SURPRISES] == [0, 0, 2, 0]
    assert samples["focuser_homing_repeatability_meters"] == pytest.approx(51 / STEPS_PER_M)


def test_holds_are_told_until_they_are_over(wire: Any, focuser: MovingFocuser) -> None:
    tokens = [focuser.hold(name, 60) for name in ("cam1", "cam2")]
    assert told(wire)["focuser_holds"] == 2
    focuser.release(tokens[0])
    assert told(wire)["focuser_holds"] == 1


def test_connections_and_refused_calls_are_told(wire: Any, stranger: Any) -> None:
    assert stranger.put("move", Position=5).error != 0
    samples = told(wire)
    assert samples["focuser_connections{port=alpaca}"] == 2
    refused = {reason: samples[f"focuser_refused_calls_total{{reason={reason}}}"] for reason in REFUSALS}
    assert {reason: count for reason, count in refused.items() if count} == {"not_permitted": 1}


def test_the_guard_of_the_port_holds(server: Any, wire: Any, dial: Any) -> None:
    assert wire.ask("GET", "/metrics", Host="foreign.example.org").status == 403
    assert wire.ask("GET", "/metrics", Origin="http://elsewhere.example.org").status == 403
    assert dial(server, source=STRANGER).ask("GET", "/metrics").status == 200, "everybody may look"


def test_strangers_get_no_more_than_the_rates_of_the_port(
    focuser: MovingFocuser, serve: Any, dial: Any
) -> None:
    server = serve(metrics=Metrics(cast("Focuser", focuser), "dome_focuser"), burst=3, per_s=0.001)
    client = dial(server, source=STRANGER)
    # The connection itself has taken one.
    assert [client.ask("GET", "/metrics").status for _ in range(2)] == [200, 200]
    client.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200" not in client.rest()


def test_the_process_is_left_out_if_so_configured(focuser: MovingFocuser, serve: Any, dial: Any) -> None:
    quiet = serve(metrics=Metrics(cast("Focuser", focuser), "dome_focuser", with_process=False))
    assert not [name for name in told(dial(quiet)) if name.startswith("process_")]


def test_without_the_key_there_is_nothing_at_this_address(serve: Any, dial: Any) -> None:
    assert dial(serve()).ask("GET", "/metrics").status == 404


def test_the_documentation_names_each_metric_and_its_labels(wire: Any) -> None:
    described = {
        code(row["Metric"])[0]: code(row["Labels"]) for row in rows(page("docs/monitoring.md"), "Metric")
    }
    answer = wire.ask("GET", "/metrics").body.decode()
    families = {
        re.sub(r"\A(focuser_\w+)\Z", r"\1_total", family.name)
        if family.type == "counter"
        else family.name: family
        for family in text_string_to_metric_families(answer)
    }
    named = {"focuser_build_info" if name == "focuser_build" else name for name in families}
    assert named == {*described, *(name for name in named if name.startswith("process_"))} - {"process_*"}
    for family in families.values():
        for sample in family.samples:
            labels = [label for label in sample.labels if label != "le"]
            name = next((name for name in described if sample.name.startswith(name)), "process_*")
            assert sorted(labels) == sorted(described[name])


def test_the_documentation_names_each_reason() -> None:
    (row,) = [row for row in rows(page("docs/monitoring.md"), "Metric") if "refused_calls" in row["Metric"]]
    assert sorted(code(row["What it is"])) == sorted(REFUSALS)
