"""What Prometheus reads: `GET /metrics`, made of what the service publishes and counts. It never asks the controller.

Lengths are in metres and times in seconds, as Prometheus wants them. What is not known is left out, and is not 0. No
label holds what a caller said, so the number of series is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, Callable, Union

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder

from .. import errors
from ..driver.planning import mm_from_steps
from ..errors import RequestError
from ..service.counters import Counters, Histogram
from ..service.focuser import Focuser
from ..service.status import Snapshot, State, Trust
from ..version import VERSION


def _is_refusal(cls: object) -> bool:
    return isinstance(cls, type) and issubclass(cls, RequestError) and cls is not RequestError


PATH = "/metrics"
MEDIA_TYPE = "application/openmetrics-text"
OPENMETRICS = f"{MEDIA_TYPE}; version=1.0.0"
# As `driver.tally.Tally.surprises` has them.
SURPRISES = ("ahead", "back", "astray", "line")
MALFORMED = "malformed"
REFUSALS = (*(cls.code for cls in vars(errors).values() if _is_refusal(cls)), MALFORMED)

Family = Union[CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily]


class Metrics:
    """The metrics of one focuser. Belongs to the thread that serves them.

    Args:
        focuser: the service.
        daemon: the daemon's registered name.
        with_process: whether to tell of the process too: processor time, memory, open files.
    """

    def __init__(self, focuser: Focuser, daemon: str, with_process: bool = True) -> None:
        self._focuser = focuser
        self._daemon = daemon
        self.connections: dict[str, Callable[[], int]] = {}
        """How many connections each port has, by the port's name. Each is asked on the thread that serves."""
        self._registry = CollectorRegistry()
        self._registry.register(self)
        if with_process:
            ProcessCollector(registry=self._registry)

    def routes(self) -> list[web.RouteDef]:
        """The address of the metrics."""
        return [web.get(PATH, self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        accepted = ", ".join(request.headers.getall("Accept", []))
        # Not as it came: the library reads versions out of it, and fails at what is none.
        encode, content_type = choose_encoder(OPENMETRICS if MEDIA_TYPE in accepted.lower() else "")
        headers = {
            "Content-Type": content_type,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=encode(self._registry), headers=headers)

    def describe(self) -> list[Family]:
        """Nothing: the registry would collect once to learn the names."""
        return []

    def collect(self) -> Iterator[Family]:
        """All there is now (for a `CollectorRegistry`)."""
        build = InfoMetricFamily("focuser_build", "Which program this is, of which daemon.")
        build.add_metric([], {"version": VERSION, "daemon": self._daemon})
        yield build
        snapshot = self._focuser.snapshot
        yield from _now(snapshot, self._focuser.reading_age_s(snapshot))
        holds = self._focuser.holds.living()
        yield _gauge("focuser_holds", "How many were promised that it does not move now.", len(holds))
        yield from _counted(self._focuser.counters)
        ports = {port: count() for port, count in self.connections.items()}
        yield _gauges("focuser_connections", "Connections that are open.", "port", ports)


def _now(snapshot: Snapshot, age_s: float | None) -> Iterator[Family]:
    yield _gauge(
        "focuser_position_meters",
        "Where the focuser is, from fully in; absent if that is not known.",
        _metres(snapshot.current_steps),
    )
    yield _gauge(
        "focuser_target_meters",
        "Where it shall stand; absent if nobody knows.",
        _metres(snapshot.target_steps),
    )
    yield _gauge(
        "focuser_reading_age_seconds", "How long ago the controller was heard; absent without a link.", age_s
    )
    states = {state.value: float(state is snapshot.state) for state in State}
    yield _gauges("focuser_state", "What the focuser does: 1 for one of the states.", "state", states)
    trusts = {trust.value: float(trust is snapshot.confidence.trust) for trust in Trust}
    yield _gauges("focuser_position_trust", "What the position rests on: 1 for one of them.", "trust", trusts)
    audit = snapshot.audit
    yield _gauge(
        "focuser_audit_lost_meters",
        "How much further out than published the last audit found the focuser; absent before there was one.",
        _metres(None if audit is None else audit.lost_steps),
    )
    ratios = snapshot.ratios
    measured = {} if ratios is None else {"homing": ratios.homing, "leg": ratios.legs}
    yield _gauges(
        "focuser_rate_ratio",
        "How fast the motor was seen to run, over what its settings make; absent if that was not measured.",
        "run",
        {run: ratio for run, ratio in measured.items() if ratio is not None},
    )


def _counted(counters: Counters) -> Iterator[Family]:
    yield _counters(
        "focuser_moves",
        "Moves that have ended, by result.",
        "result",
        {result.value: number for result, number in counters.moves.items()},
    )
    yield _counters(
        "focuser_homings",
        "Homing runs that have ended, by result; those of audits too.",
        "result",
        {result.value: number for result, number in counters.homings.items()},
    )
    yield _histogram("focuser_move_seconds", "How long moves took that arrived.", counters.move_s)
    yield _histogram(
        "focuser_move_overhead_seconds",
        "How much longer moves took than the motor alone would have needed.",
        counters.overhead_s,
    )
    yield _histogram(
        "focuser_stop_seconds", "How long stops took until standstill was proven.", counters.stop_s
    )
    yield _histogram(
        "focuser_reply_seconds", "How long the controller's answers took.", counters.wire.reply_s
    )
    yield _counter(
        "focuser_travel_meters",
        "How far the focuser was seen to run, in whatever direction.",
        mm_from_steps(counters.travelled_steps) / 1000,
    )
    yield _counter("focuser_link_losses", "How often the link was lost.", counters.link_losses)
    surprises = dict(counters.wire.surprises)
    yield _counters(
        "focuser_surprises",
        "What was not believed at once: readings beside the path, and on the line what nobody asked for.",
        "kind",
        {kind: surprises.get(kind, 0) for kind in SURPRISES},
    )
    refused = counters.refused
    yield _counters(
        "focuser_refused_calls",
        "Calls that were refused before anything moved.",
        "reason",
        {reason: refused.get(reason, 0) for reason in REFUSALS},
    )
    yield _gauge(
        "focuser_homing_repeatability_meters",
        "How far apart the approaches of the last homing ended; absent before there was one.",
        _metres(counters.homing_scatter_steps),
    )


def _metres(steps: float | None) -> float | None:
    return None if steps is None else mm_from_steps(steps) / 1000


def _unit(name: str) -> str:
    last = name.rpartition("_")[2]
    return last if last in ("meters", "seconds") else ""


def _gauge(name: str, text: str, value: float | None) -> Family:
    family = GaugeMetricFamily(name, text, unit=_unit(name))
    if value is not None:
        family.add_metric([], value)
    return family


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Family:
    return _labelled(GaugeMetricFamily(name, text, labels=[label]), values)


def _counter(name: str, text: str, value: float) -> Family:
    family = CounterMetricFamily(name, text, unit=_unit(name))
    family.add_metric([], value)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Family:
    return _labelled(CounterMetricFamily(name, text, labels=[label]), values)


def _labelled(family: Any, values: Mapping[str, float]) -> Family:
    for word, value in values.items():
        family.add_metric([word], value)
    labelled: Family = family
    return labelled


def _histogram(name: str, text: str, histogram: Histogram) -> Family:
    ends = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    family = HistogramMetricFamily(name, text, unit=_unit(name))
    family.add_metric([], list(zip(ends, accumulate(histogram.counts))), histogram.sum)
    return family
